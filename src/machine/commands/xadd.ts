// XADD, the command that everything else waits for.
//
// Its arguments are one object that is filled again for each call: parse and apply
// follow each other at once, and a million of these a second leave no garbage.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import type { Keyspace } from '../keyspace.ts'
import { type ErrorReply, fail, invalidStreamId, NULL, type Reply, wrongType } from '../reply.ts'
import { isStar, parseId, parseTimeWithStar } from '../types/id-text.ts'
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

class XaddArgs {
  argv: Argv | null = null
  makeStream = true
  /** null: `*`, or `time` with a sequence to be found. */
  id: StreamId | null = null
  time: Half | null = null
  firstField = 0
  readonly trim = new Trim()
}

const xaddArgs = new XaddArgs()

function parseXadd(argv: Argv): XaddArgs | ErrorReply {
  const args = xaddArgs
  args.argv = argv
  args.makeStream = true
  args.id = null
  args.time = null
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
  if (equalIds(stream.lastId, MAX_ID)) return exhausted
  const id = idFor(stream, args, at.now)
  if (id === null) return notAboveTop
  stream.append(id, argv, args.firstField)
  args.trim.apply(stream)
  state.touch(key)
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
  apply: applyXadd,
}
