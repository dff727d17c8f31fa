// INFO: the fields that Redis' clients and tools read, with what is true here.
//
// What only Redis has (forks, replication backlogs, evictions) is left out rather
// than made up.

import type { Argv } from '../../base/argv.ts'
import type { NodeId } from '../../base/types.ts'
import type { Reply } from '../../machine/reply.ts'
import { clusterNodeId } from '../../topology/slot-map.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import {
  CONNECTED_REPLICAS_FIELD,
  LEADER_WORD,
  REPLICA_LINE_FIELD,
  REPLICATION_OFFSET_FIELD,
} from '../redis-words.ts'
import type { Session } from '../session.ts'
import { REDIS_VERSION } from './connection.ts'
import { keylessFacts } from './help.ts'

type Fields = readonly (readonly [string, string | number])[]

const SECTIONS: readonly (readonly [string, (desk: Desk) => Fields])[] = [
  ['Server', server],
  ['Clients', clients],
  ['Memory', memory],
  ['Persistence', persistence],
  ['Stats', stats],
  ['Replication', replication],
  ['Shards', shards],
  ['Cluster', cluster],
  ['Keyspace', keyspace],
]

/** Words that stand for all sections. */
const ALL = ['ALL', 'DEFAULT', 'EVERYTHING']

function uptimeSeconds(desk: Desk): number {
  return Math.floor((desk.ports.clock.monotonic() - desk.startedAt) / 1000)
}

function server(desk: Desk): Fields {
  const { directory, options, self } = desk.ports
  const node = directory.map().nodes.get(self)
  const seconds = uptimeSeconds(desk)
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_mode', options.clusterEnabled ? 'cluster' : 'standalone'],
    ['server_name', 'slotcast'],
    ['slotcast_version', options.version],
    ['arch_bits', 64],
    ['multiplexing_api', 'libuv'],
    ['run_id', node === undefined ? '' : clusterNodeId(node)],
    ['tcp_port', node?.resp.port ?? 0],
    ['server_time_usec', Math.floor(desk.ports.clock.now() * 1000)],
    ['uptime_in_seconds', seconds],
    ['uptime_in_days', Math.floor(seconds / 86_400)],
  ]
}

function clients(desk: Desk): Fields {
  const all = [...desk.sessions.values()]
  return [
    ['connected_clients', all.length],
    ['blocked_clients', all.filter(session => session.blocked.size > 0).length],
    ['tracking_clients', 0],
    ['pubsub_clients', 0],
    ['watching_clients', 0],
  ]
}

function memory(desk: Desk): Fields {
  const bytes = desk.ports.memoryBytes()
  return [
    ['used_memory', bytes],
    ['used_memory_human', `${(bytes / (1024 * 1024)).toFixed(2)}M`],
    ['used_memory_rss', bytes],
    ['maxmemory', desk.ports.options.memoryBytesMax ?? 0],
    ['maxmemory_policy', 'noeviction'],
    ['mem_allocator', 'libc'],
  ]
}

/** A standalone node is loading until it leads its shard; a cluster node says so by CLUSTERDOWN. */
function persistence(desk: Desk): Fields {
  const ready =
    desk.ports.options.clusterEnabled || desk.shards().some(({ replica }) => replica.isLeader)
  return [
    ['loading', ready ? 0 : 1],
    ['async_loading', 0],
    ['aof_enabled', 1],
    ['aof_last_write_status', 'ok'],
  ]
}

function stats(desk: Desk): Fields {
  const { tally } = desk
  return [
    ['total_connections_received', tally.connections],
    ['total_commands_processed', tally.commands],
    ['total_error_replies', tally.errors],
    ['slotcast_refused_commands', tally.refused],
    ['expired_keys', expired(desk)],
    ['evicted_keys', 0],
  ]
}

/** Keys that expired in the shards led here, as far as this node saw them go. */
function expired(desk: Desk): number {
  let keys = 0
  for (const { replica, machine } of desk.shards())
    if (replica.isLeader) keys += machine.keyspace.expired
  return keys
}

/** Nodes that follow a shard led here. */
function followers(desk: Desk): ReadonlySet<NodeId> {
  const { directory, self } = desk.ports
  const found = new Set<NodeId>()
  for (const { replica } of desk.shards()) {
    if (!replica.isLeader) continue
    for (const node of directory.map().shards.get(replica.shard)?.voters ?? []) found.add(node)
  }
  found.delete(self)
  return found
}

function replication(desk: Desk): Fields {
  const { directory } = desk.ports
  const map = directory.map()
  const lines: [string, string | number][] = [
    ['role', LEADER_WORD],
    [CONNECTED_REPLICAS_FIELD, followers(desk).size],
  ]
  let i = 0
  for (const id of followers(desk)) {
    const node = map.nodes.get(id)
    if (node === undefined) continue
    const state = directory.isDown?.(id) === true ? 'offline' : 'online'
    lines.push([
      `${REPLICA_LINE_FIELD}${i}`,
      `ip=${node.resp.host},port=${node.resp.port},state=${state}`,
    ])
    i += 1
  }
  const offset = desk.shards().reduce((sum, { replica }) => sum + replica.commit, 0)
  return [...lines, [REPLICATION_OFFSET_FIELD, offset]]
}

/** Ours: one line a replica, for how far it is behind. */
function shards(desk: Desk): Fields {
  return desk.shards().map(({ replica, machine }) => {
    const role = replica.isLeader ? 'leader' : 'follower'
    const { leader, commit, applied } = replica
    return [
      `shard${replica.shard}`,
      `role=${role},leader=n${leader},commit=${commit},applied=${applied},keys=${machine.keyspace.size}`,
    ]
  })
}

function cluster(desk: Desk): Fields {
  return [['cluster_enabled', desk.ports.options.clusterEnabled ? 1 : 0]]
}

function keyspace(desk: Desk): Fields {
  let keys = 0
  let expires = 0
  for (const { replica, machine } of desk.shards()) {
    if (!replica.isLeader) continue
    keys += machine.keyspace.size
    expires += machine.keyspace.expiring
  }
  return keys === 0 ? [] : [['db0', `keys=${keys},expires=${expires},avg_ttl=0,subexpiry=0`]]
}

function info(desk: Desk, _session: Session, argv: Argv): Reply {
  const wanted = new Set<string>()
  for (let i = 1; i < argv.count; i += 1) wanted.add(argv.upper(i))
  const all = wanted.size === 0 || ALL.some(word => wanted.has(word))
  const parts: string[] = []
  for (const [name, fieldsOf] of SECTIONS) {
    if (!all && !wanted.has(name.toUpperCase())) continue
    const fields = fieldsOf(desk).map(([field, value]) => `${field}:${value}\r\n`)
    parts.push(`# ${name}\r\n${fields.join('')}`)
  }
  return { kind: 'verbatim', text: parts.join('\r\n') }
}

export const INFO_COMMAND: DeskCommand = {
  ...keylessFacts('info', -1, '1.0.0', 'Returns facts and figures about the node.', {
    categories: ['slow', 'dangerous'],
    flags: ['loading', 'stale'],
    group: 'server',
  }),
  run: info,
}
