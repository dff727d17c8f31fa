// Random scripts of several clients, some of whom wait, on few lists and streams.
//
// What 7.0 does otherwise than later versions is kept out, and nothing else: it serves
// from the key that woke a client, where later ones begin with the first of its keys; it
// answers a reader with no entries if what was added is gone by then; and it ends the
// wait of a group's reader when the stream is replaced, where later ones look at the new
// stream first.

import fc from 'fast-check'
import { command, maybe } from './random-commands.ts'

type Words = readonly string[]

export type Move =
  /** Said by a connection that is free: one command, or some in one packet. */
  | { readonly kind: 'say'; readonly on: number; readonly commands: readonly Words[] }
  /** Said also by a connection that waits. */
  | { readonly kind: 'queue'; readonly on: number; readonly words: Words }
  /** Waits for some milliseconds, in which nothing else happens. */
  | { readonly kind: 'brief'; readonly on: number; readonly words: Words }
  /** The key expires by the clock. */
  | { readonly kind: 'expiry'; readonly key: string }

export const CONNECTIONS = 6

/** What a script is about. */
type Flavour = {
  /** Waits are for several keys, and no change is of two of them. */
  readonly several: boolean
  readonly groups: boolean
}

const anyone = fc.nat(CONNECTIONS - 1)
/** Connection 0 never waits. */
const waiter = fc.integer({ min: 1, max: CONNECTIONS - 1 })

const list = fc.constantFrom('l', 'l', 'm', 'n')
const stream = fc.constantFrom('s', 's', 't')
const key = fc.constantFrom('l', 'l', 'm', 'n', 's', 't', 'x')
const element = fc.constantFrom('a', 'b', 'c', 'd', '')
const elements = fc.array(element, { minLength: 1, maxLength: 4 })
const many = fc
  .integer({ min: 5, max: 200 })
  .map(count => Array.from({ length: count }, (_, i) => `element ${i}`))
const side = fc.constantFrom('LEFT', 'RIGHT')
const small = fc.integer({ min: -3, max: 4 }).map(String)
const id = fc.constantFrom('1-*', '2-*', '3-*', '3-*', '3-*')
const from = fc.constantFrom('$', '$', '$', '0', '1-1', '2', '3-2', '9-9', 'x')

const forever = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('0', '0', '1000', '0x100') },
  { weight: 1, arbitrary: fc.constantFrom('-1', 'abc', '', '-0.5', 'nan', ' 1') },
)
const foreverMs = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('0', '0', '1000000') },
  { weight: 1, arbitrary: fc.constantFrom('-1', 'abc', '', '1.5', '9223372036854775808') },
)
const briefly = fc.constantFrom('0.001', '0.005', '1e-2')
const brieflyMs = fc.constantFrom('1', '5', '10')

function waits(
  { several, groups }: Flavour,
  seconds: fc.Arbitrary<string> = forever,
  ms: fc.Arbitrary<string> = foreverMs,
) {
  const lists = several
    ? fc.oneof(
        {
          weight: 4,
          arbitrary: command(
            fc.shuffledSubarray(['l', 'm'], { minLength: 1 }),
            fc.constantFrom<Words>([], [], ['s'], ['x'], ['l']),
          ),
        },
        { weight: 1, arbitrary: fc.constant<Words>(['n']) },
      )
    : list.map(name => [name])
  const source = several ? fc.constantFrom('l', 'm') : list
  const destination = several ? fc.constantFrom('n', 'n', 'n', 'x') : key
  const counted = lists.map(names => [String(names.length), ...names])
  const one = stream.map(name => [name])
  const two = several ? fc.constantFrom<Words>(['s'], ['s', 't'], ['t', 's']) : one
  const read = two.chain(names =>
    command(
      'XREAD',
      maybe('COUNT', fc.constantFrom('1', '2')),
      'BLOCK',
      ms,
      'STREAMS',
      fc.constant(names),
      fc.array(from, { minLength: names.length, maxLength: names.length }),
    ),
  )
  const readGroup = two.chain(names =>
    command(
      'XREADGROUP',
      'GROUP',
      fc.constantFrom('g', 'g', 'h'),
      fc.constantFrom('alice', 'bob'),
      maybe('COUNT', fc.constantFrom('1', '2')),
      'BLOCK',
      ms,
      maybe('NOACK'),
      'STREAMS',
      fc.constant(names),
      fc.constant(names.map(() => '>')),
    ),
  )
  return fc.oneof(
    { weight: 4, arbitrary: command(fc.constantFrom('BLPOP', 'BRPOP'), lists, seconds) },
    { weight: 4, arbitrary: command('BLMOVE', source, destination, side, side, seconds) },
    { weight: 1, arbitrary: command('BRPOPLPUSH', source, destination, seconds) },
    { weight: 2, arbitrary: command('BLMPOP', seconds, counted, side, maybe('COUNT', small)) },
    { weight: 3, arbitrary: read },
    { weight: groups ? 5 : 0, arbitrary: readGroup },
  )
}

