// LMOVE, RPOPLPUSH, LMOVEM, and BLMOVE, BRPOPLPUSH, BLMOVEM, which wait: elements go
// from one list to another, or around in one.
//
// All that can be wrong is found before anything moves. Whoever waits on the
// destination is served next: a push is a push.

import type { Argv } from '../../base/argv.ts'
import { Wait } from '../../base/wait.ts'
import { type CommandSpec, type Feed, isError, type KeySpec, type Occasion } from '../command.ts'
import { parseTimeoutSeconds } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  bulk,
  type ErrorReply,
  fail,
  NULL,
  NULL_ARRAY,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import type { Words } from '../types/element.ts'
import { List } from '../types/list.ts'
import { keyAt } from './facts.ts'
import { noteTaken, parseCount, parseSide, wordsFor } from './list-ends.ts'

const countTooSmall = fail('ERR count should be greater than 0')

type MoveArgs = {
  readonly source: string
  readonly destination: string
  readonly fromHead: boolean
  readonly toHead: boolean
  /** null: do not wait. */
  readonly timeout: number | null
}

/** How many elements LMOVEM takes, and how they lie then. */
type ManyArgs = MoveArgs & {
  readonly count: number
  /** Only if there are so many. */
  readonly isExact: boolean
  /** In the order they had; else as if pushed one by one. */
  readonly inBulk: boolean
}

/** What there is to move, or the answer where there is nothing. */
function sourceOf(
  state: Keyspace,
  args: MoveArgs,
  least: number,
  missing: Reply,
  at: Occasion,
): List | Reply | Wait {
  const list = state.list(args.source)
  if (list === 'wrong-type' && !at.again) return wrongType
  if (list !== null && list !== 'wrong-type' && list.length >= least) return list
  if (args.timeout === null || !at.blocks) return missing
  return new Wait([args.source], args.timeout, 'list')
}

function move(state: Keyspace, args: MoveArgs, at: Occasion): Reply | Wait {
  const source = sourceOf(state, args, 1, NULL, at)
  if (!(source instanceof List)) return source
  const found = state.list(args.destination)
  if (found === 'wrong-type') return wrongType
  const word = args.fromHead ? source.headWord() : source.tailWord()
  if (args.fromHead) source.takeHead(1, null)
  else source.takeTail(1, null)
  const destination = found ?? makeList(state, args.destination)
  if (args.toHead) destination.pushHead(word, 0, word.length)
  else destination.pushTail(word, 0, word.length)
  noteMove(state, args, source)
  return bulk(word)
}

/** Elements went from `source` to the destination. */
function noteMove(state: Keyspace, args: MoveArgs, source: List): void {
  state.notify(EVENT.LIST, args.toHead ? 'lpush' : 'rpush', args.destination)
  noteTaken(state, args.source, source, args.fromHead ? 'lpop' : 'rpop')
  state.touch(args.destination)
}

function makeList(state: Keyspace, key: string): List {
  const list = new List()
  state.put(key, list)
  return list
}

function moveMany(state: Keyspace, args: ManyArgs, at: Occasion): Reply | Wait {
  const { fromHead, toHead, count, isExact, inBulk } = args
  const source = sourceOf(state, args, isExact ? count : 1, NULL_ARRAY, at)
  if (!(source instanceof List)) return source
  const found = state.list(args.destination)
  if (found === 'wrong-type') return wrongType
  const few = Math.min(count, source.length)
  const words = wordsFor(source, few)
  if (fromHead) source.takeHead(few, words)
  else source.takeTail(few, words)
  // From left to right as they will lie: taken from the tail they stand the other way.
  const isTurned = inBulk ? !fromHead : toHead
  const bounds = isTurned ? turned(words) : words.bounds
  const destination = found ?? makeList(state, args.destination)
  const { bytes } = words
  for (let k = 0; k < bounds.length; k += 2) {
    const i = toHead ? bounds.length - 2 - k : k
    const from = bounds[i] as number
    const to = bounds[i + 1] as number
    if (toHead) destination.pushHead(bytes, from, to)
    else destination.pushTail(bytes, from, to)
  }
  noteMove(state, args, source)
  return { kind: 'bulks', bytes, bounds }
}

/** The bounds of the words, the last one first. */
function turned({ bounds }: Words): number[] {
  const out: number[] = []
  for (let i = bounds.length - 2; i >= 0; i -= 2)
    out.push(bounds[i] as number, bounds[i + 1] as number)
  return out
}

function parseSides(argv: Argv): MoveArgs | ErrorReply {
  const fromHead = parseSide(argv, 3)
  if (typeof fromHead !== 'boolean') return fromHead
  const toHead = parseSide(argv, 4)
  if (typeof toHead !== 'boolean') return toHead
  return { source: argv.key(1), destination: argv.key(2), fromHead, toHead, timeout: null }
}

