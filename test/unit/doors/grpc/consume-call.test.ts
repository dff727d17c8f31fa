// GroupService.Consume at its node: credit, replay, what ends a stream and what ends the call.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { afterEach, test } from 'node:test'
import {
  ConsumeCall,
  type ConsumeChannel,
  type ConsumeTools,
} from '../../../../src/doors/grpc/consume/consume-call.ts'
import { Words } from '../../../../src/doors/grpc/words.ts'
import {
  ConsumeRequest,
  type ConsumeResponse,
  type DeepPartial,
} from '../../../../src/gen/slotcast/v1/consume.ts'
import {
  array,
  bulk,
  fail,
  integer,
  NULL_ARRAY,
  type Reply,
} from '../../../../src/machine/reply.ts'
import { FakeDesk } from './fake-desk.ts'

class FakeChannel extends EventEmitter {
  readonly frames: ConsumeResponse[] = []
  room = true
  paused = false
  ended = false
  failure: (Error & { code?: number }) | null = null

  constructor() {
    super()
    this.on('error', error => {
      this.failure = error
    })
  }

  write(frame: ConsumeResponse): boolean {
    this.frames.push(frame)
    return this.room
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

  /** Entries that came, as `key:id`, those that may have come before with a `*`. */
  get entries(): string[] {
    return this.frames.flatMap(({ entries }) =>
      entries.flatMap(({ key, entries: found }) =>
        found.map(({ entry, redelivered }) => `${key}:${entry?.id}${redelivered ? '*' : ''}`),
      ),
    )
  }

  get ends(): string[] {
    return this.frames.flatMap(({ ended }) =>
      ended.map(({ key, reason }) => `${key}:${reason?.$case}:${reason?.value.text}`),
    )
  }

  token(key: string): string {
    const found = this.frames.flatMap(({ entries }) => entries)
    return found.findLast(each => each.key.toString() === key)?.resumeToken.toString() ?? ''
  }
}

type Frame = DeepPartial<ConsumeRequest>

const b = (text: string): Buffer => Buffer.from(text)
const open = { group: b('g'), consumer: b('me') }
const row = (id: string, ...more: Reply[]): Reply =>
  array([bulk(b(id)), array([bulk(b('item')), bulk(b('7'))]), ...more])

/** What XREADGROUP answers of one key. */
const brought = (key: string, ...rows: Reply[]): Reply => ({
  kind: 'pairs',
  items: [bulk(b(key)), array(rows)],
})

/** The calls of a test, which would go on for ever. */
const channels: FakeChannel[] = []

afterEach(() => {
  for (const channel of channels.splice(0)) channel.emit('cancelled')
})

function begin() {
  const desk = new FakeDesk()
  const gathered = new Set<ConsumeCall>()
  const tools: ConsumeTools = {
    desk,
    words: new Words(),
    nodeName: 'n1',
    gathered: call => gathered.add(call),
  }
  desk.onFlush(() => {
    const calls = [...gathered]
    gathered.clear()
    for (const call of calls) call.flush()
  })
  // Nothing is there to be read; a wait is never answered.
  desk.script = words => (words.includes('BLOCK') ? null : NULL_ARRAY)
  const channel = new FakeChannel()
  channels.push(channel)
  const call = new ConsumeCall(channel as unknown as ConsumeChannel, tools, 'c:1', 's:1')
  const send = (frame: Frame): void => {
    channel.emit('data', ConsumeRequest.fromPartial(frame))
  }
  const asked = (): string[] => desk.asked.map(({ words }) => words.join(' '))
  return { desk, channel, call, send, asked }
}

async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise(resolve => setImmediate(resolve))
}

test('a stream is replayed from the start, then waited for with a share of the credit', async () => {
  const { channel, send, asked, desk } = begin()
  const replies = [brought('a', row('1-0'), row('2-0')), brought('a')]
  desk.script = words => (words.includes('BLOCK') ? null : (replies.shift() ?? NULL_ARRAY))
  send({ open, add: [{ key: b('a') }], credit: { entries: 10n } })
  await turns()
  assert.deepEqual(asked(), [
    'XREADGROUP GROUP g me COUNT 5 MAXSIZE 1048576 STREAMS a 0',
    'XREADGROUP GROUP g me COUNT 4 MAXSIZE 1048576 STREAMS a 2-0',
    'XREADGROUP GROUP g me COUNT 4 MAXSIZE 1048576 BLOCK 0 STREAMS a >',
  ])
  assert.deepEqual(channel.entries, ['a:1-0*', 'a:2-0*'])
  assert.equal(channel.frames[0]?.opened?.nodeId, 'n1')
})

