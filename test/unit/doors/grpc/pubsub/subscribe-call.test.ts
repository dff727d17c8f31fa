// PubSubService.Subscribe at its node: confirmations, messages, what ends a subscription and what the stream.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { status as codes } from '@grpc/grpc-js'
import { Publication } from '../../../../../src/broker/pubsub/publication.ts'
import {
  SubscribeCall,
  type SubscribeTools,
} from '../../../../../src/doors/grpc/pubsub/subscribe-call.ts'
import { Words } from '../../../../../src/doors/grpc/words.ts'
import {
  type DeepPartial,
  type SubscribeEvent,
  SubscribeRequest,
  SubscribeResponse,
  type SubscriptionChange,
} from '../../../../../src/gen/slotcast/v1/pubsub.ts'
import { bulk, fail, integer, type Reply, text } from '../../../../../src/machine/reply.ts'
import { FakeDesk } from '../fake-desk.ts'

const b = (value: string): Buffer => Buffer.from(value)
const open = { heartbeat: { seconds: 5n, nanos: 0 } }

class FakeChannel extends EventEmitter {
  readonly raw: Buffer[] = []
  /** The client takes what it is sent. */
  reads = true
  paused = false
  ended = false
  failure: (Error & { code?: number }) | null = null
  #taken: (() => void)[] = []

  constructor() {
    super()
    this.on('error', error => {
      this.failure = error
    })
  }

  write(frame: Buffer, written: () => void): void {
    this.raw.push(frame)
    this.#taken.push(written)
    if (this.reads) setImmediate(() => this.take())
  }

