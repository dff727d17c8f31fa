// SCAN and SSCAN through a whole iteration on a real node, while keys and members come and
// go: what is there from the beginning to the end is returned, and nothing that never was.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, listOf, textOf } from '../chaos/connection.ts'

const STANDALONE = { enabled: false, shards: 1, replicas_per_shard: 1 }

/** What stays, what goes, what comes, and how much is asked for at a time. */
const course = fc.record({
  staying: fc.integer({ min: 0, max: 300 }),
  leaving: fc.integer({ min: 0, max: 300 }),
  coming: fc.integer({ min: 0, max: 300 }),
  count: fc.constantFrom('1', '3', '10', '100', '1000'),
  churn: fc.integer({ min: 1, max: 40 }),
})

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

/** How names are added, removed and scanned. */
type Kind = {
  readonly add: (names: readonly string[]) => string[]
  readonly remove: (names: readonly string[]) => string[]
  readonly scan: (cursor: string, count: string) => string[]
}
const kinds: Readonly<Record<string, Kind>> = {
  SCAN: {
    add: names => ['MSET', ...names.flatMap(name => [name, 'v'])],
    remove: names => ['DEL', ...names],
    scan: (cursor, count) => ['SCAN', cursor, 'COUNT', count],
  },
  SSCAN: {
    add: names => ['SADD', 'set', ...names],
    remove: names => ['SREM', 'set', ...names],
    scan: (cursor, count) => ['SSCAN', 'set', cursor, 'COUNT', count],
  },
}

test('a whole scan returns all that stays, while others come and go', { timeout: 120_000 }, () =>
  LocalCluster.run({ nodes: 1, settings: STANDALONE }, async cluster => {
    const connection = await Connection.open(cluster.respPort(1))
    for (const [word, { add, remove, scan }] of Object.entries(kinds)) {
      await fc.assert(
        fc.asyncProperty(course, async ({ staying, leaving, coming, count, churn }) => {
          await connection.ask(['FLUSHALL'])
          const stays = named('stays:', staying)
          const leaves = named('leaves:', leaving)
          const comes = named('comes:', coming)
          const may = new Set([...stays, ...leaves, ...comes])
          const all = [...stays, ...leaves].sort((a, b) => (a.slice(-2) < b.slice(-2) ? -1 : 1))
          if (all.length > 0) await connection.ask(add(all))
          const seen = new Set<string>()
          let cursor = '0'
          do {
            const reply = listOf(await connection.ask(scan(cursor, count)))
            cursor = textOf(reply[0])
            for (const name of listOf(reply[1])) seen.add(textOf(name))
            const gone = leaves.splice(0, churn)
            const made = comes.splice(0, churn)
            if (gone.length > 0) await connection.ask(remove(gone))
            if (made.length > 0) await connection.ask(add(made))
          } while (cursor !== '0')
          for (const name of stays) assert.ok(seen.has(name), `${word} missed ${name}`)
          for (const name of seen) assert.ok(may.has(name), `${word} invented ${name}`)
        }),
        { seed: 71, numRuns: 60 },
      )
    }
    connection.close()
  }),
)
