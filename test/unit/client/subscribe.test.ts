// Subscriptions against nodes that a test plays: gaps, leaders that go, silence, refusals, bounds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import {
  AbortedError,
  ReplyError,
  SlowSubscriberError,
  UsageError,
} from '../../../src/client/errors.ts'
import type { Gap, Message } from '../../../src/client/subscribe/message.ts'
import type { Subscription } from '../../../src/client/subscribe/subscription.ts'
import { eventually, PlayedCluster } from './played-nodes.ts'

const shown = (event: Message | Gap): string =>
  event.type === 'gap'
    ? `gap ${event.kind} ${event.name} ${event.reason} ${event.missed}`
    : event.text

/** Writes down what comes. */
function listen(subscription: Subscription): string[] {
  const seen: string[] = []
  const read = async (): Promise<void> => {
    for await (const event of subscription) seen.push(shown(event))
  }
  read().catch(error => seen.push(`${(error as Error).name}`))
  return seen
}

const heads = (nodes: readonly { readonly asked: readonly string[] }[]): string[] =>
  nodes.flatMap(({ asked }) => asked).sort()

test('channels and patterns are carried by one node, sharded channels by the leader', async () => {
  await PlayedCluster.run(3, async cluster => {
    cluster.leader = 'n2'
    const client = await cluster.client()
    const subscription = client.subscribe({
      channels: ['a', 'b'],
      patterns: ['p*'],
      sharded: ['s'],
    })
    await subscription.ready
    assert.deepEqual(heads(cluster.nodes), [
      '+channel a',
      '+channel b',
      '+pattern p*',
      '+sharded s',
    ])
    assert.ok(cluster.node(2).asked.includes('+sharded s'))
    assert.equal(
      cluster.nodes.filter(
        ({ asked }) => asked.includes('+channel a') && asked.includes('+pattern p*'),
      ).length,
      1,
    )
    const seen = listen(subscription)
    await subscription.add({ channels: ['a', 'c'] })
    assert.equal(heads(cluster.nodes).filter(name => name === '+channel a').length, 1)
    for (const node of cluster.nodes) node.publish('c', 1)
    await eventually('a message', () => seen.length === 1)
    subscription.remove({ channels: ['c'] })
    await eventually('the end of it', () => heads(cluster.nodes).includes('-channel c'))
    for (const node of cluster.nodes) node.publish('c', 2)
    cluster.node(2).publish('s', 1, { sharded: true })
    await eventually('another', () => seen.length === 2)
    assert.deepEqual(seen, ['c 1', 's 1'])
  })
})

test('what the numbers of messages leave out is told as a gap, apart by origin, channel and pattern', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({ channels: ['a'], patterns: ['*'] })
    await subscription.ready
    const seen = listen(subscription)
    const node = cluster.node(1)
    for (const sequence of [5, 6, 9, 2, 3]) node.publish('a', sequence)
    node.publish('a', 7, { pattern: '*' })
    node.publish('b', 1, { pattern: '*' })
    node.publish('a', 8, { pattern: '*' })
    node.publish('a', 1, { origin: 'n9' })
    node.publish('a', 4)
    await eventually('all', () => seen.at(-1) === 'a 4')
    assert.deepEqual(seen, [
      ...['a 5', 'a 6', 'gap channel a skipped 2', 'a 9', 'gap channel a restarted null', 'a 2'],
      ...['a 3', 'a 7', 'b 1', 'a 8', 'a 1', 'a 4'],
    ])
  })
})

test('a node that dies is left, and what it carried stands elsewhere after a gap', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client()
    const notices: string[] = []
    const onEvent = ({ type }: { type: string }): void => void notices.push(type)
    const subscription = client.subscribe({ channels: ['a'], sharded: ['s'], onEvent })
    await subscription.ready
    const seen = listen(subscription)
    cluster.node(1).publish('s', 1, { sharded: true })
    await eventually('a message', () => seen.length === 1)
    cluster.node(1).kill()
    cluster.lead('n2')
    await eventually('both elsewhere', () => cluster.node(2).asked.length >= 2)
    cluster.node(2).publish('s', 1, { sharded: true })
    cluster.node(2).publish('a', 1)
    await eventually(
      'both messages',
      () => seen.includes('a 1') && seen.filter(one => one === 's 1').length === 2,
    )
    assert.ok(seen.indexOf('gap sharded s broken null') < seen.lastIndexOf('s 1'), String(seen))
    assert.ok(notices.includes('broken'))
    assert.equal(notices.filter(type => type === 'subscribed').length >= 3, true)
  })
})

