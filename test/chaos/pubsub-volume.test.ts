// Pub/sub by the million and by the gigabyte. Smaller unless the environment says otherwise; at full size:
// SLOTCAST_CHAOS_MESSAGES=1000000 SLOTCAST_CHAOS_SUBSCRIBERS=300 SLOTCAST_CHAOS_BYTES=1000000000

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { status as codes } from '@grpc/grpc-js'
import { eventually } from '../integration/slotcast-process.ts'
import { LocalCluster } from './cluster.ts'
import { Connection } from './connection.ts'
import { FixedEar, numberAt } from './fixed-ear.ts'
import { FixedPublisher } from './fixed-publisher.ts'
import { CHANNEL, PATTERN, StreamSubscriber } from './stream-subscriber.ts'

const {
  SLOTCAST_CHAOS_MESSAGES = '30000',
  SLOTCAST_CHAOS_SUBSCRIBERS = '60',
  SLOTCAST_CHAOS_BYTES = '150000000',
} = process.env

const NEWS = 'news'
const NEWS_PATTERN = 'n?w[r-t]*'
const SHORT_BYTES = 16
const LONG_BYTES = 20_000
/** Messages that a publisher may be ahead of the slowest listener: well within what may wait. */
const SHORT_AHEAD = 10_000
const LONG_AHEAD = 200
const STREAMS = 4
const WAIT_MS = 60_000
const MiB = 1024 * 1024
const MEMORY_BYTES_MAX = 512 * MiB

/** A gRPC subscriber that checks as FixedEar does. */
class StreamEar {
  readonly counts: number[] = Array(10).fill(0)
  fault = ''
  readonly subscriber: StreamSubscriber

  constructor(address: string) {
    this.subscriber = new StreamSubscriber(address, 1_000, ({ payload }) => {
      const by = (payload[0] as number) - 0x30
      const number = numberAt(payload, 0)
      if (number !== this.counts[by])
        this.fault ||= `publisher ${by}: ${number} came in place of ${this.counts[by]}`
      this.counts[by] = number + 1
    })
  }

  get closed(): boolean {
    return this.subscriber.isOver
  }

  close(): void {
    this.subscriber.close()
  }
}

type Ear = Pick<StreamEar, 'counts' | 'fault' | 'closed' | 'close'>

