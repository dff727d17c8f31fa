// Strings read, taken, lengthened, and many of them at once. Writing one is in set.ts, counting in counters.ts.

import type { Argv } from '../../base/argv.ts'
import { limits } from '../../base/limits.ts'
import type { CommandSpec, KeySpec, Occasion } from '../command.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  array,
  type ErrorReply,
  fail,
  integer,
  NULL,
  OK,
  ONE,
  type Reply,
  syntaxError,
  wrongType,
  ZERO,
} from '../reply.ts'
import { contentOf, Text } from '../types/text.ts'
import { expireKey, persistKey } from './expire.ts'
import { keyAt, keysFrom } from './facts.ts'
import { expiryOf, type Lifetime, lifetimeAt } from './lifetime.ts'
import { store } from './set.ts'

const get: CommandSpec<string> = {
  name: 'get',
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'string', 'fast'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  since: '1.0.0',
  group: 'string',
  summary: 'Returns the string value of a key.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  query(state, key) {
    const text = state.text(key)
    if (text === 'wrong-type') return wrongType
    return text === null ? NULL : text.reply()
  },
}

const strlen: CommandSpec<string> = {
  name: 'strlen',
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'string', 'fast'],
  keys: keyAt(1, 'RO'),
  since: '2.2.0',
  group: 'string',
  summary: 'Returns the length of a string value.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  query(state, key) {
    const text = state.text(key)
    if (text === 'wrong-type') return wrongType
    return text === null ? ZERO : integer(text.length)
  },
}

const mget: CommandSpec<readonly string[]> = {
  name: 'mget',
  arity: -2,
  flags: ['readonly', 'fast'],
  categories: ['read', 'string', 'fast'],
  keys: keysFrom(1, 'RO', 'ACCESS'),
  since: '1.0.0',
  group: 'string',
  summary: 'Atomically returns the string values of one or more keys.',
  complexity: 'O(N) where N is the number of keys to retrieve.',
  tips: ['request_policy:multi_shard'],
  parse: argv => Array.from({ length: argv.count - 1 }, (_, i) => argv.latin1(i + 1)),
  query(state, keys) {
    const replies: Reply[] = []
    for (const key of keys) {
      const text = state.text(key)
      replies.push(text === null || text === 'wrong-type' ? NULL : text.reply())
    }
    return array(replies)
  },
}

const getdel: CommandSpec<string> = {
  name: 'getdel',
  arity: 2,
  flags: ['write', 'fast'],
  categories: ['write', 'string', 'fast'],
  keys: keyAt(1, 'RW', 'ACCESS', 'DELETE'),
  since: '6.2.0',
  group: 'string',
  summary: 'Returns the string value of a key after deleting the key.',
  complexity: 'O(1)',
  parse: argv => argv.latin1(1),
  apply(state, key) {
    const text = state.text(key)
    if (text === 'wrong-type') return wrongType
    if (text === null) {
      state.miss(key)
      return NULL
    }
    state.delete(key)
    state.notify(EVENT.GENERIC, 'del', key)
    return text.reply()
  },
}

type GetexArgs = {
  readonly argv: Argv
  readonly lifetime: Lifetime | null
  /** The word of its number. */
  readonly lifetimeAt: number
  readonly persists: boolean
}

function parseGetex(argv: Argv): GetexArgs | ErrorReply {
  let given: Lifetime | null = null
  let at = 0
  let persists = false
  for (let i = 2; i < argv.count; i += 1) {
    const lifetime = lifetimeAt(argv, i)
    if (lifetime !== null && i + 1 < argv.count && !persists) {
      if (given !== null && given !== lifetime) return syntaxError
      i += 1
      given = lifetime
      at = i
    } else if (argv.is(i, 'PERSIST') && given === null) {
      persists = true
    } else {
      return syntaxError
    }
  }
  return { argv, lifetime: given, lifetimeAt: at, persists }
}