test('a sharded channel that moved is followed at once, and told as a gap', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({ sharded: ['s'] })
    await subscription.ready
    const seen = listen(subscription)
    cluster.leader = 'n2'
    const value = { channel: Buffer.from('s'), moved: cluster.moved('n2') }
    const [call] = cluster.node(1).subscribers
    assert.ok(call !== undefined)
    cluster.node(1).say(call, { events: [{ event: { $case: 'moved', value } }] })
    await eventually('it stands', () => seen.length === 1)
    assert.deepEqual(seen, ['gap sharded s moved null'])
    assert.deepEqual(cluster.node(2).asked, ['+sharded s'])
    await eventually('nothing is left there', () => cluster.node(1).subscribers.length === 0)
  })
})

test('a redirect is followed without a gap, and asks nobody for the map', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client()
    cluster.leader = 'n2'
    cluster.node(1).answer = name => [
      {
        event: {
          $case: 'refused',
          value: {
            ...{ kind: 3, name: Buffer.from(name) },
            reason: {
              $case: 'redirect',
              value: { text: 'MOVED 1 x:1', moved: cluster.moved('n2') },
            },
          },
        },
      },
    ]
    const subscription = client.subscribe({ sharded: ['s'] })
    await subscription.ready
    const seen = listen(subscription)
    cluster.node(2).publish('s', 3, { sharded: true })
    await eventually('a message', () => seen.length === 1)
    assert.deepEqual(seen, ['s 3'])
    assert.equal(
      cluster.nodes.reduce((sum, { questions }) => sum + questions, 0),
      0,
    )
  })
})

test('a node that says nothing for two heartbeats is gone, but not while we do not read', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client()
    cluster.node(1).isMute = true
    const subscription = client.subscribe({ sharded: ['s'], heartbeatMs: 100 })
    await eventually('it was asked', () => cluster.node(1).asked.length > 0)
    cluster.lead('n2')
    await subscription.ready
    assert.deepEqual(cluster.node(2).asked, ['+sharded s'])
    const beat = setInterval(() => {
      for (const call of cluster.node(2).subscribers) cluster.node(2).say(call, {})
    }, 50)
    await new Promise(resolve => setTimeout(resolve, 400))
    assert.equal(cluster.node(2).begun, 1)
    clearInterval(beat)
    await eventually('it is asked again', () => cluster.node(2).begun > 1)

    const broken: string[] = []
    const onEvent = ({ type }: { type: string }): void =>
      void (type === 'broken' && broken.push(type))
    cluster.node(1).isMute = false
    const full = client.subscribe({ channels: ['c'], heartbeatMs: 100, maxQueuedBytes: 1, onEvent })
    await full.ready
    for (const node of cluster.nodes) node.publish('c', 1)
    await new Promise(resolve => setTimeout(resolve, 400))
    assert.deepEqual(broken, [])
    await full.stop()
  })
})

test('who does not take messages holds them back, and misses none of them', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({
      channels: ['c'],
      maxQueuedBytes: 200_000,
      heartbeatMs: 60_000,
    })
    await subscription.ready
    const payload = Buffer.alloc(50_000)
    const [call] = cluster.node(1).subscribers
    assert.ok(call !== undefined)
    for (let i = 1; i <= 400; i += 1) cluster.node(1).publish('c', i, { payload })
    await new Promise(resolve => setTimeout(resolve, 300))
    // 20 MB were told: a queue, grpc's own and a window are far less.
    assert.ok(call.writableLength > 100, `${call.writableLength} messages wait at the node`)
    for (let i = 0; i < 400; i += 1) {
      const { value } = await subscription.next()
      assert.equal(value?.type, 'message')
    }
  })
})

test('with whenFull fail, the iteration ends with a typed error behind what came', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({
      channels: ['c'],
      maxQueuedBytes: 1_000,
      whenFull: 'fail',
    })
    await subscription.ready
    for (let i = 1; i <= 50; i += 1) cluster.node(1).publish('c', i)
    await eventually('it is left', () => cluster.node(1).subscribers.length === 0)
    const seen = listen(subscription)
    await eventually('the end', () => seen.at(-1) === 'SlowSubscriberError')
    assert.deepEqual(seen.slice(0, 2), ['c 1', 'c 2'])
    assert.ok(new SlowSubscriberError(1).retryable)
  })
})

