// What `slotcast ctl` prints for people: tables, one verdict, and replies as redis-cli shows them.

import Table from 'cli-table3'
import type { NodeState } from './ctl-commands.ts'
import type { Reply } from './gen/slotcast/v1/reply.ts'
import type { Topology } from './gen/slotcast/v1/topology.ts'

export function printStatus(
  faults: readonly string[],
  nodes: readonly NodeState[],
  topology: Topology,
): string {
  const verdict =
    faults.length === 0
      ? `The cluster is well: ${nodes.length} nodes, ${topology.shards.length} shards, all with a leader.`
      : `The cluster is not well:\n${faults.map(fault => `  - ${fault}`).join('\n')}`
  return `${verdict}\n${printNodes(nodes)}\n${printShards(topology)}`
}

export function printNodes(nodes: readonly NodeState[]): string {
  const table = plainTable(['Node', 'State', 'RESP', 'gRPC', 'Label', 'Leads', 'Replicas'])
  for (const node of nodes) {
    const { name, fault, resp, grpc, hostLabel, leads, replicas } = node
    table.push([name, fault === null ? 'up' : 'down', resp, grpc, hostLabel, leads, replicas])
  }
  return table.toString()
}

export function printShards(topology: Topology): string {
  const table = plainTable(['Shard', 'Slots', 'Count', 'Leader', 'Replicas'])
  for (const shard of topology.shards) {
    const slots = shard.ranges.map(({ first, last }) =>
      first === last ? `${first}` : `${first}-${last}`,
    )
    const count = shard.ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
    table.push([
      shard.shardId,
      slots.join(' '),
      count,
      shard.leaderNodeId || 'none',
      shard.replicaNodeIds.join(' '),
    ])
  }
  return table.toString()
}

/** Without colours, so that a pipe gets what a terminal gets. */
function plainTable(head: string[]): Table.Table {
  return new Table({ head, style: { head: [], border: [], compact: true } })
}

export function printReply(reply: Reply, indent = ''): string {
  const kind = reply.kind
  switch (kind?.$case) {
    case undefined:
    case 'nullValue':
      return '(nil)'
    case 'simple':
    case 'verbatim':
      return kind.value
    case 'integer':
      return `(integer) ${kind.value}`
    case 'bulk':
      return JSON.stringify(Buffer.from(kind.value).toString())
    case 'error':
      return `(error) ${kind.value.text}`
    case 'array':
    case 'set':
      return printItems(kind.value.items, indent)
    case 'map':
      return printItems(
        kind.value.pairs.flatMap(({ key, value }) => [key ?? NOTHING, value ?? NOTHING]),
        indent,
      )
  }
}

const NOTHING: Reply = { kind: undefined }

function printItems(items: readonly Reply[], indent: string): string {
  if (items.length === 0) return '(empty array)'
  return items
    .map((item, i) => {
      const mark = `${i + 1}) `
      return `${i === 0 ? '' : indent}${mark}${printReply(item, indent + ' '.repeat(mark.length))}`
    })
    .join('\n')
}