/** Changes of `on`, and of nothing else. */
function additions(on: fc.Arbitrary<string>) {
  return fc.oneof(
    {
      weight: 5,
      arbitrary: command(fc.constantFrom('LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX'), on, elements),
    },
    { weight: 1, arbitrary: command(fc.constantFrom('LPUSH', 'RPUSH'), on, many) },
    { weight: 1, arbitrary: command('LINSERT', on, 'BEFORE', element, element) },
    { weight: 2, arbitrary: command(fc.constantFrom('LPOP', 'RPOP'), on) },
    { weight: 1, arbitrary: command(fc.constantFrom('RPOPLPUSH'), on, on) },
    { weight: 1, arbitrary: command('LREM', on, '0', element) },
    {
      weight: 5,
      arbitrary: command('XADD', on, maybe('MAXLEN', fc.constantFrom('1', '2')), id, 'f', 'v'),
    },
    { weight: 1, arbitrary: command('TYPE', on) },
  )
}

const group = fc.constantFrom('g', 'g', 'h')
const grouping = fc.oneof(
  {
    weight: 6,
    arbitrary: command(
      'XGROUP',
      'CREATE',
      stream,
      group,
      fc.constantFrom('0', '$', '1-1'),
      'MKSTREAM',
    ),
  },
  { weight: 1, arbitrary: command('XGROUP', 'DESTROY', stream, group) },
  {
    weight: 1,
    arbitrary: command('XGROUP', 'SETID', stream, group, fc.constantFrom('0', '$', '3-0')),
  },
  { weight: 1, arbitrary: command('XGROUP', 'DELCONSUMER', stream, group, 'alice') },
  { weight: 1, arbitrary: command('XACK', stream, group, '3-0', '3-1', '1-0') },
  { weight: 1, arbitrary: command('XPENDING', stream, group) },
)

function removals(on: fc.Arbitrary<string>) {
  return fc.oneof(
    { weight: 3, arbitrary: command(fc.constantFrom('DEL', 'UNLINK'), on) },
    { weight: 2, arbitrary: command('SET', on, 'v') },
    { weight: 1, arbitrary: command('SETNX', on, 'v') },
    { weight: 1, arbitrary: command('GETDEL', on) },
    { weight: 1, arbitrary: command('EXPIRE', on, fc.constantFrom('0', '-1', '1000')) },
    { weight: 1, arbitrary: command('SADD', on, element) },
  )
}

function renamings({ groups }: Flavour) {
  const target = groups ? fc.constantFrom('l', 'm', 'n', 'x') : key
  const source = groups ? fc.constantFrom('l', 'm', 'n', 'x') : key
  return fc.oneof(
    { weight: 2, arbitrary: command(fc.constantFrom('RENAME', 'RENAMENX'), source, target) },
    { weight: 1, arbitrary: command('COPY', source, target, maybe('REPLACE')) },
    { weight: 2, arbitrary: command('LMOVE', list, list, side, side) },
    { weight: 1, arbitrary: command('FLUSHALL') },
  )
}

