// XGROUP: consumer groups come, move and go. And the list of all commands on groups.
//
// Options are checked before the key, and the key and group before the ID, as Redis does.

import type { Argv } from '../../base/argv.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  fail,
  integer,
  invalidStreamId,
  notInteger,
  OK,
  ONE,
  type Reply,
  wrongType,
  ZERO,
} from '../reply.ts'
import { Group } from '../types/group.ts'
import { parseId, parseOpenId } from '../types/id-text.ts'
import { Stream } from '../types/stream.ts'
import type { Half } from '../types/stream-id.ts'
import { keyAt, NO_KEYS } from './facts.ts'
import { badSubcommand, helpReply, noSuchGroup } from './group-lookup.ts'
import { xack } from './xack.ts'
import { xackdel } from './xdelex.ts'
import { xnack } from './xnack.ts'
import { xreadgroup } from './xreadgroup.ts'

const keyRequired = fail(
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
)
const busyGroup = fail('BUSYGROUP Consumer Group name already exists')
const negativeEntriesRead = fail('ERR value for ENTRIESREAD must be positive or -1')

/** Words of the longest CREATE and SETID that have a meaning. */
const CREATE_WORDS_MAX = 8
const SETID_WORDS_MAX = 7

type XgroupArgs = {
  readonly argv: Argv
  readonly makeStream: boolean
  /** null: unknown. */
  readonly entriesRead: Half | null
}

/** Reads what stands behind the ID. @param mayMake whether MKSTREAM has a meaning */
function parseOptions(argv: Argv, mayMake: boolean): XgroupArgs | ErrorReply {
  let makeStream = false
  let entriesRead: Half | null = null
  let i = 5
  while (i < argv.count) {
    if (mayMake && argv.is(i, 'MKSTREAM')) {
      makeStream = true
      i += 1
    } else if (argv.is(i, 'ENTRIESREAD') && i + 1 < argv.count) {
      const value = parseInteger(argv, i + 1)
      if (value === null) return notInteger
      if (value < -1) return negativeEntriesRead
      entriesRead = value < 0 ? null : value
      i += 2
    } else {
      return badSubcommand('XGROUP', argv.latin1(1))
    }
  }
  return { argv, makeStream, entriesRead }
}

/** Nobody has read more than was ever added. */
function capped(entriesRead: Half | null, stream: Stream): Half | null {
  return entriesRead !== null && entriesRead > stream.entriesAdded
    ? stream.entriesAdded
    : entriesRead
}

function applyCreate(state: Keyspace, { argv, makeStream, entriesRead }: XgroupArgs): Reply {
  const key = argv.latin1(2)
  const name = argv.latin1(3)
  let stream = state.stream(key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null && !makeStream) return keyRequired
  if (argv.count > CREATE_WORDS_MAX) return badSubcommand('XGROUP', argv.latin1(1))
  const given = argv.is(4, '$') ? null : parseId(argv, 4)
  if (given === null && !argv.is(4, '$')) return invalidStreamId
  if (stream === null) {
    stream = new Stream()
    state.put(key, stream)
  }
  if (stream.groups.has(name)) return busyGroup
  stream.setGroup(name, new Group(given ?? stream.lastId, capped(entriesRead, stream)))
  state.notify(EVENT.STREAM, 'xgroup-create', key)
  return OK
}

/** The stream and group of the other subcommands, by words 2 and 3. */
function located(state: Keyspace, argv: Argv): { stream: Stream; group: Group } | ErrorReply {
  const key = argv.latin1(2)
  const stream = state.stream(key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null) return keyRequired
  const group = stream.groups.get(argv.latin1(3))
  return group === undefined ? noSuchGroup(key, argv.latin1(3)) : { stream, group }
}

function applySetid(state: Keyspace, { argv, entriesRead }: XgroupArgs): Reply {
  const found = located(state, argv)
  if ('kind' in found) return found
  if (argv.count > SETID_WORDS_MAX) return badSubcommand('XGROUP', argv.latin1(1))
  const id = argv.is(4, '$') ? found.stream.lastId : parseOpenId(argv, 4)
  if (id === null) return invalidStreamId
  found.group.lastId = id
  found.group.entriesRead = capped(entriesRead, found.stream)
  state.notify(EVENT.STREAM, 'xgroup-setid', argv.latin1(2))
  return OK
}

function applyDestroy(state: Keyspace, argv: Argv): Reply {
  const key = argv.latin1(2)
  const stream = state.stream(key)
  if (stream === 'wrong-type') return wrongType
  if (stream === null) return keyRequired
  if (!stream.deleteGroup(argv.latin1(3))) return ZERO
  // Readers that wait for the group run again and learn that it is gone. To WATCH it is no change.
  state.wake(key)
  state.notify(EVENT.STREAM, 'xgroup-destroy', key)
  return ONE
}

