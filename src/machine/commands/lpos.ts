// LPOS: where in a list an element stands.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  integer,
  NULL,
  notInteger,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import { encoded, isElement } from '../types/element.ts'
import { keyAt } from './facts.ts'
import { parseCount } from './list-ends.ts'

const rankOutOfRange = fail(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
)
const rankZero = fail(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
)
const countNegative = fail("ERR COUNT can't be negative")
const maxlenNegative = fail("ERR MAXLEN can't be negative")
const INT64_MIN = -(1n << 63n)

type LposArgs = {
  readonly key: string
  readonly element: Buffer
  /** The first match that counts; below zero: from the end. */
  rank: number
  /** -1: one, which is answered by itself; 0: all. */
  count: number
  /** How many elements are looked at, at most; 0: all. */
  maxlen: number
}

function parseRank(argv: Argv, i: number): number | ErrorReply {
  const rank = parseInteger(argv, i)
  if (rank === null) return notInteger
  if (rank === INT64_MIN) return rankOutOfRange
  return rank === 0 ? rankZero : clampToSafe(rank)
}

function parseLpos(argv: Argv): LposArgs | ErrorReply {
  const element = encoded(argv.buffer, argv.from(2), argv.to(2))
  const args: LposArgs = { key: argv.latin1(1), element, rank: 1, count: -1, maxlen: 0 }
  for (let i = 3; i < argv.count; i += 2) {
    if (i + 1 === argv.count) return syntaxError
    let value: number | ErrorReply
    if (argv.is(i, 'RANK')) {
      value = parseRank(argv, i + 1)
      if (typeof value === 'number') args.rank = value
    } else if (argv.is(i, 'COUNT')) {
      value = parseCount(argv, i + 1, 0, countNegative)
      if (typeof value === 'number') args.count = value
    } else if (argv.is(i, 'MAXLEN')) {
      value = parseCount(argv, i + 1, 0, maxlenNegative)
      if (typeof value === 'number') args.maxlen = value
    } else {
      return syntaxError
    }
    if (typeof value !== 'number') return value
  }
  return args
}

function queryLpos(state: Keyspace, { key, element, rank, count, maxlen }: LposArgs): Reply {
  const list = state.list(key)
  if (list === 'wrong-type') return wrongType
  if (list === null) return count < 0 ? NULL : EMPTY_ARRAY
  const wanted = count < 0 ? 1 : count === 0 ? list.length : count
  const found: Reply[] = []
  let skip = Math.abs(rank) - 1
  const visit = (bytes: Buffer, at: number, index: number): boolean => {
    if (!isElement(bytes, at, element)) return true
    if (skip > 0) skip -= 1
    else found.push(integer(index))
    return found.length < wanted
  }
  const looked = maxlen === 0 ? list.length : maxlen
  if (rank > 0) list.forwards(0, looked, visit)
  else list.backwards(list.length - 1, looked, visit)
  if (count < 0) return found[0] ?? NULL
  return array(found)
}

export const lpos: CommandSpec<LposArgs> = {
  name: 'lpos',
  arity: -3,
  flags: ['readonly'],
  categories: ['read', 'list', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '6.0.6',
  group: 'list',
  summary: 'Returns the index of matching elements in a list.',
  complexity:
    'O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.',
  parse: parseLpos,
  query: queryLpos,
}
