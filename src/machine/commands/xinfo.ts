// XINFO: what streams, groups and consumers tell of themselves.

import type { Argv } from '../../base/argv.ts'
import type { Ms } from '../../base/types.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  type ErrorReply,
  integer,
  NULL,
  noSuchKey,
  notInteger,
  type Reply,
  text,
  wrongType,
} from '../reply.ts'
import type { Consumer, Group } from '../types/group.ts'
import { DURATION_DEFAULT, MAXSIZE_DEFAULT } from '../types/idempotence.ts'
import { lagOf } from '../types/lag.ts'
import { PENDING_COUNT } from '../types/pending.ts'
import { entryReply, type Stream } from '../types/stream.ts'
import { type Half, MAX_ID, MIN_ID, type StreamId } from '../types/stream-id.ts'
import { keyAt, NO_KEYS } from './facts.ts'
import { badSubcommand, helpReply, nameReply, noSuchGroup } from './group-lookup.ts'

/** What FULL lists of entries and of pending ones unless COUNT says otherwise. */
const FULL_COUNT_DEFAULT = 10

/** Names and values in turn. */
function map(fields: Readonly<Record<string, Reply>>): Reply {
  const items: Reply[] = []
  for (const [name, value] of Object.entries(fields)) items.push(text(name), value)
  return { kind: 'map', items }
}

function idReply(id: StreamId): Reply {
  return { kind: 'id', id }
}

function orNull(value: Half | null): Reply {
  return value === null ? NULL : integer(value)
}

function entries(stream: Stream, count: number, reverse: boolean): Reply[] {
  const items: Reply[] = []
  stream.range(MIN_ID, MAX_ID, count, reverse, (id, bytes, bounds) => {
    items.push(entryReply(id, bytes, bounds))
  })
  return items
}

// --- XINFO STREAM

type StreamArgs = {
  readonly key: string
  /** null: not FULL. Infinity: everything. An error: Redis finds a missing key first. */
  readonly full: number | null | ErrorReply
}

function parseFull(argv: Argv): StreamArgs['full'] {
  if (argv.count === 3) return null
  const isFull = argv.is(3, 'FULL') && (argv.count === 4 || argv.count === 6)
  if (!isFull || (argv.count === 6 && !argv.is(4, 'COUNT')))
    return badSubcommand('XINFO', argv.latin1(1))
  if (argv.count === 4) return FULL_COUNT_DEFAULT
  const count = parseInteger(argv, 5)
  if (count === null) return notInteger
  if (count < 0) return FULL_COUNT_DEFAULT
  return count === 0 ? Number.POSITIVE_INFINITY : clampToSafe(count)
}

/** What both forms begin with. Blocks are what Redis has nodes for. */
function streamFields(stream: Stream, now: Ms): Record<string, Reply> {
  const { idempotence } = stream
  const tracked = idempotence?.tracked(now)
  return {
    length: integer(stream.length),
    'radix-tree-keys': integer(stream.blockCount),
    'radix-tree-nodes': integer(Math.max(1, stream.blockCount)),
    'last-generated-id': idReply(stream.lastId),
    'max-deleted-entry-id': idReply(stream.maxDeletedId),
    'entries-added': integer(stream.entriesAdded),
    'recorded-first-entry-id': idReply(stream.firstId()),
    'idmp-duration': integer(idempotence?.duration ?? DURATION_DEFAULT),
    'idmp-maxsize': integer(idempotence?.maxSize ?? MAXSIZE_DEFAULT),
    'pids-tracked': integer(tracked?.producers ?? 0),
    'iids-tracked': integer(tracked?.iids ?? 0),
    'iids-added': integer(idempotence?.added ?? 0),
    'iids-duplicates': integer(idempotence?.duplicates ?? 0),
  }
}

function consumerFull(group: Group, consumer: Consumer, count: number): Reply {
  const { ids } = consumer
  const { pending } = group
  const rows: Reply[] = []
  for (ids.first(); ids.valid && rows.length < count; ids.next()) {
    const id = ids.id()
    pending.seek(id)
    rows.push(array([idReply(id), integer(group.timeHere()), integer(pending.wide(PENDING_COUNT))]))
  }
  return map({
    name: nameReply(consumer.name),
    'seen-time': integer(consumer.seenTime),
    'active-time': integer(consumer.activeTime),
    'pel-count': integer(ids.size),
    pending: array(rows),
  })
}

function groupFull(stream: Stream, name: string, group: Group, count: number): Reply {
  const { pending } = group
  const rows: Reply[] = []
  for (pending.first(); pending.valid && rows.length < count; pending.next())
    rows.push(
      array([
        idReply(pending.id()),
        nameReply(group.ownerHere()?.name ?? ''),
        integer(group.timeHere()),
        integer(pending.wide(PENDING_COUNT)),
      ]),
    )
  return map({
    name: nameReply(name),
    'last-delivered-id': idReply(group.lastId),
    'entries-read': orNull(group.entriesRead),
    lag: integer(lagOf(stream, group)),
    'pel-count': integer(pending.size),
    'nacked-count': integer(group.releasedCount),
    pending: array(rows),
    consumers: array(group.consumersByName().map(consumer => consumerFull(group, consumer, count))),
  })
}

