// What a user does with node-redis' createCluster.

import assert from 'node:assert/strict'
import { createCluster } from 'redis'
import { ADDRESSES, again, go, KEYS, until } from './steps.ts'

const GROUP = 'billing'
const PIPELINE = 100
const WAIT_S = 20

const NEWS = `{${KEYS[0]}}:all`
const client = createCluster({
  rootNodes: ADDRESSES.map(({ host, port }) => ({ url: `redis://${host}:${port}` })),
})
client.on('error', () => {})
/** A client that waits needs connections of its own. */
const waiter = client.duplicate()
waiter.on('error', () => {})
const heard = new Set<string>()

/** IDs of the entries acknowledged, by stream. */
const acknowledged = new Map<string, string[]>()

function streamOf(key: string): string {
  return `{${key}}:stream`
}

async function append(key: string, value: string): Promise<string> {
  const stream = streamOf(key)
  const id = await client.xAdd(stream, '*', { item: value })
  acknowledged.set(stream, [...(acknowledged.get(stream) ?? []), id])
  return id
}

/** The IDs of what XREAD and XREADGROUP answer. */
function idsIn(read: unknown): string[] {
  const [stream] = read as [{ messages: { id: string }[] }]
  return stream.messages.map(({ id }) => id)
}

async function streams(): Promise<void> {
  await client.connect()
  await waiter.connect()
  for (const key of KEYS) {
    const stream = streamOf(key)
    const first = await append(key, 'book')
    await client.xGroupCreate(stream, GROUP, '$')
    const waiting = waiter.xReadGroup(GROUP, 'w1', [{ key: stream, id: '>' }], {
      COUNT: 10,
      BLOCK: WAIT_S * 1_000,
    })
    const id = await append(key, 'pen')
    assert.deepEqual(idsIn(await waiting), [id])
    assert.equal((await client.xPending(stream, GROUP)).pending, 1)
    const [owned] = await client.xPendingRange(stream, GROUP, '-', '+', 10)
    assert.equal(owned?.consumer, 'w1')
    assert.equal(await client.xAck(stream, GROUP, id), 1)
    assert.equal((await client.xPending(stream, GROUP)).pending, 0)
    const added = await Promise.all(
      Array.from({ length: PIPELINE }, (_, i) => append(key, String(i))),
    )
    assert.deepEqual(added, acknowledged.get(stream)?.slice(2))
    assert.equal((await client.xInfoStream(stream)).length, PIPELINE + 2)
    const [group] = await client.xInfoGroups(stream)
    assert.equal(group?.name, GROUP)
    assert.deepEqual(idsIn(await client.xRead({ key: stream, id: '0' }, { COUNT: 1 })), [first])
  }
}

async function lists(): Promise<void> {
  for (const key of KEYS) {
    const [list, other] = [`{${key}}:list`, `{${key}}:other`]
    assert.equal(await client.rPush(list, ['a', 'b', 'c']), 3)
    assert.equal(await client.lPop(list), 'a')
    assert.equal(await client.rPopLPush(list, list), 'c')
    assert.deepEqual(await client.lRange(list, 0, -1), ['c', 'b'])
    assert.equal(await client.blMove(list, other, 'LEFT', 'RIGHT', WAIT_S), 'c')
    assert.equal(await client.brPopLPush(list, other, WAIT_S), 'b')
    assert.deepEqual(await client.lRange(other, 0, -1), ['b', 'c'])
    const waiting = waiter.blPop(list, WAIT_S)
    assert.equal(await client.rPush(list, 'late'), 1)
    assert.equal((await waiting)?.element, 'late')
  }
}

async function transaction(): Promise<void> {
  for (const key of KEYS) {
    const [left, right] = [`{${key}}:left`, `{${key}}:right`]
    const both = client.multi().xAdd(left, '1-1', { n: '1' }).xAdd(right, '1-1', { n: '1' })
    assert.deepEqual(await both.xLen(left).exec(), ['1-1', '1-1', 1])
    const half = client.multi().xAdd(left, '2-1', { n: '1' }).xAdd(right, '1-1', { n: '1' })
    await assert.rejects(half.exec(), /1 commands failed/)
  }
}

/** Publishes until it is heard: interest reaches the other nodes a moment after the subscription. */
async function heardOf(expected: string, publish: () => Promise<unknown>): Promise<void> {
  await until(
    expected,
    async () => {
      if (heard.has(expected)) return true
      await publish().catch(() => {})
      return heard.has(expected)
    },
    50,
  )
}

async function broadcast(): Promise<void> {
  await client.subscribe(NEWS, (message, channel) => heard.add(`${channel} ${message}`))
  await heardOf(`${NEWS} hello`, () => client.publish(NEWS, 'hello'))
}

async function patterns(): Promise<void> {
  await client.pSubscribe(`${NEWS}.*`, (message, channel) => heard.add(`? ${channel} ${message}`))
  await heardOf(`? ${NEWS}.one hello`, () => client.publish(`${NEWS}.one`, 'hello'))
}

async function sharded(): Promise<void> {
  for (const key of KEYS) {
    const name = `{${key}}:news`
    const gone = `{${key}}:gone`
    const hear = (message: string, channel: string) => heard.add(`sharded ${channel} ${message}`)
    await client.sSubscribe([name, gone], hear)
    assert.equal(await client.sPublish(name, 'hello'), 1)
    await until('a sharded message', () => heard.has(`sharded ${name} hello`))
    await client.sUnsubscribe(gone)
    assert.equal(await client.sPublish(gone, 'nobody'), 0)
  }
}

async function streamsAgain(): Promise<void> {
  for (const key of KEYS) {
    const stream = streamOf(key)
    const id = await again(() => append(key, 'again'))
    const rows = await again(() => client.xRange(stream, '-', '+'))
    const held = new Set(rows?.map(row => row.id))
    for (const told of acknowledged.get(stream) ?? []) assert.ok(held.has(told), `${told} is lost`)
    assert.ok(held.has(id))
    const read = await again(() =>
      client.xReadGroup(GROUP, 'w1', { key: stream, id: '>' }, { COUNT: 1 }),
    )
    assert.equal(idsIn(read).length, 1)
  }
}

async function listsAgain(): Promise<void> {
  for (const key of KEYS) {
    const [list, other] = [`{${key}}:list`, `{${key}}:other`]
    assert.deepEqual(await again(() => client.lRange(other, 0, -1)), ['b', 'c'])
    await again(() => client.rPush(list, 'again'))
    assert.equal(await again(() => client.lPop(list)), 'again')
  }
}

async function broadcastAgain(): Promise<void> {
  await heardOf(`${NEWS} again`, () => client.publish(NEWS, 'again'))
  await heardOf(`? ${NEWS}.one again`, () => client.publish(`${NEWS}.one`, 'again'))
}

async function shardedAgain(): Promise<void> {
  for (const key of KEYS) {
    const channel = `{${key}}:news`
    await heardOf(`sharded ${channel} again`, () => client.sPublish(channel, 'again'))
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