function applyCreateConsumer(state: Keyspace, argv: Argv, at: Occasion): Reply {
  const found = located(state, argv)
  if ('kind' in found) return found
  const name = argv.latin1(4)
  if (found.group.consumer(name) !== null) return ZERO
  found.group.createConsumer(name, at.now)
  state.notify(EVENT.STREAM, 'xgroup-createconsumer', argv.latin1(2))
  return ONE
}

function applyDeleteConsumer(state: Keyspace, argv: Argv): Reply {
  const found = located(state, argv)
  if ('kind' in found) return found
  const name = argv.latin1(4)
  if (found.group.consumer(name) === null) return ZERO
  const pending = found.group.deleteConsumer(name)
  state.notify(EVENT.STREAM, 'xgroup-delconsumer', argv.latin1(2))
  return integer(pending)
}

const asIs = (argv: Argv): Argv => argv

const create: CommandSpec<XgroupArgs> = {
  name: 'xgroup|create',
  arity: -5,
  flags: ['write', 'denyoom'],
  categories: ['write', 'stream', 'slow'],
  keys: keyAt(2, 'RW', 'INSERT'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Creates a consumer group.',
  complexity: 'O(1)',
  parse: argv => parseOptions(argv, true),
  apply: applyCreate,
}

const setid: CommandSpec<XgroupArgs> = {
  name: 'xgroup|setid',
  arity: -5,
  flags: ['write'],
  categories: ['write', 'stream', 'slow'],
  keys: keyAt(2, 'RW', 'UPDATE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Sets the last-delivered ID of a consumer group.',
  complexity: 'O(1)',
  parse: argv => parseOptions(argv, false),
  apply: applySetid,
}

const destroy: CommandSpec<Argv> = {
  name: 'xgroup|destroy',
  arity: 4,
  flags: ['write'],
  categories: ['write', 'stream', 'slow'],
  keys: keyAt(2, 'RW', 'DELETE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Destroys a consumer group.',
  complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
  parse: asIs,
  apply: applyDestroy,
}

const createconsumer: CommandSpec<Argv> = {
  name: 'xgroup|createconsumer',
  arity: 5,
  flags: ['write', 'denyoom'],
  categories: ['write', 'stream', 'slow'],
  keys: keyAt(2, 'RW', 'INSERT'),
  since: '6.2.0',
  group: 'stream',
  summary: 'Creates a consumer in a consumer group.',
  complexity: 'O(1)',
  parse: asIs,
  apply: applyCreateConsumer,
}

const delconsumer: CommandSpec<Argv> = {
  name: 'xgroup|delconsumer',
  arity: 5,
  flags: ['write'],
  categories: ['write', 'stream', 'slow'],
  keys: keyAt(2, 'RW', 'DELETE'),
  since: '5.0.0',
  group: 'stream',
  summary: 'Deletes a consumer from a consumer group.',
  complexity: 'O(N) where N is the number of entries that are pending for the consumer.',
  parse: asIs,
  apply: applyDeleteConsumer,
}

const HELP = helpReply('XGROUP', [
  'CREATE <key> <groupname> <id|$> [option]',
  '    Create a new consumer group. Options are:',
  '    * MKSTREAM',
  '      Create the empty stream if it does not exist.',
  '    * ENTRIESREAD entries_read',
  "      Set the group's entries_read counter (internal use).",
  'CREATECONSUMER <key> <groupname> <consumer>',
  '    Create a new consumer in the specified group.',
  'DELCONSUMER <key> <groupname> <consumer>',
  '    Remove the specified consumer.',
  'DESTROY <key> <groupname>',
  '    Remove the specified group.',
  'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
  '    Set the current group ID and entries_read counter.',
])

const help: CommandSpec = {
  name: 'xgroup|help',
  arity: 2,
  flags: ['loading', 'stale'],
  categories: ['stream', 'slow'],
  keys: NO_KEYS,
  since: '5.0.0',
  group: 'stream',
  summary: 'Returns helpful text about the different subcommands.',
  complexity: 'O(1)',
  query: () => HELP,
}

const xgroup: CommandSpec = {
  name: 'xgroup',
  arity: -2,
  flags: [],
  categories: ['slow'],
  keys: NO_KEYS,
  since: '5.0.0',
  group: 'stream',
  summary: 'A container for consumer groups commands.',
  complexity: 'Depends on subcommand.',
  subcommands: new Map<string, CommandSpec>([
    ['create', create],
    ['createconsumer', createconsumer],
    ['delconsumer', delconsumer],
    ['destroy', destroy],
    ['help', help],
    ['setid', setid],
  ]),
}

/** XGROUP, XREADGROUP, and how entries leave what is pending. */
export const groupCommands: readonly CommandSpec[] = [xgroup, xreadgroup, xack, xackdel, xnack]
