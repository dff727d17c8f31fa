// Random commands of the whole table, by name: mostly such as change something, some that are refused.
//
// A word may stand for what only the state knows, and is filled in when the command is
// played (`filled`): `@n` the nth of the IDs that the stream of the command has or had
// pending, `%key` what DUMP says of that key.

import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import { isError } from '../../src/machine/command.ts'
import { machineTable } from '../../src/machine/commands/table.ts'
import type { Machine } from '../../src/machine/machine.ts'
import { formatId } from '../../src/machine/types/stream-id.ts'
import type { Word } from '../unit/machine/run.ts'

export type Words = readonly string[]
type Part = string | fc.Arbitrary<string | Words>

export const KEYS = ['s', 't', 'l', 'm', 'a', 'b', 'x', 'y', 'n']

/** Mostly one of `own`, sometimes any key. */
function keyOf(...own: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...own) },
    { weight: 1, arbitrary: fc.constantFrom(...KEYS) },
  )
}

function words(...parts: readonly Part[]): fc.Arbitrary<Words> {
  return fc
    .tuple(...parts.map(part => (typeof part === 'string' ? fc.constant(part) : part)))
    .map(all => all.flat())
}

function maybe(...parts: readonly Part[]): fc.Arbitrary<Words> {
  return fc.oneof(fc.constant<Words>([]), words(...parts))
}

function some(one: fc.Arbitrary<string>, max = 4): fc.Arbitrary<Words> {
  return fc.array(one, { minLength: 1, maxLength: max })
}

function counted(list: fc.Arbitrary<Words>): fc.Arbitrary<Words> {
  return list.map(all => [String(all.length), ...all])
}

const stream = keyOf('s', 's', 't')
const list = keyOf('l', 'l', 'm')
const set = keyOf('a', 'a', 'b')
const string = keyOf('x', 'y')
const number = keyOf('n')
const any = fc.constantFrom(...KEYS)

const digit = fc.integer({ min: 0, max: 9 }).map(String)
const small = fc.integer({ min: -3, max: 12 }).map(String)
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', '1', '-7', '12345678901', '') },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 1500 }).map(n => 'v'.repeat(n)) },
)
const member = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 30 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('p', 'q', '', 'm'.repeat(70)) },
)
const manyMembers = fc
  .integer({ min: 60, max: 200 })
  .map(count => Array.from({ length: count }, (_, i) => `member ${i}`))
const manyElements = fc
  .integer({ min: 20, max: 120 })
  .map(count => Array.from({ length: count }, (_, i) => `${'e'.repeat(200)}${i}`))
const group = fc.constantFrom('g', 'g', 'h')
const consumer = fc.constantFrom('ann', 'bob', 'cy')
/** An ID that the stream knows, mostly. */
const id = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 40 }).map(n => `@${n}`) },
  {
    weight: 1,
    arbitrary: fc.tuple(digit, fc.constantFrom('0', '1')).map(([ms, seq]) => `${ms}-${seq}`),
  },
)
const ids = some(id)
const counted1 = counted(ids)
const policy = fc.constantFrom<Words>([], [], ['KEEPREF'], ['DELREF'], ['ACKED'])
const trim = fc.oneof(
  words('MAXLEN', fc.constantFrom<Words>([], ['='], ['~']), fc.constantFrom('0', '2', '5', '30')),
  words('MINID', fc.constantFrom<Words>([], ['~']), id),
)
const lifetime = fc.oneof(
  words('PX', fc.integer({ min: 1, max: 40 }).map(String)),
  words('PXAT', fc.integer({ min: 1000, max: 1400 }).map(String)),
  words('EX', '100'),
  words('EXAT', fc.constantFrom('1', '1000000')),
)
const ttl = fc.integer({ min: -2, max: 40 }).map(String)
const when = fc.constantFrom<Words>([], [], [], ['NX'], ['XX'], ['GT'], ['LT'])
const side = fc.constantFrom('LEFT', 'RIGHT')
const timeout = fc.constantFrom('0', '0.5')
const fields = fc.oneof(
  { weight: 8, arbitrary: words('f', value) },
  { weight: 1, arbitrary: words('f', value, 'g', value) },
  { weight: 1, arbitrary: words(value, value) },
)
const order = fc.constantFrom('OBO', 'BULK')
const moves = fc.oneof(
  fc.constant<Words>([]),
  words('COUNT', fc.constantFrom('1', '2', '5'), order),
  words('EXACTLY', fc.constantFrom('1', '2'), order),
)
const read = words(
  maybe('COUNT', fc.constantFrom('1', '2', '9')),
  fc.constantFrom<Words>([], [], ['NOACK']),
  fc.constantFrom<Words>([], [], ['BLOCK', '100']),
  fc.constantFrom<Words>([], [], ['CLAIM', '0'], ['CLAIM', '20']),
)

