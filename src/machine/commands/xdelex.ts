// XDELEX and XACKDEL: entries are removed by ID, with or for the sake of what groups reference.
//
// Words are read in Redis' order: the options, the key (XACKDEL: its type first), then
// the IDs, all of them before any counts.

import type { Argv } from '../../base/argv.ts'
import { type CommandSpec, isError } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  type ErrorReply,
  fail,
  integer,
  invalidStreamId,
  ONE,
  type Reply,
  syntaxError,
  wrongType,
} from '../reply.ts'
import { parseId } from '../types/id-text.ts'
import { References, type RefPolicy } from '../types/references.ts'
import type { Stream } from '../types/stream.ts'
import type { StreamId } from '../types/stream-id.ts'
import { keyAt } from './facts.ts'
import { refPolicyAt } from './trimming.ts'

const countNotPositive = fail('ERR Number of IDs must be a positive integer')
const countMismatch = fail('ERR The `numids` parameter must match the number of arguments')
const idsRequired = fail('ERR IDS option is required')

const GONE = integer(-1)
/** Still referenced. */
const KEPT = integer(2)

type Removal = {
  readonly argv: Argv
  readonly policy: RefPolicy
  /** Words of the IDs. */
  readonly first: number
  readonly count: number
}

/** Reads the options from word i on: a policy and the block of IDs, in either order. */
function parseRemoval(argv: Argv, from: number): Removal | ErrorReply {
  let policy: RefPolicy | null = null
  let first = 0
  let count = 0
  for (let i = from; i < argv.count; i += 1) {
    const given = refPolicyAt(argv, i)
    if (given !== null && policy === null) {
      policy = given
    } else if (argv.is(i, 'IDS') && first === 0 && i + 1 < argv.count) {
      const value = parseInteger(argv, i + 1)
      if (value === null || value < 1) return countNotPositive
      first = i + 2
      if (value > argv.count - first) return countMismatch
      count = Number(value)
      i += 1 + count
    } else {
      return syntaxError
    }
  }
  return first === 0 ? idsRequired : { argv, policy: policy ?? 'keep', first, count }
}

function parseIds({ argv, first, count }: Removal): StreamId[] | ErrorReply {
  const ids: StreamId[] = []
  for (let i = first; i < first + count; i += 1) {
    const id = parseId(argv, i)
    if (id === null) return invalidStreamId
    ids.push(id)
  }
  return ids
}

function allGone(count: number): Reply {
  return array(new Array<Reply>(count).fill(GONE))
}

/** Removes an entry that may be removed. @returns what is said of it */
function remove(stream: Stream, id: StreamId, policy: RefPolicy, references: References): Reply {
  if (policy === 'mind' && references.has(id)) return KEPT
  if (policy === 'drop') references.drop(id)
  return stream.delete(id) ? ONE : GONE
}

function noteDeleted(state: Keyspace, key: string): void {
  state.noteChange(key)
  state.notify(EVENT.STREAM, 'xdel', key)
}

function applyXdelex(state: Keyspace, removal: Removal): Reply {
  const stream = state.stream(removal.argv.latin1(1))
  if (stream === 'wrong-type') return wrongType
  if (stream === null) return allGone(removal.count)
  const ids = parseIds(removal)
  if (isError(ids)) return ids
  const references = new References(stream)
  const before = stream.length
  const items = ids.map(id => remove(stream, id, removal.policy, references))
  if (stream.length < before) noteDeleted(state, removal.argv.latin1(1))
  return array(items)
}

export const xdelex: CommandSpec<Removal> = {
  name: 'xdelex',
  arity: -5,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'DELETE'),
  since: '8.2.0',
  group: 'stream',
  summary: 'Deletes one or multiple entries from the stream.',
  complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
  parse: argv => parseRemoval(argv, 2),
  apply: applyXdelex,
}

function applyXackdel(state: Keyspace, argv: Argv): Reply {
  const stream = state.stream(argv.latin1(1))
  if (stream === 'wrong-type') return wrongType
  const removal = parseRemoval(argv, 3)
  if (isError(removal)) return removal
  const group = stream?.groups.get(argv.latin1(2))
  if (stream === null || group === undefined) return allGone(removal.count)
  const ids = parseIds(removal)
  if (isError(ids)) return ids
  const references = new References(stream)
  const before = stream.length
  const items = ids.map(id => {
    if (!group.acknowledge(id)) return GONE
    // What was pending is answered as done even where the entry was gone before.
    return remove(stream, id, removal.policy, references) === KEPT ? KEPT : ONE
  })
  // What is only acknowledged is no change to WATCH.
  if (stream.length < before) noteDeleted(state, argv.latin1(1))
  return array(items)
}

export const xackdel: CommandSpec<Argv> = {
  name: 'xackdel',
  arity: -6,
  flags: ['write', 'fast'],
  categories: ['write', 'stream', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE', 'DELETE'),
  since: '8.2.0',
  group: 'stream',
  summary: 'Acknowledges and deletes one or multiple messages for a stream consumer group.',
  complexity: 'O(1) for each message ID processed.',
  parse: argv => argv,
  apply: applyXackdel,
}
