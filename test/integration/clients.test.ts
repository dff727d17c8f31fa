// Clients of others, unmodified, on a cluster of three: redis-cli, ioredis, node-redis, and Python over gRPC.

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Cluster } from 'ioredis'
import { createClient, createCluster, WatchError } from 'redis'
import { LocalCluster } from '../chaos/cluster.ts'
import { redisCliSession, withoutRedisCli } from './redis-cli-session.ts'
import { eventually } from './slotcast-process.ts'

const PYTHON = '/usr/bin/python3'
const PROTOC = 'protoc'
const PROGRAM = fileURLToPath(new URL('python/session.py', import.meta.url))
const CALLS = 8 * 64

/** Why the Python program cannot run here, or false. */
function withoutPython(): string | false {
  if (spawnSync(PYTHON, ['-c', 'import grpc, google.protobuf']).status !== 0)
    return `${PYTHON} has no grpcio`
  const makers = [spawnSync(PROTOC, ['--version']), spawnSync(PYTHON, ['-c', 'import grpc_tools'])]
  return makers.some(({ status }) => status === 0) ? false : 'neither protoc nor grpc_tools is here'
}

test('clients of others do whole sessions', { timeout: 240_000 }, async t => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('orders')
    const ports = [1, 2, 3].map(node => cluster.respPort(node))
    await t.test(
      'redis-cli -c, on keys of all nodes, from each node',
      { skip: withoutRedisCli() },
      () => {
        for (const port of ports) for (const key of keys) redisCliSession(port, key)
      },
    )
    await t.test('ioredis Cluster', () => ioredisSession(ports, keys))
    await t.test('node-redis cluster', () => nodeRedisSession(ports, keys))
    await t.test('node-redis with RESP3, on one node', () =>
      resp3Session(ports[0] ?? 0, keys[0] ?? ''),
    )
    await t.test('pub/sub by ioredis Cluster and node-redis cluster', () =>
      pubsubSession(ports, keys),
    )
    await t.test('Python over gRPC, by proto/ alone', { skip: withoutPython() }, async () => {
      const addresses = [1, 2, 3].map(node => cluster.grpcAddress(node))
      const { stdout } = await promisify(execFile)(PYTHON, [PROGRAM, ...addresses])
      const done = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
      assert.equal(done.nodes, 3)
      assert.equal(done.appended_in_sessions, CALLS)
      assert.ok(done.redirects_by_details > 0, 'redirects were followed from status details')
      assert.ok(done.redirects_by_trailer > 0, 'redirects were followed from the trailer')
      assert.ok(done.redirects_in_band > 0, 'redirects were followed within sessions')
    })
  })
})

async function ioredisSession(ports: readonly number[], keys: readonly string[]): Promise<void> {
  const client = new Cluster(ports.slice(0, 1).map(port => ({ host: '127.0.0.1', port })))
  try {
    for (const key of keys) {
      await client.del(key)
      assert.equal(await client.xadd(key, '1-1', 'item', 'book'), '1-1')
      await client.xgroup('CREATE', key, 'billing', '$')
      // A client that waits needs a connection of its own.
      const waiter = client.duplicate()
      const waiting = waiter.xreadgroup(
        'GROUP',
        'billing',
        'w1',
        'COUNT',
        10,
        'BLOCK',
        20_000,
        'STREAMS',
        key,
        '>',
      )
      await client.xadd(key, '1-2', 'item', 'pen')
      assert.deepEqual(await waiting, [[key, [['1-2', ['item', 'pen']]]]])
      waiter.disconnect()
      assert.equal(await client.xack(key, 'billing', '1-2'), 1)
      const pipeline = client.pipeline()
      for (let i = 0; i < 100; i += 1) pipeline.xadd(key, `2-${i}`, 'n', String(i))
      pipeline.xlen(key)
      const replies = (await pipeline.exec()) ?? []
      assert.deepEqual(replies.at(-1), [null, 102])
      assert.deepEqual(
        replies.slice(0, -1).map(([, id]) => id),
        Array.from({ length: 100 }, (_, i) => `2-${i}`),
      )
      assert.deepEqual(await client.xread('COUNT', 1, 'STREAMS', key, '2-98'), [
        [key, [['2-99', ['n', '99']]]],
      ])
      const done = await client.multi().xadd(key, '3-1', 'n', '1').xlen(key).exec()
      assert.deepEqual(done, [
        [null, '3-1'],
        [null, 103],
      ])
      const refused = client.multi().xadd(key, '4-1', 'n', '1').xadd(key, '3-1', 'n', '1').exec()
      assert.match(String((await refused)?.[1]?.[0]), /equal or smaller than the target/)
    }
  } finally {
    client.disconnect()
  }
}

