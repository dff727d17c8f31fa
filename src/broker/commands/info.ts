// INFO: which sections there are, and those about shards and the cluster.

import type { Argv } from '../../base/argv.ts'
import type { NodeId } from '../../base/types.ts'
import type { Reply } from '../../machine/reply.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import {
  CONNECTED_REPLICAS_FIELD,
  FAILOVER_STATE_FIELD,
  LEADER_WORD,
  REPLICA_LINE_FIELD,
  REPLICATION_ID_FIELD,
  REPLICATION_OFFSET_FIELD,
} from '../redis-words.ts'
import type { Session } from '../session.ts'
import { keylessFacts } from './help.ts'
import {
  clients,
  commandStats,
  cpu,
  errorStats,
  type Fields,
  latencyStats,
  memory,
  persistence,
  server,
  stats,
} from './info-sections.ts'

type Section = {
  readonly title: string
  readonly fields: (desk: Desk) => Fields
  /** Not part of plain INFO. */
  readonly onRequest?: true
}

const SECTIONS: readonly Section[] = [
  { title: 'Server', fields: server },
  { title: 'Clients', fields: clients },
  { title: 'Memory', fields: memory },
  { title: 'Persistence', fields: persistence },
  { title: 'Stats', fields: stats },
  { title: 'Replication', fields: replication },
  { title: 'Shards', fields: shards },
  { title: 'CPU', fields: cpu },
  { title: 'Modules', fields: () => [] },
  { title: 'Commandstats', fields: commandStats, onRequest: true },
  { title: 'Errorstats', fields: errorStats },
  { title: 'Latencystats', fields: latencyStats, onRequest: true },
  { title: 'Cluster', fields: cluster },
  { title: 'Keyspace', fields: keyspace },
]

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
  return [
    ...lines,
    [FAILOVER_STATE_FIELD, 'no-failover'],
    [REPLICATION_ID_FIELD, map.clusterId.padEnd(40, '0').slice(0, 40)],
    [REPLICATION_OFFSET_FIELD, offset],
  ]
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
  const all = wanted.has('ALL') || wanted.has('EVERYTHING')
  const usual = wanted.size === 0 || wanted.has('DEFAULT')
  const parts: string[] = []
  for (const { title, fields, onRequest } of SECTIONS) {
    const isWanted = all || (usual && onRequest !== true) || wanted.has(title.toUpperCase())
    if (!isWanted) continue
    const lines = fields(desk).map(([field, value]) => `${field}:${value}\r\n`)
    parts.push(`# ${title}\r\n${lines.join('')}`)
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