/** How many messages of a publisher each of `ears` has at least; looked at now and then, for there are many. */
function slowest(ears: readonly Ear[], by: number): () => number {
  return () => {
    let least = Number.POSITIVE_INFINITY
    for (const { counts, closed, fault } of ears) {
      assert.ok(!closed && fault === '', fault || 'a listener was cut off')
      least = Math.min(least, counts[by] as number)
    }
    return least
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + WAIT_MS
  while (!holds()) {
    assert.ok(performance.now() < end, `${what} takes too long`)
    await sleep(20)
  }
}

async function metric(cluster: LocalCluster, node: number, name: string): Promise<number> {
  const text = await cluster.metrics(node)
  const line = text.split('\n').find(one => one.startsWith(`slotcast_${name} `))
  return Number(line?.split(' ').at(-1) ?? Number.NaN)
}

test('everybody gets every message in order, and a node without subscribers none', {
  timeout: 530_000,
}, async t => {
  const messages = Number(SLOTCAST_CHAOS_MESSAGES)
  const subscribers = Number(SLOTCAST_CHAOS_SUBSCRIBERS)
  await LocalCluster.run({}, async cluster => {
    const ears: Ear[] = []
    for (let i = 0; i < subscribers - STREAMS; i += 1) {
      const pattern = i % 4 < 2 ? null : NEWS_PATTERN
      ears.push(await FixedEar.open(cluster.respPort(1 + (i % 2)), NEWS, pattern, SHORT_BYTES))
    }
    for (let i = 0; i < STREAMS; i += 1) {
      const ear = new StreamEar(cluster.grpcAddress(1 + (i % 2)))
      if (i < 2) await ear.subscriber.subscribe(CHANNEL, NEWS)
      else await ear.subscriber.subscribe(PATTERN, NEWS_PATTERN)
      ears.push(ear)
    }
    await sleep(500)
    const each = Math.floor(messages / 3)
    const counts = [each, each, messages - 2 * each]
    const publishers = counts.map(
      (_, i) => new FixedPublisher(cluster.respPort(i + 1), i, NEWS, SHORT_BYTES),
    )
    const since = performance.now()
    await Promise.all(
      publishers.map((publisher, i) =>
        publisher.publish(counts[i] as number, slowest(ears, i), SHORT_AHEAD),
      ),
    )
    const published = performance.now() - since
    await until('the last message', () => counts.every((count, i) => slowest(ears, i)() === count))
    const seconds = (performance.now() - since) / 1_000
    t.diagnostic(
      `${messages} messages to ${ears.length} subscribers in ${seconds.toFixed(1)} s (published in ${(published / 1_000).toFixed(1)} s)`,
    )
    for (const { fault } of publishers) assert.equal(fault, '')
    for (const ear of ears) {
      assert.equal(ear.fault, '')
      assert.deepEqual(ear.counts.slice(0, 3), counts)
    }
    // Once to each node where somebody listens, however many do, and to no other.
    const sent = (node: number) => metric(cluster, node, 'pubsub_peer_sent_messages_total')
    const bytes = (node: number) => metric(cluster, node, 'pubsub_peer_sent_bytes_total')
    assert.deepEqual(
      [await sent(1), await sent(2), await sent(3)],
      [counts[0], counts[1], 2 * (counts[2] as number)],
    )
    const ratio = (await bytes(3)) / (await bytes(1))
    t.diagnostic(`bytes to peers: n1 ${await bytes(1)}, n2 ${await bytes(2)}, n3 ${await bytes(3)}`)
    assert.ok(Math.abs(ratio - 2) < 0.01, `n3 sends ${ratio} times what n1 does`)
    assert.equal(await metric(cluster, 3, 'pubsub_peer_received_bytes_total'), 0)
    for (const node of [1, 2, 3])
      assert.equal(await metric(cluster, node, 'pubsub_peer_dropped_messages_total'), 0)
    for (const one of [...ears, ...publishers]) one.close()
  })
})

test('who reads nothing is cut off, the node stays within its memory, and others miss nothing', {
  timeout: 530_000,
}, async t => {
  const count = Math.ceil(Number(SLOTCAST_CHAOS_BYTES) / LONG_BYTES)
  const settings = { limits: { memory_bytes_max: MEMORY_BYTES_MAX } }
  await LocalCluster.run({ settings }, async cluster => {
    const admin = await Connection.open(cluster.respPort(1))
    const slowStream = new StreamSubscriber(cluster.grpcAddress(1), 1_000, () => {})
    await slowStream.subscribe(CHANNEL, NEWS)
    slowStream.pause()
    const slowEar = await FixedEar.open(cluster.respPort(1), NEWS, null, LONG_BYTES)
    slowEar.pause()
    const streamHere = new StreamEar(cluster.grpcAddress(1))
    await streamHere.subscriber.subscribe(CHANNEL, NEWS)
    const streamThere = new StreamEar(cluster.grpcAddress(2))
    await streamThere.subscriber.subscribe(PATTERN, NEWS_PATTERN)
    const ears: Ear[] = [
      ...[streamHere, streamThere],
      await FixedEar.open(cluster.respPort(1), NEWS, NEWS_PATTERN, LONG_BYTES),
      await FixedEar.open(cluster.respPort(2), NEWS, null, LONG_BYTES),
    ]
    await sleep(500)
    const info = async (section: string, field: string): Promise<number> => {
      const text = String(await admin.ask(['INFO', section]))
      return Number(new RegExp(`${field}:(\\d+)`).exec(text)?.[1])
    }
    const before = await info('memory', 'used_memory')
    let peak = 0
    let peakResident = 0
    let isOver = false
    const watch = (async () => {
      while (!isOver) {
        peak = Math.max(peak, await info('memory', 'used_memory'))
        peakResident = Math.max(peakResident, await info('memory', 'used_memory_rss'))
        await sleep(50)
      }
    })()
    const since = performance.now()
    const publisher = new FixedPublisher(cluster.respPort(1), 0, NEWS, LONG_BYTES)
    await publisher.publish(count, slowest(ears, 0), LONG_AHEAD)
    await until('the last message', () => slowest(ears, 0)() === count)
    const seconds = (performance.now() - since) / 1_000
    isOver = true
    await watch
    t.diagnostic(
      `${count * LONG_BYTES} bytes in ${seconds.toFixed(1)} s; used_memory before ${before}, at most ${peak}, resident at most ${peakResident}`,
    )
    assert.equal(publisher.fault, '')
    for (const { fault } of ears) assert.equal(fault, '')
    for (const { subscriber } of [streamHere, streamThere]) assert.equal(subscriber.missed, 0)
    assert.ok(peak > 0 && peak < MEMORY_BYTES_MAX, `used_memory ${peak}`)
    assert.equal(await metric(cluster, 1, 'grpc_output_limit_total'), 1)
    assert.equal(await metric(cluster, 1, 'resp_output_limit_total'), 1)
    assert.equal(await info('stats', 'client_output_buffer_limit_disconnections'), 2)
    assert.equal(await metric(cluster, 1, 'pubsub_peer_dropped_messages_total'), 0)
    slowStream.resume()
    await slowStream.ended
    assert.equal(slowStream.failure?.code, codes.RESOURCE_EXHAUSTED)
    await eventually(() => cluster.node(1).log.includes('messages piled up'))
    for (const one of [...ears, slowEar, slowStream, publisher]) one.close()
    admin.close()
  })
})