function parseRpoplpush(argv: Argv): MoveArgs {
  const source = argv.key(1)
  return { source, destination: argv.key(2), fromHead: false, toHead: true, timeout: null }
}

/** Adds the timeout, word i. */
function withTimeout<A extends MoveArgs>(
  args: A | ErrorReply,
  argv: Argv,
  i: number,
): A | ErrorReply {
  if (isError(args)) return args
  const timeout = parseTimeoutSeconds(argv, i)
  return typeof timeout === 'number' ? { ...args, timeout } : timeout
}

/** Adds what stands from word i on: nothing, or how many and in which order. */
function parseMany(argv: Argv, i: number): ManyArgs | ErrorReply {
  const args = parseSides(argv)
  if (isError(args)) return args
  if (argv.count === i) return { ...args, count: 1, isExact: false, inBulk: false }
  if (argv.count !== i + 3) return syntaxError
  const isExact = argv.is(i, 'EXACTLY')
  if (!isExact && !argv.is(i, 'COUNT')) return syntaxError
  const inBulk = argv.is(i + 2, 'BULK')
  if (!inBulk && !argv.is(i + 2, 'OBO')) return syntaxError
  const count = parseCount(argv, i + 1, 1, countTooSmall)
  return typeof count === 'number' ? { ...args, count, isExact, inBulk } : count
}

function feedsDestination(argv: Argv): readonly Feed[] {
  return [{ key: argv.latin1(2), count: 1 }]
}

function feedsMany(argv: Argv): readonly Feed[] {
  for (const i of [5, 6]) {
    const args = parseMany(argv, i)
    if (!isError(args)) return [{ key: argv.latin1(2), count: args.count }]
  }
  return []
}

const MOVE_KEYS: readonly KeySpec[] = [
  ...keyAt(1, 'RW', 'ACCESS', 'DELETE'),
  ...keyAt(2, 'RW', 'INSERT'),
]

const MOVE_FACTS = {
  flags: ['write', 'denyoom'],
  categories: ['write', 'list', 'slow'],
  keys: MOVE_KEYS,
  group: 'list',
} as const

const BLOCKING_MOVE_FACTS = {
  flags: ['write', 'denyoom', 'blocking'],
  categories: ['write', 'list', 'slow', 'blocking'],
  keys: MOVE_KEYS,
  group: 'list',
} as const

const lmove: CommandSpec<MoveArgs> = {
  ...MOVE_FACTS,
  name: 'lmove',
  arity: 5,
  since: '6.2.0',
  summary:
    'Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.',
  complexity: 'O(1)',
  parse: parseSides,
  apply: move,
  feeds: feedsDestination,
}

const rpoplpush: CommandSpec<MoveArgs> = {
  ...MOVE_FACTS,
  name: 'rpoplpush',
  arity: 3,
  since: '1.2.0',
  summary:
    'Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.',
  complexity: 'O(1)',
  parse: parseRpoplpush,
  apply: move,
  feeds: feedsDestination,
}

const blmove: CommandSpec<MoveArgs> = {
  ...BLOCKING_MOVE_FACTS,
  name: 'blmove',
  arity: 6,
  since: '6.2.0',
  summary:
    'Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.',
  complexity: 'O(1)',
  parse: argv => withTimeout(parseSides(argv), argv, 5),
  apply: move,
  feeds: feedsDestination,
}

const brpoplpush: CommandSpec<MoveArgs> = {
  ...BLOCKING_MOVE_FACTS,
  name: 'brpoplpush',
  arity: 4,
  since: '2.2.0',
  summary:
    'Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.',
  complexity: 'O(1)',
  parse: argv => withTimeout(parseRpoplpush(argv), argv, 3),
  apply: move,
  feeds: feedsDestination,
}

const lmovem: CommandSpec<ManyArgs> = {
  ...MOVE_FACTS,
  name: 'lmovem',
  arity: -5,
  since: '8.10.0',
  summary:
    'Returns elements after popping them from one list and pushing them to another. Deletes the list if the last element was moved.',
  complexity: 'O(N) where N is the number of elements moved.',
  parse: argv => parseMany(argv, 5),
  apply: moveMany,
  feeds: feedsMany,
}

const blmovem: CommandSpec<ManyArgs> = {
  ...BLOCKING_MOVE_FACTS,
  name: 'blmovem',
  arity: -6,
  since: '8.10.0',
  summary:
    'Pops elements from a list, pushes them to another list and returns them. Blocks until enough elements are available otherwise. Deletes the list if the last element was moved.',
  complexity: 'O(N) where N is the number of elements moved.',
  parse: argv => withTimeout(parseMany(argv, 6), argv, 5),
  apply: moveMany,
  feeds: feedsMany,
}

export const listMoveCommands: readonly CommandSpec[] = [
  blmove,
  blmovem,
  brpoplpush,
  lmove,
  lmovem,
  rpoplpush,
]
