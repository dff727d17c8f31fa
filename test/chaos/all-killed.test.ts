// All nodes killed with SIGKILL at once under load, and started again (TESTING 6, fault 2).
//
// SLOTCAST_CHAOS_ENTRIES says with how many entries of 128 bytes the second story is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from './cluster.ts'
import { Connection, Dropped, entriesOf, type Plain, Refused, textOf } from './connection.ts'
import { Load } from './load.ts'
import { SessionProducer } from './session-producer.ts'

const ROUNDS = 3
const { SLOTCAST_CHAOS_ENTRIES = '60000' } = process.env
const ENTRIES = Number(SLOTCAST_CHAOS_ENTRIES)
const PIPELINED = 500
const PAGE = 5_000

async function killAll(cluster: LocalCluster): Promise<void> {
  for (const node of cluster.nodes) node.signal('SIGKILL')
  await Promise.all(cluster.nodes.map(node => node.ended()))
}

test('nothing acknowledged is missing when all nodes were killed at once', {
  timeout: 300_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('orders')
    const load = new Load(cluster, keys)
    const producers = keys.map(key => new SessionProducer(cluster, load.notes, key))
    await load.start()
    for (const producer of producers) producer.start()
    const ready: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      await sleep(1_500)
      await killAll(cluster)
      for (const node of cluster.nodes) node.start()
      ready.push(Math.round(await cluster.awaitReady()))
    }
    await sleep(1_500)
    for (const producer of producers) await producer.stop()
    await load.stop()
    const line = await load.judge()
    const repeated = producers.reduce((sum, producer) => sum + producer.repeated, 0)
    assert.ok(repeated > 0, 'producers repeated what was open')
    console.log(
      `all killed ${ROUNDS} times: ${line}; ${repeated} calls repeated by producer sessions; ready after ${ready.join(', ')} ms`,
    )
  })
})

/** Appends to one stream as fast as it goes, until it has `count` entries or its node dies. */
class Filler {
  readonly key: string
  readonly #prefix: string
  readonly #connection: Connection
  /** IDs of acknowledged entries; the value of entry i is its number. */
  readonly ids: string[] = []

  constructor(key: string, connection: Connection) {
    this.key = key
    this.#connection = connection
    this.#prefix = 'x'.repeat(116)
  }

  value(i: number): string {
    return `${this.#prefix}${String(i).padStart(12, '0')}`
  }

  async fill(count: number): Promise<void> {
    while (this.ids.length < count) {
      const batch = Array.from({ length: PIPELINED }, (_, i) =>
        this.#add(this.ids.length + i).catch((error: unknown) => {
          if (error instanceof Dropped) return null
          throw error
        }),
      )
      for (const reply of await Promise.all(batch)) {
        if (reply === null) return
        assert.ok(!(reply instanceof Refused), `XADD answers ${(reply as Refused).text}`)
        this.ids.push(textOf(reply))
      }
    }
  }

  #add(i: number): Promise<Plain> {
    return this.#connection.ask(['XADD', this.key, '*', 'v', this.value(i)], 60_000)
  }
}

test(`a cluster with ${ENTRIES} entries comes back from kill -9 with all of them`, {
  timeout: 120_000 + ENTRIES,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('big')
    const fillers: Filler[] = []
    for (const [i, key] of keys.entries())
      fillers.push(new Filler(key, await Connection.open(cluster.respPort(i + 1))))
    const each = Math.ceil(ENTRIES / keys.length)
    await Promise.all(fillers.map(filler => filler.fill(each)))
    // Again without an end, so that the nodes die while they write.
    const more = Promise.all(fillers.map(filler => filler.fill(Number.POSITIVE_INFINITY)))
    await sleep(300)
    await killAll(cluster)
    await more
    for (const node of cluster.nodes) node.start()
    const ready = await cluster.awaitReady()
    let found = 0
    for (const filler of fillers) {
      const leader = await cluster.leaderOf(filler.key)
      const connection = await Connection.open(cluster.respPort(leader))
      found += await verify(connection, filler)
      connection.close()
    }
    const acknowledged = fillers.reduce((sum, { ids }) => sum + ids.length, 0)
    console.log(
      `all killed with ${acknowledged} acknowledged entries: ready after ${Math.round(ready)} ms with ${found}`,
    )
  })
})

/** Every acknowledged entry stands at its ID, in order. @returns how many entries there are */
async function verify(connection: Connection, filler: Filler): Promise<number> {
  let at = 0
  let from = '-'
  for (;;) {
    const reply = await connection.ask(['XRANGE', filler.key, from, '+', 'COUNT', PAGE], 60_000)
    const page = entriesOf(reply)
    for (const { id, value } of page) {
      assert.equal(value, filler.value(at), `entry ${at} of ${filler.key}`)
      if (at < filler.ids.length) assert.equal(id, filler.ids[at])
      at += 1
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) break
    from = `(${last.id}`
  }
  assert.ok(at >= filler.ids.length, `${filler.key} has ${at} of ${filler.ids.length}`)
  return at
}