function applyGetex(state: Keyspace, args: GetexArgs, at: Occasion): Reply {
  const { argv, lifetime, persists } = args
  const key = argv.key(1)
  const text = state.text(key)
  if (text === 'wrong-type') return wrongType
  if (text === null) {
    state.miss(key)
    return NULL
  }
  if (persists) persistKey(state, key)
  if (lifetime === null) return text.reply()
  const expiry = expiryOf(argv, args.lifetimeAt, lifetime, at.now, 'getex')
  if (typeof expiry !== 'number') return expiry
  expireKey(state, key, expiry, at)
  return text.reply()
}

const getex: CommandSpec<GetexArgs> = {
  name: 'getex',
  arity: -2,
  flags: ['write', 'fast'],
  categories: ['write', 'string', 'fast'],
  keys: keyAt(1, 'RW', 'ACCESS', 'UPDATE'),
  since: '6.2.0',
  group: 'string',
  summary: 'Returns the string value of a key after setting its expiration time.',
  complexity: 'O(1)',
  parse: parseGetex,
  apply: applyGetex,
}

const tooLong = fail('ERR string exceeds maximum allowed size (proto-max-bulk-len)')

const append: CommandSpec<Argv> = {
  name: 'append',
  arity: 3,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'string', 'fast'],
  keys: keyAt(1, 'RW', 'INSERT'),
  since: '2.0.0',
  group: 'string',
  summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
  complexity:
    'O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.',
  parse: argv => argv,
  apply(state, argv) {
    const key = argv.key(1)
    const text = state.text(key)
    if (text === 'wrong-type') return wrongType
    if (text === null) {
      state.put(key, new Text(contentOf(argv, 2)))
      state.notify(EVENT.STRING, 'append', key)
      return integer(argv.length(2))
    }
    if (text.length + argv.length(2) > limits.valueBytesMax) return tooLong
    text.append(argv, 2)
    state.noteChange(key)
    state.notify(EVENT.STRING, 'append', key)
    return integer(text.length)
  },
}

/** Every second word from the first on is a key. */
function alternateKeys(...flags: readonly string[]): readonly KeySpec[] {
  return [{ flags, begin: { index: 1 }, find: { last: -1, step: 2, limit: 0 } }]
}

function pairsOf(command: string) {
  const arity = fail(`ERR wrong number of arguments for '${command}' command`)
  return (argv: Argv): Argv | ErrorReply => (argv.count % 2 === 1 ? argv : arity)
}

function storeAll(state: Keyspace, argv: Argv): void {
  for (let i = 1; i < argv.count; i += 2) store(state, argv.latin1(i), contentOf(argv, i + 1), 0)
}

const mset: CommandSpec<Argv> = {
  name: 'mset',
  arity: -3,
  flags: ['write', 'denyoom'],
  categories: ['write', 'string', 'slow'],
  keys: alternateKeys('OW', 'UPDATE'),
  since: '1.0.1',
  group: 'string',
  summary: 'Atomically creates or modifies the string values of one or more keys.',
  complexity: 'O(N) where N is the number of keys to set.',
  tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  parse: pairsOf('mset'),
  apply(state, argv) {
    storeAll(state, argv)
    return OK
  },
}

const msetnx: CommandSpec<Argv> = {
  name: 'msetnx',
  arity: -3,
  flags: ['write', 'denyoom'],
  categories: ['write', 'string', 'slow'],
  keys: alternateKeys('OW', 'INSERT'),
  since: '1.0.1',
  group: 'string',
  summary:
    "Atomically modifies the string values of one or more keys only when all keys don't exist.",
  complexity: 'O(N) where N is the number of keys to set.',
  parse: pairsOf('msetnx'),
  apply(state, argv) {
    for (let i = 1; i < argv.count; i += 2) if (state.has(argv.latin1(i))) return ZERO
    storeAll(state, argv)
    return ONE
  },
}

export const stringCommands: readonly CommandSpec[] = [
  append,
  get,
  getdel,
  getex,
  mget,
  mset,
  msetnx,
  strlen,
]
