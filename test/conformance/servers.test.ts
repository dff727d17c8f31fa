// The transcripts, played to real servers: to Debian's redis-server, whose differences
// are listed, and to the one at SLOTCAST_CONFORMANCE (host:port), which has none.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { transcripts } from './cases.ts'
import { type Difference, redis70 } from './differences.ts'
import { REDIS_PATH, RedisServer, ServerTarget } from './server-target.ts'
import { type Mismatch, play } from './target.ts'
import type { Case } from './transcript.ts'

/** Plays `each` in both protocols to a server that is emptied before. */
async function playBoth(host: string, port: number, each: Case): Promise<Mismatch[]> {
  const mismatches: Mismatch[] = []
  for (const protocol of [2, 3] as const) {
    const target = new ServerTarget(host, port, protocol)
    try {
      await target.ask(['FLUSHALL'])
      mismatches.push(...(await play(target, each, protocol)))
    } finally {
      await target.close()
    }
  }
  return mismatches
}

suite('Redis 7.0', { skip: RedisServer.missing }, () => {
  let server: RedisServer
  const unseen = new Set<Difference>(redis70)

  before(async () => {
    server = await RedisServer.start()
    const target = new ServerTarget('127.0.0.1', server.port, 3)
    const hello = JSON.stringify(await target.ask(['HELLO']))
    await target.close()
    assert.match(hello, /"7\.0\./, `differences are listed for Redis 7.0, ${REDIS_PATH} is another`)
  })
  after(() => server.stop())

  for (const [file, cases] of transcripts())
    for (const each of cases) {
      const skip = file.startsWith('newest') ? 'came after 7.0' : false
      test(`${file}: ${each.name}`, { skip }, async () => {
        const strange = (await playBoth('127.0.0.1', server.port, each)).filter(({ command }) => {
          const listed = redis70.find(
            row => row.file === file && each.name.startsWith(row.case) && row.command === command,
          )
          if (listed !== undefined) unseen.delete(listed)
          return listed === undefined
        })
        assert.deepEqual(strange, [])
      })
    }

  test('every difference that is listed shows', () => {
    assert.deepEqual([...unseen], [])
  })
})

const { SLOTCAST_CONFORMANCE: address = '' } = process.env

suite('a server', { skip: address === '' ? 'SLOTCAST_CONFORMANCE is not set' : false }, () => {
  const at = address.lastIndexOf(':')
  for (const [file, cases] of transcripts())
    for (const each of cases) {
      // The state machine has one type of values so far.
      const isSkipped = each.server && file !== 'transactions'
      const skip = isSkipped ? 'needs a value of another type' : false
      test(`${file}: ${each.name}`, { skip }, async () => {
        const host = address.slice(0, at)
        assert.deepEqual(await playBoth(host, Number(address.slice(at + 1)), each), [])
      })
    }
})