async function nodeRedisSession(ports: readonly number[], keys: readonly string[]): Promise<void> {
  const client = createCluster({
    rootNodes: ports.map(port => ({ url: `redis://127.0.0.1:${port}` })),
  })
  await client.connect()
  try {
    for (const key of keys) {
      await client.del(key)
      assert.equal(await client.xAdd(key, '1-1', { item: 'book' }), '1-1')
      await client.xGroupCreate(key, 'billing', '0')
      const read = await client.xReadGroup('billing', 'w1', [{ key, id: '>' }], {
        COUNT: 10,
        BLOCK: 1_000,
      })
      assert.match(JSON.stringify(read), /"1-1"/)
      const pending = await client.xPending(key, 'billing')
      assert.equal(pending.pending, 1)
      assert.equal(await client.xAck(key, 'billing', '1-1'), 1)
      const added = await Promise.all(
        Array.from({ length: 200 }, (_, i) => client.xAdd(key, `2-${i}`, { n: String(i) })),
      )
      assert.equal(added.at(-1), '2-199')
      assert.equal(await client.xLen(key), 201)
      const done = await client.multi().xAdd(key, '3-0', { n: '1' }).xLen(key).exec()
      assert.deepEqual(done, ['3-0', 202])
      assert.equal((await client.xInfoStream(key)).length, 202)
    }
  } finally {
    await client.close()
  }
}

async function resp3Session(port: number, key: string): Promise<void> {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 3 })
  await client.connect()
  try {
    await client.del(key)
    await client.xAdd(key, '1-1', { item: 'book' })
    const info = await client.xInfoStream(key)
    assert.equal(info.length, 1)
    const read = await client.sendCommand(['XREAD', 'STREAMS', key, '0'])
    assert.equal(Array.isArray(read), false, 'a map in RESP3')
    await client.xGroupCreate(key, 'g', '0')
    const [group] = await client.xInfoGroups(key)
    assert.equal(group?.name, 'g')
    await client.watch(key)
    assert.deepEqual(await client.multi().xAdd(key, '2-1', { n: '1' }).ping().exec(), [
      '2-1',
      'PONG',
    ])
    await client.watch(key)
    await client.xAdd(key, '3-1', { n: '1' })
    await assert.rejects(client.multi().xDel(key, '1-1').exec(), WatchError)
    assert.equal(await client.xLen(key), 3)
  } finally {
    await client.close()
  }
}

/** Channels and patterns through one node each, sharded channels at their leaders. */
async function pubsubSession(ports: readonly number[], keys: readonly string[]): Promise<void> {
  const io = new Cluster(ports.slice(1, 2).map(port => ({ host: '127.0.0.1', port })))
  const publisher = new Cluster(ports.slice(0, 1).map(port => ({ host: '127.0.0.1', port })))
  const node = createCluster({
    rootNodes: ports.map(port => ({ url: `redis://127.0.0.1:${port}` })),
  })
  await node.connect()
  const heard: string[] = []
  io.on('message', (channel, message) => heard.push(`io ${channel} ${message}`))
  io.on('pmessage', (pattern, channel, message) =>
    heard.push(`io ${pattern} ${channel} ${message}`),
  )
  try {
    await io.subscribe('news')
    await io.psubscribe('n*')
    await node.subscribe('news', (message, channel) => heard.push(`node ${channel} ${message}`))
    await node.pSubscribe('new?', (message, channel) => heard.push(`node? ${channel} ${message}`))
    for (const key of keys)
      await node.sSubscribe(key, (message, channel) => heard.push(`shard ${channel} ${message}`))
    // Interest reaches the other nodes with the next turn.
    await eventually(async () => {
      await publisher.publish('news', 'hello')
      return new Set(heard).size === 4
    })
    for (const key of keys) assert.equal(await node.sPublish(key, 'to the shard'), 1)
    await eventually(() => new Set(heard).size === 4 + keys.length)
    const expected = ['io news hello', 'io n* news hello', 'node news hello', 'node? news hello']
    for (const key of keys) expected.push(`shard ${key} to the shard`)
    assert.deepEqual([...new Set(heard)].sort(), expected.sort())
    await io.unsubscribe('news')
    for (const key of keys) await node.sUnsubscribe(key)
    for (const key of keys) assert.equal(await node.sPublish(key, 'nobody'), 0)
  } finally {
    io.disconnect()
    publisher.disconnect()
    await node.close()
  }
}