  /** The client takes what is under way. */
  take(): void {
    for (const written of this.#taken.splice(0)) written()
  }

  end(): void {
    this.ended = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  get frames(): SubscribeResponse[] {
    return this.raw.map(bytes => SubscribeResponse.decode(bytes))
  }

  get told(): string[] {
    return this.frames.flatMap(({ events }) => events.map(asText))
  }
}

function asText({ event }: SubscribeEvent): string {
  switch (event?.$case) {
    case 'message': {
      const { channel, payload, pattern, sharded, origin, sequence } = event.value
      const by = `${pattern.length > 0 ? `(${pattern})` : ''}${sharded ? '!' : ''}`
      return `${channel}${by}=${payload} ${origin}:${sequence}`
    }
    case 'started':
    case 'ended':
      return `${event.$case} ${event.value.kind} ${event.value.name} ${event.value.subscriptions}`
    case 'refused':
      return `refused ${event.value.name} ${event.value.reason?.$case} ${event.value.reason?.value.text}`
    case 'moved':
      return `moved ${event.value.channel} ${event.value.moved?.leader?.nodeId ?? 'nowhere'}`
    default:
      return 'nothing'
  }
}

/** The calls of a test, which would go on for ever. */
const channels: FakeChannel[] = []

afterEach(() => {
  for (const channel of channels.splice(0)) channel.emit('cancelled')
})

/** What a desk answers who is alone: each subscription is one more. */
function counting(): (words: readonly string[]) => Reply {
  const names = new Set<string>()
  return ([word = '', name = '']) => {
    if (word.includes('UN')) names.delete(name)
    else names.add(name)
    return {
      kind: 'pushes',
      pushes: [[text(word.toLowerCase()), bulk(b(name)), integer(names.size)]],
    }
  }
}

function begin() {
  const desk = new FakeDesk()
  desk.atOnce = true
  desk.script = counting()
  const gathered = new Set<SubscribeCall>()
  const slow: string[] = []
  const clock = { now: 1 }
  const tools: SubscribeTools = {
    desk,
    words: new Words(),
    nodeName: 'n1',
    gathered: call => gathered.add(call),
    slow: (address, reason) => slow.push(`${address} ${reason}`),
    now: () => clock.now,
  }
  desk.onFlush(() => {
    const calls = [...gathered]
    gathered.clear()
    for (const call of calls) call.flush()
  })
  const channel = new FakeChannel()
  channels.push(channel)
  const call = new SubscribeCall(channel, tools, 'c:1', 's:1')
  const send = (frame: DeepPartial<SubscribeRequest>): void => {
    channel.emit('data', SubscribeRequest.fromPartial(frame))
  }
  const change = (...changes: DeepPartial<SubscriptionChange>[]): void => send({ changes })
  return { desk, channel, call, send, change, slow, clock }
}

function published(
  channel: string,
  payload: string | Buffer,
  sequence: number,
  origin = 2,
): Publication {
  const publication = new Publication()
  const source = Buffer.concat([b(channel), Buffer.from(payload)])
  publication.fill(source, 0, channel.length, channel.length, source.length)
  publication.origin = origin
  publication.sequence = sequence
  return publication
}

async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise(resolve => setImmediate(resolve))
}

test('each name becomes a command, done in order, and is confirmed by name', async () => {
  const { desk, channel, send, change } = begin()
  send({ open, changes: [{ kind: 1, subscribe: [b('a'), b('b')] }] })
  change({ subscribe: [b('c')], unsubscribe: [b('a')] }, { kind: 2, subscribe: [b('n*')] })
  change({ kind: 3, subscribe: [b('s')] }, { kind: 3, unsubscribe: [b('s')] })
  change({ kind: 2, unsubscribe: [b('n*')] })
  await turns()
  assert.deepEqual(
    desk.asked.map(({ words }) => words.join(' ')),
    [
      ...['SUBSCRIBE a', 'SUBSCRIBE b', 'SUBSCRIBE c', 'UNSUBSCRIBE a', 'PSUBSCRIBE n*'],
      ...['SSUBSCRIBE s', 'SUNSUBSCRIBE s', 'PUNSUBSCRIBE n*'],
    ],
  )
  assert.equal(channel.frames[0]?.opened?.nodeId, 'n1')
  assert.deepEqual(channel.told.slice(0, 5), [
    ...['started 1 a 1', 'started 1 b 2', 'started 1 c 3', 'ended 1 a 2', 'started 2 n* 3'],
  ])
})

test('messages of a turn leave in one frame, in order, with origin, sequence and pattern', async () => {
  const { desk, channel, call, send } = begin()
  send({ open })
  await turns()
  call.deliver(published('news', 'one', 1).as('message'))
  call.deliver(published('news', 'one', 1).as('pmessage', b('n*')))
  call.deliver(published('s', '', 2 ** 40, 3).as('smessage'))
  desk.turn()
  await turns()
  assert.equal(channel.raw.length, 2)
  assert.deepEqual(channel.told, ['news=one n2:1', 'news(n*)=one n2:1', `s!= n3:${2 ** 40}`])
})

test('a message is made once, and its bytes are shared by all streams', () => {
  const first = begin()
  const second = begin()
  const publication = published('news', 'x'.repeat(1_000), 1).as('message')
  first.call.deliver(publication)
  const { grpc } = publication
  second.call.deliver(publication)
  assert.equal(publication.grpc, grpc)
  for (const { desk, channel } of [first, second]) {
    desk.turn()
    assert.equal(channel.raw[0], grpc)
  }
  assert.equal(publication.as('pmessage', b('n*')).grpc.length, 0)
})

test('what is refused says why, and where a sharded channel is', async () => {
  const { desk, channel, send } = begin()
  const redirect = { kind: 'MOVED', slot: 1, epoch: 7, shard: 1, leader: 2 } as const
  desk.script = ([, name]) =>
    name === 'far' ? { ...fail('MOVED 1 127.0.0.1:7102'), redirect } : fail('ERR too many')
  send({ open, changes: [{ kind: 3, subscribe: [b('far'), b('more')] }] })
  await turns()
  assert.deepEqual(channel.told, [
    'refused far redirect MOVED 1 127.0.0.1:7102',
    'refused more error ERR too many',
  ])
})

test('a sharded channel that goes is told with its new leader, or with none that is known', async () => {
  const { desk, channel, call, send } = begin()
  send({ open })
  call.moved({ channel: 's', slot: 100, left: 1 })
  desk.leader = 1
  call.moved({ channel: 't', slot: 9_000, left: 0 })
  desk.turn()
  await turns()
  assert.deepEqual(channel.told, ['moved s n2', 'moved t nowhere'])
  const [event] = channel.frames.flatMap(({ events }) => events)
  assert.equal(event?.event?.$case === 'moved' && event.event.value.moved?.slot, 100)
})

test('who does not read has one frame under way, and is cut off at the limit of its class', async () => {
  const { desk, channel, call, send, slow } = begin()
  desk.settings.outputLimits = {
    ...desk.settings.outputLimits,
    pubsub: { hardBytes: 10_000, softBytes: 0, softFor: 0 },
  }
  send({ open })
  await turns()
  channel.reads = false
  const [session] = desk.sessions
  for (let i = 1; i <= 9; i += 1) {
    call.deliver(published('news', 'x'.repeat(1_000), i).as('message'))
    desk.turn()
  }
  assert.equal(channel.raw.length, 2)
  assert.deepEqual(slow, [])
  assert.ok(call.buffers().output > 9_000)
  call.deliver(published('news', 'x'.repeat(1_000), 10).as('message'))
  assert.match(slow.join(), /^c:1 messages piled up: 1\d+ bytes wait, .*\(10000\)$/)
  assert.equal(call.buffers().output < 2_000, true)
  await turns()
  assert.equal(channel.failure?.code, codes.RESOURCE_EXHAUSTED)
  assert.match(channel.failure?.message ?? '', /does not read/)
  assert.equal(session?.ended, true)
  call.deliver(published('news', 'x', 11).as('message'))
  assert.equal(slow.length, 1)
})

test('who is over the soft limit for as long as it says is cut off, also when nothing is published', async () => {
  const { desk, channel, call, send, slow, clock } = begin()
  desk.settings.outputLimits = {
    ...desk.settings.outputLimits,
    pubsub: { hardBytes: 0, softBytes: 1_000, softFor: 2_000 },
  }
  send({ open: { heartbeat: { seconds: 0n, nanos: 100_000_000 } } })
  await turns()
  channel.reads = false
  call.deliver(published('news', 'x'.repeat(2_000), 1).as('message'))
  await sleep(120)
  assert.deepEqual(slow, [])
  clock.now += 2_000
  await sleep(120)
  assert.match(slow.join(), /for 2 seconds \(1000\)/)
  assert.equal(channel.failure?.code, codes.RESOURCE_EXHAUSTED)
})

test('what waited for a slow client comes whole and in order when it reads again', async () => {
  const { desk, channel, call, send } = begin()
  send({ open })
  await turns()
  channel.reads = false
  const count = 2_000
  for (let i = 1; i <= count; i += 1) {
    call.deliver(published('news', 'x'.repeat(500), i).as('message'))
    if (i % 7 === 0) desk.turn()
  }
  channel.reads = true
  channel.take()
  await turns(40)
  const sequences = channel.frames.flatMap(({ events }) =>
    events.map(({ event }) => (event?.$case === 'message' ? Number(event.value.sequence) : -1)),
  )
  assert.deepEqual(
    sequences,
    Array.from({ length: count }, (_, i) => i + 1),
  )
  assert.ok(channel.raw.every(({ length }) => length <= 256 * 1024))
  assert.equal(call.buffers().output, 0)
})

test('a silent stream beats, and one that is stuck for a minute is cut off', async () => {
  const { desk, channel, call, send, slow, clock } = begin()
  send({ open: { heartbeat: { seconds: 0n, nanos: 100_000_000 } } })
  await sleep(220)
  assert.ok(channel.raw.filter(({ length }) => length === 0).length >= 2)
  channel.reads = false
  call.deliver(published('news', 'x', 1).as('message'))
  desk.turn()
  await sleep(120)
  clock.now += 61_000
  await sleep(120)
  assert.match(slow.join(), /under way for too long/)
})

test('a frame that is wrong ends the stream', () => {
  const faults: [DeepPartial<SubscribeRequest>[], RegExp][] = [
    [[{}], /first frame has no open/],
    [[{ open }, { open }], /not the first has open/],
    [[{ open: { heartbeat: { seconds: 0n, nanos: 1 } } }], /heartbeat/],
    [[{ open, changes: [{ kind: 9 as 1, subscribe: [b('a')] }] }], /kind is unknown/],
    [[{ open, changes: [{ subscribe: [b('')] }] }], /name is empty/],
    [[{ open, changes: [{ subscribe: Array(300_000).fill(b('a')) }] }], /over 262144 names/],
  ]
  for (const [frames, expected] of faults) {
    const { channel, send, desk } = begin()
    for (const frame of frames) send(frame)
    assert.equal(channel.failure?.code, codes.INVALID_ARGUMENT)
    assert.match(channel.failure?.message ?? '', expected)
    assert.equal(desk.sessions[0]?.ended, true)
  }
})

test('cancelling leaves the desk', () => {
  const { channel, desk, send } = begin()
  send({ open, changes: [{ subscribe: [b('a')] }] })
  channel.emit('cancelled')
  assert.equal(desk.sessions[0]?.ended, true)
})

test('a node that stops says so behind what waits, and ends the stream', async () => {
  const { channel, desk, call, send } = begin()
  send({ open, changes: [{ subscribe: [b('a')] }] })
  await turns()
  call.deliver(published('a', 'last', 1).as('message'))
  call.finish('the node stops')
  assert.equal(desk.sessions[0]?.ended, true)
  await turns()
  assert.equal(channel.told.at(-1), 'a=last n2:1')
  assert.equal(channel.frames.at(-1)?.goAway?.reason, 'the node stops')
  assert.equal(channel.ended, true)
})

test('a client that ended its side is told things until nothing is subscribed', async () => {
  const { channel, call, send, desk } = begin()
  send({ open, changes: [{ kind: 3, subscribe: [b('s')] }] })
  channel.emit('end')
  await turns()
  assert.equal(channel.ended, false)
  call.moved({ channel: 's', slot: 1, left: 0 })
  desk.turn()
  await turns()
  assert.equal(channel.told.at(-1), 'moved s n2')
  assert.equal(channel.ended, true)
})

test('while the desk takes no commands the client is held back, and none is lost', async () => {
  const { channel, desk, call, send } = begin()
  desk.takesMax = 2
  send({ open, changes: [{ subscribe: [b('a'), b('b'), b('c')] }] })
  assert.equal(desk.asked.length, 2)
  assert.equal(channel.paused, true)
  desk.takesMax = 9
  call.resume()
  await turns()
  assert.equal(desk.asked.length, 3)
  assert.equal(channel.paused, false)
})
