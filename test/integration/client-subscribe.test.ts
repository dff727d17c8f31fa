// Subscriptions of the TypeScript client on real nodes: all kinds, publishing, a leader that stops in order, a slow reader.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Gap, type Message, type Subscription } from '../../src/client/index.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection } from '../chaos/connection.ts'
import { eventually } from './slotcast-process.ts'

/** Until all nodes know what is listened to. */
const INTEREST_MS = 300

function collect(subscription: Subscription): (Message | Gap)[] {
  const seen: (Message | Gap)[] = []
  const read = async (): Promise<void> => {
    for await (const event of subscription) seen.push(event)
  }
  void read()
  return seen
}

const texts = (seen: readonly (Message | Gap)[]): string[] =>
  seen.map(event => (event.type === 'gap' ? `gap ${event.name}` : event.text))

test('channels, patterns and sharded channels of all nodes come, in order and without a gap', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number))
    const client = await connect({ seeds })
    const sharded = await cluster.keyOfEach('shard')
    const subscription = client.subscribe({ channels: ['news'], patterns: ['n[a-f]ws*'], sharded })
    await subscription.ready
    await sleep(INTEREST_MS)
    const seen = collect(subscription)
    for (let i = 0; i < 20; i += 1) await client.publish('news', `news ${i}`)
    const outcomes = await client.publishBatch(
      sharded.flatMap(channel =>
        [0, 1, 2].map(i => ({ channel, payload: `${channel} ${i}`, sharded: true })),
      ),
    )
    assert.deepEqual(
      outcomes,
      outcomes.map(() => ({ receivers: 1, error: null })),
    )
    await eventually(() => seen.length === 49)
    const messages = seen.filter(event => event.type === 'message')
    assert.equal(messages.length, 49)
    for (const kind of ['channel', 'pattern'] as const) {
      const own = messages.filter(message => message.kind === kind)
      assert.deepEqual(
        texts(own),
        Array.from({ length: 20 }, (_, i) => `news ${i}`),
      )
      assert.ok(own.every(({ pattern }) => pattern === (kind === 'pattern' ? 'n[a-f]ws*' : null)))
    }
    for (const channel of sharded)
      assert.deepEqual(
        texts(messages.filter(message => message.channel === channel)),
        [0, 1, 2].map(i => `${channel} ${i}`),
      )
    await subscription.add({ channels: ['more'] })
    await sleep(INTEREST_MS)
    subscription.remove({ patterns: ['n[a-f]ws*'], sharded })
    await client.publish('news', 'last')
    assert.equal(await client.publish(sharded[0] as string, 'nobody', { sharded: true }), 0)
    await client.publish('more', 'end')
    await eventually(() => seen.length >= 51)
    assert.deepEqual(texts(seen).slice(49).sort(), ['end', 'last'])
    await client.publish('news', Buffer.alloc(0))
    await eventually(() => texts(seen).at(-1) === '')
    await client.close()
  })
})

test('a leader that stops in order hands its subscribers on, who are told a gap', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number))
    const client = await connect({ seeds })
    const [channel = ''] = await cluster.keyOfEach('shard')
    const subscription = client.subscribe({ channels: ['news'], sharded: [channel] })
    await subscription.ready
    const seen = collect(subscription)
    await client.publish(channel, 'before', { sharded: true })
    const leader = await cluster.leaderOf(channel)
    await cluster.node(leader).terminate()
    await eventually(() => texts(seen).includes(`gap ${channel}`))
    assert.equal(await client.publish(channel, 'after', { sharded: true }), 1)
    const ofChannel = (): string[] => texts(seen).filter(text => text !== 'gap news')
    await eventually(() => ofChannel().length === 3)
    assert.deepEqual(ofChannel(), ['before', `gap ${channel}`, 'after'])
    await client.close()
  })
})

test('who reads too slowly is cut off by the node, told so, and goes on', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({ nodes: 1 }, async cluster => {
    const resp = await Connection.open(cluster.respPort(1))
    await resp.ask(['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 2mb 0 0'])
    const client = await connect({ seeds: [cluster.grpcAddress(1)] })
    const subscription = client.subscribe({ channels: ['news'], maxQueuedBytes: 100_000 })
    await subscription.ready
    const payload = Buffer.alloc(20_000, 'x')
    const publications = Array.from({ length: 40 }, () => ({ channel: 'news', payload }))
    let receivers: number | undefined = 1
    for (let i = 0; i < 20; i += 1)
      receivers = (await client.publishBatch(publications)).at(-1)?.receivers
    assert.equal(receivers, 0, 'it was cut off')
    const seen = collect(subscription)
    await eventually(() => seen.some(event => event.type === 'gap' && event.reason === 'slow'))
    await client.publish('news', 'again')
    await eventually(() => texts(seen).at(-1) === 'again')
    assert.ok(seen.length < 800)
    await client.close()
    resp.close()
  })
})
