// Random transactions of several clients, answered by our desk and by Redis 7.0: every reply must be equal.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { DeskTarget } from './desk-target.ts'
import { ENDING, type Step, transactionScripts } from './random-transactions.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import type { Protocol, Wire } from './wire.ts'

suite('random transactions are answered as Redis 7.0 answers them', {
  skip: RedisServer.missing,
}, () => {
  let server: RedisServer

  before(async () => {
    server = await RedisServer.start()
  })
  after(() => server.stop())

  async function ours(steps: readonly Step[], protocol: Protocol): Promise<Wire[]> {
    const target = new DeskTarget(protocol)
    const replies: Wire[] = []
    for (const { connection, words } of steps) {
      await target.send(connection, words)
      replies.push(await target.receive(connection))
    }
    return replies
  }

  async function compare(script: readonly Step[]): Promise<void> {
    const steps = [...script, ...ENDING]
    const redis = new ServerTarget('127.0.0.1', server.port, 2)
    try {
      await redis.askOn(3, ['FLUSHALL'])
      const mine = await ours(steps, 2)
      for (const [i, { connection, words }] of steps.entries()) {
        const theirs = await redis.askOn(connection, words)
        assert.deepEqual(mine[i], theirs, `${i}: @${connection} ${words.join(' ')}`)
      }
    } finally {
      await redis.close()
    }
  }

  test('with watches, changes by others, mistakes and ends of all sorts', () =>
    fc.assert(fc.asyncProperty(transactionScripts, compare), { seed: 3, numRuns: 400 }))
})
