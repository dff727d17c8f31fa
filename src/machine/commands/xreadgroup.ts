// XREADGROUP: entries that are new to a group, or a consumer's own that are pending.
//
// A write in every form: it moves the group on, records who got what, and makes the
// consumer even when there is nothing for it. A reader that waits is applied again
// when one of its keys is touched, and answers then whatever holds then: entries,
// NOGROUP where the group or the key is gone, or Wait once more.

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
import type { Consumer, Group } from '../types/group.ts'
import { parseId } from '../types/id-text.ts'
import { entriesReadAt } from '../types/lag.ts'
import { entryReply, type Stream } from '../types/stream.ts'
import { compareIds, equalIds, MAX_ID, nextId, type StreamId } from '../types/stream-id.ts'
import { keysAfterStreams } from './facts.ts'
import { nameReply, shown } from './group-lookup.ts'

const missingGroupOption = fail('ERR Missing GROUP option for XREADGROUP')
const unbalanced = fail(
  "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
)

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
  readonly noAck: boolean
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

type Options = {
  group: string | null
  consumer: string
  count: number
  noAck: boolean
  timeout: number | null
}

function parseStreams(argv: Argv, first: number, options: Options): XreadgroupArgs | ErrorReply {
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
    } else {
      return syntaxError
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

/** Delivers what is new to the group. @returns the entries, or null if there are none */
function deliver(
  { stream, group }: Source,
  consumer: Consumer,
  args: XreadgroupArgs,
  at: Occasion,
): Reply | null {
  const from = nextId(group.lastId)
  if (from === null || compareIds(stream.topId(), group.lastId) <= 0) return null
  const entries: Reply[] = []
  stream.range(from, MAX_ID, args.count, false, (id, bytes, bounds) => {
    group.entriesRead = entriesReadAt(stream, group, id)
    group.lastId = id
    if (!args.noAck) group.deliver(id, consumer, at.now)
    if (at.asked) entries.push(entryReply(id, bytes, bounds))
  })
  if (!args.noAck) consumer.activeTime = at.now
  return array(entries)
}

/** What is pending for the consumer behind `after`, each delivered once more unless its body is gone. */
function history(
  { stream, group }: Source,
  after: StreamId,
  consumer: Consumer,
  count: number,
  at: Occasion,
): Reply {
  const entries: Reply[] = []
  const { ids } = consumer
  let left = count
  if (ids.seek(after)) ids.next()
  for (; ids.valid && left > 0; ids.next()) {
    const id = ids.id()
    const entry = stream.get(id)
    if (entry !== null) {
      group.pending.seek(id)
      group.claim(id, consumer, at.now, group.countHere())
    }
    if (at.asked)
      entries.push(
        entry === null
          ? array([{ kind: 'id', id }, NULL_ARRAY])
          : entryReply(id, entry.bytes, entry.bounds),
      )
    left -= 1
  }
  return array(entries)
}

function applyXreadgroup(state: Keyspace, args: XreadgroupArgs, at: Occasion): Reply | Wait {
  const sources = findSources(state, args)
  if (!Array.isArray(sources)) return sources
  const items: Reply[] = []
  for (const source of sources) {
    const consumer = source.group.seen(args.consumer, at.now)
    const entries =
      source.after === 'new'
        ? deliver(source, consumer, args, at)
        : history(source, source.after, consumer, args.count, at)
    if (entries !== null) items.push(nameReply(source.key), entries)
  }
  if (items.length > 0) return { kind: 'pairs', items }
  return args.timeout === null ? NULL_ARRAY : new Wait(args.keys, args.timeout)
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
