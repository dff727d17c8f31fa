// SET in all its forms: SET with options, SETNX, SETEX, PSETEX, GETSET.
//
// The arguments of a SET are one object that is filled again and again: they point
// into the words, and are used before the next command is parsed.

import type { Argv } from '../../base/argv.ts'
import type { Ms } from '../../base/types.ts'
import { type CommandSpec, isError, type Occasion } from '../command.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  type ErrorReply,
  NULL,
  OK,
  ONE,
  type Reply,
  syntaxError,
  wrongType,
  ZERO,
} from '../reply.ts'
import { type Content, contentOf, Text } from '../types/text.ts'
import { keyAt } from './facts.ts'
import { expiryOf, type Lifetime, lifetimeAt } from './lifetime.ts'

/** Puts a string of `content` at `key`, whatever is there. */
export function store(state: Keyspace, key: string, content: Content, expiry: Ms): void {
  const text = state.text(key)
  if (text === null) state.put(key, new Text(content))
  else if (text === 'wrong-type') state.replace(key, new Text(content))
  else text.set(content)
  state.noteChange(key)
  state.setExpiry(key, expiry)
  state.notify(EVENT.STRING, 'set', key)
}

/** When a SET is done: always, if the key is there or not, if its value is the word that follows or another. */
type Condition = 'always' | 'NX' | 'XX' | 'IFEQ' | 'IFNE'

class SetArgs {
  argv: Argv | null = null
  condition: Condition = 'always'
  /** The word that IFEQ and IFNE compare with. */
  comparand = 0
  returnsOld = false
  keepsExpiry = false
  lifetime: Lifetime | null = null
  /** The word of its number. */
  lifetimeAt = 0
}

const args = new SetArgs()
const FIRST_OPTION = 3

function conditionAt(argv: Argv, i: number): Condition | null {
  if (argv.is(i, 'NX')) return 'NX'
  if (argv.is(i, 'XX')) return 'XX'
  if (i + 1 >= argv.count) return null
  if (argv.is(i, 'IFEQ')) return 'IFEQ'
  return argv.is(i, 'IFNE') ? 'IFNE' : null
}

/** @returns how many words the option at `i` takes; 0: it is none, or not with those before it */
function parseOption(argv: Argv, i: number): number {
  if (argv.is(i, 'GET')) {
    args.returnsOld = true
    return 1
  }
  if (argv.is(i, 'KEEPTTL')) {
    if (args.lifetime !== null) return 0
    args.keepsExpiry = true
    return 1
  }
  const condition = conditionAt(argv, i)
  if (condition !== null) {
    if (args.condition !== 'always' && args.condition !== condition) return 0
    args.condition = condition
    args.comparand = i + 1
    return condition === 'IFEQ' || condition === 'IFNE' ? 2 : 1
  }
  const lifetime = lifetimeAt(argv, i)
  if (lifetime === null || args.keepsExpiry || i + 1 >= argv.count) return 0
  if (args.lifetime !== null && args.lifetime !== lifetime) return 0
  args.lifetime = lifetime
  args.lifetimeAt = i + 1
  return 2
}

function parseSet(argv: Argv): SetArgs | ErrorReply {
  args.argv = argv
  args.condition = 'always'
  args.returnsOld = false
  args.keepsExpiry = false
  args.lifetime = null
  for (let i = FIRST_OPTION; i < argv.count; ) {
    const words = parseOption(argv, i)
    if (words === 0) return syntaxError
    i += words
  }
  if (args.lifetime !== null) {
    const expiry = expiryOf(argv, args.lifetimeAt, args.lifetime, 0, 'set')
    if (typeof expiry !== 'number') return expiry
  }
  return args
}

function isMet(condition: Condition, old: Text | 'wrong-type' | null, at: number): boolean {
  if (condition === 'always') return true
  if (condition === 'NX') return old === null
  if (condition === 'XX') return old !== null
  if (old === null || old === 'wrong-type') return condition === 'IFNE'
  return old.equals(args.argv as Argv, at) === (condition === 'IFEQ')
}

