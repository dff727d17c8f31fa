// PubSubService on real nodes: across nodes and doors, patterns, sharded channels whose leader goes, slow readers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { status as codes, credentials, type ServiceError } from '@grpc/grpc-js'
import {
  type Publication,
  type PublishBatchResponse,
  PubSubServiceClient,
} from '../../src/gen/slotcast/v1/pubsub_service.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, type Plain } from '../chaos/connection.ts'
import { CHANNEL, PATTERN, SHARDED, StreamSubscriber } from '../chaos/stream-subscriber.ts'
import { Listening } from '../chaos/subscriber.ts'
import { eventually } from './slotcast-process.ts'

const b = (text: string): Buffer => Buffer.from(text)
/** Until all nodes know what is listened to. */
const INTEREST_MS = 300

class Publisher {
  readonly #client: PubSubServiceClient

  constructor(address: string) {
    this.#client = new PubSubServiceClient(address, credentials.createInsecure())
  }

  publish(channel: string, payload: string, sharded = false): Promise<number> {
    const publication = { channel: b(channel), payload: b(payload), sharded }
    return new Promise((resolve, reject) =>
      this.#client.publish({ publication }, (error, answer) =>
        error === null ? resolve(Number(answer.receivers)) : reject(error),
      ),
    )
  }

  batch(publications: Publication[]): Promise<PublishBatchResponse> {
    return new Promise((resolve, reject) =>
      this.#client.publishBatch({ publications }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      ),
    )
  }

  counts(sharded: boolean, ...channels: string[]): Promise<number[]> {
    return new Promise((resolve, reject) =>
      this.#client.countSubscribers({ channels: channels.map(b), sharded }, (error, answer) =>
        error === null ? resolve(answer.subscribers.map(Number)) : reject(error),
      ),
    )
  }

  channels(match: string): Promise<string[]> {
    return new Promise((resolve, reject) =>
      this.#client.listChannels({ match: b(match), sharded: false }, (error, answer) =>
        error === null ? resolve(answer.channels.map(String).sort()) : reject(error),
      ),
    )
  }

  patterns(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#client.countPatterns({}, (error, answer) =>
        error === null ? resolve(Number(answer.patterns)) : reject(error),
      ),
    )
  }

  close(): void {
    this.#client.close()
  }
}

test('messages reach gRPC subscribers of all nodes from both doors, and RESP ones from gRPC', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const here = new StreamSubscriber(cluster.grpcAddress(1), 200)
    const there = new StreamSubscriber(cluster.grpcAddress(2))
    const resp = await Listening.open(cluster.respPort(2))
    await here.subscribe(CHANNEL, 'news')
    await there.subscribe(PATTERN, 'n[a-f]ws*')
    await there.subscribe(CHANNEL, 'news')
    await resp.subscribe('SUBSCRIBE', 'news')
    await sleep(INTEREST_MS)
    const publisher = new Publisher(cluster.grpcAddress(1))
    const asker = await Connection.open(cluster.respPort(3))
    assert.equal(await publisher.publish('news', 'by grpc'), 1)
    assert.equal(await asker.ask(['PUBLISH', 'news', 'by resp']), 0)
    const { outcomes } = await publisher.batch(
      ['1', '2', '3'].map(payload => ({
        channel: b('news'),
        payload: b(payload),
        sharded: false,
      })),
    )
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      [1n, 1n, 1n].map(value => ({ $case: 'receivers', value })),
    )
    await eventually(() => here.messages.length === 5 && there.messages.length === 10)
    await eventually(() => resp.told.length === 6)
    const by = (origin: string, messages: StreamSubscriber['messages']) =>
      messages
        .filter(one => one.origin === origin && one.pattern.length === 0)
        .map(({ payload, sequence }) => `${payload} ${sequence}`)
    for (const { messages } of [here, there]) {
      assert.deepEqual(by('n1', messages), ['by grpc 1', '1 2', '2 3', '3 4'])
      assert.deepEqual(by('n3', messages), ['by resp 1'])
    }
    const patterns = there.messages.filter(({ pattern }) => pattern.equals(b('n[a-f]ws*')))
    assert.equal(patterns.length, 5)
    assert.equal(there.missed, 0)
    // A heartbeat comes where nothing does.
    const { frames } = here
    await eventually(() => here.frames > frames + 2)

    const second = new Publisher(cluster.grpcAddress(2))
    assert.deepEqual(await second.channels('ne*'), ['news'])
    assert.deepEqual(await second.counts(false, 'news', 'none'), [2, 0])
    assert.equal(await second.patterns(), 1)
    there.change({ kind: CHANNEL, unsubscribe: [b('news')] })
    await eventually(async () => (await second.counts(false, 'news'))[0] === 1)
    const list = String(await (await Connection.open(cluster.respPort(2))).ask(['CLIENT', 'LIST']))
    assert.match(list, /sub=0 psub=1/)
    // What is cancelled listens no more, anywhere.
    there.close()
    resp.close()
    await eventually(async () => (await second.counts(false, 'news'))[0] === 0)
    await eventually(async () => (await second.patterns()) === 0)
    // A client that ends its side is told things until it is deaf.
    here.end()
    await publisher.publish('news', 'after the end')
    await eventually(() => here.payloads.at(-1) === 'after the end')
    // A node that stops says so.
    await cluster.node(1).terminate()
    await here.ended
    assert.equal(here.goAway, 'the node stops')
    assert.equal(here.failure, null)
    for (const one of [publisher, second, here]) one.close()
    asker.close()
  })
})