test('without credit nothing is asked, and never more comes than was allowed', async () => {
  const { channel, send, asked, desk } = begin()
  let next = 0
  desk.script = words => {
    const count = Number(words[words.indexOf('COUNT') + 1])
    const rows = Array.from({ length: count }, (_, i) => row(`${next + i + 1}-0`))
    next += count
    return brought(words.at(-2) ?? '', ...rows)
  }
  const add = ['a', 'b', 'c'].map(key => ({ key: b(key), onlyNew: true }))
  send({ open, add })
  await turns()
  assert.deepEqual(asked(), [])
  send({ credit: { entries: 20n } })
  await turns(40)
  assert.equal(channel.entries.length, 20)
  send({ credit: { entries: 5n } })
  await turns(40)
  assert.equal(channel.entries.length, 25)
})

test('with less credit than streams those that wait take turns, and all come to be read', async () => {
  const { send, asked, desk } = begin()
  // A wait that ends without anything, as if its time were over.
  desk.script = () => NULL_ARRAY
  send({
    open,
    add: ['a', 'b', 'c'].map(key => ({ key: b(key), onlyNew: true })),
    credit: { entries: 1n },
  })
  await turns(12)
  const keys = new Set(asked().map(words => words.split(' ').at(-2)))
  assert.deepEqual([...keys], ['a', 'b', 'c'])
  assert.ok(asked().every(words => words.includes('COUNT 1 ') && words.includes('BLOCK 500 ')))
})

test('credit in bytes counts once some was given, and may be crossed by one entry', async () => {
  const { send, asked, desk, channel } = begin()
  desk.script = words =>
    words.includes('BLOCK') && asked().length <= 2 ? brought('a', row('1-0')) : null
  send({
    open,
    add: [{ key: b('a'), onlyNew: true }],
    credit: { entries: 1_000n, bytes: 40n },
  })
  await turns()
  // One entry is 32 bytes and its 5: of 40 bytes 3 are left, then none.
  assert.deepEqual(
    asked().map(words => words.slice(words.indexOf('MAXSIZE'), words.indexOf(' BLOCK'))),
    ['MAXSIZE 20', 'MAXSIZE 1'],
  )
  assert.equal(channel.entries.length, 2)
  send({ credit: { bytes: 1_000n } })
  await turns()
  assert.equal(asked().length, 3)
})

test('entries that were taken over are marked, and the token stays before them', async () => {
  const { channel, send, asked, desk } = begin()
  const rows = [
    row('1-0', integer(60_000), integer(2)),
    row('9-0', integer(0), integer(0)),
    row('4-0', integer(70_000), integer(0)),
  ]
  const replies = [brought('a', ...rows)]
  desk.script = () => replies.shift() ?? null
  send({
    open: { ...open, claimMinIdle: { seconds: 60n } },
    add: [{ key: b('a'), resumeToken: b('8-0'), onlyNew: true }],
    credit: { entries: 100n },
  })
  await turns()
  assert.match(asked()[0] ?? '', /BLOCK 0 CLAIM 60000 STREAMS a >$/)
  assert.deepEqual(channel.entries, ['a:1-0*', 'a:9-0', 'a:4-0*'])
  assert.equal(channel.token('a'), '9-0')
  const taken = channel.frames.flatMap(({ entries }) => entries)[0]?.entries[0]
  assert.equal(taken?.deliveriesBefore, 2n)
  assert.equal(taken?.idleBefore?.seconds, 60n)
})

test('a resumed stream begins after its token', async () => {
  const { send, asked } = begin()
  send({ open, add: [{ key: b('a'), resumeToken: b('5-3') }], credit: { entries: 2n } })
  await turns()
  assert.match(asked()[0] ?? '', /STREAMS a 5-3$/)
})

test('a missing group is made where that is wanted, and one that is there is no error', async () => {
  const { send, asked, desk, channel } = begin()
  desk.script = words =>
    words[0] === 'XGROUP' ? fail('BUSYGROUP Consumer Group name already exists') : null
  send({ open: { ...open, createFrom: '0' }, add: [{ key: b('a') }], credit: { entries: 2n } })
  await turns()
  assert.equal(asked()[0], 'XGROUP CREATE a g 0 MKSTREAM')
  assert.match(asked()[1] ?? '', /^XREADGROUP/)
  assert.deepEqual(channel.ends, [])
})

