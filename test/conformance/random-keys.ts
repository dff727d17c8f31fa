// Random commands on few keys of any type: strings, counters, expiry, names. They meet, and err.

import fc from 'fast-check'
import { command, maybe } from './random-commands.ts'

type Words = readonly string[]

/** `s` is a stream and `l` a list, mostly. */
const key = fc.constantFrom('a', 'a', 'b', 'b', 'c', 's', 'l')
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('1', '-7', '3.5', 'abc', '', '9223372036854775807') },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 200 }).map(n => 'v'.repeat(n)) },
)
const number = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -9, max: 9 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('x', '', '1.5', '9223372036854775807', '+1', ' 1') },
)
/** So far ahead that nothing expires while it is looked at, or long ago. */
const seconds = fc.constantFrom('100000', '200000', '-1', '0', 'x', '9223372036854775807')
const moment = fc.constantFrom('99999999999', '1', '-5', 'x')
const condition = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Words>([]) },
  { weight: 2, arbitrary: fc.constantFrom(['NX'], ['XX'], ['GT'], ['LT'], ['xx']) },
  { weight: 1, arbitrary: fc.constantFrom(['NX', 'XX'], ['GT', 'LT'], ['XX', 'GT'], ['NO']) },
)
/** Of times from now on, which two clocks do not compare alike. */
const plainCondition = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Words>([]) },
  { weight: 2, arbitrary: fc.constantFrom(['NX'], ['XX'], ['xx'], ['GT', 'LT'], ['NO']) },
)
const lifetime = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Words>([]) },
  { weight: 2, arbitrary: fc.constantFrom(['EX', '100000'], ['px', '100000000'], ['KEEPTTL']) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ['EX', '0'],
      ['PX', '-1'],
      ['EX', 'x'],
      ['EX'],
      ['EXAT', '99999999999'],
      ['EX', '1', 'PX', '1'],
      ['KEEPTTL', 'EX', '5'],
    ),
  },
)

const strings = fc.oneof(
  { weight: 4, arbitrary: command('SET', key, value, maybe(fc.constantFrom('NX', 'XX', 'GET'))) },
  { weight: 2, arbitrary: command('SET', key, value, lifetime) },
  { weight: 1, arbitrary: command('SET', key, value, 'NX', 'GET') },
  { weight: 3, arbitrary: command('GET', key) },
  { weight: 1, arbitrary: command('GETDEL', key) },
  { weight: 1, arbitrary: command('GETSET', key, value) },
  {
    weight: 1,
    arbitrary: command(
      'GETEX',
      key,
      fc.constantFrom<Words>([], ['PERSIST'], ['EX', '100000'], ['PX', '0'], ['EX', '1', 'NO']),
    ),
  },
  { weight: 1, arbitrary: command('SETNX', key, value) },
  { weight: 1, arbitrary: command(fc.constantFrom('SETEX', 'PSETEX'), key, seconds, value) },
  { weight: 2, arbitrary: command('APPEND', key, value) },
  { weight: 1, arbitrary: command('STRLEN', key) },
  { weight: 3, arbitrary: command(fc.constantFrom('INCR', 'DECR'), key) },
  { weight: 2, arbitrary: command(fc.constantFrom('INCRBY', 'DECRBY'), key, number) },
  { weight: 1, arbitrary: command('INCRBYFLOAT', key, fc.constantFrom('1', '-0.5', '3e2', 'x')) },
  { weight: 1, arbitrary: command('MGET', key, key, key) },
  { weight: 1, arbitrary: command(fc.constantFrom('MSET', 'MSETNX'), key, value, key, value) },
  { weight: 1, arbitrary: command('MSET', key, value, key) },
)
const lives = fc.oneof(
  {
    weight: 3,
    arbitrary: command(fc.constantFrom('EXPIRE', 'PEXPIRE'), key, seconds, plainCondition),
  },
  {
    weight: 2,
    arbitrary: command(fc.constantFrom('EXPIREAT', 'PEXPIREAT'), key, moment, condition),
  },
  { weight: 2, arbitrary: command(fc.constantFrom('TTL', 'PTTL'), key) },
  { weight: 1, arbitrary: command(fc.constantFrom('EXPIRETIME', 'PEXPIRETIME'), key) },
  { weight: 2, arbitrary: command('PERSIST', key) },
)
const restoring = fc.constantFrom<Words>(
  ...[[], [], ['REPLACE'], ['REPLACE', 'ABSTTL'], ['absttl'], ['IDLETIME', '5'], ['IDLETIME']],
  ...[
    ['IDLETIME', '-1'],
    ['IDLETIME', 'x'],
    ['FREQ', '255'],
    ['FREQ', '256'],
    ['FREQ', '-1'],
  ],
  ...[
    ['FREQ', '1', 'IDLETIME', '1'],
    ['IDLETIME', '1', 'FREQ', '1'],
    ['NO'],
    ['FREQ', '1', 'FREQ', '2'],
  ],
)
const id = fc.constantFrom('0', '0', '1-1', '$', 'x', '>', '1-', '')
const names = fc.oneof(
  { weight: 2, arbitrary: command(fc.constantFrom('RENAME', 'RENAMENX'), key, key) },
  { weight: 2, arbitrary: command('COPY', key, key, maybe('REPLACE')) },
  { weight: 1, arbitrary: command('COPY', key, key, 'DB', fc.constantFrom('0', 'x')) },
  { weight: 1, arbitrary: command(fc.constantFrom('DEL', 'UNLINK', 'EXISTS', 'TOUCH'), key, key) },
  { weight: 2, arbitrary: command('TYPE', key) },
  {
    weight: 2,
    arbitrary: command(
      'RESTORE',
      key,
      fc.constantFrom('0', '0', '100000', '-1', 'x'),
      // What one of the two can read the other refuses.
      fc.constantFrom('', 'junk', 'junk of some length'),
      restoring,
    ),
  },
  { weight: 1, arbitrary: command('DUMP', 'nokey') },
  { weight: 1, arbitrary: command('XREAD', 'STREAMS', key, 's', id, id) },
  { weight: 1, arbitrary: command('DBSIZE') },
  { weight: 1, arbitrary: command('XADD', 's', '*', 'f') },
  { weight: 1, arbitrary: command('LPUSH', 'l', value) },
  { weight: 1, arbitrary: command('XADD', 's', fc.constantFrom('1-*', '2-*'), 'f', 'v') },
)

const member = fc.constantFrom('x', 'y', 'z', '1', '2', '')
const members = fc.array(member, { minLength: 1, maxLength: 4 })
/** What is picked by chance, or comes in the order of a hash, is compared elsewhere. */
const sets = fc.oneof(
  { weight: 4, arbitrary: command('SADD', key, members) },
  { weight: 2, arbitrary: command('SREM', key, members) },
  { weight: 1, arbitrary: command('SMOVE', key, key, member) },
  { weight: 1, arbitrary: command('SCARD', key) },
  { weight: 1, arbitrary: command('SISMEMBER', key, member) },
  { weight: 1, arbitrary: command('SMISMEMBER', key, members) },
  { weight: 1, arbitrary: command('SPOP', 'nokey') },
)

export const onKeys = fc.oneof(
  { weight: 3, arbitrary: sets },
  { weight: 6, arbitrary: strings },
  { weight: 4, arbitrary: lives },
  { weight: 4, arbitrary: names },
)
