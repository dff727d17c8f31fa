// What a user does with ioredis' Cluster.

import assert from 'node:assert/strict'
import { Cluster } from 'ioredis'
import { ADDRESSES, again, go, KEYS, until } from './steps.ts'

const GROUP = 'billing'
const PIPELINE = 100
const WAIT_S = 20

const NEWS = `{${KEYS[0]}}:all`
const nodes = ADDRESSES.map(({ host, port }) => ({ host, port }))
const client = new Cluster(nodes.slice(0, 1), { shardedSubscribers: true })
/** Pub/sub takes no other commands: a connection of its own, as ioredis' README says. */
const ear = new Cluster(nodes, { shardedSubscribers: true })
const heard = new Set<string>()
ear.on('message', (channel, message) => heard.add(`${channel} ${message}`))
ear.on('pmessage', (pattern, channel, message) => heard.add(`${pattern} ${channel} ${message}`))
ear.on('smessage', (channel, message) => heard.add(`sharded ${channel} ${message}`))
// Without a listener ioredis prints each.
for (const cluster of [client, ear]) cluster.on('error', () => {})

/** IDs of the entries acknowledged, by stream. */
const acknowledged = new Map<string, string[]>()

function streamOf(key: string): string {
  return `{${key}}:stream`
}

async function append(key: string, value: string): Promise<string> {
  const stream = streamOf(key)
  const id = await client.xadd(stream, '*', 'item', value)
  assert.ok(id !== null)
  acknowledged.set(stream, [...(acknowledged.get(stream) ?? []), id])
  return id
}

async function streams(): Promise<void> {
  for (const key of KEYS) {
    const stream = streamOf(key)
    await append(key, 'book')
    assert.equal(await client.xgroup('CREATE', stream, GROUP, '$'), 'OK')
    // A client that waits needs a connection of its own.
    const waiter = client.duplicate()
    const waiting = waiter.xreadgroup(
      'GROUP',
      GROUP,
      'w1',
      'COUNT',
      10,
      'BLOCK',
      WAIT_S * 1_000,
      'STREAMS',
      stream,
      '>',
    )
    const id = await append(key, 'pen')
    assert.deepEqual(await waiting, [[stream, [[id, ['item', 'pen']]]]])
    waiter.disconnect()
    assert.deepEqual(await client.xpending(stream, GROUP), [1, id, id, [['w1', '1']]])
    assert.equal(await client.xack(stream, GROUP, id), 1)
    assert.deepEqual(await client.xpending(stream, GROUP), [0, null, null, null])
    const pipeline = client.pipeline()
    for (let i = 0; i < PIPELINE; i += 1) pipeline.xadd(stream, '*', 'n', String(i))
    pipeline.xlen(stream)
    const replies = (await pipeline.exec()) ?? []
    assert.deepEqual(replies.pop(), [null, PIPELINE + 2])
    assert.equal(replies.length, PIPELINE)
    for (const [error, added] of replies) {
      assert.equal(error, null)
      acknowledged.get(stream)?.push(String(added))
    }
    const info = (await client.xinfo('STREAM', stream)) as unknown[]
    assert.equal(info[info.indexOf('length') + 1], PIPELINE + 2)
    assert.deepEqual(await client.xread('COUNT', 1, 'STREAMS', stream, '0'), [
      [stream, [[acknowledged.get(stream)?.[0], ['item', 'book']]]],
    ])
  }
}

async function lists(): Promise<void> {
  for (const key of KEYS) {
    const [list, other] = [`{${key}}:list`, `{${key}}:other`]
    assert.equal(await client.rpush(list, 'a', 'b', 'c'), 3)
    assert.equal(await client.lpop(list), 'a')
    assert.equal(await client.rpoplpush(list, list), 'c')
    assert.deepEqual(await client.lrange(list, 0, -1), ['c', 'b'])
    assert.equal(await client.blmove(list, other, 'LEFT', 'RIGHT', WAIT_S), 'c')
    assert.equal(await client.brpoplpush(list, other, WAIT_S), 'b')
    assert.deepEqual(await client.lrange(other, 0, -1), ['b', 'c'])
    const waiter = client.duplicate()
    const waiting = waiter.blpop(list, WAIT_S)
    assert.equal(await client.rpush(list, 'late'), 1)
    assert.deepEqual(await waiting, [list, 'late'])
    waiter.disconnect()
  }
}

