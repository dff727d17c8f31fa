// XPENDING, XCLAIM and XAUTOCLAIM: what is pending, and how it changes hands.
//
// A claim of an entry whose body is gone drops it from what is pending instead.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  EMPTY_ARRAY,
  type ErrorReply,
  fail,
  integer,
  invalidStreamId,
  NULL,
  NULL_ARRAY,
  notInteger,
  type Reply,
  syntaxError,
  text,
} from '../reply.ts'
import type { Consumer, Group } from '../types/group.ts'
import { type BoundFault, parseId, parseRangeEnd, parseRangeStart } from '../types/id-text.ts'
import { PENDING_COUNT } from '../types/pending.ts'
import { entryReply, type Stream } from '../types/stream.ts'
import { compareIds, type Half, MIN_ID, type StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'
import { callingConsumer, findGroup, nameReply, shown } from './group-lookup.ts'

const invalidStart = fail('ERR invalid start ID for the interval')
const invalidEnd = fail('ERR invalid end ID for the interval')
const countNotPositive = fail('ERR COUNT must be > 0')

/** XAUTOCLAIM looks at this many entries for each it may return. */
const ATTEMPTS_FACTOR = 10
const AUTOCLAIM_COUNT_DEFAULT = 100
/** As in Redis: the largest signed 64-bit number over the size of an ID. */
const AUTOCLAIM_COUNT_MAX = ((1n << 63n) - 1n) / 16n

function boundError(fault: BoundFault): ErrorReply {
  if (fault === 'id') return invalidStreamId
  return fault === 'start' ? invalidStart : invalidEnd
}

function invalid(word: string, command: string): ErrorReply {
  return fail(`ERR Invalid ${word} argument for ${command}`)
}

/** Ms since the entry under the cursor was delivered. */
function idleHere(group: Group, at: Occasion): number {
  return at.now - group.timeHere()
}

/** Whether the entry under the cursor is idle for `minIdle` ms, or nobody's. 0 asks no clock: it may have gone back. */
function isIdleHere(group: Group, minIdle: number | bigint, at: Occasion): boolean {
  return minIdle <= 0 || group.ownerHere() === null || idleHere(group, at) >= minIdle
}

// --- XPENDING

type PendingRange = {
  readonly minIdle: number
  readonly start: StreamId
  readonly end: StreamId
  readonly count: number
  readonly consumer: string | null
}

type XpendingArgs = {
  readonly key: string
  readonly group: string
  /** null: the summary. */
  readonly range: PendingRange | null
}

function parseRange(argv: Argv): PendingRange | ErrorReply {
  let first = 3
  let minIdle: number | bigint = 0
  if (argv.is(3, 'IDLE')) {
    const value = parseInteger(argv, 4)
    if (value === null) return notInteger
    if (argv.count < 8) return syntaxError
    minIdle = value
    first = 5
  }
  const count = parseInteger(argv, first + 2)
  if (count === null) return notInteger
  const start = parseRangeStart(argv, first)
  if (typeof start === 'string') return boundError(start)
  const end = parseRangeEnd(argv, first + 1)
  if (typeof end === 'string') return boundError(end)
  const consumer = argv.count > first + 3 ? argv.latin1(first + 3) : null
  return { minIdle: clampToSafe(minIdle), start, end, count: clampToSafe(count), consumer }
}

function parseXpending(argv: Argv): XpendingArgs | ErrorReply {
  const summary = argv.count === 3
  if (!summary && (argv.count < 6 || argv.count > 9)) return syntaxError
  const range = summary ? null : parseRange(argv)
  if (range !== null && 'kind' in range) return range
  return { key: argv.latin1(1), group: argv.latin1(2), range }
}

function summary(group: Group): Reply {
  const { pending } = group
  if (pending.size === 0) return array([integer(0), NULL, NULL, NULL_ARRAY])
  pending.first()
  const first = pending.id()
  pending.last()
  const last = pending.id()
  const owners: Reply[] = []
  for (const { name, ids } of group.consumersByName())
    if (ids.size > 0) owners.push(array([nameReply(name), text(String(ids.size))]))
  return array([
    integer(pending.size),
    { kind: 'id', id: first },
    { kind: 'id', id: last },
    array(owners),
  ])
}

/** Nobody's entry has no idle time: it was released, and is claimed at once. */
function pendingReply(group: Group, id: StreamId, at: Occasion): Reply {
  const owner = group.ownerHere()
  return array([
    { kind: 'id', id },
    nameReply(owner?.name ?? ''),
    integer(owner === null ? -1 : Math.max(0, idleHere(group, at))),
    integer(group.pending.wide(PENDING_COUNT)),
  ])
}

function listPending(group: Group, range: PendingRange, at: Occasion): Reply {
  const { pending } = group
  const consumer = range.consumer === null ? null : group.consumer(range.consumer)
  if (range.consumer !== null && consumer === null) return EMPTY_ARRAY
  // Where not even the oldest is idle enough, a walk over all would find nothing. A replica's
  // clock may stand behind the leader's, so who asks for no idle time is not asked for any.
  const oldest = range.minIdle > 0 ? group.oldestDelivery() : null
  if (oldest !== null && at.now - oldest < range.minIdle) return EMPTY_ARRAY
  // A consumer's own IDs lead to their rows; without one the rows are walked themselves.
  const walked = consumer?.ids ?? pending
  const items: Reply[] = []
  for (walked.seek(range.start); walked.valid && items.length < range.count; walked.next()) {
    const id = walked.id()
    if (compareIds(id, range.end) > 0) break
    if (consumer !== null) pending.seek(id)
    if (!isIdleHere(group, range.minIdle, at)) continue
    items.push(pendingReply(group, id, at))
  }
  return array(items)
}

function queryXpending(state: Keyspace, args: XpendingArgs, at: Occasion): Reply {
  const found = findGroup(state, args.key, args.group)
  if ('kind' in found) return found
  return args.range === null ? summary(found.group) : listPending(found.group, args.range, at)
}

const xpending: CommandSpec<XpendingArgs> = {
  name: 'xpending',
  arity: -3,
  flags: ['readonly'],
  categories: ['read', 'stream', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '5.0.0',
  group: 'stream',
  summary:
    "Returns the information and entries from a stream consumer group's pending entries list.",
  complexity: 'O(log(P)+N) with P the pending entries and N the entries returned or skipped.',
  tips: ['nondeterministic_output'],
  parse: parseXpending,
  query: queryXpending,
}

// --- XCLAIM

/** Who claims, what for, and how the reply is made. */
class Claim {
  readonly items: Reply[] = []
  readonly stream: Stream
  readonly group: Group
  readonly consumer: Consumer
  readonly justId: boolean
  readonly at: Occasion

  constructor(
    state: Keyspace,
    key: string,
    found: { stream: Stream; group: Group },
    name: string,
    justId: boolean,
    at: Occasion,
  ) {
    this.stream = found.stream
    this.group = found.group
    this.consumer = callingConsumer(state, key, found.group, name, at.now)
    this.justId = justId
    this.at = at
  }

  /** Gives the entry `id`, under the cursor of what is pending, to the consumer. Its body is there. */
  take(id: StreamId, time: number, retryCount: Half | null): void {
    const count = retryCount ?? (this.justId ? null : this.group.countHere())
    this.group.claim(id, this.consumer, time, count)
    this.consumer.activeTime = this.at.now
    if (!this.at.asked) return
    const entry = this.justId ? null : this.stream.get(id)
    this.items.push(entry === null ? { kind: 'id', id } : entryReply(id, entry.bytes, entry.bounds))
  }
}

type ClaimOptions = {
  force: boolean
  justId: boolean
  /** null: now. */
  time: number | null
  retryCount: Half | null
  lastId: StreamId
}

/** Reads the options from word `first` on, which is the first that is no ID. */
function parseClaimOptions(argv: Argv, first: number, now: number): ClaimOptions | ErrorReply {
  const options: ClaimOptions = {
    force: false,
    justId: false,
    time: null,
    retryCount: null,
    lastId: MIN_ID,
  }
  for (let i = first; i < argv.count; i += 1) {
    const more = i + 1 < argv.count
    if (argv.is(i, 'FORCE')) {
      options.force = true
    } else if (argv.is(i, 'JUSTID')) {
      options.justId = true
    } else if (more && (argv.is(i, 'IDLE') || argv.is(i, 'TIME') || argv.is(i, 'RETRYCOUNT'))) {
      const word = argv.upper(i)
      i += 1
      const value = parseInteger(argv, i)
      if (value === null) return invalid(`${word} option`, 'XCLAIM')
      if (word === 'RETRYCOUNT') options.retryCount = value < 0 ? null : value
      else options.time = word === 'IDLE' ? now - clampToSafe(value) : clampToSafe(value)
    } else if (more && argv.is(i, 'LASTID')) {
      i += 1
      const id = parseId(argv, i)
      if (id === null) return invalidStreamId
      options.lastId = id
    } else {
      return fail(`ERR Unrecognized XCLAIM option '${shown(argv.latin1(i))}'`)
    }
  }
  return options
}

/** The group is found before anything else is checked, so all words are read here. */
function applyXclaim(state: Keyspace, argv: Argv, at: Occasion): Reply {
  const found = findGroup(state, argv.latin1(1), argv.latin1(2))
  if ('kind' in found) return found
  const minIdle = parseInteger(argv, 4)
  if (minIdle === null) return invalid('min-idle-time', 'XCLAIM')
  const ids: StreamId[] = []
  let i = 5
  for (; i < argv.count; i += 1) {
    const id = parseId(argv, i)
    if (id === null) break
    ids.push(id)
  }
  const options = parseClaimOptions(argv, i, at.now)
  if ('kind' in options) return options
  const { group, stream } = found
  if (compareIds(options.lastId, group.lastId) > 0) group.lastId = options.lastId
  // Clients count with clocks of their own: a time that cannot be is taken for now.
  const isTime = options.time !== null && options.time >= 0 && options.time <= at.now
  const time = isTime ? (options.time as number) : at.now
  const claim = new Claim(state, argv.latin1(1), found, argv.latin1(3), options.justId, at)
  let taken = false
  for (const id of ids) {
    const isPending = group.pending.seek(id)
    if (!stream.has(id)) {
      if (isPending) group.removeHere(id)
    } else if (isPending) {
      if (!isIdleHere(group, minIdle, at)) continue
      claim.take(id, time, options.retryCount)
      taken = true
    } else if (options.force) {
      group.deliver(id, claim.consumer, at.now)
      claim.take(id, time, options.retryCount)
      taken = true
    }
  }
  // Readers with CLAIM may wait for what is now older than they know, or there at all.
  if (taken && (time < at.now || group.isAwaited)) state.wake(argv.latin1(1))
  return array(claim.items)
}

const xclaim: CommandSpec<Argv> = {
  name: 'xclaim',
  arity: -6,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '5.0.0',
  group: 'stream',
  summary:
    'Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a consumer group member.',
  complexity: 'O(N log(P)) with N the IDs given and P the pending entries of the group.',
  tips: ['nondeterministic_output'],
  parse: argv => argv,
  apply: applyXclaim,
}

// --- XAUTOCLAIM

type XautoclaimArgs = {
  readonly key: string
  readonly group: string
  readonly consumer: string
  readonly minIdle: number
  readonly start: StreamId
  readonly count: number
  readonly justId: boolean
}

function parseXautoclaim(argv: Argv): XautoclaimArgs | ErrorReply {
  const minIdle = parseInteger(argv, 4)
  if (minIdle === null) return invalid('min-idle-time', 'XAUTOCLAIM')
  const start = parseRangeStart(argv, 5)
  if (typeof start === 'string') return boundError(start)
  let count: number | bigint = AUTOCLAIM_COUNT_DEFAULT
  let justId = false
  for (let i = 6; i < argv.count; i += 1) {
    if (argv.is(i, 'COUNT') && i + 1 < argv.count) {
      i += 1
      const value = parseInteger(argv, i)
      if (value === null || value < 1 || value > AUTOCLAIM_COUNT_MAX) return countNotPositive
      count = value
    } else if (argv.is(i, 'JUSTID')) {
      justId = true
    } else {
      return syntaxError
    }
  }
  return {
    key: argv.latin1(1),
    group: argv.latin1(2),
    consumer: argv.latin1(3),
    minIdle: clampToSafe(minIdle),
    start,
    count: clampToSafe(count),
    justId,
  }
}

function applyXautoclaim(state: Keyspace, args: XautoclaimArgs, at: Occasion): Reply {
  const found = findGroup(state, args.key, args.group)
  if ('kind' in found) return found
  const { stream, group } = found
  const { pending } = group
  const claim = new Claim(state, args.key, found, args.consumer, args.justId, at)
  const dropped: Reply[] = []
  let left = args.count
  let attempts = args.count * ATTEMPTS_FACTOR
  pending.seek(args.start)
  while (pending.valid && left > 0 && attempts > 0) {
    attempts -= 1
    const id = pending.id()
    if (!stream.has(id)) {
      group.removeHere(id)
      dropped.push({ kind: 'id', id })
      left -= 1
      continue
    }
    if (isIdleHere(group, args.minIdle, at)) {
      claim.take(id, at.now, null)
      left -= 1
    }
    pending.next()
  }
  const next = pending.valid ? pending.id() : MIN_ID
  return array([{ kind: 'id', id: next }, array(claim.items), array(dropped)])
}

const xautoclaim: CommandSpec<XautoclaimArgs> = {
  name: 'xautoclaim',
  arity: -6,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'DELETE'),
  since: '6.2.0',
  group: 'stream',
  summary:
    'Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as consumer group member.',
  complexity: 'O(1) if COUNT is small.',
  tips: ['nondeterministic_output'],
  parse: parseXautoclaim,
  apply: applyXautoclaim,
}

/** XPENDING, XCLAIM and XAUTOCLAIM. */
export const claimCommands: readonly CommandSpec[] = [xpending, xclaim, xautoclaim]
