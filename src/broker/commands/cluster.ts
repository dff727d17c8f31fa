// CLUSTER: the slot map in the forms that Redis Cluster's clients read.
//
// To Redis a node is either a leader with slots or a replica of one. Ours lead some
// shards and follow others, so NODES shows each node as a leader with the slots
// that it leads, and SLOTS names as followers those that never lead. SHARDS tells it as it is: leader and followers
// shard by shard.

import type { Argv } from '../../base/argv.ts'
import { SLOT_COUNT, slotOf } from '../../base/slot.ts'
import { NO_NODE, type NodeId, type ShardId } from '../../base/types.ts'
import { parseInteger } from '../../machine/integers.ts'
import {
  array,
  bulk,
  EMPTY_ARRAY,
  fail,
  integer,
  notInteger,
  type Reply,
  text,
  ZERO,
} from '../../machine/reply.ts'
import {
  clusterNodeId,
  type NodeFacts,
  type ShardFacts,
  type SlotMap,
  type SlotRange,
  UNASSIGNED,
} from '../../topology/slot-map.ts'
import type { Desk, DeskCommand } from '../desk.ts'
import { LEADER_WORD, REPLICAS_OLD_WORD } from '../redis-words.ts'
import { clusterDisabled } from '../refusals.ts'
import type { Session } from '../session.ts'
import { byWord, helpCommand, keylessFacts } from './help.ts'

const SHARED = {
  categories: ['slow'],
  flags: ['loading', 'stale'],
  group: 'cluster',
} as const
const ADMIN = {
  categories: ['admin', 'slow', 'dangerous'],
  flags: ['admin', 'stale'],
  group: 'cluster',
} as const

/** What Redis does by hand and we do by the meta shard's log. */
const REFUSED = [
  'addslots',
  'addslotsrange',
  'bumpepoch',
  'delslots',
  'delslotsrange',
  'failover',
  'flushslots',
  'forget',
  'meet',
  'replicate',
  'reset',
  'saveconfig',
  'set-config-epoch',
  'setslot',
]

function map(items: readonly Reply[]): Reply {
  return { kind: 'map', items }
}

/** Who leads `shard`; while nobody does, who should. */
function leaderOf(desk: Desk, shard: ShardFacts): NodeId {
  const leader = desk.ports.directory.leaderOf(shard.id)
  return leader === NO_NODE ? (shard.voters[0] ?? NO_NODE) : leader
}

/** Leader first. */
function membersOf(desk: Desk, slots: SlotMap, shard: ShardFacts): NodeFacts[] {
  const leader = leaderOf(desk, shard)
  const ids = [leader, ...shard.voters.filter(id => id !== leader)]
  return ids.map(id => slots.nodes.get(id)).filter(node => node !== undefined)
}

function byStart(a: { readonly first: number }, b: { readonly first: number }): number {
  return a.first - b.first
}

type ListedRange = SlotRange & { readonly members: readonly NodeFacts[] }

/**
 * Names as followers only nodes that lead nothing, are at home in no shard (its first voter), and are there. To Redis
 * no node is both, and clients take a node for one of the two. ioredis and node-redis send READONLY to replicas alone:
 * nodes that are both would redirect them, and one that leads nothing only until the balancer comes would go on
 * answering stale reads on those connections, to clients that never asked for any. redis-py sends DBSIZE and FLUSHALL
 * only to those that it first saw as leaders.
 */
function clearRoles(desk: Desk, ranges: readonly ListedRange[]): readonly ListedRange[] {
  const { directory } = desk.ports
  const leaders = new Set(ranges.map(({ members }) => members[0]?.id))
  for (const { voters } of directory.map().shards.values()) leaders.add(voters[0])
  return ranges.map(range => {
    const [leader, ...followers] = range.members
    if (leader === undefined) return range
    const known = followers.filter(({ id }) => !leaders.has(id) && directory.isDown?.(id) !== true)
    return { ...range, members: [leader, ...known] }
  })
}

function slotsReply(desk: Desk): Reply {
  const slots = desk.ports.directory.map()
  const ranges = [...slots.shards.values()].flatMap(shard =>
    shard.ranges.map(range => ({ ...range, members: membersOf(desk, slots, shard) })),
  )
  return array(
    clearRoles(desk, ranges.sort(byStart)).map(({ first, last, members }) =>
      array([
        integer(first),
        integer(last),
        ...members.map(node =>
          array([
            text(node.resp.host),
            integer(node.resp.port),
            text(clusterNodeId(node)),
            map([]),
          ]),
        ),
      ]),
    ),
  )
}

