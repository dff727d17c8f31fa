// `slotcast ctl`: looks at a running cluster by the same gRPC API that clients use.
//
// Exit codes are for scripts: 0 well, 1 the command failed, 10 the cluster is not
// well. `--json` prints what the tables show.

import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import type { Command } from 'commander'
import { OperationalError } from './base/errors.ts'
import { slotOf } from './base/slot.ts'
import { parseAddress } from './config-values.ts'
import { printNodes, printReply, printShards, printStatus } from './ctl-print.ts'
import {
  ClusterServiceService,
  type GetTopologyResponse,
} from './gen/slotcast/v1/cluster_service.ts'
import { CommandServiceService, type ExecuteResponse } from './gen/slotcast/v1/command_service.ts'
import type { Reply } from './gen/slotcast/v1/reply.ts'
import type { Topology } from './gen/slotcast/v1/topology.ts'

export const EXIT_UNHEALTHY = 10

const CALL_MS = 5_000
const PROBE_MS = 1_000
const REDIRECTS_MAX = 5

type Flags = { readonly address: string; readonly json?: boolean }

/** A node as the map has it, and what it says itself. */
export type NodeState = {
  readonly name: string
  readonly resp: string
  readonly grpc: string
  readonly hostLabel: string
  /** Null: it answers. */
  readonly fault: string | null
  readonly leads: number
  readonly replicas: number
}

export function addControlCommands(program: Command): void {
  const ctl = program.command('ctl').description('look at a running cluster')
  const add = (name: string, text: string, run: (flags: Flags, words: string[]) => Promise<void>) =>
    ctl
      .command(name)
      .description(text)
      .option('--address <host:port>', 'gRPC address of any node', '127.0.0.1:7101')
      .option('--json', 'print JSON')
      .action(async (...parameters: unknown[]) => {
        const flags = parameters.at(-2) as Flags
        await run(flags, parameters.slice(0, -2).flat() as string[])
      })
  add('status', 'one verdict, nodes and shards; exit code 10 when not well', status)
  add('nodes', 'nodes, their addresses, what they lead', async flags => {
    const { nodes } = await survey(flags)
    show(flags, nodes, () => printNodes(nodes))
  })
  add('shards', 'shards, their slots, leaders and replicas', async flags => {
    const topology = await topologyOf(flags.address)
    show(flags, topology.shards, () => printShards(topology))
  })
  add('topology', 'the whole map as JSON', async flags => {
    const topology = await topologyOf(flags.address)
    show({ ...flags, json: true }, topology, () => '')
  })
  add('keyslot <key>', 'slot of a key, and who serves it', keyslot)
  add('exec <word...>', 'send a command, following redirects (words after --)', execute)
}

async function status(flags: Flags): Promise<void> {
  const { topology, nodes } = await survey(flags)
  const faults: string[] = []
  for (const node of nodes) if (node.fault !== null) faults.push(`${node.name}: ${node.fault}`)
  for (const shard of topology.shards) {
    if (shard.leaderNodeId === '') faults.push(`shard ${shard.shardId} has no leader`)
  }
  if (topology.shards.length === 0) faults.push('the cluster is not made yet')
  const healthy = faults.length === 0
  show(flags, { healthy, faults, nodes, shards: topology.shards }, () =>
    printStatus(faults, nodes, topology),
  )
  if (!healthy) process.exitCode = EXIT_UNHEALTHY
}

async function keyslot(flags: Flags, [key = '']: string[]): Promise<void> {
  const slot = slotOf(Buffer.from(key))
  const topology = await topologyOf(flags.address)
  const shard = topology.shards.find(({ ranges }) =>
    ranges.some(({ first, last }) => first <= slot && slot <= last),
  )
  const leader = topology.nodes.find(node => node.nodeId === shard?.leaderNodeId)
  const fact = {
    key,
    slot,
    shard: shard?.shardId ?? null,
    leader: shard?.leaderNodeId ?? null,
    grpc: leader?.grpc === undefined ? null : `${leader.grpc.host}:${leader.grpc.port}`,
    resp: leader?.resp === undefined ? null : `${leader.resp.host}:${leader.resp.port}`,
  }
  show(flags, fact, () =>
    shard === undefined
      ? `slot ${slot}, owned by no shard`
      : `slot ${slot}, shard ${shard.shardId}, leader ${fact.leader || 'unknown'} (grpc ${fact.grpc ?? '-'}, resp ${fact.resp ?? '-'})`,
  )
}

