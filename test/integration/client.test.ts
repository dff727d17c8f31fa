// The TypeScript client on real nodes: typed methods, producers that begin anew, waits that are given up.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  AbortedError,
  type Client,
  connect,
  DeadlineError,
  FencedError,
  InDoubtError,
  QueueFullError,
  type ReplyError,
  UsageError,
} from '../../src/client/index.ts'
import { LocalCluster } from '../chaos/cluster.ts'

let seeds: string[] = []
let client: Client
let release: () => void = () => {}
let story: Promise<void>

before(async () => {
  await new Promise<void>((resolve, reject) => {
    story = LocalCluster.run({}, async cluster => {
      seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number))
      client = await connect({ seeds })
      resolve()
      await new Promise<void>(done => {
        release = done
      })
    })
    story.catch(reject)
  })
})

after(async () => {
  await client.close()
  release()
  await story
})

const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`)

test('typed methods reach every node', async () => {
  for (const key of keys) assert.equal(await client.strings.set(key, `ä ${key}`), true)
  const values = await Promise.all(keys.map(key => client.strings.get(key)))
  assert.deepEqual(
    values.map(String),
    keys.map(key => `ä ${key}`),
  )
  assert.equal(await client.keys.exists(keys), 20)
  assert.equal(await client.keys.delete([...keys, 'none']), 20)
  assert.equal(await client.lists.push('l', 'right', ['a', 'b', 'c']), 3)
  assert.equal(String(await client.lists.pop('l', 'left')), 'a')
  assert.deepEqual((await client.lists.range('l')).map(String), ['b', 'c'])
  assert.equal(await client.sets.add('s', ['x', 'y']), 2)
  assert.equal(await client.sets.has('s', 'x'), true)
  assert.equal(await client.strings.increment('n', -3), -3)
  assert.equal(await client.keys.type('s'), 'set')
  const id = await client.streams.append('st', { item: 'book', größe: 1 })
  const [entry] = await client.streams.range('st')
  assert.equal(entry?.id, id)
  assert.deepEqual(entry?.toObject(), { item: 'book', größe: '1' })
  assert.equal(await client.groups.create('st', 'g'), true)
  assert.equal(await client.groups.create('st', 'g'), false)
  assert.equal((await client.groups.read('st', 'g', 'c')).length, 1)
  assert.equal((await client.groups.pending('st', 'g'))[0]?.deliveries, 1)
  assert.equal((await client.groups.claim('st', 'g', 'd', 0)).length, 1)
  assert.equal(await client.groups.ack('st', 'g', [id]), 1)
  assert.equal(await client.command('PING'), 'PONG')
  await assert.rejects(
    client.sets.add('st', ['x']),
    (error: ReplyError) => error.code === 'WRONGTYPE',
  )
})

test('a producer that is killed and begins anew with its id never duplicates', async () => {
  const items = Array.from({ length: 500 }, (_, i) => `item-${i}`)
  const append = (producer: Client, item: string) =>
    producer.streams.append('outbox', { item }, { dedupe: item })
  const first = await connect({ seeds, producer: { id: 'importer', epoch: 1 } })
  let known = 0
  const count = (): void => {
    known += 1
  }
  const lost = items.map(item => append(first, item).then(() => count()))
  for (const each of lost) each.catch(() => {})
  while (known < 100) await new Promise(resolve => setImmediate(resolve))
  // As a kill: what was sent is not heard of again.
  await first.close()
  const results = await Promise.allSettled(lost)
  const unknown = results.findIndex(({ status }) => status === 'rejected')
  assert.ok(unknown >= 0, 'something was on its way')

  // It knows what was acknowledged, and begins a little before.
  const second = await connect({ seeds, producer: { id: 'importer', epoch: 2 } })
  const from = Math.max(0, unknown - 20)
  await Promise.all(items.slice(from).map(item => append(second, item)))
  const there = (await second.streams.range('outbox')).map(entry => entry.get('item'))
  assert.equal(there.length, items.length)
  assert.deepEqual(new Set(there), new Set(items))

  // The earlier life is fenced off, if it lives on after all.
  const ghost = await connect({ seeds, producer: { id: 'importer', epoch: 1 } })
  await assert.rejects(ghost.streams.append('outbox', { item: 'late' }), FencedError)
  await Promise.all([second, ghost].map(each => each.close()))
})

test('a wait that is given up takes nothing', async () => {
  const stop = new AbortController()
  const wait = client.lists.waitPop('empty', 'left', 0, { signal: stop.signal })
  const settled = assert.rejects(
    wait,
    error => error instanceof AbortedError || error instanceof InDoubtError,
  )
  await new Promise(resolve => setTimeout(resolve, 200))
  stop.abort()
  await settled
  await new Promise(resolve => setTimeout(resolve, 200))
  await client.lists.push('empty', 'right', ['x'])
  assert.equal(await client.lists.length('empty'), 1)
  assert.equal(String(await client.lists.waitPop('empty', 'left', 1_000)), 'x')
  assert.equal(await client.lists.waitPop('empty', 'left', 50), null)
})

test('bounds and mistakes are typed errors', async () => {
  const small = await connect({ seeds, maxQueued: 10 })
  const calls = Array.from({ length: 11 }, () => small.strings.increment('bounded'))
  await assert.rejects(calls[10] as Promise<number>, QueueFullError)
  await Promise.all(calls.slice(0, 10))
  await small.close()
  assert.throws(() => client.streams.append('s', { a: 1 }, { dedupe: 'x' }), UsageError)
  await assert.rejects(connect({ seeds: ['127.0.0.1:1'], deadlineMs: 300 }), DeadlineError)
})

test('every reader of a tail sees every entry', async () => {
  const stop = new AbortController()
  const streams = keys.slice(0, 6)
  const seen = [0, 1].map(async () => {
    const found: string[] = []
    for await (const { entry } of client.tail({ streams, from: '0', signal: stop.signal })) {
      found.push(entry.get('n') ?? '')
      if (found.length === 60) break
    }
    return found.map(Number).sort((a, b) => a - b)
  })
  for (let i = 0; i < 60; i += 1) await client.streams.append(streams[i % 6] as string, { n: i })
  for (const found of await Promise.all(seen))
    assert.deepEqual(
      found,
      Array.from({ length: 60 }, (_, i) => i),
    )
  stop.abort()
})