function applySet(
  state: Keyspace,
  { condition, comparand, keepsExpiry, lifetime, returnsOld }: SetArgs,
  at: Occasion,
): Reply {
  const argv = args.argv as Argv
  const key = argv.key(1)
  let expiry: Ms = 0
  if (lifetime !== null) {
    const given = expiryOf(argv, args.lifetimeAt, lifetime, at.now, 'set')
    if (typeof given !== 'number') return given
    expiry = given
  }
  const old = state.text(key)
  const compares = condition === 'IFEQ' || condition === 'IFNE'
  if (old === 'wrong-type' && (returnsOld || compares)) return wrongType
  if (returnsOld && old === null) state.miss(key)
  const reply = returnsOld && old !== null && old !== 'wrong-type' ? old.reply() : NULL
  if (!isMet(condition, old, comparand)) return reply
  if (keepsExpiry) expiry = state.expiry(key)
  // Told to be over already: as if it had been set and had expired.
  if (expiry !== 0 && expiry <= at.now) {
    state.delete(key)
    state.notify(EVENT.STRING, 'set', key)
    state.notify(EVENT.GENERIC, 'expire', key)
    state.notify(EVENT.EXPIRED, 'expired', key)
  } else {
    store(state, key, contentOf(argv, 2), expiry)
    if (lifetime !== null) state.notify(EVENT.GENERIC, 'expire', key)
  }
  return returnsOld ? reply : OK
}

const set: CommandSpec<SetArgs> = {
  name: 'set',
  arity: -3,
  flags: ['write', 'denyoom'],
  categories: ['write', 'string', 'slow'],
  keys: keyAt(1, 'RW', 'ACCESS', 'UPDATE', 'VARIABLE_FLAGS'),
  since: '1.0.0',
  group: 'string',
  summary:
    "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
  complexity: 'O(1)',
  parse: parseSet,
  apply: applySet,
}

const setnx: CommandSpec<Argv> = {
  name: 'setnx',
  arity: 3,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'string', 'fast'],
  keys: keyAt(1, 'OW', 'INSERT'),
  since: '1.0.0',
  group: 'string',
  summary: "Set the string value of a key only when the key doesn't exist.",
  complexity: 'O(1)',
  parse: argv => argv,
  apply(state, argv) {
    const key = argv.key(1)
    if (state.has(key)) return ZERO
    store(state, key, contentOf(argv, 2), 0)
    return ONE
  },
}

function setWith(command: string, lifetime: Lifetime) {
  return {
    arity: 4,
    flags: ['write', 'denyoom'],
    categories: ['write', 'string', 'slow'],
    keys: keyAt(1, 'OW', 'UPDATE'),
    group: 'string',
    complexity: 'O(1)',
    parse(argv: Argv): Argv | ErrorReply {
      const expiry = expiryOf(argv, 2, lifetime, 0, command)
      return isError(expiry) ? expiry : argv
    },
    apply(state: Keyspace, argv: Argv, at: Occasion): Reply {
      const expiry = expiryOf(argv, 2, lifetime, at.now, command)
      if (typeof expiry !== 'number') return expiry
      store(state, argv.key(1), contentOf(argv, 3), expiry)
      state.notify(EVENT.GENERIC, 'expire', argv.key(1))
      return OK
    },
  } as const
}

const setex: CommandSpec<Argv> = {
  ...setWith('setex', 'EX'),
  name: 'setex',
  since: '2.0.0',
  summary:
    "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
}

const psetex: CommandSpec<Argv> = {
  ...setWith('psetex', 'PX'),
  name: 'psetex',
  since: '2.6.0',
  summary:
    "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.",
}

const getset: CommandSpec<Argv> = {
  name: 'getset',
  arity: 3,
  flags: ['write', 'denyoom', 'fast'],
  categories: ['write', 'string', 'fast'],
  keys: keyAt(1, 'RW', 'ACCESS', 'UPDATE'),
  since: '1.0.0',
  group: 'string',
  summary: 'Returns the previous string value of a key after setting it to a new value.',
  complexity: 'O(1)',
  parse: argv => argv,
  apply(state, argv) {
    const key = argv.key(1)
    const old = state.text(key)
    if (old === 'wrong-type') return wrongType
    if (old === null) state.miss(key)
    const reply = old === null ? NULL : old.reply()
    store(state, key, contentOf(argv, 2), 0)
    return reply
  },
}

export const setCommands: readonly CommandSpec[] = [getset, psetex, set, setex, setnx]