function shardsReply(desk: Desk): Reply {
  const { directory } = desk.ports
  const slots = directory.map()
  return array(
    [...slots.shards.values()].map(shard => {
      const offset = desk.ports.shard(shard.id)?.replica.commit ?? 0
      const members = membersOf(desk, slots, shard)
      const ranges = [...shard.ranges].sort(byStart)
      return map([
        text('slots'),
        array(ranges.flatMap(({ first, last }) => [integer(first), integer(last)])),
        text('nodes'),
        array(
          members.map((node, i) =>
            map([
              text('id'),
              text(clusterNodeId(node)),
              text('port'),
              integer(node.resp.port),
              text('ip'),
              text(node.resp.host),
              text('endpoint'),
              text(node.resp.host),
              text('role'),
              text(i === 0 ? LEADER_WORD : 'replica'),
              text('replication-offset'),
              integer(offset),
              text('health'),
              text(directory.isDown?.(node.id) === true ? 'fail' : 'online'),
            ]),
          ),
        ),
      ])
    }),
  )
}

/** The ranges that each node leads, joined where they touch. */
function ledRanges(desk: Desk, slots: SlotMap): ReadonlyMap<NodeId, SlotRange[]> {
  const led = new Map<NodeId, SlotRange[]>()
  const all = [...slots.shards.values()].flatMap(shard =>
    shard.ranges.map(range => ({ ...range, leader: leaderOf(desk, shard) })),
  )
  for (const { first, last, leader } of all.sort(byStart)) {
    const ranges = led.get(leader) ?? []
    const before = ranges.at(-1)
    if (before !== undefined && before.last + 1 === first)
      ranges[ranges.length - 1] = { first: before.first, last }
    else ranges.push({ first, last })
    led.set(leader, ranges)
  }
  return led
}

function nodesText(desk: Desk): string {
  const { directory, self } = desk.ports
  const slots = directory.map()
  const led = ledRanges(desk, slots)
  let lines = ''
  for (const node of slots.nodes.values()) {
    const down = directory.isDown?.(node.id) === true
    const flags = `${node.id === self ? 'myself,' : ''}${LEADER_WORD}${down ? ',fail' : ''}`
    const ranges = (led.get(node.id) ?? []).map(({ first, last }) =>
      first === last ? ` ${first}` : ` ${first}-${last}`,
    )
    const address = `${node.resp.host}:${node.resp.port}@${node.peer.port}`
    const link = down ? 'disconnected' : 'connected'
    lines += `${clusterNodeId(node)} ${address} ${flags} - 0 0 ${slots.epoch} ${link}${ranges.join('')}\n`
  }
  return lines
}

function infoText(desk: Desk): string {
  const { directory } = desk.ports
  const slots = directory.map()
  let assigned = 0
  let served = 0
  const leaders = new Set<NodeId>()
  for (const shard of slots.shards.values()) {
    const leader = directory.leaderOf(shard.id)
    let count = 0
    for (const { first, last } of shard.ranges) count += last - first + 1
    assigned += count
    if (leader === NO_NODE) continue
    served += count
    leaders.add(leader)
  }
  const fields: readonly (readonly [string, string | number])[] = [
    ['cluster_state', served === SLOT_COUNT ? 'ok' : 'fail'],
    ['cluster_slots_assigned', assigned],
    ['cluster_slots_ok', served],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', assigned - served],
    ['cluster_known_nodes', slots.nodes.size],
    ['cluster_size', leaders.size],
    ['cluster_current_epoch', slots.epoch],
    ['cluster_my_epoch', slots.epoch],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ]
  return fields.map(([name, value]) => `${name}:${value}\r\n`).join('')
}

function myId(desk: Desk): Reply {
  const node = desk.ports.directory.map().nodes.get(desk.ports.self)
  return text(node === undefined ? ''.padEnd(40, '0') : clusterNodeId(node))
}

/** 40 hex digits for a shard: the cluster's id and the shard's number. */
function shardIdText(slots: SlotMap, shard: ShardId): string {
  return `${slots.clusterId.padEnd(32, '0').slice(0, 32)}${shard.toString(16).padStart(8, '0')}`
}

/** The first shard that this node leads, or else carries. */
function myShardId(desk: Desk): Reply {
  const all = desk.shards()
  const mine = all.find(({ replica }) => replica.isLeader) ?? all[0]
  return text(shardIdText(desk.ports.directory.map(), mine?.replica.shard ?? UNASSIGNED))
}

function slotAt(argv: Argv, i: number): number | null {
  const slot = parseInteger(argv, i)
  return slot === null ? null : Number(slot)
}

