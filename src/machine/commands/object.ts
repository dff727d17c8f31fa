// OBJECT: how a value is kept, and when it was last reached for.

import type { CommandSpec } from '../command.ts'
import { fail, integer, NULL, ONE, text, ZERO } from '../reply.ts'
import { keyAt, NO_KEYS } from './facts.ts'
import { helpReply } from './group-lookup.ts'

const MS_PER_SECOND = 1000

const notCounted = fail(
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
)

const FACTS = {
  arity: 3,
  flags: ['readonly'],
  categories: ['keyspace', 'read', 'slow'],
  keys: keyAt(2, 'RO'),
  group: 'generic',
  complexity: 'O(1)',
  tips: ['nondeterministic_output'],
} as const

const encoding: CommandSpec<string> = {
  ...FACTS,
  name: 'object|encoding',
  since: '2.2.3',
  summary: 'Returns the internal encoding of a Redis object.',
  parse: argv => argv.latin1(2),
  query(state, key) {
    const found = state.encodingOf(key)
    return found === null ? NULL : text(found)
  },
}

const freq: CommandSpec<string> = {
  ...FACTS,
  name: 'object|freq',
  since: '4.0.0',
  summary: 'Returns the logarithmic access frequency counter of a Redis object.',
  parse: argv => argv.latin1(2),
  query: (state, key) => (state.has(key) ? notCounted : NULL),
}

const idletime: CommandSpec<string> = {
  ...FACTS,
  name: 'object|idletime',
  since: '2.2.3',
  summary: 'Returns the time since the last access to a Redis object.',
  parse: argv => argv.latin1(2),
  query(state, key, at) {
    const idle = state.idle(key)
    if (idle === null) return NULL
    // Each replica has a time of its own: what all must say alike is that somebody asks just now.
    return at.kept ? ZERO : integer(Math.floor(idle / MS_PER_SECOND))
  },
}

const refcount: CommandSpec<string> = {
  ...FACTS,
  name: 'object|refcount',
  since: '2.2.3',
  summary: 'Returns the reference count of a value of a key.',
  parse: argv => argv.latin1(2),
  query: (state, key) => (state.has(key) ? ONE : NULL),
}

const HELP = helpReply('OBJECT', [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
])

const help: CommandSpec = {
  name: 'object|help',
  arity: 2,
  flags: ['loading', 'stale'],
  categories: ['keyspace', 'slow'],
  keys: NO_KEYS,
  since: '6.2.0',
  group: 'generic',
  summary: 'Returns helpful text about the different subcommands.',
  complexity: 'O(1)',
  query: () => HELP,
}

const object: CommandSpec = {
  name: 'object',
  arity: -2,
  flags: [],
  categories: ['slow'],
  keys: NO_KEYS,
  since: '2.2.3',
  group: 'generic',
  summary: 'A container for object introspection commands.',
  complexity: 'Depends on subcommand.',
  subcommands: new Map<string, CommandSpec>([
    ['encoding', encoding],
    ['freq', freq],
    ['help', help],
    ['idletime', idletime],
    ['refcount', refcount],
  ]),
}

/** OBJECT with its subcommands. */
export const objectCommands: readonly CommandSpec[] = [object]
