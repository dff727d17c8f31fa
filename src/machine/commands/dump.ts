// DUMP and RESTORE: a value as bytes that a client keeps, and a key made of them.

import type { Argv } from '../../base/argv.ts'
import { limits } from '../../base/limits.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { clampToSafe, parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  bulk,
  type ErrorReply,
  fail,
  NULL,
  notInteger,
  OK,
  type Reply,
  syntaxError,
} from '../reply.ts'
import { dump, isDump, undump } from '../types/dump.ts'
import { expiryAt } from '../types/expiry.ts'
import { invalidExpireTime } from './expire.ts'
import { keyAt } from './facts.ts'
import { place } from './renaming.ts'

const tooLarge = fail(`ERR the value takes more than ${limits.valueBytesMax} bytes as a dump`)

const dumpCommand: CommandSpec<string> = {
  name: 'dump',
  arity: 2,
  flags: ['readonly'],
  categories: ['keyspace', 'read', 'slow'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '2.6.0',
  group: 'generic',
  summary: 'Returns a serialized representation of the value stored at a key.',
  complexity:
    'O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).',
  tips: ['nondeterministic_output'],
  parse: argv => argv.latin1(1),
  query(state, key) {
    const value = state.value(key)
    if (value === null) return NULL
    const bytes = dump(value, limits.valueBytesMax)
    return bytes === null ? tooLarge : bulk(bytes)
  },
}

const FREQUENCY_MAX = 255
const MS_PER_SECOND = 1000
const FIRST_OPTION = 4

const negativeIdle = fail('ERR Invalid IDLETIME value, must be >= 0')
const badFrequency = fail('ERR Invalid FREQ value, must be >= 0 and <= 255')
const busyKey = fail('BUSYKEY Target key name already exists.')
const negativeTtl = fail('ERR Invalid TTL value, must be >= 0')
const notADump = fail('ERR DUMP payload version or checksum are wrong')
const badFormat = fail('ERR Bad data format')
const badExpiry = invalidExpireTime('restore')

type RestoreArgs = {
  /** Points into the words, as all arguments of writes may. */
  readonly argv: Argv
  replaces: boolean
  isAbsolute: boolean
  /** Seconds; null: it was reached for just now. */
  idle: number | null
  hasFrequency: boolean
}

/** Reads the number behind the option at `i`, which is IDLETIME or FREQ. */
function parseUse(argv: Argv, i: number, args: RestoreArgs): ErrorReply | null {
  const value = parseInteger(argv, i + 1)
  if (value === null) return notInteger
  if (argv.is(i, 'IDLETIME')) {
    if (value < 0) return negativeIdle
    args.idle = clampToSafe(value)
    return null
  }
  if (value < 0 || value > FREQUENCY_MAX) return badFrequency
  // Checked and not kept: no policy here counts how often a key is used.
  args.hasFrequency = true
  return null
}

function parseRestore(argv: Argv): RestoreArgs | ErrorReply {
  const args: RestoreArgs = {
    argv,
    replaces: false,
    isAbsolute: false,
    idle: null,
    hasFrequency: false,
  }
  for (let i = FIRST_OPTION; i < argv.count; i += 1) {
    const more = i + 1 < argv.count
    if (argv.is(i, 'REPLACE')) {
      args.replaces = true
    } else if (argv.is(i, 'ABSTTL')) {
      args.isAbsolute = true
    } else if (
      more &&
      ((argv.is(i, 'IDLETIME') && !args.hasFrequency) || (argv.is(i, 'FREQ') && args.idle === null))
    ) {
      const error = parseUse(argv, i, args)
      if (error !== null) return error
      i += 1
    } else {
      return syntaxError
    }
  }
  return args
}

/** What is wrong comes in Redis' order, in which a key that is there is told of first. */
function applyRestore(state: Keyspace, args: RestoreArgs, at: Occasion): Reply {
  const { argv, replaces, isAbsolute, idle } = args
  const key = argv.latin1(1)
  if (!replaces && state.has(key)) return busyKey
  const ttl = parseInteger(argv, 2)
  if (ttl === null) return notInteger
  if (ttl < 0) return negativeTtl
  const bytes = argv.bytes(3)
  if (!isDump(bytes)) return notADump
  const value = undump(bytes, at.chance)
  if (value === null) return badFormat
  const expiry = ttl === 0 ? 0 : expiryAt(ttl, 1, isAbsolute ? 0 : at.now)
  if (expiry === null) return badExpiry
  // Over already: as if it had been restored and had expired.
  if (expiry !== 0 && expiry <= at.now) {
    if (state.delete(key)) state.notify(EVENT.GENERIC, 'del', key)
    return OK
  }
  place(state, key, value, expiry)
  state.notify(EVENT.GENERIC, 'restore', key)
  if (idle !== null) state.leaveIdle(key, Math.min(idle * MS_PER_SECOND, Number.MAX_SAFE_INTEGER))
  return OK
}

const restore: CommandSpec<RestoreArgs> = {
  name: 'restore',
  arity: -4,
  flags: ['write', 'denyoom'],
  categories: ['keyspace', 'write', 'dangerous', 'slow'],
  keys: keyAt(1, 'OW', 'UPDATE'),
  since: '2.6.0',
  group: 'generic',
  summary: 'Creates a key from the serialized representation of a value.',
  complexity:
    'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).',
  parse: parseRestore,
  apply: applyRestore,
}

export const dumpCommands: readonly CommandSpec[] = [dumpCommand, restore]