test('who is cut off for being slow is told so, and the node is not taken for dead', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({ channels: ['c'] })
    await subscription.ready
    const seen = listen(subscription)
    cluster.node(1).publish('c', 9)
    await eventually('the first', () => seen.length === 1)
    const [call] = cluster.node(1).subscribers
    call?.emit('error', Object.assign(new Error('slow'), { code: status.RESOURCE_EXHAUSTED }))
    await eventually('the gap', () => seen.length === 2)
    cluster.node(1).publish('c', 3)
    await eventually('the next', () => seen.length === 3)
    assert.deepEqual(seen, ['c 9', 'gap channel c slow null', 'c 3'])
    assert.equal(cluster.node(1).watches, 1)
  })
})

test('gaps that nobody took are one', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({ channels: ['c'] })
    await subscription.ready
    for (let i = 1; i <= 3; i += 1) {
      const [call] = cluster.node(1).subscribers
      call?.emit('error', Object.assign(new Error('slow'), { code: status.RESOURCE_EXHAUSTED }))
      await eventually('again', () => cluster.node(1).asked.length === 1 + i)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    const seen = listen(subscription)
    cluster.node(1).publish('c', 1)
    await eventually('the message', () => seen.at(-1) === 'c 1')
    assert.deepEqual(seen, ['gap channel c slow null', 'c 1'])
  })
})

test('what is refused for good fails where it was asked for', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({ channels: ['c'] })
    await subscription.ready
    cluster.node(1).answer = name => [
      {
        event: {
          $case: 'refused',
          value: {
            ...{ kind: 1, name: Buffer.from(name) },
            reason: { $case: 'error', value: { code: 'NOPERM', text: 'NOPERM no' } },
          },
        },
      },
    ]
    await assert.rejects(subscription.add({ channels: ['secret'] }), ReplyError)
    const seen = listen(subscription)
    cluster.node(1).publish('c', 1)
    await eventually('the others go on', () => seen.length === 1)
    const refused = client.subscribe({ channels: ['secret'] })
    await assert.rejects(refused.ready, ReplyError)
    await assert.rejects(refused.next(), ReplyError)
    assert.throws(() => client.subscribe({ channels: [''] }), UsageError)
    assert.throws(() => client.subscribe({ patterns: ['x'.repeat(1_025)] }), UsageError)
    assert.throws(() => client.subscribe({ heartbeatMs: 1 }), UsageError)
  })
})

test('a signal ends the iteration and leaves nothing behind', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const abort = new AbortController()
    const subscription = client.subscribe({ channels: ['c'], signal: abort.signal })
    await subscription.ready
    const waiting = subscription.next()
    abort.abort()
    assert.deepEqual(await waiting, { done: true, value: undefined })
    await eventually('it is left', () => cluster.node(1).subscribers.length === 0)
    const late = client.subscribe({ channels: ['c'], signal: abort.signal })
    await assert.rejects(late.ready, AbortedError)
    assert.equal((await late.next()).done, true)
    const consumer = client.consume({
      ...{ group: 'g', consumer: 'c', streams: ['s'], signal: abort.signal },
    })
    assert.equal((await consumer.next()).done, true)
  })
})

test('when the map names another leader, whoever is asked in vain is not waited for', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client()
    cluster.node(1).isMute = true
    const subscription = client.subscribe({ sharded: ['s'], heartbeatMs: 60_000 })
    await eventually('it was asked', () => cluster.node(1).asked.length > 0)
    cluster.lead('n2')
    await subscription.ready
    await eventually('nobody is asked in vain', () => cluster.node(1).subscribers.length === 0)
  })
})

test('of names that are added and removed in one turn the last word counts', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client()
    const subscription = client.subscribe({ channels: ['c'] })
    await subscription.ready
    let asked = 0
    cluster.node(1).answer = name => {
      asked += 1
      const error = { code: 'ERR', text: 'ERR not yet' }
      const value = {
        ...{ kind: 1 as const, name: Buffer.from(name) },
        reason: { $case: 'error' as const, value: error },
      }
      return asked === 1 ? [{ event: { $case: 'refused', value } }] : null
    }
    const first = subscription.add({ channels: ['d'] })
    subscription.remove({ channels: ['d'] })
    await Promise.all([first, subscription.add({ channels: ['d'] })])
    assert.equal(asked, 2)
    cluster.node(1).publish('c', 1)
    cluster.node(1).publish('d', 1)
    cluster.node(1).publish('c', 2)
    await new Promise(resolve => setTimeout(resolve, 50))
    subscription.remove({ channels: ['c'] })
    const seen = listen(subscription)
    await eventually('what is left', () => seen.length > 0)
    assert.deepEqual(seen, ['d 1'], 'what was removed does not come any more, although it was here')
  })
})
