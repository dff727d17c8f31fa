// XRANGE and XREVRANGE: the entries between two IDs.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  invalidStreamId,
  NULL_ARRAY,
  notInteger,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import { type BoundFault, parseRangeEnd, parseRangeStart } from '../types/id-text.ts'
import { entryReply } from '../types/stream.ts'
import type { StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'

const FAULTS: Readonly<Record<BoundFault, ErrorReply>> = {
  id: invalidStreamId,
  start: fail('ERR invalid start ID for the interval'),
  end: fail('ERR invalid end ID for the interval'),
}

type RangeArgs = {
  readonly key: string
  readonly from: StreamId
  readonly to: StreamId
  readonly count: number
  readonly reverse: boolean
}

function parseRange(argv: Argv, reverse: boolean): RangeArgs | ErrorReply {
  const from = parseRangeStart(argv, reverse ? 3 : 2)
  if (typeof from === 'string') return FAULTS[from]
  const to = parseRangeEnd(argv, reverse ? 2 : 3)
  if (typeof to === 'string') return FAULTS[to]
  let count = Number.POSITIVE_INFINITY
  for (let i = 4; i < argv.count; i += 2) {
    if (!argv.is(i, 'COUNT') || i + 1 >= argv.count) return syntaxError
    const value = parseInteger(argv, i + 1)
    if (value === null) return notInteger
    count = Math.max(0, clampToSafe(value))
  }
  return { key: argv.latin1(1), from, to, count, reverse }
}

function queryRange(state: Keyspace, args: RangeArgs): Reply {
  const stream = state.stream(args.key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null) return EMPTY_ARRAY
  // An odd one, but clients see it: nothing asked of an existing stream is the null array.
  if (args.count === 0) return NULL_ARRAY
  const items: Reply[] = []
  stream.range(args.from, args.to, args.count, args.reverse, (id, bytes, bounds) => {
    items.push(entryReply(id, bytes, bounds))
  })
  return array(items)
}

const shared = {
  arity: -4,
  flags: ['readonly'],
  categories: ['read', 'stream', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '5.0.0',
  group: 'stream',
  complexity:
    'O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).',
} as const

export const xrange: CommandSpec<RangeArgs> = {
  ...shared,
  name: 'xrange',
  summary: 'Returns the messages from a stream within a range of IDs.',
  parse: argv => parseRange(argv, false),
  query: queryRange,
}

export const xrevrange: CommandSpec<RangeArgs> = {
  ...shared,
  name: 'xrevrange',
  summary: 'Returns the messages from a stream within a range of IDs in reverse order.',
  parse: argv => parseRange(argv, true),
  query: queryRange,
}
