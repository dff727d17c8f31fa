// Random commands on sets, answered by the state machine and by Redis 7.0: replies must be equal.
//
// Members have no order, so lists of them are sorted. What is picked by chance is asked
// for only where there is no choice.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import { Wait } from '../../src/base/wait.ts'
import { MachineTarget } from './machine-target.ts'
import { command, maybe } from './random-commands.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import { toWire, type Wire } from './wire.ts'

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

const commands = fc.array(
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

const SORTED = new Set(['SMEMBERS', 'SPOP', 'SRANDMEMBER'])

function sorted(wire: Wire): Wire {
  if (!('items' in wire)) return wire
  const items = [...wire.items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return { ...wire, items }
}

function comparable(words: readonly string[], wire: Wire): Wire {
  if (SORTED.has(words[0] as string)) return sorted(wire)
  if (words[0] !== 'SSCAN' || !('items' in wire)) return wire
  return { ...wire, items: wire.items.map(sorted) }
}

suite('random commands on sets are answered as Redis 7.0 answers them', {
  skip: RedisServer.missing,
}, () => {
  let server: RedisServer
  let redis: ServerTarget

  before(async () => {
    server = await RedisServer.start()
    redis = new ServerTarget('127.0.0.1', server.port, 3)
  })
  after(async () => {
    await redis.close()
    await server.stop()
  })

  test('reply by reply', () =>
    fc.assert(
      fc.asyncProperty(commands, async random => {
        const asked = [...random, ['SMEMBERS', 'a'], ['SMEMBERS', 'b'], ['SMEMBERS', 'c']]
        const [, ...theirs] = await redis.askAll([['FLUSHALL'], ...asked])
        const target = new MachineTarget(3)
        for (const [i, words] of asked.entries()) {
          const outcome = target.run(Argv.of(...words))
          assert.ok(!(outcome instanceof Wait), 'no command of these waits')
          const want = comparable(words, theirs[i] as Wire)
          assert.deepEqual(comparable(words, toWire(outcome, 3)), want, words.join(' '))
        }
      }),
      { seed: 5, numRuns: 300 },
    ))
})
