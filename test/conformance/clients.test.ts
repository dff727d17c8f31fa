// Several clients on whole servers, of whom some wait: random scripts, played to a
// standalone node of ours and to Redis 7.0 a move at a time (duel.ts).
//
// SLOTCAST_WAITING_SCRIPTS says how many, SLOTCAST_SEED which.

import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Duel } from './duel.ts'
import { withPair } from './pair.ts'
import { transactionScripts } from './random-transactions.ts'
import { CONNECTIONS, type Move, waitingScripts } from './random-waiting.ts'
import { RedisServer } from './server-target.ts'
import type { Protocol } from './wire.ts'

type Words = readonly string[]

const { SLOTCAST_WAITING_SCRIPTS = '100', SLOTCAST_SEED = '41' } = process.env

const ENDING: readonly Words[] = [
  ...['l', 'm', 'n', 's', 't', 'x'].map(key => ['TYPE', key]),
  ...['l', 'm', 'n'].map(key => ['LRANGE', key, '0', '-1']),
  ...['s', 't'].flatMap(key => [
    ['XRANGE', key, '-', '+'],
    ['XPENDING', key, 'g'],
    ['XPENDING', key, 'h'],
  ]),
]

const transactions: fc.Arbitrary<readonly Move[]> = transactionScripts.map(steps =>
  steps.map(({ connection, words }) => ({ kind: 'say', on: connection, commands: [words] })),
)

function compare(scripts: fc.Arbitrary<readonly Move[]>): Promise<void> {
  return withPair(async pair => {
    const duels = {
      2: await Duel.open(pair, CONNECTIONS, 2),
      3: await Duel.open(pair, CONNECTIONS, 3),
    }
    try {
      await fc.assert(
        fc.asyncProperty(scripts, fc.constantFrom<Protocol>(2, 3), (script, protocol) =>
          duels[protocol].play(script, ENDING),
        ),
        {
          numRuns: Number(SLOTCAST_WAITING_SCRIPTS),
          seed: Number(SLOTCAST_SEED),
          includeErrorInReport: true,
        },
      )
    } finally {
      duels[2].close()
      duels[3].close()
    }
  })
}

suite(`${SLOTCAST_WAITING_SCRIPTS} random scripts of several clients are answered alike`, {
  skip: RedisServer.missing,
}, () => {
  test('of clients that wait', { timeout: 3_600_000 }, () => compare(waitingScripts))

  test('of transactions and watches', { timeout: 3_600_000 }, () => compare(transactions))
})
