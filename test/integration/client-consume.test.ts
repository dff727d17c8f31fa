// The consumer of the TypeScript client on real nodes: credit in bytes, entries that are given back, work that is still done.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, type Consumer, connect, type Delivery } from '../../src/client/index.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { eventually } from './slotcast-process.ts'

const ENTRY_BYTES = 32
const CLAIM_MS = 600

let client: Client
let release: () => void = () => {}
let story: Promise<void>

before(async () => {
  await new Promise<void>((resolve, reject) => {
    story = LocalCluster.run({}, async cluster => {
      const seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number))
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

/** What comes and stays in hand. */
function hold(consumer: Consumer): Delivery[] {
  const held: Delivery[] = []
  const read = async (): Promise<void> => {
    for await (const delivery of consumer) held.push(delivery)
  }
  void read()
  return held
}

test('credit in bytes bounds what is in hand, and all comes as room is made', {
  timeout: 60_000,
}, async () => {
  const value = Buffer.alloc(999)
  const streams = ['bytes-a', 'bytes-b', 'bytes-c', 'bytes-d']
  const count = 200
  for (const stream of streams)
    await Promise.all(
      Array.from({ length: count }, () => client.streams.append(stream, { v: value })),
    )
  const creditBytes = 40_000
  const consumer = client.consume({
    ...{ group: 'g', consumer: 'c', streams, credit: 100_000, creditBytes },
  })
  const held = hold(consumer)
  await eventually(() => held.length > 0)
  await sleep(500)
  const entryBytes = value.length + 1 + ENTRY_BYTES
  // On each of three nodes one entry may cross the line of each of its streams.
  assert.ok(held.length <= Math.ceil(creditBytes / entryBytes) + streams.length, `${held.length}`)
  let most = 0
  let done = 0
  while (done < count * streams.length) {
    await eventually(() => held.length > 0)
    most = Math.max(most, held.length)
    done += held.length
    await Promise.all(held.splice(0).map(delivery => delivery.ack()))
  }
  assert.ok(most * entryBytes <= creditBytes + streams.length * entryBytes, `${most} at once`)
  assert.equal(consumer.acked, count * streams.length)
  await consumer.stop()
})

test('what is given back comes to the next, and tells how often it came before', {
  timeout: 60_000,
}, async () => {
  const stream = 'given-back'
  const id = await client.streams.append(stream, { n: 1 })
  const options = { group: 'g', streams: [stream], claimMinIdleMs: 60_000 }
  const first = client.consume({ ...options, consumer: 'first' })
  const delivery = (await first.next()).value
  assert.equal(delivery?.id, id)
  assert.equal(delivery?.redelivered, false)
  assert.equal(await delivery?.nack('fail'), true)
  const again = (await first.next()).value
  assert.equal(again?.id, id)
  assert.equal(again?.redelivered, true)
  assert.equal(again?.deliveriesBefore, 1)
  assert.equal(await again?.ack(), true)
  await first.stop()
  assert.deepEqual(await client.groups.pending(stream, 'g'), [])
})

test('an entry that is touched stays with its consumer, and one that is not goes to another', {
  timeout: 60_000,
}, async () => {
  const stream = 'touched'
  const options = { group: 'g', streams: [stream], claimMinIdleMs: CLAIM_MS }
  const worker = client.consume({ ...options, consumer: 'worker' })
  const kept = await client.streams.append(stream, { n: 'kept' })
  const left = await client.streams.append(stream, { n: 'left' })
  const one = (await worker.next()).value
  const two = (await worker.next()).value
  assert.deepEqual([one?.id, two?.id], [kept, left])
  // The worker's own claims must not be what takes the second one back.
  const rescuer = client.consume({ ...options, consumer: 'rescuer' })
  const rescued = hold(rescuer)
  const touching = setInterval(() => void one?.touch(), CLAIM_MS / 6)
  await sleep(3 * CLAIM_MS)
  const pending = await client.groups.pending(stream, 'g')
  const ownerOf = (id: string) => pending.find(each => each.id === id)
  assert.equal(ownerOf(kept)?.consumer, 'worker')
  assert.ok((ownerOf(kept)?.idleMs ?? CLAIM_MS) < CLAIM_MS)
  assert.ok(rescued.every(delivery => delivery.id !== kept))
  assert.ok((ownerOf(left)?.deliveries ?? 0) > 1, 'somebody took it over')
  clearInterval(touching)
  await eventually(() => rescued.some(delivery => delivery.id === kept))
  await Promise.all([worker, rescuer].map(consumer => consumer.stop()))
})
