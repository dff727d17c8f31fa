// Lists in their middle and as a whole: LLEN, LRANGE, LINDEX, LPOS, LSET, LINSERT, LREM, LTRIM.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, Feed } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  bulk,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  integer,
  NULL,
  noSuchKey,
  notInteger,
  OK,
  type Reply,
  syntaxError,
  wrongType,
  ZERO,
} from '../reply.ts'
import { encoded, isElement } from '../types/element.ts'
import { keyAt } from './facts.ts'
import { bulksOf, noteTaken, wordsFor } from './list-ends.ts'
import { lpos } from './lpos.ts'

const outOfRange = fail('ERR index out of range')
const removalOutOfRange = fail(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
)
const INT64_MIN = -(1n << 63n)
const MINUS_ONE = integer(-1)

const self = (argv: Argv): Argv => argv

/** Word i as an index, or null. */
function parseIndex(argv: Argv, i: number): number | null {
  const value = parseInteger(argv, i)
  return value === null ? null : clampToSafe(value)
}

/** `index` from the head, where it counts from the end if it is negative. */
function fromHead(index: number, length: number): number {
  return index < 0 ? index + length : index
}

const llen: CommandSpec<string> = {
  name: 'llen',
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'list', 'fast'],
  keys: keyAt(1, 'RO'),
  since: '1.0.0',
  group: 'list',
  summary: 'Returns the length of a list.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  query(state, key) {
    const list = state.list(key)
    if (list === 'wrong-type') return wrongType
    return list === null ? ZERO : integer(list.length)
  },
}

type RangeArgs = { readonly key: string; readonly start: number; readonly stop: number }

function parseRange(argv: Argv): RangeArgs | ErrorReply {
  const start = parseIndex(argv, 2)
  const stop = parseIndex(argv, 3)
  if (start === null || stop === null) return notInteger
  return { key: argv.key(1), start, stop }
}

