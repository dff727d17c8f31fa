// LPOP, RPOP, LMPOP, and BLPOP, BRPOP, BLMPOP, which wait: elements leave a list for good.
//
// With several keys the first in the order of the words serves that is a list. One of
// another type before it is an error, but not for a command that waited already: that
// is run again only for a list, and finds the error as any first call would.

import type { Argv } from '../../base/argv.ts'
import { Wait } from '../../base/wait.ts'
import { type CommandSpec, isError, type Occasion } from '../command.ts'
import { parseTimeoutSeconds } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  bulk,
  type ErrorReply,
  fail,
  NULL,
  NULL_ARRAY,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import { keyAt, keysCounted } from './facts.ts'
import { parseCount, parseSide, takeOne, takeSome } from './list-ends.ts'

const countNotPositive = fail('ERR value is out of range, must be positive')
const numkeysTooSmall = fail('ERR numkeys should be greater than 0')
const countTooSmall = fail('ERR count should be greater than 0')

type PopArgs = {
  key: string
  /** -1: one element, which is answered by itself. */
  count: number
}

// Filled again for each call: apply follows at once.
const popArgs: PopArgs = { key: '', count: -1 }

function parsePop(name: string): (argv: Argv) => PopArgs | ErrorReply {
  const tooMany = fail(`ERR wrong number of arguments for '${name}' command`)
  return argv => {
    if (argv.count > 3) return tooMany
    popArgs.count = -1
    if (argv.count === 3) {
      const count = parseCount(argv, 2, 0, countNotPositive)
      if (typeof count !== 'number') return count
      popArgs.count = count
    }
    popArgs.key = argv.key(1)
    return popArgs
  }
}

function pop(state: Keyspace, { key, count }: PopArgs, atHead: boolean, at: Occasion): Reply {
  const list = state.list(key)
  if (list === 'wrong-type') return wrongType
  if (list === null) return count < 0 ? NULL : NULL_ARRAY
  return count < 0
    ? takeOne(state, key, list, atHead, at)
    : takeSome(state, key, list, atHead, count, at)
}

function popSpec(name: string, summary: string, atHead: boolean): CommandSpec<PopArgs> {
  return {
    name,
    arity: -2,
    flags: ['write', 'fast'],
    categories: ['write', 'list', 'fast'],
    keys: keyAt(1, 'RW', 'ACCESS', 'DELETE'),
    since: '1.0.0',
    group: 'list',
    summary,
    complexity: 'O(N) where N is the number of elements returned',
    parse: parsePop(name),
    apply: (state, args, at) => pop(state, args, atHead, at),
  }
}

type FirstPopArgs = {
  readonly keys: readonly string[]
  readonly atHead: boolean
  /** -1: one element, without a list around it. */
  readonly count: number
  /** null: do not wait. */
  readonly timeout: number | null
}

/** Takes from the first list among the keys. */
function popFirst(state: Keyspace, args: FirstPopArgs, at: Occasion): Reply | Wait {
  const { keys, atHead, count, timeout } = args
  const isVain = at.again && !keys.some(key => state.typeOf(key) === 'list')
  if (!isVain) {
    for (const key of keys) {
      const list = state.list(key)
      if (list === null) continue
      if (list === 'wrong-type') return wrongType
      const taken =
        count < 0
          ? takeOne(state, key, list, atHead, at)
          : takeSome(state, key, list, atHead, count, at)
      return array([bulk(Buffer.from(key, 'latin1')), taken])
    }
  }
  return timeout === null || !at.blocks ? NULL_ARRAY : new Wait(keys, timeout, 'list')
}

function parseBlockingPop(argv: Argv, atHead: boolean): FirstPopArgs | ErrorReply {
  const timeout = parseTimeoutSeconds(argv, argv.count - 1)
  if (typeof timeout !== 'number') return timeout
  const keys: string[] = []
  for (let i = 1; i < argv.count - 1; i += 1) keys.push(argv.key(i))
  return { keys, atHead, count: -1, timeout }
}

function blockingPopSpec(
  name: string,
  summary: string,
  atHead: boolean,
): CommandSpec<FirstPopArgs> {
  return {
    name,
    arity: -3,
    flags: ['write', 'blocking'],
    categories: ['write', 'list', 'slow', 'blocking'],
    keys: [
      {
        flags: ['RW', 'ACCESS', 'DELETE'],
        begin: { index: 1 },
        find: { last: -2, step: 1, limit: 0 },
      },
    ],
    since: '2.0.0',
    group: 'list',
    summary,
    complexity: 'O(N) where N is the number of provided keys.',
    parse: argv => parseBlockingPop(argv, atHead),
    apply: popFirst,
  }
}

/** The words from `numkeys` on. */
function parseMultiPop(argv: Argv, first: number): FirstPopArgs | ErrorReply {
  const numkeys = parseCount(argv, first, 1, numkeysTooSmall)
  if (typeof numkeys !== 'number') return numkeys
  const side = first + 1 + numkeys
  if (side >= argv.count) return syntaxError
  const atHead = parseSide(argv, side)
  if (typeof atHead !== 'boolean') return atHead
  let count = 0
  for (let i = side + 1; i < argv.count; i += 1) {
    if (count > 0 || !argv.is(i, 'COUNT') || i + 1 === argv.count) return syntaxError
    i += 1
    const value = parseCount(argv, i, 1, countTooSmall)
    if (typeof value !== 'number') return value
    count = value
  }
  const keys: string[] = []
  for (let i = first + 1; i < side; i += 1) keys.push(argv.key(i))
  return { keys, atHead, count: Math.max(count, 1), timeout: null }
}

function parseBlockingMultiPop(argv: Argv): FirstPopArgs | ErrorReply {
  const args = parseMultiPop(argv, 2)
  if (isError(args)) return args
  const timeout = parseTimeoutSeconds(argv, 1)
  return typeof timeout === 'number' ? { ...args, timeout } : timeout
}

const MULTI_COMPLEXITY =
  'O(N+M) where N is the number of provided keys and M is the number of elements returned.'

const lmpop: CommandSpec<FirstPopArgs> = {
  name: 'lmpop',
  arity: -4,
  flags: ['write', 'movablekeys'],
  categories: ['write', 'list', 'slow'],
  keys: keysCounted(1, 'RW', 'ACCESS', 'DELETE'),
  since: '7.0.0',
  group: 'list',
  summary:
    'Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.',
  complexity: MULTI_COMPLEXITY,
  parse: argv => parseMultiPop(argv, 1),
  apply: popFirst,
}

const blmpop: CommandSpec<FirstPopArgs> = {
  name: 'blmpop',
  arity: -5,
  flags: ['write', 'blocking', 'movablekeys'],
  categories: ['write', 'list', 'slow', 'blocking'],
  keys: keysCounted(2, 'RW', 'ACCESS', 'DELETE'),
  since: '7.0.0',
  group: 'list',
  summary:
    'Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.',
  complexity: MULTI_COMPLEXITY,
  parse: parseBlockingMultiPop,
  apply: popFirst,
}

export const listPopCommands: readonly CommandSpec[] = [
  popSpec(
    'lpop',
    'Returns the first elements in a list after removing it. Deletes the list if the last element was popped.',
    true,
  ),
  popSpec(
    'rpop',
    'Returns and removes the last elements of a list. Deletes the list if the last element was popped.',
    false,
  ),
  lmpop,
  blockingPopSpec(
    'blpop',
    'Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.',
    true,
  ),
  blockingPopSpec(
    'brpop',
    'Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.',
    false,
  ),
  blmpop,
]
