// Random commands on few lists, some of them on connections that wait.

import fc from 'fast-check'
import { command, maybe } from './random-commands.ts'

type Words = readonly string[]

/** What is said on which connection: 0 never waits. */
export type Said = { readonly on: number; readonly words: Words }

// Neither -2^63 nor inf: 7.0 takes the one for a count and the other for negative.

/** `s` is a stream. */
const key = fc.constantFrom('l', 'l', 'l', 'm', 'm', 'n', 's')
const keys = fc.array(key, { minLength: 1, maxLength: 3 })
const element = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c', '1', '-1', '10', '') },
  { weight: 1, arbitrary: fc.integer().map(String) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }).map(n => 'x'.repeat(n)) },
)
const elements = fc.array(element, { minLength: 1, maxLength: 6 })
const many = fc
  .integer({ min: 1, max: 400 })
  .chain(count => fc.constant(Array.from({ length: count }, (_, i) => `element ${i}`)))
const number = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -9, max: 9 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['100', '-100', 'abc', '1.5', '', '9223372036854775807', '-9223372036854775807', '+1'],
    ),
  },
)
const side = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom('LEFT', 'RIGHT', 'left') },
  { weight: 1, arbitrary: fc.constant('MIDDLE') },
)
const timeout = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('0', '1000', '2e3', '0x10', '+100.5') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('-1', 'abc', '-inf', 'nan', '', ' 1', '1 ', '-0.5'),
  },
)
const counted = fc.oneof(
  { weight: 10, arbitrary: keys.map(list => [String(list.length), ...list]) },
  { weight: 1, arbitrary: fc.tuple(number, keys).map(([count, list]) => [count, ...list]) },
)

const ends = fc.oneof(
  {
    weight: 6,
    arbitrary: command(fc.constantFrom('LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX'), key, elements),
  },
  { weight: 1, arbitrary: command(fc.constantFrom('LPUSH', 'RPUSH'), key, many) },
  { weight: 4, arbitrary: command(fc.constantFrom('LPOP', 'RPOP'), key, maybe(number)) },
  { weight: 2, arbitrary: command('LMPOP', counted, side, maybe('COUNT', number)) },
  { weight: 3, arbitrary: command('LMOVE', key, key, side, side) },
  { weight: 2, arbitrary: command('RPOPLPUSH', key, key) },
  { weight: 1, arbitrary: command('LMPOP', counted, side, 'COUNT', '2', 'COUNT', '1') },
)
const middle = fc.oneof(
  { weight: 3, arbitrary: command('LINDEX', key, number) },
  { weight: 2, arbitrary: command('LRANGE', key, number, number) },
  { weight: 2, arbitrary: command('LSET', key, number, element) },
  {
    weight: 3,
    arbitrary: command(
      'LINSERT',
      key,
      fc.constantFrom('BEFORE', 'AFTER', 'after'),
      element,
      element,
    ),
  },
  { weight: 1, arbitrary: command('LINSERT', key, 'AT', element, element) },
  { weight: 3, arbitrary: command('LREM', key, number, element) },
  { weight: 1, arbitrary: command('LTRIM', key, number, number) },
  { weight: 1, arbitrary: command('LLEN', key) },
  {
    weight: 3,
    arbitrary: command(
      'LPOS',
      key,
      element,
      maybe('RANK', number),
      maybe('COUNT', number),
      maybe('MAXLEN', number),
    ),
  },
  {
    weight: 1,
    arbitrary: command(
      'DEL',
      key.filter(name => name !== 's'),
    ),
  },
  { weight: 1, arbitrary: command('TYPE', key) },
)
const whole = fc.oneof({ weight: 2, arbitrary: ends }, { weight: 2, arbitrary: middle })

// Who waits moves elements to `n` only, and waits on `n` alone: 7.0 serves from the key
// that woke it, later versions from the first key that has something by then.
const several = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom('l', 'l', 'm', 's'), { minLength: 1, maxLength: 3 }),
  },
  { weight: 1, arbitrary: fc.constant<Words>(['n']) },
)
const severalCounted = fc.oneof(
  { weight: 10, arbitrary: several.map(list => [String(list.length), ...list]) },
  { weight: 1, arbitrary: fc.tuple(number, several).map(([count, list]) => [count, ...list]) },
)
const target = fc.constantFrom('n', 'n', 'n', 's')
const waiting = fc.oneof(
  { weight: 4, arbitrary: command(fc.constantFrom('BLPOP', 'BRPOP'), several, timeout) },
  { weight: 3, arbitrary: command('BLMOVE', key, target, side, side, timeout) },
  { weight: 1, arbitrary: command('BRPOPLPUSH', key, target, timeout) },
  {
    weight: 2,
    arbitrary: command('BLMPOP', timeout, severalCounted, side, maybe('COUNT', number)),
  },
)

/** Commands of one connection. */
export const onLists = fc.array(whole, { minLength: 20, maxLength: 80 })

/** Commands of connection 0 and of some that wait. */
export const withWaiting: fc.Arbitrary<readonly Said[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: ends.map(words => ({ on: 0, words })) },
    { weight: 1, arbitrary: middle.map(words => ({ on: 0, words })) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.integer({ min: 1, max: 4 }), waiting)
        .map(([on, words]) => ({ on, words })),
    },
  ),
  { minLength: 20, maxLength: 60 },
)
