// Stream commands that fit in one piece: XLEN, XDEL, XTRIM, XSETID. The larger ones have files of their own.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  fail,
  integer,
  invalidStreamId,
  noSuchKey,
  notInteger,
  OK,
  type Reply,
  syntaxError,
  wrongType,
  ZERO,
} from '../reply.ts'
import { parseId } from '../types/id-text.ts'
import { compareIds, equalIds, type Half, MIN_ID, type StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'
import { Trim } from './trimming.ts'
import { xadd } from './xadd.ts'
import { xcfgset, xidmprecord } from './xcfgset.ts'
import { xdelex } from './xdelex.ts'
import { xrange, xrevrange } from './xrange.ts'
import { xread } from './xread.ts'

const xlen: CommandSpec<string> = {
  name: 'xlen',
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'stream', 'fast'],
  keys: keyAt(1, 'RO'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Return the number of messages in a stream.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  query(state, key) {
    const stream = state.stream(key)
    if (stream === 'wrong-type') return wrongType
    return stream === null ? ZERO : integer(stream.length)
  },
}

/** `ids` is null where one is malformed: a missing key is answered first. */
type XdelArgs = { readonly key: string; readonly ids: readonly StreamId[] | null }

function parseXdel(argv: Argv): XdelArgs {
  const ids: StreamId[] = []
  for (let i = 2; i < argv.count; i += 1) {
    const id = parseId(argv, i)
    if (id === null) return { key: argv.key(1), ids: null }
    ids.push(id)
  }
  return { key: argv.key(1), ids }
}

const xdel: CommandSpec<XdelArgs> = {
  name: 'xdel',
  arity: -3,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'DELETE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns the number of messages after removing them from a stream.',
  complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
  parse: parseXdel,
  apply(state, args) {
    const stream = state.stream(args.key)
    if (stream === 'wrong-type') return wrongType
    if (stream === null) return ZERO
    if (args.ids === null) return invalidStreamId
    let deleted = 0
    for (const id of args.ids) if (stream.delete(id)) deleted += 1
    if (deleted > 0) {
      state.noteChange(args.key)
      state.notify(EVENT.STREAM, 'xdel', args.key)
    }
    return integer(deleted)
  },
}

const trimRequired = fail('ERR syntax error, XTRIM must be called with a trimming strategy')

type XtrimArgs = { readonly key: string; readonly trim: Trim }

function parseXtrim(argv: Argv): XtrimArgs | ErrorReply {
  const trim = new Trim()
  let i = 2
  while (i < argv.count) {
    const next = trim.parse(argv, i)
    if (typeof next !== 'number') return next
    if (next === 0) return syntaxError
    i = next
  }
  return trim.finish(trimRequired) ?? { key: argv.key(1), trim }
}

const xtrim: CommandSpec<XtrimArgs> = {
  name: 'xtrim',
  arity: -4,
  flags: ['write'],
  categories: ['write', 'stream', 'slow'],
  keys: keyAt(1, 'RW', 'DELETE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Deletes messages from the beginning of a stream.',
  complexity:
    'O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.',
  tips: ['nondeterministic_output'],
  parse: parseXtrim,
  apply(state, args) {
    const stream = state.stream(args.key)
    if (stream === 'wrong-type') return wrongType
    if (stream === null) return ZERO
    const removed = args.trim.apply(stream, state.blockEntries)
    if (removed > 0) {
      state.noteChange(args.key)
      state.notify(EVENT.STREAM, 'xtrim', args.key)
    }
    return integer(removed)
  },
}

const addedNegative = fail('ERR entries_added must be positive')
const belowGivenDeleted = fail(
  'ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id',
)
const belowDeleted = fail(
  'ERR The ID specified in XSETID is smaller than current max_deleted_entry_id',
)
const belowTop = fail('ERR The ID specified in XSETID is smaller than the target stream top item')
const addedBelowLength = fail(
  'ERR The entries_added specified in XSETID is smaller than the target stream length',
)

type XsetidArgs = {
  readonly key: string
  readonly id: StreamId
  readonly entriesAdded: Half | null
  readonly maxDeletedId: StreamId
}

function parseXsetid(argv: Argv): XsetidArgs | ErrorReply {
  const id = parseId(argv, 2)
  if (id === null) return invalidStreamId
  let entriesAdded: Half | null = null
  let maxDeletedId = MIN_ID
  for (let i = 3; i < argv.count; i += 2) {
    if (i + 1 >= argv.count) return syntaxError
    if (argv.is(i, 'ENTRIESADDED')) {
      entriesAdded = parseInteger(argv, i + 1)
      if (entriesAdded === null) return notInteger
      if (entriesAdded < 0) return addedNegative
    } else if (argv.is(i, 'MAXDELETEDID')) {
      const given = parseId(argv, i + 1)
      if (given === null) return invalidStreamId
      if (compareIds(id, given) < 0) return belowGivenDeleted
      maxDeletedId = given
    } else {
      return syntaxError
    }
  }
  return { key: argv.key(1), id, entriesAdded, maxDeletedId }
}

function applyXsetid(state: Keyspace, args: XsetidArgs): Reply {
  const stream = state.stream(args.key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null) return noSuchKey
  if (compareIds(args.id, stream.maxDeletedId) < 0) return belowDeleted
  if (stream.length > 0) {
    if (compareIds(args.id, stream.topId()) < 0) return belowTop
    if (args.entriesAdded !== null && args.entriesAdded < stream.length) return addedBelowLength
  }
  stream.lastId = args.id
  if (args.entriesAdded !== null) stream.entriesAdded = args.entriesAdded
  if (!equalIds(args.maxDeletedId, MIN_ID)) stream.maxDeletedId = args.maxDeletedId
  state.notify(EVENT.STREAM, 'xsetid', args.key)
  return OK
}

const xsetid: CommandSpec<XsetidArgs> = {
  name: 'xsetid',
  arity: -3,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'An internal command for replicating stream values.',
  complexity: 'O(1)',
  parse: parseXsetid,
  apply: applyXsetid,
}

export const streamCommands: readonly CommandSpec[] = [
  xadd,
  xcfgset,
  xdel,
  xdelex,
  xidmprecord,
  xlen,
  xrange,
  xread,
  xrevrange,
  xsetid,
  xtrim,
]