function queryStream(state: Keyspace, args: StreamArgs, at: Occasion): Reply {
  const stream = state.stream(args.key)
  if (stream === null) return noSuchKey
  if (stream === 'wrong-type') return wrongType
  const { full } = args
  if (full !== null && typeof full !== 'number') return full
  if (full === null)
    return map({
      ...streamFields(stream, at.now),
      groups: integer(stream.groups.size),
      'first-entry': entries(stream, 1, false)[0] ?? NULL,
      'last-entry': entries(stream, 1, true)[0] ?? NULL,
    })
  return map({
    ...streamFields(stream, at.now),
    entries: array(entries(stream, full, false)),
    groups: array([...stream.groups].map(([name, group]) => groupFull(stream, name, group, full))),
  })
}

// --- XINFO GROUPS and XINFO CONSUMERS

function queryGroups(state: Keyspace, key: string): Reply {
  const stream = state.stream(key)
  if (stream === null) return noSuchKey
  if (stream === 'wrong-type') return wrongType
  const items: Reply[] = []
  for (const [name, group] of stream.groups)
    items.push(
      map({
        name: nameReply(name),
        consumers: integer(group.consumerCount),
        pending: integer(group.pending.size),
        'last-delivered-id': idReply(group.lastId),
        'entries-read': orNull(group.entriesRead),
        lag: integer(lagOf(stream, group)),
      }),
    )
  return array(items)
}

type ConsumersArgs = { readonly key: string; readonly group: string }

function queryConsumers(state: Keyspace, args: ConsumersArgs, at: Occasion): Reply {
  const stream = state.stream(args.key)
  if (stream === null) return noSuchKey
  if (stream === 'wrong-type') return wrongType
  const group = stream.groups.get(args.group)
  if (group === undefined) return noSuchGroup(args.key, args.group)
  const items = group.consumersByName().map(({ name, ids, seenTime, activeTime }) =>
    map({
      name: nameReply(name),
      pending: integer(ids.size),
      idle: integer(Math.max(0, at.now - seenTime)),
      inactive: integer(activeTime < 0 ? -1 : Math.max(0, at.now - activeTime)),
    }),
  )
  return array(items)
}

const stream: CommandSpec<StreamArgs> = {
  name: 'xinfo|stream',
  arity: -3,
  flags: ['readonly'],
  categories: ['read', 'stream', 'slow'],
  keys: keyAt(2, 'RO', 'ACCESS'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns information about a stream.',
  complexity: 'O(1)',
  parse: argv => ({ key: argv.latin1(2), full: parseFull(argv) }),
  query: queryStream,
}

const groups: CommandSpec<string> = {
  name: 'xinfo|groups',
  arity: 3,
  flags: ['readonly'],
  categories: ['read', 'stream', 'slow'],
  keys: keyAt(2, 'RO', 'ACCESS'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns a list of the consumer groups of a stream.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(2),
  query: queryGroups,
}

const consumers: CommandSpec<ConsumersArgs> = {
  name: 'xinfo|consumers',
  arity: 4,
  flags: ['readonly'],
  categories: ['read', 'stream', 'slow'],
  keys: keyAt(2, 'RO', 'ACCESS'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns a list of the consumers in a consumer group.',
  complexity: 'O(1)',
  tips: ['nondeterministic_output'],
  parse: argv => ({ key: argv.latin1(2), group: argv.latin1(3) }),
  query: queryConsumers,
}

const HELP = helpReply('XINFO', [
  'CONSUMERS <key> <groupname>',
  '    Show consumers of <groupname>.',
  'GROUPS <key>',
  '    Show the stream consumer groups.',
  'STREAM <key> [FULL [COUNT <count>]',
  '    Show information about the stream.',
])

const help: CommandSpec = {
  name: 'xinfo|help',
  arity: 2,
  flags: ['loading', 'stale'],
  categories: ['stream', 'slow'],
  keys: NO_KEYS,
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns helpful text about the different subcommands.',
  complexity: 'O(1)',
  query: () => HELP,
}

const xinfo: CommandSpec = {
  name: 'xinfo',
  arity: -2,
  flags: [],
  categories: ['slow'],
  keys: NO_KEYS,
  since: '5.0.0',
  group: 'stream',
  summary: 'A container for stream introspection commands.',
  complexity: 'Depends on subcommand.',
  subcommands: new Map<string, CommandSpec>([
    ['consumers', consumers],
    ['groups', groups],
    ['help', help],
    ['stream', stream],
  ]),
}

/** XINFO with its subcommands. */
export const xinfoCommands: readonly CommandSpec[] = [xinfo]
