// XREAD: what came after given IDs, of several streams at once, waiting if asked to.

import type { Argv } from '../../base/argv.ts'
import { Wait } from '../../base/wait.ts'
import type { CommandSpec } from '../command.ts'
import { clampToSafe, parseInteger, parseTimeoutMs } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  bulk,
  type ErrorReply,
  fail,
  invalidStreamId,
  NULL_ARRAY,
  notInteger,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import { parseId } from '../types/id-text.ts'
import { entryReply, type Stream } from '../types/stream.ts'
import {
  compareIds,
  MAX_ID,
  MIN_ID,
  nextId,
  previousId,
  type StreamId,
} from '../types/stream-id.ts'
import { keysAfterStreams } from './facts.ts'
import {
  checkReadLimits,
  NO_LIMITS,
  parseReadLimit,
  ReadBudget,
  type ReadLimits,
} from './read-budget.ts'

const unbalanced = fail(
  "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
)
const onlyInGroups = fail(
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
)

/** `new`: above the last ID ever given (`$`). `last`: the last entry there is (`+`). */
type After = StreamId | 'new' | 'last'

type XreadArgs = {
  readonly count: number
  readonly limits: Readonly<ReadLimits>
  /** null: do not wait. */
  readonly timeout: number | null
  readonly keys: readonly string[]
  /**
   * Words are replaced by IDs at the first run, so that a woken read knows what it waited for.
   * An error stands for a word that is no ID: Redis finds a key of another type first.
   */
  readonly after: (After | ErrorReply)[]
  /** It ran before and had to wait. */
  waited: boolean
}

function notForXread(option: string): ErrorReply {
  return fail(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`)
}

function parseAfter(argv: Argv, i: number): After | ErrorReply {
  if (argv.is(i, '$')) return 'new'
  if (argv.is(i, '+')) return 'last'
  if (argv.is(i, '>')) return onlyInGroups
  return parseId(argv, i) ?? invalidStreamId
}

function parseStreams(
  argv: Argv,
  first: number,
  count: number,
  limits: ReadLimits,
  timeout: number | null,
): XreadArgs | ErrorReply {
  const fault = checkReadLimits(limits, count)
  if (fault !== null) return fault
  const words = argv.count - first
  if (words % 2 === 1) return unbalanced
  const keys: string[] = []
  const after: (After | ErrorReply)[] = []
  for (let i = first; i < first + words / 2; i += 1) {
    keys.push(argv.latin1(i))
    after.push(parseAfter(argv, i + words / 2))
  }
  return { count, limits, timeout, keys, after, waited: false }
}

function parseXread(argv: Argv): XreadArgs | ErrorReply {
  let count = Number.POSITIVE_INFINITY
  const limits = { ...NO_LIMITS }
  let timeout: number | null = null
  for (let i = 1; i < argv.count; i += 1) {
    const more = argv.count - i - 1
    if (argv.is(i, 'BLOCK') && more > 0) {
      i += 1
      const value = parseTimeoutMs(argv, i)
      if (typeof value !== 'number') return value
      timeout = value
    } else if (argv.is(i, 'COUNT') && more > 0) {
      i += 1
      const value = parseInteger(argv, i)
      if (value === null) return notInteger
      count = value > 0 ? clampToSafe(value) : Number.POSITIVE_INFINITY
    } else if (argv.is(i, 'STREAMS') && more > 0) {
      return parseStreams(argv, i + 1, count, limits, timeout)
    } else if (argv.is(i, 'GROUP') && more > 1) {
      return notForXread('GROUP')
    } else if (argv.is(i, 'NOACK')) {
      return notForXread('NOACK')
    } else if (argv.is(i, 'CLAIM') && more > 0) {
      return notForXread('CLAIM')
    } else {
      const value = parseReadLimit(argv, i, limits)
      if (typeof value !== 'number') return value
      if (value === 0) return syntaxError
      i = value
    }
  }
  return syntaxError
}

/** Makes `$` and `+` concrete. */
function freeze(stream: Stream | null, after: After): StreamId {
  if (after === 'new') return stream === null ? MIN_ID : stream.lastId
  if (after !== 'last') return after
  if (stream === null) return MIN_ID
  return stream.length === 0 ? stream.lastId : (previousId(stream.topId()) ?? MIN_ID)
}

/**
 * Whether a read that waits would find something. A key that came back with another type
 * does not end the wait, until another key does.
 */
function isServable(state: Keyspace, args: XreadArgs): boolean {
  return args.keys.some((key, i) => {
    const stream = state.stream(key)
    if (stream === null || stream === 'wrong-type') return false
    return compareIds(stream.topId(), args.after[i] as StreamId) > 0
  })
}

function queryXread(state: Keyspace, args: XreadArgs): Reply | Wait {
  if (args.waited && !isServable(state, args)) return new Wait(args.keys, args.timeout ?? 0)
  const items: Reply[] = []
  const budget = new ReadBudget(args.limits)
  for (const [i, key] of args.keys.entries()) {
    const stream = state.stream(key)
    if (stream === 'wrong-type') return wrongType
    const bound = args.after[i] as After | ErrorReply
    if (typeof bound === 'object' && 'kind' in bound) return bound
    const after = freeze(stream, bound)
    args.after[i] = after
    const from = nextId(after)
    if (stream === null || from === null || compareIds(stream.topId(), after) <= 0) continue
    if (budget.isSpent) continue
    budget.beginStream(key)
    const entries: Reply[] = []
    const most = Math.min(args.count, budget.entriesLeft)
    stream.range(from, MAX_ID, most, false, (id, bytes, bounds) => {
      if (budget.isSpent) return false
      budget.add(id, bounds)
      entries.push(entryReply(id, bytes, bounds))
      return true
    })
    // The key alone may have used up the budget.
    if (entries.length > 0) items.push(bulk(Buffer.from(key, 'latin1')), array(entries))
  }
  if (items.length > 0) return { kind: 'pairs', items }
  if (args.timeout === null) return NULL_ARRAY
  args.waited = true
  return new Wait(args.keys, args.timeout)
}

export const xread: CommandSpec<XreadArgs> = {
  name: 'xread',
  arity: -4,
  flags: ['readonly', 'blocking', 'movablekeys'],
  categories: ['read', 'stream', 'slow', 'blocking'],
  keys: keysAfterStreams(1),
  since: '5.0.0',
  group: 'stream',
  summary:
    'Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message is available otherwise.',
  complexity:
    'For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.',
  parse: parseXread,
  query: queryXread,
}
