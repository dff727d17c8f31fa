// XREADGROUP: entries that are new to a group, or a consumer's own that are pending.
//
// A write in every form: it moves the group on, records who got what, and makes the
// consumer even when there is nothing for it. A reader that waits is applied again
// when one of its keys is touched, or with CLAIM when a pending entry grows old enough,
// and answers then whatever holds then: entries, NOGROUP where the group or the key is
// gone, or Wait once more.

import type { Argv } from '../../base/argv.ts'
import { Wait } from '../../base/wait.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { clampToSafe, parseInteger, parseTimeoutMs } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  type ErrorReply,
  fail,
  invalidStreamId,
  NULL_ARRAY,
  notInteger,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import type { Group } from '../types/group.ts'
import { parseId } from '../types/id-text.ts'
import type { Stream } from '../types/stream.ts'
import { equalIds, MAX_ID, type StreamId } from '../types/stream-id.ts'
import { keysAfterStreams } from './facts.ts'
import { callingConsumer, nameReply, shown } from './group-lookup.ts'
import { claimIdle, deliverNew, history, nextDue } from './group-reading.ts'
import {
  checkReadLimits,
  NO_LIMITS,
  parseReadLimit,
  ReadBudget,
  type ReadLimits,
} from './read-budget.ts'

const missingGroupOption = fail('ERR Missing GROUP option for XREADGROUP')
const unbalanced = fail(
  "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
)

const minIdleNotInteger = fail('ERR min-idle-time is not an integer or out of range')
const minIdleNegative = fail('ERR min-idle-time must be a positive integer')

function meaningless(word: string): ErrorReply {
  return fail(
    `ERR The ${word} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The ${word} ID would just return an empty result set.`,
  )
}

const dollarMeaningless = meaningless('$')
const plusMeaningless = meaningless('+')

/** `new`: not delivered to the group yet (`>`). An ID: the consumer's own behind it. */
type After = StreamId | 'new'

type XreadgroupArgs = {
  readonly group: string
  readonly consumer: string
  /** Per stream; Infinity: all. */
  readonly count: number
  readonly maxCount: number
  readonly maxSize: number
  readonly noAck: boolean
  /** Ms; null: claim nothing. */
  readonly minIdle: number | null
  /** null: do not wait. */
  readonly timeout: number | null
  readonly keys: readonly string[]
  /** An error stands for a word that is no ID: Redis finds a missing group first. */
  readonly after: readonly (After | ErrorReply)[]
}

function parseAfter(argv: Argv, i: number): After | ErrorReply {
  if (argv.is(i, '>')) return 'new'
  if (argv.is(i, '$')) return dollarMeaningless
  if (argv.is(i, '+')) return plusMeaningless
  const id = parseId(argv, i)
  if (id === null) return invalidStreamId
  // Redis marks `>` with this ID, so the two are one.
  return equalIds(id, MAX_ID) ? 'new' : id
}

type Options = ReadLimits & {
  group: string | null
  consumer: string
  count: number
  minIdle: number | null
  noAck: boolean
  timeout: number | null
}

function parseStreams(argv: Argv, first: number, options: Options): XreadgroupArgs | ErrorReply {
  const fault = checkReadLimits(options, options.count)
  if (fault !== null) return fault
  const words = argv.count - first
  if (words % 2 === 1) return unbalanced
  if (options.group === null) return missingGroupOption
  const keys: string[] = []
  const after: (After | ErrorReply)[] = []
  for (let i = first; i < first + words / 2; i += 1) {
    keys.push(argv.latin1(i))
    after.push(parseAfter(argv, i + words / 2))
  }
  return { ...options, group: options.group, keys, after }
}