/** By full name, without the words of the name. */
const WRITES: Readonly<Record<string, fc.Arbitrary<Words>>> = {
  append: words(string, value),
  blmove: words(list, list, side, side, timeout),
  blmovem: words(list, list, side, side, timeout, moves),
  blmpop: words(timeout, counted(some(list, 2)), side, maybe('COUNT', '2')),
  blpop: words(some(list, 2), timeout),
  brpop: words(some(list, 2), timeout),
  brpoplpush: words(list, list, timeout),
  copy: words(any, any, maybe('REPLACE')),
  decr: words(number),
  decrby: words(number, small),
  del: some(any, 2),
  expire: words(any, fc.constantFrom('0', '1', '100'), when),
  expireat: words(any, fc.constantFrom('1', '2', '1000000'), when),
  flushall: fc.constantFrom<Words>([], ['ASYNC']),
  flushdb: fc.constant<Words>([]),
  getdel: words(string),
  getex: words(string, fc.oneof(lifetime, words('PERSIST'), fc.constant<Words>([]))),
  getset: words(string, value),
  incr: words(number),
  incrby: words(number, small),
  incrbyfloat: words(number, fc.constantFrom('1', '-0.25', '3e2')),
  linsert: words(list, fc.constantFrom('BEFORE', 'AFTER'), value, value),
  lmove: words(list, list, side, side),
  lmovem: words(list, list, side, side, moves),
  lmpop: words(counted(some(list, 2)), side, maybe('COUNT', digit)),
  lpop: words(list, maybe(digit)),
  lpush: words(list, some(value)),
  lpushx: words(list, some(value)),
  lrem: words(list, small, value),
  lset: words(list, small, value),
  ltrim: words(list, small, small),
  mset: words(string, value, string, value),
  msetnx: words(string, value, string, value),
  persist: words(any),
  pexpire: words(any, ttl, when),
  pexpireat: words(any, fc.integer({ min: 1000, max: 1400 }).map(String), when),
  psetex: words(string, ttl, value),
  rename: words(any, any),
  renamenx: words(any, any),
  restore: words(
    any,
    fc.oneof({ weight: 3, arbitrary: fc.constant('0') }, { weight: 1, arbitrary: ttl }),
    any.map(key => `%${key}`),
    fc.constantFrom<Words>([], ['REPLACE'], ['REPLACE'], ['REPLACE', 'IDLETIME', '7']),
  ),
  rpop: words(list, maybe(digit)),
  rpoplpush: words(list, list),
  rpush: words(list, fc.oneof({ weight: 5, arbitrary: some(value) }, manyElements)),
  rpushx: words(list, some(value)),
  sadd: words(
    set,
    fc.oneof({ weight: 5, arbitrary: some(member) }, { weight: 1, arbitrary: manyMembers }),
  ),
  set: words(string, value, fc.oneof(fc.constantFrom<Words>([], ['NX'], ['XX', 'GET']), lifetime)),
  setex: words(string, fc.constantFrom('1', '100'), value),
  setnx: words(string, value),
  smove: words(set, set, member),
  spop: words(set, maybe(fc.constantFrom('0', '1', '3', '50'))),
  srem: words(set, some(member)),
  unlink: some(any, 2),
  xack: words(stream, group, ids),
  xackdel: words(stream, group, policy, 'IDS', counted1),
  xadd: words(
    stream,
    fc.oneof(
      { weight: 6, arbitrary: words('*', fields) },
      { weight: 2, arbitrary: words(policy, trim, '*', fields) },
      { weight: 1, arbitrary: words(trim, policy, '*', fields) },
      { weight: 2, arbitrary: words('IDMP', consumer, digit, '*', fields) },
      { weight: 1, arbitrary: words('IDMPAUTO', consumer, '*', fields) },
      { weight: 1, arbitrary: words('NOMKSTREAM', '*', fields) },
      { weight: 1, arbitrary: words(id, fields) },
    ),
  ),
  xautoclaim: words(
    stream,
    group,
    consumer,
    fc.constantFrom('0', '5'),
    fc.oneof(fc.constant('-'), id),
    maybe('COUNT', fc.constantFrom('1', '3')),
    fc.constantFrom<Words>([], ['JUSTID']),
  ),
  xcfgset: words(stream, 'IDMP-DURATION', fc.constantFrom('1', '100'), 'IDMP-MAXSIZE', '3'),
  xclaim: words(
    stream,
    group,
    consumer,
    fc.constantFrom('0', '5'),
    ids,
    fc.constantFrom<Words>(
      [],
      ['FORCE'],
      ['JUSTID'],
      ['IDLE', '9'],
      ['TIME', '1010', 'RETRYCOUNT', '3'],
      ['FORCE', 'LASTID', '@0'],
    ),
  ),
  xdel: words(stream, ids),
  xdelex: words(stream, policy, 'IDS', counted1),
  'xgroup|create': words(
    stream,
    group,
    fc.constantFrom('0', '$', '@2'),
    maybe('MKSTREAM'),
    maybe('ENTRIESREAD', digit),
  ),
  'xgroup|createconsumer': words(stream, group, consumer),
  'xgroup|delconsumer': words(stream, group, consumer),
  'xgroup|destroy': words(stream, group),
  'xgroup|setid': words(
    stream,
    group,
    fc.oneof(fc.constantFrom('0', '$'), id),
    maybe('ENTRIESREAD', digit),
  ),
  xidmprecord: words(stream, consumer, digit, id),
  xnack: words(
    stream,
    group,
    fc.constantFrom('SILENT', 'FAIL', 'FATAL'),
    'IDS',
    counted1,
    fc.constantFrom<Words>([], ['FORCE'], ['RETRYCOUNT', '4']),
  ),
  xreadgroup: words(
    'GROUP',
    group,
    consumer,
    read,
    'STREAMS',
    fc.oneof(
      { weight: 5, arbitrary: words(stream, '>') },
      { weight: 1, arbitrary: words(stream, '0') },
      { weight: 1, arbitrary: words('s', 't', '>', '>') },
    ),
  ),
  xsetid: words(
    stream,
    fc.constantFrom('2000-0', '2000-1'),
    maybe('ENTRIESADDED', '50', 'MAXDELETEDID', '9-9'),
  ),
  xtrim: words(stream, trim, policy),
}

