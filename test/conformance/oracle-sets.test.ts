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
import { onSets } from './random-sets.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import { toWire, type Wire } from './wire.ts'

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
      fc.asyncProperty(onSets, async random => {
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