function parseXreadgroup(argv: Argv): XreadgroupArgs | ErrorReply {
  const options: Options = {
    group: null,
    consumer: '',
    count: Number.POSITIVE_INFINITY,
    ...NO_LIMITS,
    minIdle: null,
    noAck: false,
    timeout: null,
  }
  for (let i = 1; i < argv.count; i += 1) {
    const more = argv.count - i - 1
    if (argv.is(i, 'BLOCK') && more > 0) {
      i += 1
      const value = parseTimeoutMs(argv, i)
      if (typeof value !== 'number') return value
      options.timeout = value
    } else if (argv.is(i, 'COUNT') && more > 0) {
      i += 1
      const value = parseInteger(argv, i)
      if (value === null) return notInteger
      options.count = value > 0 ? clampToSafe(value) : Number.POSITIVE_INFINITY
    } else if (argv.is(i, 'STREAMS') && more > 0) {
      return parseStreams(argv, i + 1, options)
    } else if (argv.is(i, 'GROUP') && more > 1) {
      options.group = argv.latin1(i + 1)
      options.consumer = argv.latin1(i + 2)
      i += 2
    } else if (argv.is(i, 'NOACK')) {
      options.noAck = true
    } else if (argv.is(i, 'CLAIM') && more > 0) {
      i += 1
      const value = parseInteger(argv, i)
      if (value === null) return minIdleNotInteger
      if (value < 0) return minIdleNegative
      options.minIdle = clampToSafe(value)
    } else {
      const value = parseReadLimit(argv, i, options)
      if (typeof value !== 'number') return value
      if (value === 0) return syntaxError
      i = value
    }
  }
  return syntaxError
}

type Source = {
  readonly key: string
  readonly stream: Stream
  readonly group: Group
  readonly after: After
}

/** Checks all streams, pair by pair, before anything changes. */
function findSources(state: Keyspace, args: XreadgroupArgs): Source[] | ErrorReply {
  const sources: Source[] = []
  for (const [i, key] of args.keys.entries()) {
    const stream = state.stream(key)
    if (stream === 'wrong-type') return wrongType
    if (stream === null) state.missInWrite(key)
    const group = stream?.groups.get(args.group)
    if (stream === null || group === undefined)
      return fail(
        `NOGROUP No such key '${shown(key)}' or consumer group '${shown(args.group)}' in XREADGROUP with GROUP option`,
      )
    const after = args.after[i] as After | ErrorReply
    if (typeof after === 'object' && 'kind' in after) return after
    sources.push({ key, stream, group, after })
  }
  return sources
}

/** What one source has for the consumer; null: nothing, and history always has something. */
function read(
  state: Keyspace,
  source: Source,
  args: XreadgroupArgs,
  budget: ReadBudget,
  at: Occasion,
): Reply | null {
  const { stream, group, after } = source
  const consumer = callingConsumer(state, source.key, group, args.consumer, at.now)
  budget.beginStream(source.key)
  const reading = { stream, group, consumer, count: args.count, budget, at }
  if (after !== 'new') return array(history(reading, after))
  const { minIdle } = args
  const claimed = minIdle === null ? [] : claimIdle(reading, minIdle)
  const rest = { ...reading, count: args.count - claimed.length }
  const entries = deliverNew(rest, args.noAck, minIdle !== null)
  if (claimed.length + entries.length === 0) return null
  return array(claimed.length === 0 ? entries : [...claimed, ...entries])
}

/** Wait for the keys, and for what grows old enough to be claimed. */
function waitFor(sources: readonly Source[], args: XreadgroupArgs, timeout: number): Wait {
  const { keys, minIdle } = args
  if (minIdle === null) return new Wait(keys, timeout)
  let first = Number.POSITIVE_INFINITY
  for (const source of sources) {
    const due = nextDue(source, minIdle)
    if (due === null) source.group.isAwaited = true
    else first = Math.min(first, due)
  }
  return new Wait(keys, timeout, 'change', first === Number.POSITIVE_INFINITY ? 0 : first)
}

function applyXreadgroup(state: Keyspace, args: XreadgroupArgs, at: Occasion): Reply | Wait {
  const sources = findSources(state, args)
  if (!Array.isArray(sources)) return sources
  const items: Reply[] = []
  const budget = new ReadBudget(args)
  for (const source of sources) {
    if (budget.isSpent) break
    const entries = read(state, source, args, budget, at)
    if (entries === null) continue
    items.push(nameReply(source.key), entries)
    if (source.group.isAwaited) {
      // Someone waits for entries to claim and knows of none.
      source.group.isAwaited = false
      state.wake(source.key)
    }
  }
  if (items.length > 0) return { kind: 'pairs', items }
  return args.timeout === null ? NULL_ARRAY : waitFor(sources, args, args.timeout)
}

export const xreadgroup: CommandSpec<XreadgroupArgs> = {
  name: 'xreadgroup',
  arity: -7,
  flags: ['write', 'blocking', 'movablekeys'],
  categories: ['write', 'stream', 'slow', 'blocking'],
  keys: keysAfterStreams(4),
  since: '5.0.0',
  group: 'stream',
  summary:
    'Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is available otherwise.',
  complexity:
    'For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.',
  parse: parseXreadgroup,
  apply: applyXreadgroup,
}
