// How long keys live: EXPIRE and its forms, TTL and its forms, PERSIST.

import type { Argv } from '../../base/argv.ts'
import type { Ms } from '../../base/types.ts'
import type { CommandSpec, Occasion } from '../command.ts'
import { parseInteger } from '../integers.ts'
import { EVENT } from '../key-events.ts'
import type { Keyspace } from '../keyspace.ts'
import { type ErrorReply, fail, integer, notInteger, ONE, type Reply, ZERO } from '../reply.ts'
import { expiryAt, type TimeUnit, toSeconds } from '../types/expiry.ts'
import { keyAt } from './facts.ts'
import { shown } from './group-lookup.ts'

const nxWithOthers = fail('ERR NX and XX, GT or LT options at the same time are not compatible')
const gtWithLt = fail('ERR GT and LT options at the same time are not compatible')
const NO_KEY = integer(-2)
const NO_EXPIRY = integer(-1)

/** Redis' answer where a time does not fit 64 bits, or is none to expire at. */
export function invalidExpireTime(command: string): ErrorReply {
  return fail(`ERR invalid expire time in '${command}' command`)
}

type Conditions = {
  readonly nx: boolean
  readonly xx: boolean
  readonly gt: boolean
  readonly lt: boolean
}

type ExpireArgs = {
  readonly key: string
  readonly value: number | bigint
  readonly when: Conditions
}

const FIRST_OPTION = 3

function parseConditions(argv: Argv): Conditions | ErrorReply {
  const given = { nx: false, xx: false, gt: false, lt: false }
  for (let i = FIRST_OPTION; i < argv.count; i += 1) {
    if (argv.is(i, 'NX')) given.nx = true
    else if (argv.is(i, 'XX')) given.xx = true
    else if (argv.is(i, 'GT')) given.gt = true
    else if (argv.is(i, 'LT')) given.lt = true
    else return fail(`ERR Unsupported option ${shown(argv.latin1(i))}`)
  }
  if (given.nx && (given.xx || given.gt || given.lt)) return nxWithOthers
  return given.gt && given.lt ? gtWithLt : given
}

function parseExpire(argv: Argv): ExpireArgs | ErrorReply {
  const when = parseConditions(argv)
  if ('kind' in when) return when
  const value = parseInteger(argv, 2)
  return value === null ? notInteger : { key: argv.latin1(1), value, when }
}

/** @param current 0: the key never dies, which is later than any time */
function isAllowed(when: Conditions, current: Ms, wanted: Ms): boolean {
  if (when.nx) return current === 0
  if (when.xx && current === 0) return false
  if (when.gt && (current === 0 || wanted <= current)) return false
  return !(when.lt && current !== 0 && wanted >= current)
}

/** Lets `key`, which is there, die at `expiry`; at once if that is past. */
export function expireKey(state: Keyspace, key: string, expiry: Ms, at: Occasion): void {
  if (expiry <= at.now) {
    state.delete(key)
    state.notify(EVENT.GENERIC, 'del', key)
    return
  }
  state.setExpiry(key, expiry)
  state.notify(EVENT.GENERIC, 'expire', key)
}

/** Lets `key` live. @returns false: it is not there, or lived for ever before */
export function persistKey(state: Keyspace, key: string): boolean {
  if (state.expiry(key) === 0) return false
  state.setExpiry(key, 0)
  state.notify(EVENT.GENERIC, 'persist', key)
  return true
}

function expireAs(command: string, unit: TimeUnit, isRelative: boolean) {
  const invalid = invalidExpireTime(command)
  return (state: Keyspace, { key, value, when }: ExpireArgs, at: Occasion): Reply => {
    const expiry = expiryAt(value, unit, isRelative ? at.now : 0)
    if (expiry === null) return invalid
    if (!state.has(key) || !isAllowed(when, state.expiry(key), expiry)) return ZERO
    expireKey(state, key, expiry, at)
    return ONE
  }
}

const FACTS = {
  arity: -3,
  flags: ['write', 'fast'],
  categories: ['keyspace', 'write', 'fast'],
  keys: keyAt(1, 'RW', 'UPDATE'),
  group: 'generic',
  complexity: 'O(1)',
  parse: parseExpire,
} as const

const expire: CommandSpec<ExpireArgs> = {
  ...FACTS,
  name: 'expire',
  since: '1.0.0',
  summary: 'Sets the expiration time of a key in seconds.',
  apply: expireAs('expire', 1000, true),
}

const pexpire: CommandSpec<ExpireArgs> = {
  ...FACTS,
  name: 'pexpire',
  since: '2.6.0',
  summary: 'Sets the expiration time of a key in milliseconds.',
  apply: expireAs('pexpire', 1, true),
}

const expireat: CommandSpec<ExpireArgs> = {
  ...FACTS,
  name: 'expireat',
  since: '1.2.0',
  summary: 'Sets the expiration time of a key to a Unix timestamp.',
  apply: expireAs('expireat', 1000, false),
}

const pexpireat: CommandSpec<ExpireArgs> = {
  ...FACTS,
  name: 'pexpireat',
  since: '2.6.0',
  summary: 'Sets the expiration time of a key to a Unix milliseconds timestamp.',
  apply: expireAs('pexpireat', 1, false),
}

const persist: CommandSpec<string> = {
  ...FACTS,
  name: 'persist',
  arity: 2,
  since: '2.2.0',
  summary: 'Removes the expiration time of a key.',
  parse: argv => argv.latin1(1),
  apply: (state, key) => (persistKey(state, key) ? ONE : ZERO),
}

function queryExpiry(answer: (expiry: Ms, now: Ms) => number) {
  return (state: Keyspace, key: string, at: Occasion): Reply => {
    if (!state.has(key)) {
      state.miss(key)
      return NO_KEY
    }
    const expiry = state.expiry(key)
    return expiry === 0 ? NO_EXPIRY : integer(answer(expiry, at.now))
  }
}

const QUERY_FACTS = {
  arity: 2,
  flags: ['readonly', 'fast'],
  categories: ['keyspace', 'read', 'fast'],
  keys: keyAt(1, 'RO', 'ACCESS'),
  group: 'generic',
  complexity: 'O(1)',
  parse: (argv: Argv) => argv.latin1(1),
} as const

const ttl: CommandSpec<string> = {
  ...QUERY_FACTS,
  name: 'ttl',
  since: '1.0.0',
  summary: 'Returns the expiration time in seconds of a key.',
  tips: ['nondeterministic_output'],
  query: queryExpiry((expiry, now) => toSeconds(expiry - now)),
}

const pttl: CommandSpec<string> = {
  ...QUERY_FACTS,
  name: 'pttl',
  since: '2.6.0',
  summary: 'Returns the expiration time in milliseconds of a key.',
  tips: ['nondeterministic_output'],
  query: queryExpiry((expiry, now) => expiry - now),
}

const expiretime: CommandSpec<string> = {
  ...QUERY_FACTS,
  name: 'expiretime',
  since: '7.0.0',
  summary: 'Returns the expiration time of a key as a Unix timestamp.',
  query: queryExpiry(toSeconds),
}

const pexpiretime: CommandSpec<string> = {
  ...QUERY_FACTS,
  name: 'pexpiretime',
  since: '7.0.0',
  summary: 'Returns the expiration time of a key as a Unix milliseconds timestamp.',
  query: queryExpiry(expiry => expiry),
}

export const expireCommands: readonly CommandSpec[] = [
  expire,
  expireat,
  expiretime,
  persist,
  pexpire,
  pexpireat,
  pexpiretime,
  pttl,
  ttl,
]