async function transaction(): Promise<void> {
  for (const key of KEYS) {
    const [left, right] = [`{${key}}:left`, `{${key}}:right`]
    const both = client.multi().xadd(left, '1-1', 'n', '1').xadd(right, '1-1', 'n', '1')
    assert.deepEqual(await both.xlen(left).exec(), [
      [null, '1-1'],
      [null, '1-1'],
      [null, 1],
    ])
    const half = client.multi().xadd(left, '2-1', 'n', '1').xadd(right, '1-1', 'n', '1').exec()
    assert.match(String((await half)?.[1]?.[0]), /equal or smaller than the target/)
  }
}

/** Publishes until it is heard: interest reaches the other nodes a moment after the subscription. */
async function heardOf(expected: string, publish: (round: number) => Promise<unknown>) {
  let round = 0
  await until(
    expected,
    async () => {
      if (heard.has(expected)) return true
      await publish(round++).catch(() => {})
      return heard.has(expected)
    },
    50,
  )
}

async function broadcast(): Promise<void> {
  assert.equal(await ear.subscribe(NEWS, `${NEWS}-gone`), 2)
  await heardOf(`${NEWS} hello`, () => client.publish(NEWS, 'hello'))
  assert.equal(await ear.unsubscribe(`${NEWS}-gone`), 1)
}

async function patterns(): Promise<void> {
  assert.equal(await ear.psubscribe(`${NEWS}.*`), 2)
  await heardOf(`${NEWS}.* ${NEWS}.one hello`, () => client.publish(`${NEWS}.one`, 'hello'))
}

async function sharded(): Promise<void> {
  for (const key of KEYS) {
    const [channel, gone] = [`{${key}}:news`, `{${key}}:gone`]
    await ear.ssubscribe(channel, gone)
    assert.equal(await client.spublish(channel, 'hello'), 1)
    await until('a sharded message', () => heard.has(`sharded ${channel} hello`))
    await ear.sunsubscribe(gone)
    assert.equal(await client.spublish(gone, 'nobody'), 0)
  }
}

async function streamsAgain(): Promise<void> {
  for (const key of KEYS) {
    const stream = streamOf(key)
    const id = await again(() => append(key, 'again'))
    const rows = await again(() => client.xrange(stream, '-', '+'))
    const held = new Set(rows.map(([row]) => row))
    for (const told of acknowledged.get(stream) ?? []) assert.ok(held.has(told), `${told} is lost`)
    const read = await again(() =>
      client.xreadgroup('GROUP', GROUP, 'w1', 'COUNT', 1, 'STREAMS', stream, '>'),
    )
    assert.ok(read !== null)
    assert.ok(held.has(id))
  }
}

async function listsAgain(): Promise<void> {
  for (const key of KEYS) {
    const [list, other] = [`{${key}}:list`, `{${key}}:other`]
    assert.deepEqual(await again(() => client.lrange(other, 0, -1)), ['b', 'c'])
    await again(() => client.rpush(list, 'again'))
    assert.equal(await again(() => client.lpop(list)), 'again')
  }
}

async function broadcastAgain(): Promise<void> {
  await heardOf(`${NEWS} again`, () => client.publish(NEWS, 'again'))
  await heardOf(`${NEWS}.* ${NEWS}.one again`, () => client.publish(`${NEWS}.one`, 'again'))
}

async function shardedAgain(): Promise<void> {
  for (const key of KEYS) {
    const channel = `{${key}}:news`
    await heardOf(`sharded ${channel} again`, () => client.spublish(channel, 'again'))
  }
}

await go({
  before: { streams, lists, transaction, broadcast, patterns, sharded },
  after: {
    'streams-again': streamsAgain,
    'lists-again': listsAgain,
    'broadcast-again': broadcastAgain,
    'sharded-again': shardedAgain,
  },
})
