// XNACK: a consumer gives entries back, to be claimed by whoever comes next.
//
// The state decides before the words do (a missing group is answered first), so the
// words are read where it is known.

import type { Argv } from '../../base/argv.ts'
import { type CommandSpec, isError } from '../command.ts'
import { parseInteger } from '../integers.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  fail,
  integer,
  invalidStreamId,
  notInteger,
  type Reply,
} from '../reply.ts'
import type { Group } from '../types/group.ts'
import { parseId } from '../types/id-text.ts'
import { DELIVERIES_MAX, PENDING_COUNT } from '../types/pending.ts'
import type { Half, StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'
import { findGroup, shown } from './group-lookup.ts'

const badMode = fail('ERR mode must be SILENT, FAIL, or FATAL')
const countNotPositive = fail('ERR numids must be a positive integer')
const countMismatch = fail("ERR number of IDs doesn't match numids")
const negativeRetries = fail('ERR Invalid RETRYCOUNT value, must be >= 0')
const idsRequired = fail('ERR syntax error, expected IDS keyword')

const MODES = ['SILENT', 'FAIL', 'FATAL'] as const
type Mode = (typeof MODES)[number]

type XnackArgs = {
  readonly mode: Mode
  readonly ids: readonly StreamId[]
  /** null: by the mode. */
  readonly retryCount: Half | null
  readonly force: boolean
}

function parseIds(argv: Argv, first: number, count: number): StreamId[] | ErrorReply {
  const ids: StreamId[] = []
  for (let i = first; i < first + count; i += 1) {
    const id = parseId(argv, i)
    if (id === null) return invalidStreamId
    ids.push(id)
  }
  return ids
}

function parseXnack(argv: Argv): XnackArgs | ErrorReply {
  const mode = MODES.find(name => argv.is(3, name))
  if (mode === undefined) return badMode
  let first = 0
  let count = 0
  let retryCount: Half | null = null
  let force = false
  for (let i = 4; i < argv.count; i += 1) {
    const more = i + 1 < argv.count
    if (argv.is(i, 'IDS') && more && first === 0) {
      const value = parseInteger(argv, i + 1)
      if (value === null || value < 1) return countNotPositive
      first = i + 2
      if (value > argv.count - first) return countMismatch
      count = Number(value)
      i += 1 + count
    } else if (argv.is(i, 'RETRYCOUNT') && more) {
      i += 1
      const value = parseInteger(argv, i)
      if (value === null) return notInteger
      if (value < 0) return negativeRetries
      retryCount = value
    } else if (argv.is(i, 'FORCE')) {
      force = true
    } else {
      return fail(`ERR Unrecognized XNACK option '${shown(argv.latin1(i))}'`)
    }
  }
  if (first === 0) return idsRequired
  const ids = parseIds(argv, first, count)
  return isError(ids) ? ids : { mode, ids, retryCount, force }
}

/** The delivery count of the entry under the cursor once it is released. */
function countAfter(group: Group, mode: Mode): Half {
  if (mode === 'FATAL') return DELIVERIES_MAX
  const count = group.pending.wide(PENDING_COUNT)
  if (mode === 'FAIL' || count === 0) return count
  return typeof count === 'number' ? count - 1 : fewer(count)
}

function fewer(count: bigint): Half {
  const value = count - 1n
  return value > Number.MAX_SAFE_INTEGER ? value : Number(value)
}

function applyXnack(state: Keyspace, argv: Argv): Reply {
  const key = argv.latin1(1)
  const found = findGroup(state, key, argv.latin1(2))
  if ('kind' in found) return found
  const args = parseXnack(argv)
  if (isError(args)) return args
  const { stream, group } = found
  let released = 0
  for (const id of args.ids) {
    if (group.pending.seek(id))
      group.releaseHere(id, args.retryCount ?? countAfter(group, args.mode))
    else if (args.force && stream.has(id))
      group.releaseNew(id, args.retryCount ?? (args.mode === 'FATAL' ? DELIVERIES_MAX : 0))
    else continue
    released += 1
  }
  // Readers with CLAIM need not wait for them to grow old. To WATCH it is no change.
  if (released > 0) state.wake(key)
  return integer(released)
}

export const xnack: CommandSpec<Argv> = {
  name: 'xnack',
  arity: -7,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  since: '8.8.0',
  group: 'stream',
  summary: 'Releases pending messages back to the consumer group without acknowledging them.',
  complexity: 'O(1) for each message ID processed.',
  parse: argv => argv,
  apply: applyXnack,
}
