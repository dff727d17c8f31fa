// Pub/sub on a cluster of processes: everybody gets everything in order, who does not
// listen gets no bytes, a dead leader's subscribers know it, and who does not read is cut off.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../integration/slotcast-process.ts'
import { LocalCluster } from './cluster.ts'
import { Connection, Refused } from './connection.ts'
import { Listening } from './subscriber.ts'

const SUBSCRIBERS_A_NODE = 20
const MESSAGES = 2_000
const PIPELINE = 100
const RESUBSCRIBED_MS_MAX = 2_000

/** Publishes `count` numbered messages from a node, in pipelines. */
async function publish(port: number, channel: string, by: string, count: number): Promise<void> {
  const connection = await Connection.open(port)
  for (let i = 0; i < count; i += PIPELINE) {
    const batch = Array.from({ length: Math.min(PIPELINE, count - i) }, (_, k) =>
      connection.ask(['PUBLISH', channel, `${by} ${i + k}`]),
    )
    for (const reply of await Promise.all(batch)) assert.equal(typeof reply, 'number')
  }
  connection.close()
}

/** The numbers that `publisher` gave what a subscription got. */
function numbersBy(ear: Listening, kind: string, publisher: string): number[] {
  const numbers: number[] = []
  for (const told of ear.told) {
    const [by, number] = (told.at(-1) ?? '').split(' ')
    if (told[0] === kind && by === publisher) numbers.push(Number(number))
  }
  return numbers
}

const inOrder = Array.from({ length: MESSAGES }, (_, i) => i)

test('messages reach subscribers of all nodes once and in order, and no other node', {
  timeout: 180_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const ears: { readonly ear: Listening; readonly kind: string }[] = []
    for (const node of [1, 2]) {
      for (let i = 0; i < SUBSCRIBERS_A_NODE; i += 1) {
        const ear = await Listening.open(cluster.respPort(node))
        const isPlain = i % 2 === 0
        if (isPlain) await ear.subscribe('SUBSCRIBE', 'news')
        else await ear.subscribe('PSUBSCRIBE', 'n?w*')
        ears.push({ ear, kind: isPlain ? 'message' : 'pmessage' })
      }
    }
    await sleep(500)
    const quiet = await metric(cluster, 3, 'pubsub_peer_received_bytes_total')
    await Promise.all([1, 2, 3].map(n => publish(cluster.respPort(n), 'news', `p${n}`, MESSAGES)))
    const isDone = ({ told }: Listening) => told.length > 3 * MESSAGES
    await eventually(() => ears.every(({ ear }) => isDone(ear)))
    for (const { ear, kind } of ears)
      for (const by of ['p1', 'p2', 'p3']) assert.deepEqual(numbersBy(ear, kind, by), inOrder)
    assert.equal(await metric(cluster, 3, 'pubsub_peer_received_bytes_total'), quiet)
    // Once a node, however many listen there.
    assert.equal(await metric(cluster, 3, 'pubsub_peer_sent_messages_total'), 2 * MESSAGES)
    assert.equal(await metric(cluster, 1, 'pubsub_peer_dropped_messages_total'), 0)

    // A node that was away hears again of what others listen to, and they of it.
    await cluster.node(3).kill()
    cluster.node(3).start()
    await cluster.awaitReady()
    const late = await Listening.open(cluster.respPort(3))
    await late.subscribe('PSUBSCRIBE', 'back*')
    const first = ears[0]?.ear as Listening
    await eventually(async () => {
      await publish(cluster.respPort(3), 'news', 'again', 1)
      return numbersBy(first, 'message', 'again').length > 0
    })
    await eventually(async () => {
      await publish(cluster.respPort(2), 'back to n3', 'home', 1)
      return numbersBy(late, 'pmessage', 'home').length > 0
    })
    for (const { ear } of ears) ear.close()
    late.close()
  })
})