test('an error ends its stream and no other, and says where to go on', async () => {
  const { send, desk, channel, asked } = begin()
  const moved: Reply = {
    kind: 'error',
    text: 'MOVED 9000 127.0.0.1:7102',
    redirect: { slot: 9000, shard: 2, leader: 2, epoch: 7, ask: false } as never,
  }
  const fates: Record<string, Reply | null> = {
    a: fail('NOGROUP No such key'),
    b: moved,
    c: fail('CLUSTERDOWN no leader'),
    d: null,
  }
  desk.script = words => fates[words.at(-2) ?? ''] ?? null
  const add = ['a', 'b', 'c', 'd'].map(key => ({ key: b(key), onlyNew: true }))
  send({ open, add, credit: { entries: 100n } })
  await turns()
  assert.deepEqual(channel.ends, [
    'a:error:NOGROUP No such key',
    'b:redirect:MOVED 9000 127.0.0.1:7102',
    'c:error:CLUSTERDOWN no leader',
  ])
  const ended = channel.frames.flatMap(frame => frame.ended)
  const [nogroup, redirect, down] = ended.map(({ reason }) => reason)
  assert.equal(nogroup?.$case === 'error' && nogroup.value.retryDelay, undefined)
  assert.equal(redirect?.$case === 'redirect' && redirect.value.moved?.leader?.nodeId, 'n2')
  assert.equal(down?.$case === 'error' && down.value.retryDelay?.nanos, 100_000_000)
  assert.equal(channel.ended, false)
  // What ended may come back.
  send({ add: [{ key: b('c'), onlyNew: true }] })
  await turns()
  assert.equal(asked().filter(words => words.includes('STREAMS c')).length, 2)
})

test('acks, nacks and claims are settled by their tags, in the order in which they were sent', async () => {
  const { send, desk, channel, asked } = begin()
  desk.script = words => {
    if (words[0] === 'XACK') return integer(2)
    if (words[0] === 'XNACK') return fail('NOGROUP No such key')
    return words[0] === 'XCLAIM' ? array([bulk(b('5-0'))]) : null
  }
  send({ open })
  send({
    acks: [{ tag: 1n, key: b('a'), ids: ['1-0', '2-0'] }],
    nacks: [{ tag: 2n, key: b('a'), ids: ['3-0'], mode: 3 }],
    claims: [{ tag: 3n, key: b('a'), ids: ['5-0'] }],
  })
  await turns()
  assert.deepEqual(asked(), [
    'XACK a g 1-0 2-0',
    'XNACK a g FATAL IDS 1 3-0',
    'XCLAIM a g me 0 5-0 JUSTID',
  ])
  const settled = channel.frames.flatMap(frame => frame.settled)
  assert.deepEqual(
    settled.map(({ tag, outcome }) => [tag, outcome?.$case]),
    [
      [1n, 'count'],
      [2n, 'error'],
      [3n, 'count'],
    ],
  )
})

test('an ack of unknown fate may be repeated after a while, a nack may not', async () => {
  const { send, desk, channel } = begin()
  desk.script = ([name]) =>
    name === 'XACK' || name === 'XNACK' ? fail('INDOUBT the leader is gone') : null
  send({ open })
  send({
    acks: [{ tag: 1n, key: b('a'), ids: ['1-0'] }],
    nacks: [{ tag: 2n, key: b('a'), ids: ['3-0'], mode: 3 }],
  })
  await turns()
  const delays = channel.frames
    .flatMap(frame => frame.settled)
    .map(({ outcome }) => outcome?.$case === 'error' && outcome.value.retryDelay !== undefined)
  assert.deepEqual(delays, [true, false])
})

test('a client that does not read is sent nothing more, and its frames wait', async () => {
  const { send, desk, channel, asked } = begin()
  let next = 0
  desk.script = () => {
    next += 1
    return brought('a', row(`${next}-0`))
  }
  channel.room = false
  send({ open, add: [{ key: b('a'), onlyNew: true }], credit: { entries: 1_000n } })
  await turns(20)
  assert.equal(channel.paused, true)
  const before = asked().length
  assert.ok(before <= 1, `${before} reads`)
  channel.room = true
  channel.emit('drain')
  await turns()
  assert.ok(asked().length > before)
  assert.equal(channel.paused, false)
})

