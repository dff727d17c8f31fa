// XCFGSET and XIDMPRECORD: what a stream remembers of idempotent producers, set from outside.

import type { Argv } from '../../base/argv.ts'
import { type CommandSpec, isError, type Occasion } from '../command.ts'
import { parseInteger } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  fail,
  invalidStreamId,
  noSuchKey,
  notInteger,
  OK,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import { parseId } from '../types/id-text.ts'
import { DURATION_MAX, Idempotence, MAXSIZE_MAX } from '../types/idempotence.ts'
import { equalIds, type StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'

const noParameter = fail('ERR At least one parameter must be specified')
const badDuration = fail(`ERR IDMP-DURATION must be between 1 and ${DURATION_MAX} seconds`)
const badMaxSize = fail(`ERR IDMP-MAXSIZE must be between 1 and ${MAXSIZE_MAX} entries`)
const durationTwice = fail('ERR IDMP-DURATION specified multiple times')
const maxSizeTwice = fail('ERR IDMP-MAXSIZE specified multiple times')

/** null: as it is. */
type Settings = { duration: number | null; maxSize: number | null }

function parseSettings(argv: Argv): Settings | ErrorReply {
  if (argv.count === 2) return noParameter
  const settings: Settings = { duration: null, maxSize: null }
  for (let i = 2; i < argv.count; i += 2) {
    const isDuration = argv.is(i, 'IDMP-DURATION')
    if ((!isDuration && !argv.is(i, 'IDMP-MAXSIZE')) || i + 1 >= argv.count) return syntaxError
    if ((isDuration ? settings.duration : settings.maxSize) !== null)
      return isDuration ? durationTwice : maxSizeTwice
    const value = parseInteger(argv, i + 1)
    if (value === null) return notInteger
    if (value < 1 || value > (isDuration ? DURATION_MAX : MAXSIZE_MAX))
      return isDuration ? badDuration : badMaxSize
    if (isDuration) settings.duration = Number(value)
    else settings.maxSize = Number(value)
  }
  return settings
}

/** The key is found before the words are read. */
function applyXcfgset(state: Keyspace, argv: Argv): Reply {
  const stream = state.stream(argv.latin1(1))
  if (stream === null) return noSuchKey
  if (stream === 'wrong-type') return wrongType
  const settings = parseSettings(argv)
  if (isError(settings)) return settings
  const idempotence = stream.idempotence ?? new Idempotence()
  const { duration, maxSize } = settings
  idempotence.configure(duration ?? idempotence.duration, maxSize ?? idempotence.maxSize)
  stream.idempotence = idempotence
  state.noteChange(argv.latin1(1))
  return OK
}

export const xcfgset: CommandSpec<Argv> = {
  name: 'xcfgset',
  arity: -2,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '8.6.0',
  group: 'stream',
  summary: 'Sets the IDMP configuration parameters for a stream.',
  complexity: 'O(1)',
  parse: argv => argv,
  apply: applyXcfgset,
}

const emptyProducer = fail('ERR producer ID must be non-empty')
const emptyIid = fail('ERR idempotent ID must be non-empty')
const noSuchEntry = fail('ERR No such message in stream')
const otherEntry = fail('ERR IID already exists for this producer with a different stream ID')

type RecordArgs = { readonly argv: Argv; readonly id: StreamId }

function parseRecord(argv: Argv): RecordArgs | ErrorReply {
  const id = parseId(argv, 4)
  if (id === null) return invalidStreamId
  if (argv.length(2) === 0) return emptyProducer
  return argv.length(3) === 0 ? emptyIid : { argv, id }
}

function applyRecord(state: Keyspace, { argv, id }: RecordArgs, at: Occasion): Reply {
  const stream = state.stream(argv.latin1(1))
  if (stream === null) return noSuchKey
  if (stream === 'wrong-type') return wrongType
  if (!stream.has(id)) return noSuchEntry
  const idempotence = stream.idempotence ?? new Idempotence()
  const producer = argv.latin1(2)
  const known = idempotence.find(producer, argv.buffer, argv.from(3), argv.to(3), at.now)
  if (known !== null) return equalIds(known, id) ? OK : otherEntry
  idempotence.remember(producer, argv.buffer, argv.from(3), argv.to(3), id, at.now)
  stream.idempotence = idempotence
  state.noteChange(argv.latin1(1))
  return OK
}

export const xidmprecord: CommandSpec<RecordArgs> = {
  name: 'xidmprecord',
  arity: 5,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '8.6.2',
  group: 'stream',
  summary: 'An internal command for setting IDMP metadata on an existing stream message.',
  complexity: 'O(1)',
  parse: parseRecord,
  apply: applyRecord,
}