/** Keys of a slot as this node's copy has them. */
function countKeysInSlot(desk: Desk, _session: Session, argv: Argv): Reply {
  const slot = slotAt(argv, 2)
  if (slot === null) return notInteger
  if (slot < 0 || slot >= SLOT_COUNT) return fail('ERR Invalid slot')
  const shard = desk.ports.shard(desk.ports.directory.map().ownerOf(slot))
  return shard === undefined ? ZERO : integer(shard.machine.keyspace.countInSlot(slot))
}

function getKeysInSlot(desk: Desk, _session: Session, argv: Argv): Reply {
  const slot = slotAt(argv, 2)
  const count = slotAt(argv, 3)
  if (slot === null || count === null) return notInteger
  if (slot < 0 || slot >= SLOT_COUNT || count < 0) return fail('ERR Invalid slot or number of keys')
  const shard = desk.ports.shard(desk.ports.directory.map().ownerOf(slot))
  if (shard === undefined) return EMPTY_ARRAY
  const keys = shard.machine.keyspace.keysInSlot(slot, count)
  return array(keys.map(key => bulk(Buffer.from(key, 'latin1'))))
}

/** No node is a replica of another as a whole, so nobody has any. */
function replicas(desk: Desk, _session: Session, argv: Argv): Reply {
  const wanted = argv.latin1(2)
  for (const node of desk.ports.directory.map().nodes.values())
    if (clusterNodeId(node) === wanted) return EMPTY_ARRAY
  return fail(`ERR Unknown node ${wanted}`)
}

/** Every subcommand but HELP is refused off cluster mode. */
function inCluster(command: DeskCommand): DeskCommand {
  const { run } = command
  if (run === undefined) return command
  return {
    ...command,
    run: (desk, session, argv, place) =>
      desk.ports.options.clusterEnabled ? run(desk, session, argv, place) : clusterDisabled,
  }
}

function facts(word: string, arity: number, since: string, summary: string) {
  return keylessFacts(`cluster|${word}`, arity, since, summary, SHARED)
}

function refusedCommand(word: string): DeskCommand {
  const why = `ERR CLUSTER ${word.toUpperCase()} is not supported: nodes and slots are kept by the cluster itself`
  return {
    ...keylessFacts(`cluster|${word}`, -2, '3.0.0', 'Refused: done by the cluster itself.', ADMIN),
    run: () => fail(why),
  }
}

const ANSWERED: readonly DeskCommand[] = [
  {
    ...facts('info', 2, '3.0.0', 'Returns facts about the state of the cluster.'),
    run: desk => ({ kind: 'verbatim', text: infoText(desk) }),
  },
  {
    ...facts('nodes', 2, '3.0.0', 'Returns the nodes and the slots that they lead.'),
    run: desk => ({ kind: 'verbatim', text: nodesText(desk) }),
  },
  {
    ...facts('slots', 2, '3.0.0', 'Returns the slots and who carries them.'),
    run: slotsReply,
  },
  {
    ...facts('shards', 2, '7.0.0', 'Returns the shards and who carries them.'),
    run: shardsReply,
  },
  {
    ...facts('keyslot', 3, '3.0.0', 'Returns the slot of a key.'),
    run: (_desk, _session, argv) => integer(slotOf(argv.bytes(2))),
  },
  { ...facts('myid', 2, '3.0.0', 'Returns the id of this node.'), run: myId },
  {
    ...facts('myshardid', 2, '7.2.0', 'Returns the id of a shard that this node leads.'),
    run: myShardId,
  },
  {
    ...facts('countkeysinslot', 3, '3.0.0', 'Returns the number of keys in a slot.'),
    run: countKeysInSlot,
  },
  {
    ...facts('getkeysinslot', 4, '3.0.0', 'Returns keys of a slot.'),
    run: getKeysInSlot,
  },
  { ...facts('replicas', 3, '5.0.0', 'Lists the replicas of a node.'), run: replicas },
  {
    ...facts(REPLICAS_OLD_WORD, 3, '3.0.0', 'Lists the replicas of a node.'),
    run: replicas,
  },
]

export const CLUSTER_COMMAND: DeskCommand = {
  ...keylessFacts('cluster', -2, '3.0.0', 'A container for cluster commands.', {
    ...SHARED,
    flags: [],
  }),
  subcommands: byWord('cluster', [
    ...[...ANSWERED, ...REFUSED.map(refusedCommand)].map(inCluster),
    helpCommand('cluster', '5.0.0', SHARED, ANSWERED),
  ]),
}