test('while the desk takes no commands, acks wait in order', async () => {
  const { send, desk, channel, asked } = begin()
  desk.script = words => (words[0] === 'XACK' ? integer(1) : null)
  send({ open })
  desk.takesMax = 1
  const ack = (tag: number) => ({ tag: BigInt(tag), key: b('a'), ids: [`${tag}-0`] })
  send({ acks: [ack(1), ack(2), ack(3)] })
  await turns()
  assert.equal(channel.paused, true)
  assert.equal(asked().length, 1)
  desk.takesMax = 100
  desk.sessions[0]?.client.resume()
  desk.turn()
  await turns()
  assert.deepEqual(
    channel.frames.flatMap(frame => frame.settled).map(({ tag }) => tag),
    [1n, 2n, 3n],
  )
  assert.equal(channel.paused, false)
})

test('a door that stops delivers nothing more, settles what is owed and says so', async () => {
  const { send, desk, channel, call } = begin()
  desk.script = words => (words[0] === 'XACK' ? integer(1) : null)
  send({ open, add: [{ key: b('a'), onlyNew: true }], credit: { entries: 10n } })
  send({ acks: [{ tag: 1n, key: b('a'), ids: ['1-0'] }] })
  call.finish('the node stops')
  await turns()
  assert.equal(channel.frames.at(-1)?.settled.length === 1 || channel.ended, true)
  assert.equal(channel.frames.find(frame => frame.goAway)?.goAway?.reason, 'the node stops')
  assert.deepEqual(
    channel.frames.flatMap(frame => frame.settled).map(({ tag }) => tag),
    [1n],
  )
  assert.equal(channel.ended, true)
  assert.ok(desk.sessions.every(session => session.ended))
})

test('a client that goes leaves no session behind', async () => {
  const { send, desk, channel } = begin()
  send({ open, add: [{ key: b('a') }, { key: b('c') }], credit: { entries: 10n } })
  await turns()
  channel.emit('cancelled')
  assert.equal(desk.sessions.length, 3)
  assert.ok(desk.sessions.every(session => session.ended))
})

test('a removed stream is waited for no longer, and its credit is free again', async () => {
  const { send, desk, asked } = begin()
  send({ open, add: [{ key: b('a'), onlyNew: true }], credit: { entries: 1n } })
  await turns()
  send({ remove: [b('a')], add: [{ key: b('c'), onlyNew: true }] })
  await turns()
  assert.equal(desk.sessions[1]?.ended, true)
  assert.match(asked().at(-1) ?? '', /COUNT 1 .*STREAMS c >$/)
})

test('silence is broken by an empty frame', async () => {
  const { send, channel } = begin()
  send({ open: { ...open, heartbeat: { nanos: 100_000_000 } } })
  const before = channel.frames.length
  await new Promise(resolve => setTimeout(resolve, 350))
  const beats = channel.frames.slice(before)
  assert.ok(beats.length >= 1, `${beats.length} beats`)
  assert.ok(beats.every(({ entries, settled }) => entries.length + settled.length === 0))
})

const WRONG: readonly (readonly [string, Frame[], RegExp])[] = [
  ['no open', [{}], /no open/],
  ['two opens', [{ open }, { open }], /not the first/],
  ['no group', [{ open: { consumer: b('me') } }], /group is required/],
  ['no consumer', [{ open: { group: b('g') } }], /consumer is required/],
  ['a heartbeat too short', [{ open: { ...open, heartbeat: { nanos: 1 } } }], /heartbeat/],
  [
    'a negative idle time',
    [{ open: { ...open, claimMinIdle: { seconds: -1n } } }],
    /claim_min_idle/,
  ],
  ['an empty key', [{ open, add: [{}] }], /key is required/],
  ['a stream twice', [{ open, add: [{ key: b('a') }, { key: b('a') }] }], /already/],
  ['a token of somebody else', [{ open, add: [{ key: b('a'), resumeToken: b('x') }] }], /token/],
  ['an ack of nothing', [{ open }, { acks: [{ key: b('a') }] }], /ids is empty/],
  ['a tag too large', [{ open }, { acks: [{ tag: 2n ** 53n, key: b('a'), ids: ['1-0'] }] }], /tag/],
]

for (const [name, frames, expected] of WRONG) {
  test(`${name} ends the call with INVALID_ARGUMENT`, () => {
    const { send, channel, desk } = begin()
    for (const frame of frames) send(frame)
    assert.equal(channel.failure?.code, 3)
    assert.match(channel.failure?.message ?? '', expected)
    assert.ok(desk.sessions.every(session => session.ended))
  })
}