test('a sharded channel stays at its leader, and its subscribers learn when it goes', {
  timeout: 180_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const [, channel] = (await cluster.keyOfEach('orders')) as [string, string]
    const leader = await cluster.leaderOf(channel)
    const elsewhere = await Connection.open(cluster.respPort((leader % 3) + 1))
    const moved = await elsewhere.ask(['SPUBLISH', channel, 'x'])
    assert.ok(moved instanceof Refused && moved.word === 'MOVED', String(moved))
    const ear = await Listening.open(cluster.respPort(leader))
    await ear.subscribe('SSUBSCRIBE', channel)
    const publisher = await Connection.open(cluster.respPort(leader))
    assert.equal(await publisher.ask(['SPUBLISH', channel, 'hello']), 1)
    await ear.heard(told => told[0] === 'smessage' && told[2] === 'hello')
    for (const node of [1, 2, 3])
      assert.equal(await metric(cluster, node, 'pubsub_peer_sent_messages_total'), 0)

    // An orderly stop: leadership goes first, and the notice comes before the end.
    const stopped = cluster.node(leader).terminate()
    await Promise.race([ear.heard(told => told[0] === 'sunsubscribe'), ear.ended])
    assert.deepEqual(ear.told.at(-1), ['sunsubscribe', channel, '0'])
    await resubscribe(cluster, channel)
    await stopped
    cluster.node(leader).start()
    await cluster.awaitReady()

    // A kill: the connection ends.
    const next = await cluster.leaderOf(channel)
    const other = await Listening.open(cluster.respPort(next))
    await other.subscribe('SSUBSCRIBE', channel)
    await cluster.node(next).kill()
    await other.ended
    await resubscribe(cluster, channel)
  })
})

/** A client that follows redirects has its subscription back soon. */
async function resubscribe(cluster: LocalCluster, channel: string): Promise<void> {
  const since = performance.now()
  for (;;) {
    for (const { number, isRunning } of cluster.nodes) {
      if (!isRunning) continue
      const ear = await Listening.open(cluster.respPort(number)).catch(() => null)
      if (ear === null) continue
      ear.say('SSUBSCRIBE', channel)
      await Promise.race([ear.heard(() => true), ear.ended])
      const isSubscribed = ear.told[0]?.[0] === 'ssubscribe'
      ear.close()
      if (!isSubscribed) continue
      const ms = performance.now() - since
      assert.ok(ms < RESUBSCRIBED_MS_MAX, `subscribed again after ${ms} ms`)
      return
    }
    await sleep(20)
  }
}

test('a subscriber that does not read is cut off, and costs the others nothing', {
  timeout: 180_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const admin = await Connection.open(cluster.respPort(1))
    await admin.ask(['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 4mb 1mb 60'])
    const slow = await Listening.open(cluster.respPort(1))
    await slow.subscribe('SUBSCRIBE', 'news')
    slow.pause()
    const ear = await Listening.open(cluster.respPort(1))
    await ear.subscribe('SUBSCRIBE', 'news')
    const publisher = await Connection.open(cluster.respPort(1))
    const payload = 'x'.repeat(20_000)
    const count = 2_000
    let delivered = 2
    for (let i = 0; i < count; i += 20) {
      const replies = await Promise.all(
        Array.from({ length: 20 }, () => publisher.ask(['PUBLISH', 'news', payload])),
      )
      delivered = Number(replies.at(-1))
    }
    assert.equal(delivered, 1, 'the slow one is gone')
    await eventually(() => ear.told.length === count + 1)
    assert.equal(await metric(cluster, 1, 'resp_output_limit_total'), 1)
    assert.match(
      String(await admin.ask(['INFO', 'stats'])),
      /client_output_buffer_limit_disconnections:1/,
    )
    assert.match(cluster.node(1).log, /messages piled up/)
    ear.close()
    slow.close()
  })
})

async function metric(cluster: LocalCluster, node: number, name: string): Promise<number> {
  const text = await cluster.metrics(node)
  const line = text.split('\n').find(one => one.startsWith(`slotcast_${name} `))
  return Number(line?.split(' ').at(-1) ?? Number.NaN)
}
