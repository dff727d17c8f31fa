// What the commands of `slotcast ctl` do, by the same gRPC API that clients use.
//
// Exit codes are for scripts: 0 well, 1 the command failed, 10 the cluster is not
// well. `--json` prints what the tables show.

import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
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

export type ControlFlags = { readonly address: string; readonly json?: boolean }

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

/** By name; `ctl.ts` has their words and flags. */
export const CONTROL_COMMANDS: Readonly<
  Record<string, (flags: ControlFlags, words: string[]) => Promise<void>>
> = { status, nodes, shards, topology, keyslot, exec }

async function status(flags: ControlFlags): Promise<void> {
  const { map, nodes } = await survey(flags)
  const faults: string[] = []
  for (const node of nodes) if (node.fault !== null) faults.push(`${node.name}: ${node.fault}`)
  for (const shard of map.shards) {
    if (shard.leaderNodeId === '') faults.push(`shard ${shard.shardId} has no leader`)
  }
  if (map.shards.length === 0) faults.push('the cluster is not made yet')
  const healthy = faults.length === 0
  show(flags, { healthy, faults, nodes, shards: map.shards }, () => printStatus(faults, nodes, map))
  if (!healthy) process.exitCode = EXIT_UNHEALTHY
}

async function nodes(flags: ControlFlags): Promise<void> {
  const found = await survey(flags)
  show(flags, found.nodes, () => printNodes(found.nodes))
}

async function shards(flags: ControlFlags): Promise<void> {
  const map = await topologyOf(flags.address)
  show(flags, map.shards, () => printShards(map))
}

async function topology(flags: ControlFlags): Promise<void> {
  const map = await topologyOf(flags.address)
  show({ json: true }, map, () => '')
}

async function keyslot(flags: ControlFlags, [key = '']: string[]): Promise<void> {
  const slot = slotOf(Buffer.from(key))
  const map = await topologyOf(flags.address)
  const shard = map.shards.find(({ ranges }) =>
    ranges.some(({ first, last }) => first <= slot && slot <= last),
  )
  const leader = map.nodes.find(node => node.nodeId === shard?.leaderNodeId)
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

async function exec(flags: ControlFlags, words: string[]): Promise<void> {
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
async function survey(flags: ControlFlags): Promise<{ map: Topology; nodes: NodeState[] }> {
  const map = await topologyOf(flags.address)
  const nodes = await Promise.all(
    map.nodes.map(async (node): Promise<NodeState> => {
      const grpc = `${node.grpc?.host}:${node.grpc?.port}`
      let fault: string | null = null
      try {
        await askTopology(grpc, PROBE_MS)
      } catch (error) {
        fault = reasonOf(error)
      }
      return {
        name: node.nodeId,
        resp: `${node.resp?.host}:${node.resp?.port}`,
        grpc,
        hostLabel: node.hostLabel,
        fault,
        leads: map.shards.filter(shard => shard.leaderNodeId === node.nodeId).length,
        replicas: map.shards.filter(shard => shard.replicaNodeIds.includes(node.nodeId)).length,
      }
    }),
  )
  return { map, nodes }
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
  return new OperationalError('PEER', `${address}: ${reasonOf(error)}`, error)
}

/** grpc-js wraps what the socket said in two sentences of its own. */
function reasonOf(error: unknown): string {
  const { details, message } = error as ServiceError
  const text = details ?? message
  return /Last error: (?:Error: )?(.*?)\.? ?(?:Resolution note:.*)?$/.exec(text)?.[1] ?? text
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