async function execute(flags: Flags, words: string[]): Promise<void> {
  let address = flags.address
  for (let hop = 0; ; hop += 1) {
    try {
      const reply = await executeAt(address, words)
      show(flags, reply, () => printReply(reply))
      if (reply.kind?.$case === 'error') process.exitCode = 1
      return
    } catch (error) {
      const moved = /^(?:MOVED|ASK) \d+ (\S+)$/.exec((error as ServiceError).details ?? '')?.[1]
      if (moved === undefined || hop === REDIRECTS_MAX) throw asOperational(address, error)
      address = moved
    }
  }
}

async function executeAt(address: string, words: readonly string[]): Promise<Reply> {
  const argv = words.map(word => Buffer.from(word))
  const response = await call<ExecuteResponse>(
    address,
    CommandServiceService.execute,
    { argv, producer: undefined },
    CALL_MS,
  )
  return response.reply ?? { kind: undefined }
}

async function topologyOf(address: string): Promise<Topology> {
  try {
    return await askTopology(address, CALL_MS)
  } catch (error) {
    throw asOperational(address, error)
  }
}

async function askTopology(address: string, timeoutMs: number): Promise<Topology> {
  const { getTopology } = ClusterServiceService
  const response = await call<GetTopologyResponse>(address, getTopology, {}, timeoutMs)
  if (response.topology === undefined) throw new OperationalError('PEER', 'an answer without a map')
  return response.topology
}

/** The map, and whether each of its nodes answers. */
async function survey(flags: Flags): Promise<{ topology: Topology; nodes: NodeState[] }> {
  const topology = await topologyOf(flags.address)
  const nodes = await Promise.all(
    topology.nodes.map(async (node): Promise<NodeState> => {
      const grpc = `${node.grpc?.host}:${node.grpc?.port}`
      let fault: string | null = null
      try {
        await askTopology(grpc, PROBE_MS)
      } catch (error) {
        fault = (error as ServiceError).details ?? (error as Error).message
      }
      return {
        name: node.nodeId,
        resp: `${node.resp?.host}:${node.resp?.port}`,
        grpc,
        hostLabel: node.hostLabel,
        fault,
        leads: topology.shards.filter(shard => shard.leaderNodeId === node.nodeId).length,
        replicas: topology.shards.filter(shard => shard.replicaNodeIds.includes(node.nodeId))
          .length,
      }
    }),
  )
  return { topology, nodes }
}

type Method = {
  readonly path: string
  readonly requestSerialize: (value: never) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => unknown
}

function call<R>(address: string, method: Method, request: object, timeoutMs: number): Promise<R> {
  const parsed = parseAddress(address)
  if (parsed instanceof Error) throw new OperationalError('CONFIG', `--address ${parsed.message}`)
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.enable_http_proxy': 0,
  })
  return new Promise<R>((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize as (value: object) => Buffer,
      method.responseDeserialize as (bytes: Buffer) => R,
      request,
      { deadline: Date.now() + timeoutMs },
      (error, value) => (error === null && value !== undefined ? resolve(value) : reject(error)),
    )
  }).finally(() => client.close())
}

function asOperational(address: string, error: unknown): OperationalError {
  if (error instanceof OperationalError) return error
  const { details, message } = error as ServiceError
  return new OperationalError('PEER', `${address}: ${details ?? message}`, error)
}

function show(flags: { readonly json?: boolean }, value: unknown, text: () => string): void {
  process.stdout.write(`${flags.json ? toJson(value) : text()}\n`)
}

function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, item: unknown) => {
      if (typeof item === 'bigint') return Number(item)
      // Buffer.toJSON ran already.
      if (typeof item === 'object' && item !== null && 'type' in item && item.type === 'Buffer') {
        return Buffer.from((item as unknown as { data: number[] }).data).toString()
      }
      return item
    },
    2,
  )
}