test('a sharded channel belongs to its leader, and its subscribers are told where it went', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const [channel = '', other = ''] = await cluster.keyOfEach('orders')
    const leader = await cluster.leaderOf(channel)
    const elsewhere = (leader % 3) + 1
    const wrong = new StreamSubscriber(cluster.grpcAddress(elsewhere))
    await wrong.subscribe(SHARDED, channel)
    const [refused] = wrong.events
    assert.ok(refused?.$case === 'refused' && refused.value.reason?.$case === 'redirect')
    assert.equal(refused.value.reason.value.moved?.leader?.nodeId, `n${leader}`)

    const right = new StreamSubscriber(cluster.grpcAddress(leader))
    await right.subscribe(SHARDED, channel)
    await right.subscribe(CHANNEL, channel)
    const publisher = new Publisher(cluster.grpcAddress(leader))
    assert.equal(await publisher.publish(channel, 'sharded', true), 1)
    assert.deepEqual(await publisher.counts(true, channel), [1])
    const far = new Publisher(cluster.grpcAddress(elsewhere))
    const failure = await far.publish(channel, 'x', true).catch((error: ServiceError) => error)
    assert.ok(typeof failure === 'object' && failure.code === codes.FAILED_PRECONDITION)
    assert.match(failure.details, /^MOVED \d+ 127/)
    const items = [channel, other].map(name => ({
      channel: b(name),
      payload: b('y'),
      sharded: true,
    }))
    const { outcomes } = await publisher.batch([
      ...items,
      { ...items[0], channel: b('') } as Publication,
    ])
    const cases = outcomes.map(({ outcome }) => outcome?.$case)
    const isBoth = (await cluster.leaderOf(other)) === leader
    assert.deepEqual(cases, ['receivers', isBoth ? 'receivers' : 'redirect', 'error'])
    await eventually(() => right.messages.length === 2)
    assert.ok(right.messages.every(({ sharded }) => sharded))

    // An orderly stop: leadership goes first.
    const stopped = cluster.node(leader).terminate()
    await right.ended
    const moved = right.events.at(-1)
    assert.ok(moved?.$case === 'moved', moved?.$case)
    assert.equal(moved.value.channel.toString(), channel)
    assert.notEqual(moved.value.moved?.leader?.nodeId, `n${leader}`)
    assert.equal(right.goAway, 'the node stops')
    await stopped
    // A kill: the stream ends with it.
    const next = await cluster.leaderOf(channel)
    const last = new StreamSubscriber(cluster.grpcAddress(next))
    await last.subscribe(SHARDED, channel)
    assert.equal(last.events[0]?.$case, 'started')
    cluster.node(leader).start()
    await cluster.awaitReady()
    await cluster.node(next).kill()
    await last.ended
    assert.equal(last.failure?.code, codes.UNAVAILABLE)
    for (const one of [wrong, right, last, publisher, far]) one.close()
  })
})

test('who does not read is cut off with a reason, and others miss nothing', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({ nodes: 1 }, async cluster => {
    const resp = await Connection.open(cluster.respPort(1))
    const ask = (...words: string[]): Promise<Plain> => resp.ask(words)
    await ask('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 4mb 0 0')
    const slow = new StreamSubscriber(cluster.grpcAddress(1))
    const ear = new StreamSubscriber(cluster.grpcAddress(1))
    await slow.subscribe(CHANNEL, 'news')
    await ear.subscribe(CHANNEL, 'news')
    slow.pause()
    const payload = 'x'.repeat(20_000)
    const count = 2_000
    let receivers: Plain = null
    for (let i = 0; i < count; i += 20) {
      const all = Array.from({ length: 20 }, () => ask('PUBLISH', 'news', payload))
      receivers = (await Promise.all(all)).at(-1) ?? null
    }
    assert.equal(receivers, 1, 'the slow one is gone')
    await eventually(() => ear.messages.length === count)
    assert.equal(ear.missed, 0)
    slow.resume()
    await slow.ended
    assert.equal(slow.failure?.code, codes.RESOURCE_EXHAUSTED)
    assert.match(slow.failure?.details ?? '', /does not read: messages piled up/)
    assert.match(String(await ask('INFO', 'stats')), /client_output_buffer_limit_disconnections:1/)
    assert.match(cluster.node(1).log, /slow client cut off/)
    for (const one of [slow, ear]) one.close()
    resp.close()
  })
})
