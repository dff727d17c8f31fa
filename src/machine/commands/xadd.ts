// XADD, the command that everything else waits for.
//
// Its arguments are one object that is filled again for each call: parse and apply
// follow each other at once, and a million of these a second leave no garbage.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import { type ErrorReply, fail, invalidStreamId, NULL, type Reply, wrongType } from '../reply.ts'
import { hashFields } from '../types/field-hash.ts'
import { isStar, parseId, parseTimeWithStar } from '../types/id-text.ts'
import { Idempotence } from '../types/idempotence.ts'
import { Stream } from '../types/stream.ts'
import {
  compareIds,
  equalIds,
  type Half,
  MAX_ID,
  MIN_ID,
  nextId,
  type StreamId,
} from '../types/stream-id.ts'
import { keyAt } from './facts.ts'
import { Trim } from './trimming.ts'

const arity = fail("ERR wrong number of arguments for 'xadd' command")
const notAboveZero = fail('ERR The ID specified in XADD must be greater than 0-0')
const exhausted = fail(
  'ERR The stream has exhausted the last possible ID, unable to add more items',
)
const notAboveTop = fail(
  'ERR The ID specified in XADD is equal or smaller than the target stream top item',
)

const severalProducers = fail('ERR syntax error, IDMP/IDMPAUTO specified multiple times')
const onlyAutomatic = fail(
  'ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs',
)
const noProducerOfAuto = fail('ERR syntax error, IDMPAUTO requires a non-empty producer ID')
const noProducer = fail('ERR syntax error, IDMP requires a non-empty producer ID')
const noIid = fail('ERR syntax error, IDMP requires a non-empty idempotent ID')

class XaddArgs {
  argv: Argv | null = null
  makeStream = true
  /** null: `*`, or `time` with a sequence to be found. */
  id: StreamId | null = null
  time: Half | null = null
  firstField = 0
  /** Word of an idempotent producer; 0: there is none. */
  producer = 0
  /** Whether its iid follows from the fields; otherwise it is the next word. */
  isAuto = false
  readonly trim = new Trim()
}

const xaddArgs = new XaddArgs()
/** The iid of the command at hand. */
const iid: { bytes: Buffer; from: number; to: number } = { bytes: Buffer.alloc(0), from: 0, to: 0 }

/** Reads IDMP or IDMPAUTO at word i. */
function parseProducer(argv: Argv, i: number, isAuto: boolean): ErrorReply | null {
  if (xaddArgs.producer > 0) return severalProducers
  if (argv.length(i + 1) === 0) return isAuto ? noProducerOfAuto : noProducer
  if (!isAuto && argv.length(i + 2) === 0) return noIid
  xaddArgs.producer = i + 1
  xaddArgs.isAuto = isAuto
  return null
}

function parseXadd(argv: Argv): XaddArgs | ErrorReply {
  const args = xaddArgs
  args.argv = argv
  args.makeStream = true
  args.id = null
  args.time = null
  args.producer = 0
  args.trim.reset()
  let i = 2
  while (i < argv.count && !isStar(argv, i)) {
    const next = args.trim.parse(argv, i)
    if (typeof next !== 'number') return next
    if (next > 0) {
      i = next
    } else if (argv.is(i, 'NOMKSTREAM')) {
      args.makeStream = false
      i += 1
    } else if (argv.is(i, 'IDMPAUTO') && i + 1 < argv.count) {
      const fault = parseProducer(argv, i, true)
      if (fault !== null) return fault
      i += 2
    } else if (argv.is(i, 'IDMP') && i + 2 < argv.count) {
      const fault = parseProducer(argv, i, false)
      if (fault !== null) return fault
      i += 3
    } else {
      // Whatever is no option is the ID.
      args.time = parseTimeWithStar(argv, i)
      if (args.time !== null) break
      args.id = parseId(argv, i)
      if (args.id === null) return invalidStreamId
      break
    }
  }
  const fault = args.trim.finish(null)
  if (fault !== null) return fault
  if (args.producer > 0 && (args.id !== null || args.time !== null)) return onlyAutomatic
  args.firstField = i + 1
  const words = argv.count - args.firstField
  if (words < 2 || words % 2 === 1) return arity
  if (args.id !== null && equalIds(args.id, MIN_ID)) return notAboveZero
  return args
}

/** The ID of the entry to add, or null if the one asked for is not above the last. */
function idFor(stream: Stream, args: XaddArgs, now: number): StreamId | null {
  const last = stream.lastId
  if (args.id !== null) return compareIds(args.id, last) > 0 ? args.id : null
  if (args.time !== null) {
    if (args.time === last.ms) {
      const next = nextId(last)
      return next !== null && next.ms === last.ms ? next : null
    }
    return args.time > last.ms ? { ms: args.time, seq: 0 } : null
  }
  // The time never goes back, whatever the clock of a new leader says.
  return now > last.ms ? { ms: now, seq: 0 } : nextId(last)
}

/** The iid of a command: a word of its own, or the hash of its fields. */
function readIid(args: XaddArgs): void {
  const argv = args.argv as Argv
  if (args.isAuto) {
    iid.bytes = hashFields(argv, args.firstField)
    iid.from = 0
    iid.to = iid.bytes.length
  } else {
    iid.bytes = argv.buffer
    iid.from = argv.from(args.producer + 1)
    iid.to = argv.to(args.producer + 1)
  }
}

/** The entry that this producer added with this iid before, or null. */
function firstOf(stream: Stream, args: XaddArgs, now: number): StreamId | null {
  readIid(args)
  const { idempotence } = stream
  if (idempotence === null) return null
  const producer = (args.argv as Argv).latin1(args.producer)
  const first = idempotence.find(producer, iid.bytes, iid.from, iid.to, now)
  if (first !== null) idempotence.duplicates += 1
  return first
}

/** Keeps the iid that `firstOf` read. */
function remember(stream: Stream, args: XaddArgs, id: StreamId, now: number): void {
  stream.idempotence ??= new Idempotence()
  const producer = (args.argv as Argv).latin1(args.producer)
  stream.idempotence.remember(producer, iid.bytes, iid.from, iid.to, id, now)
}

function applyXadd(state: Keyspace, args: XaddArgs, at: Occasion): Reply {
  const argv = args.argv as Argv
  const key = argv.key(1)
  let stream = state.stream(key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null) {
    if (!args.makeStream) return NULL
    stream = new Stream()
    state.put(key, stream)
  }
  if (args.producer > 0) {
    const first = firstOf(stream, args, at.now)
    if (first !== null) return { kind: 'id', id: first }
  }
  if (equalIds(stream.lastId, MAX_ID)) return exhausted
  const id = idFor(stream, args, at.now)
  if (id === null) return notAboveTop
  stream.append(id, argv, args.firstField, state.blockEntries)
  if (args.producer > 0) remember(stream, args, id, at.now)
  const trimmed = args.trim.apply(stream, state.blockEntries)
  state.touch(key)
  if (state.listener !== null) {
    state.notify(EVENT.STREAM, 'xadd', key)
    if (trimmed > 0) state.notify(EVENT.STREAM, 'xtrim', key)
  }
  return { kind: 'id', id }
}

export const xadd: CommandSpec<XaddArgs> = {
  name: 'xadd',
  arity: -5,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Appends a new message to a stream. Creates the key if it does not exist.',
  complexity:
    'O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.',
  tips: ['nondeterministic_output'],
  parse: parseXadd,
  // Of each group one may have it; who comes first in line is of the one or the other.
  feeds: argv => [{ key: argv.latin1(1), count: 1, needs: 'change' }],
  apply: applyXadd,
}