/** What reads: between entries it changes nothing, in a transaction it is in the log. */
const READS: Readonly<Record<string, fc.Arbitrary<Words>>> = {
  dbsize: fc.constant<Words>([]),
  dump: words(any),
  exists: some(any, 2),
  expiretime: words(any),
  get: words(string),
  keys: words('*'),
  lindex: words(list, small),
  llen: words(list),
  lpos: words(list, value),
  lrange: words(list, small, small),
  mget: some(string, 2),
  'object|encoding': words(any),
  'object|freq': words(any),
  'object|idletime': words(any),
  'object|refcount': words(any),
  pexpiretime: words(any),
  pttl: words(any),
  randomkey: fc.constant<Words>([]),
  scan: words('0', maybe('COUNT', '3')),
  scard: words(set),
  sismember: words(set, member),
  smembers: words(set),
  smismember: words(set, some(member)),
  srandmember: words(set, maybe(fc.constantFrom('2', '-3'))),
  sscan: words(set, '0'),
  strlen: words(string),
  touch: some(any, 2),
  ttl: words(any),
  type: words(any),
  'xinfo|consumers': words(stream, group),
  'xinfo|groups': words(stream),
  'xinfo|stream': words(stream, fc.constantFrom<Words>([], ['FULL'])),
  xlen: words(stream),
  xpending: words(stream, group, fc.oneof(fc.constant<Words>([]), words('-', '+', '9'))),
  xrange: words(stream, '-', '+', maybe('COUNT', '3')),
  xread: words(
    fc.constantFrom<Words>([], ['BLOCK', '9']),
    'STREAMS',
    stream,
    fc.constantFrom('0', '$'),
  ),
  xrevrange: words(stream, '+', '-'),
}

/** Written often, so that there is something to change. */
const OFTEN: Readonly<Record<string, number>> = {
  xadd: 24,
  xreadgroup: 12,
  'xgroup|create': 8,
  rpush: 8,
  sadd: 8,
  set: 4,
  restore: 4,
  xnack: 4,
}

function named(all: Readonly<Record<string, fc.Arbitrary<Words>>>, often = OFTEN) {
  return Object.entries(all).map(([name, arbitrary]) => ({
    weight: (often[name] ?? 2) * (name.startsWith('flush') ? 0.05 : 1) * 20,
    arbitrary: arbitrary.map(rest => [...name.split('|'), ...rest]),
  }))
}

export const writes: fc.Arbitrary<Words> = fc.oneof(...named(WRITES))
export const reads: fc.Arbitrary<Words> = fc.oneof(...named(READS))
/** Names of the commands above. */
export const WRITTEN = Object.keys(WRITES)
export const READ = Object.keys(READS)

/** IDs that the stream at `key` has, and those its groups have pending. */
function knownIds(machine: Machine, key: string): string[] {
  const found = machine.keyspace.stream(key)
  if (found === null || found === 'wrong-type') return []
  const all = new Set<string>()
  found.range(found.firstId(), found.topId(), 60, true, each => all.add(formatId(each)))
  for (const { pending } of found.groups.values())
    for (pending.first(); pending.valid; pending.next()) all.add(formatId(pending.id()))
  return [...all]
}

/** What DUMP says of `key`; `none` where there is nothing. */
function dumpOf(machine: Machine, key: string, now: number): Word {
  const argv = Argv.of('DUMP', key)
  const spec = machineTable.find(argv)
  if (isError(spec)) return 'none'
  const reply = machine.query(spec, spec.parse?.(argv), now)
  return 'kind' in reply && reply.kind === 'bulk' ? Buffer.from(reply.bytes) : 'none'
}

/** The words with what only the state of `machine` knows. */
export function filled(machine: Machine, all: Words, now: number): Word[] {
  const key = all[0] === 'xgroup' ? all[2] : all[1]
  let known: string[] | null = null
  return all.map(word => {
    if (word.startsWith('%')) return dumpOf(machine, word.slice(1), now)
    if (!/^@[0-9]+$/.test(word)) return word
    known ??= knownIds(machine, key as string)
    return known[Number(word.slice(1)) % Math.max(1, known.length)] ?? '1-1'
  })
}