/** A transaction in one packet. */
function exec(flavour: Flavour): fc.Arbitrary<readonly Words[]> {
  const inside = flavour.several
    ? key.chain(name =>
        fc.array(
          flavour.groups && name !== 'l' && name !== 'm'
            ? additions(fc.constant(name))
            : fc.oneof(
                { weight: 4, arbitrary: additions(fc.constant(name)) },
                { weight: 1, arbitrary: removals(fc.constant(name)) },
              ),
          { minLength: 1, maxLength: 4 },
        ),
      )
    : fc.array(
        fc.oneof(
          {
            weight: 6,
            arbitrary: additions(flavour.groups ? fc.constantFrom('l', 'm', 's') : key),
          },
          { weight: flavour.groups ? 0 : 2, arbitrary: removals(key) },
          { weight: flavour.groups ? 0 : 1, arbitrary: renamings(flavour) },
          { weight: 2, arbitrary: waits(flavour) },
        ),
        { minLength: 1, maxLength: 6 },
      )
  return inside.map(commands => [
    ['MULTI'],
    ...commands.map(words => tame(flavour, words)),
    ['EXEC'],
  ])
}

const frames = fc.oneof(
  { weight: 3, arbitrary: command('WATCH', key, key) },
  { weight: 2, arbitrary: command('MULTI') },
  { weight: 4, arbitrary: command('EXEC') },
  { weight: 1, arbitrary: command('DISCARD') },
)

const unblock = command(
  'CLIENT',
  'UNBLOCK',
  waiter.map(on => `@${on}`),
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<Words>([], ['TIMEOUT'], ['ERROR'], ['error']) },
    { weight: 1, arbitrary: fc.constantFrom<Words>(['NOW'], ['ERROR', 'x']) },
  ),
)

const KIND: Readonly<Record<string, string>> = { l: 'list', m: 'list', s: 'stream', t: 'stream' }
/** What commands make of a key that is not there. */
const MADE: Readonly<Record<string, string>> = {
  LPUSH: 'list',
  RPUSH: 'list',
  RPOPLPUSH: 'list',
  XADD: 'stream',
  SET: 'string',
  SETNX: 'string',
  SADD: 'set',
}

/** Where several keys are waited for, none of them becomes of another type. */
function tame({ several }: Flavour, words: Words): Words {
  const [name = '', from = '', to = ''] = words
  if (!several) return words
  const made = MADE[name]
  const isOther = made !== undefined && from in KIND && made !== KIND[from]
  const isMoved = /^(RENAME|COPY)/.test(name) && to in KIND && KIND[from] !== KIND[to]
  return isOther || isMoved ? ['TYPE', from] : words
}

function moves(flavour: Flavour): fc.Arbitrary<Move> {
  const say = (on: fc.Arbitrary<number>, words: fc.Arbitrary<Words>): fc.Arbitrary<Move> =>
    fc.tuple(on, words).map(([who, said]) => ({
      kind: 'say',
      on: who,
      commands: [tame(flavour, said)],
    }))
  const ofFrames = !flavour.several && !flavour.groups
  return fc.oneof(
    { weight: 12, arbitrary: say(waiter, waits(flavour)) },
    { weight: 12, arbitrary: say(anyone, additions(key)) },
    { weight: 3, arbitrary: say(anyone, removals(key)) },
    { weight: 3, arbitrary: say(anyone, renamings(flavour)) },
    { weight: flavour.groups ? 8 : 0, arbitrary: say(anyone, grouping) },
    { weight: ofFrames ? 4 : 0, arbitrary: say(anyone, frames) },
    { weight: 1, arbitrary: say(anyone, command('XDEL', stream, '3-0', '1-0')) },
    { weight: 2, arbitrary: say(anyone, unblock) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(anyone, exec(flavour))
        .map(([on, commands]): Move => ({ kind: 'say', on, commands })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(waiter, fc.constantFrom<Words>(['PING'], ['ECHO', 'x'], ['BLPOP', 'l', '0']))
        .map(([on, words]): Move => ({ kind: 'queue', on, words })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(waiter, waits(flavour, briefly, brieflyMs))
        .map(([on, words]): Move => ({ kind: 'brief', on, words })),
    },
    { weight: 1, arbitrary: key.map((name): Move => ({ kind: 'expiry', key: name })) },
  )
}

export const waitingScripts: fc.Arbitrary<readonly Move[]> = fc
  .record({ several: fc.boolean(), groups: fc.boolean() })
  .chain(flavour => fc.array(moves(flavour), { minLength: 15, maxLength: 50 }))
