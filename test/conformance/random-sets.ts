// Random commands on a few sets and a string.

import fc from 'fast-check'
import { command, maybe } from './random-commands.ts'

/** `x` is a string. */
const key = fc.constantFrom('a', 'a', 'b', 'b', 'c', 'x')
const member = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }).map(String) },
  { weight: 3, arbitrary: fc.constantFrom('', 'm', 'n', '-0', '007', 'x'.repeat(100)) },
  { weight: 1, arbitrary: fc.integer().map(String) },
)
const members = fc.array(member, { minLength: 1, maxLength: 5 })
const many = fc.integer({ min: 1, max: 600 }).map(n => Array.from({ length: n }, (_, i) => `${i}`))
const all = fc.constantFrom('100000', '0', 'abc', '')

export const onSets = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: command('SADD', key, members) },
    { weight: 1, arbitrary: command('SADD', key, many) },
    { weight: 4, arbitrary: command('SREM', key, members) },
    { weight: 1, arbitrary: command('SREM', key, many) },
    { weight: 3, arbitrary: command('SMOVE', key, key, member) },
    { weight: 2, arbitrary: command('SISMEMBER', key, member) },
    { weight: 2, arbitrary: command('SMISMEMBER', key, members) },
    { weight: 2, arbitrary: command('SCARD', key) },
    { weight: 2, arbitrary: command('SMEMBERS', key) },
    { weight: 1, arbitrary: command('SPOP', key, all, maybe('1')) },
    { weight: 1, arbitrary: command('SRANDMEMBER', key, all, maybe('1')) },
    {
      weight: 1,
      arbitrary: command('SSCAN', key, '0', 'COUNT', '100000', maybe('MATCH', '?1')),
    },
    { weight: 1, arbitrary: command('DEL', key) },
    { weight: 1, arbitrary: command('EXISTS', key) },
    { weight: 1, arbitrary: command('TYPE', key) },
    { weight: 1, arbitrary: command('RENAME', key, key) },
    { weight: 1, arbitrary: command('COPY', key, key, maybe('REPLACE')) },
    { weight: 1, arbitrary: command('SET', 'x', 'v') },
  ),
  { minLength: 10, maxLength: 50 },
)
