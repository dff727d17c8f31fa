// A crowd on one node: thousands of subscribers, over RESP with a connection each and over gRPC with hundreds
// of streams on a connection, all of which hear everything that is published on another node.
//
// SLOTCAST_CHAOS_CROWD says how many, half of them of each kind.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChannelOptions, credentials } from '@grpc/grpc-js'
import { SubscribeRequest, SubscriptionKind } from '../../src/gen/slotcast/v1/pubsub.ts'
import { PubSubServiceClient } from '../../src/gen/slotcast/v1/pubsub_service.ts'
import { LocalCluster } from './cluster.ts'
import { Connection } from './connection.ts'
import { FixedEar, numberAt, payloadOf } from './fixed-ear.ts'

const { SLOTCAST_CHAOS_CROWD = '600' } = process.env
const STREAMS_A_CONNECTION = 500
/** Each subscriber listens to one of them. */
const CHANNELS = 100
const MESSAGES_A_CHANNEL = 5
const PAYLOAD_BYTES = 20
/** Sockets that are dialled at a time: the listen backlog is short. */
const DIALS = 100
const WAIT_MS_MAX = 60_000

/** What one subscriber heard: how many messages in order, or that one was not. */
type Ear = { readonly counts: number[]; fault: string; subscribed: boolean; close(): void }

function nameOf(i: number): string {
  return `crowd:${i % CHANNELS}`
}

async function overResp(port: number, i: number): Promise<Ear> {
  const ear = await FixedEar.open(port, nameOf(i), null, PAYLOAD_BYTES)
  return Object.assign(ear, { subscribed: true })
}

function overGrpc(client: PubSubServiceClient, i: number): Ear {
  const call = client.subscribe()
  const ear: Ear = { counts: [0], fault: '', subscribed: false, close: () => call.cancel() }
  call.on('data', ({ events }) => {
    for (const { event } of events) {
      if (event?.$case === 'started') ear.subscribed = true
      else if (event?.$case === 'message') {
        const number = numberAt(event.value.payload, 0)
        if (number !== ear.counts[0]) ear.fault ||= `${number} came instead of ${ear.counts[0]}`
        ear.counts[0] = number + 1
      }
    }
  })
  call.on('error', error => {
    ear.fault ||= error.message
  })
  call.write(
    SubscribeRequest.fromPartial({
      open: {},
      changes: [
        { kind: SubscriptionKind.SUBSCRIPTION_KIND_CHANNEL, subscribe: [Buffer.from(nameOf(i))] },
      ],
    }),
  )
  return ear
}

async function until(what: string, ears: readonly Ear[], holds: (ear: Ear) => boolean) {
  const end = performance.now() + WAIT_MS_MAX
  for (;;) {
    const left = ears.filter(ear => !holds(ear))
    if (left.length === 0) return
    const fault = ears.find(ear => ear.fault !== '')?.fault
    if (fault !== undefined) assert.fail(`${what}: ${fault}`)
    if (performance.now() > end) assert.fail(`${what}: not ${left.length} of ${ears.length}`)
    await sleep(20)
  }
}

test('a crowd of subscribers on one node all hear what is published on another', {
  timeout: 300_000,
}, async t => {
  const crowd = Number(SLOTCAST_CHAOS_CROWD)
  await LocalCluster.run({}, async cluster => {
    const clients: PubSubServiceClient[] = []
    const since = performance.now()
    const ofResp: Ear[] = []
    while (ofResp.length < crowd >> 1) {
      const dials = Math.min(DIALS, (crowd >> 1) - ofResp.length)
      const from = ofResp.length
      const more = Array.from({ length: dials }, (_, k) => overResp(cluster.respPort(1), from + k))
      ofResp.push(...(await Promise.all(more)))
    }
    const ofGrpc = Array.from({ length: crowd - ofResp.length }, (_, i) => {
      if (i % STREAMS_A_CONNECTION === 0) {
        const options: ChannelOptions = { 'grpc.use_local_subchannel_pool': 1 }
        const secrets = credentials.createInsecure()
        clients.push(new PubSubServiceClient(cluster.grpcAddress(1), secrets, options))
      }
      return overGrpc(clients.at(-1) as PubSubServiceClient, i)
    })
    const ears: Ear[] = [...ofResp, ...ofGrpc]
    await until('subscribed', ears, ear => ear.subscribed)
    const subscribed = performance.now() - since
    // Interest reaches other nodes some milliseconds later.
    await sleep(200)
    const publisher = await Connection.open(cluster.respPort(2))
    const from = performance.now()
    for (let n = 0; n < MESSAGES_A_CHANNEL; n += 1) {
      const payload = payloadOf(0, n, PAYLOAD_BYTES)
      for (let i = 0; i < CHANNELS; i += 1) await publisher.ask(['PUBLISH', nameOf(i), payload])
    }
    await until('heard', ears, ear => ear.counts[0] === MESSAGES_A_CHANNEL)
    t.diagnostic(
      `${crowd} subscribed in ${Math.round(subscribed)} ms, ` +
        `${crowd * MESSAGES_A_CHANNEL} messages heard within ${Math.round(performance.now() - from)} ms`,
    )
    for (const ear of ears) assert.equal(ear.fault, '')
    const numbers = await publisher.ask(['PUBSUB', 'NUMSUB', nameOf(0)])
    assert.deepEqual(numbers, [nameOf(0), 0])
    const here = await Connection.open(cluster.respPort(1))
    const counts = (await here.ask(['PUBSUB', 'NUMSUB', nameOf(0)])) as [string, number]
    assert.equal(counts[1], ears.filter((_, i) => (i % (crowd >> 1)) % CHANNELS === 0).length)
    for (const ear of ears) ear.close()
    for (const client of clients) client.close()
    await goneFrom(here)
    here.close()
    publisher.close()
  })
})

/** Who hung up is forgotten. */
async function goneFrom(connection: Connection): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX
  for (;;) {
    const counts = (await connection.ask(['PUBSUB', 'NUMSUB', nameOf(0)])) as [string, number]
    if (counts[1] === 0) return
    assert.ok(performance.now() < end, `${counts[1]} subscribers are still there`)
    await sleep(50)
  }
}
