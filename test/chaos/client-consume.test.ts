// The TypeScript client under load while leaders are killed: what it appended is there once, and is all consumed.
//
// SLOTCAST_CHAOS_CLIENT_KILLS says how often; each is started again after three seconds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '../../src/client/index.ts'
import { LocalCluster } from './cluster.ts'

const { SLOTCAST_CHAOS_CLIENT_KILLS = '5' } = process.env
const KILLS = Number(SLOTCAST_CHAOS_CLIENT_KILLS)
const RESTART_MS = 3_000
const PER_SECOND = 2_000
/** Often, so that something is on its way whenever a leader dies. */
const TICK_MS = 1
const CONSUMERS = 3
const STREAMS_A_NODE = 2
const DRAIN_MS = 20_000
const GROUP = 'workers'

/** Appends at a steady rate over several streams. */
class Producer {
  readonly #client: Client
  readonly #streams: readonly string[]
  /** Value to ID. */
  readonly appended = new Map<string, string>()
  readonly failed: Error[] = []
  #open = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #count = 0

  constructor(client: Client, streams: readonly string[]) {
    this.#client = client
    this.#streams = streams
  }

  start(): void {
    const since = performance.now()
    this.#timer = setInterval(() => {
      const due = ((performance.now() - since) * PER_SECOND) / 1_000
      while (this.#count < due) this.#append()
    }, TICK_MS)
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await Promise.all(this.#open)
  }

  #append(): void {
    this.#count += 1
    const value = `v${this.#count}`
    const stream = this.#streams[this.#count % this.#streams.length] as string
    const done = this.#client.streams.append(stream, { value }).then(
      id => void this.appended.set(value, id),
      error => void this.failed.push(error),
    )
    this.#open.add(done)
    void done.then(() => this.#open.delete(done))
  }
}

/** What all consumers together saw. */
class Seen {
  readonly processed = new Map<string, number>()
  readonly ackedAsOne = new Map<string, number>()

  async consume(client: Client, streams: readonly string[], name: string, signal: AbortSignal) {
    const consumer = client.consume({ group: GROUP, consumer: name, streams, credit: 600, signal })
    for await (const delivery of consumer) {
      const value = delivery.entry.get('value') ?? ''
      this.processed.set(value, (this.processed.get(value) ?? 0) + 1)
      void delivery.ack().then(done => {
        if (done) this.ackedAsOne.set(value, (this.ackedAsOne.get(value) ?? 0) + 1)
      })
    }
    return consumer.acked
  }
}

test('what is appended is there once and all of it is consumed, while leaders are killed', {
  timeout: 120_000 + KILLS * 30_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const streams: string[] = []
    for (let i = 0; i < STREAMS_A_NODE; i += 1) streams.push(...(await cluster.keyOfEach(`s${i}-`)))
    const seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number))
    const writer = await connect({ seeds, deadlineMs: 30_000, maxQueued: 100_000 })
    const readers = await Promise.all(Array.from({ length: CONSUMERS }, () => connect({ seeds })))
    const seen = new Seen()
    const stop = new AbortController()
    const consuming = readers.map((reader, i) =>
      seen.consume(reader, streams, `c${i}`, stop.signal),
    )
    const producer = new Producer(writer, streams)
    producer.start()
    await sleep(1_000)
    for (let i = 0; i < KILLS; i += 1) {
      const leader = await cluster.leaderOf(streams[i % streams.length] as string)
      await cluster.node(leader).kill()
      await sleep(RESTART_MS)
      cluster.node(leader).start()
      await cluster.awaitReady()
      await sleep(500)
    }
    await producer.stop()
    const since = performance.now()
    while (seen.processed.size < producer.appended.size && performance.now() - since < DRAIN_MS)
      await sleep(50)
    const drainMs = performance.now() - since
    await sleep(200)
    stop.abort()
    const acked = (await Promise.all(consuming)).reduce((sum, count) => sum + count, 0)

    const there = await valuesOf(writer, streams)
    const twice = [...there].filter(([, count]) => count > 1)
    const missing = [...producer.appended.keys()].filter(value => !there.has(value))
    const unseen = [...there.keys()].filter(value => !seen.processed.has(value))
    const again = [...seen.processed.values()].filter(count => count > 1).length
    console.log(
      `${producer.appended.size} appended, ${again} processed more than once, ${acked} acked, the rest within ${Math.round(drainMs)} ms; ${JSON.stringify(writer.stats)}`,
    )
    assert.deepEqual(producer.failed, [])
    assert.deepEqual(twice, [], 'entries that are there twice')
    assert.deepEqual(missing, [], 'acknowledged entries that are not there')
    assert.equal(there.size, producer.appended.size)
    assert.deepEqual(unseen, [], 'entries that nobody processed')
    assert.deepEqual(
      [...seen.ackedAsOne].filter(([, count]) => count > 1),
      [],
      'entries acked as 1 more than once',
    )
    assert.ok(acked <= there.size, `${acked} acks for ${there.size} entries`)
    for (const stream of streams)
      assert.deepEqual(await writer.groups.pending(stream, GROUP), [], 'all acks were settled')
    await Promise.all([writer, ...readers].map(client => client.close()))
  })
})

/** How often each value is there. */
async function valuesOf(client: Client, streams: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const stream of streams) {
    let from = '-'
    for (;;) {
      const entries = await client.streams.range(stream, from, '+', { count: 2_000 })
      for (const entry of entries) {
        const value = entry.get('value') ?? ''
        counts.set(value, (counts.get(value) ?? 0) + 1)
      }
      const last = entries.at(-1)
      if (last === undefined) break
      from = `(${last.id}`
    }
  }
  return counts
}