const lrange: CommandSpec<RangeArgs> = {
  name: 'lrange',
  arity: 4,
  flags: ['readonly'],
  categories: ['read', 'list', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '1.0.0',
  group: 'list',
  summary: 'Returns a range of elements from a list.',
  complexity:
    'O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.',
  parse: parseRange,
  query(state, args) {
    const list = state.list(args.key)
    if (list === 'wrong-type') return wrongType
    if (list === null) return EMPTY_ARRAY
    const start = Math.max(fromHead(args.start, list.length), 0)
    const count = Math.min(fromHead(args.stop, list.length), list.length - 1) - start + 1
    if (count <= 0) return EMPTY_ARRAY
    const words = wordsFor(list, count)
    list.forwards(start, count, (bytes, at) => {
      words.add(bytes, at)
      return true
    })
    return bulksOf(words)
  },
}

type IndexArgs = {
  readonly key: string
  /** null: no number, which counts only if there is a list. */
  readonly index: number | null
}

const lindex: CommandSpec<IndexArgs> = {
  name: 'lindex',
  arity: 3,
  flags: ['readonly'],
  categories: ['read', 'list', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '1.0.0',
  group: 'list',
  summary: 'Returns an element from a list by its index.',
  complexity:
    'O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).',
  parse: argv => ({ key: argv.latin1(1), index: parseIndex(argv, 2) }),
  query(state, { key, index }) {
    const list = state.list(key)
    if (list === 'wrong-type') return wrongType
    if (list === null) return NULL
    if (index === null) return notInteger
    const word = list.wordAt(fromHead(index, list.length))
    return word === null ? NULL : bulk(word)
  },
}

function applyLset(state: Keyspace, argv: Argv): Reply {
  const key = argv.key(1)
  const list = state.list(key)
  if (list === null) return noSuchKey
  if (list === 'wrong-type') return wrongType
  const given = parseIndex(argv, 2)
  if (given === null) return notInteger
  const index = fromHead(given, list.length)
  if (index < 0 || index >= list.length) return outOfRange
  list.set(index, argv.buffer, argv.from(3), argv.to(3))
  state.noteChange(key)
  state.notify(EVENT.LIST, 'lset', key)
  return OK
}

const lset: CommandSpec<Argv> = {
  name: 'lset',
  arity: 4,
  flags: ['write', 'denyoom'],
  categories: ['write', 'list', 'slow'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '1.0.0',
  group: 'list',
  summary: 'Sets the value of an element in a list by its index.',
  complexity:
    'O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).',
  parse: self,
  apply: applyLset,
}

function applyLinsert(state: Keyspace, argv: Argv): Reply {
  const key = argv.key(1)
  const list = state.list(key)
  if (list === 'wrong-type') return wrongType
  if (list === null) return ZERO
  const pivot = encoded(argv.buffer, argv.from(3), argv.to(3))
  let found = -1
  list.forwards(0, list.length, (bytes, at, index) => {
    if (!isElement(bytes, at, pivot)) return true
    found = index
    return false
  })
  if (found < 0) return MINUS_ONE
  const index = argv.is(2, 'BEFORE') ? found : found + 1
  const from = argv.from(4)
  const to = argv.to(4)
  if (index === 0) list.pushHead(argv.buffer, from, to)
  else if (index === list.length) list.pushTail(argv.buffer, from, to)
  else list.insertBefore(index, argv.buffer, from, to)
  state.touch(key)
  state.notify(EVENT.LIST, 'linsert', key)
  return integer(list.length)
}

function linsertFeeds(argv: Argv): readonly Feed[] {
  return [{ key: argv.latin1(1), count: 1 }]
}

const linsert: CommandSpec<Argv> = {
  name: 'linsert',
  arity: 5,
  flags: ['write', 'denyoom'],
  categories: ['write', 'list', 'slow'],
  keys: keyAt(1, 'RW', 'INSERT'),
  since: '2.2.0',
  group: 'list',
  summary: 'Inserts an element before or after another element in a list.',
  complexity:
    'O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).',
  parse: argv => (argv.is(2, 'BEFORE') || argv.is(2, 'AFTER') ? argv : syntaxError),
  apply: applyLinsert,
  feeds: linsertFeeds,
}

type RemovalArgs = { readonly argv: Argv; readonly count: number }

function parseLrem(argv: Argv): RemovalArgs | ErrorReply {
  const count = parseInteger(argv, 2)
  if (count === null) return notInteger
  return count === INT64_MIN ? removalOutOfRange : { argv, count: clampToSafe(count) }
}

function applyLrem(state: Keyspace, { argv, count }: RemovalArgs): Reply {
  const key = argv.key(1)
  const list = state.list(key)
  if (list === 'wrong-type') return wrongType
  if (list === null) return ZERO
  const max = count === 0 ? list.length : Math.abs(count)
  const removed = list.remove(argv.buffer, argv.from(3), argv.to(3), max, count < 0)
  if (removed > 0) noteTaken(state, key, list, 'lrem')
  return integer(removed)
}

const lrem: CommandSpec<RemovalArgs> = {
  name: 'lrem',
  arity: 4,
  flags: ['write'],
  categories: ['write', 'list', 'slow'],
  keys: keyAt(1, 'RW', 'DELETE'),
  since: '1.0.0',
  group: 'list',
  summary: 'Removes elements from a list. Deletes the list if the last element was removed.',
  complexity: 'O(N+M) where N is the length of the list and M is the number of elements removed.',
  parse: parseLrem,
  apply: applyLrem,
}

function applyLtrim(state: Keyspace, args: RangeArgs): Reply {
  const list = state.list(args.key)
  if (list === 'wrong-type') return wrongType
  if (list === null) return OK
  const { length } = list
  const start = Math.max(fromHead(args.start, length), 0)
  const stop = Math.min(fromHead(args.stop, length), length - 1)
  if (start > stop) {
    state.delete(args.key)
    state.notify(EVENT.LIST, 'ltrim', args.key)
    state.notify(EVENT.GENERIC, 'del', args.key)
    return OK
  }
  list.takeHead(start, null)
  list.takeTail(length - 1 - stop, null)
  state.noteChange(args.key)
  state.notify(EVENT.LIST, 'ltrim', args.key)
  return OK
}

const ltrim: CommandSpec<RangeArgs> = {
  name: 'ltrim',
  arity: 4,
  flags: ['write'],
  categories: ['write', 'list', 'slow'],
  keys: keyAt(1, 'RW', 'DELETE'),
  since: '1.0.0',
  group: 'list',
  summary: 'Removes elements from both ends a list. Deletes the list if all elements were trimmed.',
  complexity: 'O(N) where N is the number of elements to be removed by the operation.',
  parse: parseRange,
  apply: applyLtrim,
}

export const listCommands: readonly CommandSpec[] = [
  lindex,
  linsert,
  llen,
  lpos,
  lrange,
  lrem,
  lset,
  ltrim,
]
