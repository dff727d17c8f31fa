// The road of a command at the desk: order, pauses, redirects, refusals, losses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slotOf } from '../../../src/base/slot.ts'
import { Rig } from './rig.ts'

/** A key of each shard. */
const [ONE, TWO, THREE] = ['b', 'c', 'a'] as const

test('the keys of these tests are of shards 1, 2 and 3', () => {
  const map = new Rig().map
  const owners = [ONE, TWO, THREE].map(key => map.ownerOf(slotOf(Buffer.from(key))))
  assert.deepEqual(owners, [1, 2, 3])
})

test('answers of an ordered session come in the order of the commands', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.shard().manual = true
  client.send('XADD', ONE, '1-1', 'f', 'v')
  client.send('PING')
  client.send('XADD', ONE, '2-1', 'f', 'v')
  client.send('ECHO', 'x')
  assert.deepEqual(client.heard, [])
  rig.shard().run(1)
  assert.deepEqual(client.heard, ['id', 'PONG'])
  rig.shard().run()
  assert.deepEqual(
    client.answers.map(({ ticket }) => ticket),
    [1, 2, 3, 4],
  )
})

test('answers of an unordered session come as they are there', () => {
  const rig = new Rig()
  const client = rig.client(false, 'grpc')
  rig.shard().manual = true
  client.send('XADD', ONE, '*', 'f', 'v')
  client.send('PING')
  assert.deepEqual(
    client.answers.map(({ ticket }) => ticket),
    [2],
  )
  rig.shard().run()
  assert.deepEqual(
    client.answers.map(({ ticket }) => ticket),
    [2, 1],
  )
})

test('places are used again and keep their tickets through growth', () => {
  for (const ordered of [true, false]) {
    const rig = new Rig()
    const client = rig.client(ordered)
    rig.shard().manual = true
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 100; i += 1) client.send('XADD', ONE, '*', 'f', 'v')
      rig.shard().run(70)
    }
    rig.shard().run()
    const tickets = client.answers.map(({ ticket }) => ticket)
    assert.deepEqual(
      tickets,
      Array.from({ length: 300 }, (_, i) => i + 1),
    )
  }
})

test('a write waits for the reads before it, reads and writes pipeline among themselves', () => {
  const rig = new Rig()
  const client = rig.client()
  const shard = rig.shard()
  shard.manual = true
  assert.ok(client.send('XADD', ONE, '1-1', 'f', 'v'))
  assert.ok(client.send('XLEN', ONE))
  assert.ok(client.send('XLEN', ONE))
  assert.equal(shard.queue[1]?.afterWrites, true, 'a read sees the writes before it')
  assert.equal(client.send('XADD', ONE, '2-1', 'f', 'v'), false)
  assert.equal(shard.queue.length, 3, 'the write is held')
  shard.run()
  rig.clock.turn()
  assert.equal(shard.queue.length, 1, 'the write goes on at the end of the turn')
  assert.ok(client.resumed > 0, 'the session goes on')
  shard.run()
  const lengths = client.answers.map(({ reply }) => (reply.kind === 'integer' ? reply.value : null))
  assert.deepEqual(lengths, [null, 1, 1, null])
})

test('a read with no writes before it does not wait for any', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.shard().manual = true
  client.send('XLEN', ONE)
  client.send('XLEN', ONE)
  assert.deepEqual(
    rig.shard().queue.map(work => work.afterWrites),
    [false, false],
  )
})

test('HELLO waits for what is owed in the old protocol', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.shard().manual = true
  client.send('XADD', ONE, '*', 'f', 'v')
  assert.equal(client.send('HELLO', '3'), false)
  assert.equal(client.session.protocol, 2)
  rig.shard().run()
  rig.clock.turn()
  assert.deepEqual(client.heard, ['id', 'map'])
  assert.equal(client.session.protocol, 3)
})

test('a blocking command pauses an ordered session until it is answered', () => {
  const rig = new Rig()
  const client = rig.client()
  const other = rig.client()
  assert.equal(client.send('XREAD', 'BLOCK', '0', 'STREAMS', ONE, '$'), false)
  other.send('XADD', ONE, '*', 'f', 'v')
  assert.deepEqual(client.heard, ['pairs'])
  rig.clock.turn()
  assert.ok(client.resumed > 0, 'the session goes on')
  assert.ok(client.send('XREAD', 'STREAMS', ONE, '0'), 'without BLOCK nothing is paused')
})

test('a wait ends by its timeout with a null array', () => {
  const rig = new Rig()
  const client = rig.client()
  client.send('XREAD', 'BLOCK', '50', 'STREAMS', ONE, '$')
  rig.clock.advance(51)
  assert.deepEqual(client.heard, ['null-array'])
  assert.ok(client.resumed > 0, 'the session goes on')
})

test('CLIENT UNBLOCK ends a wait as a timeout or with an error', () => {
  const rig = new Rig()
  const admin = rig.client()
  for (const [reason, heard] of [
    ['TIMEOUT', 'null-array'],
    ['ERROR', 'UNBLOCKED client unblocked via CLIENT UNBLOCK'],
  ] as const) {
    const client = rig.client()
    client.send('XREAD', 'BLOCK', '0', 'STREAMS', ONE, '$')
    const id = String(client.session.id)
    assert.deepEqual(admin.ask('CLIENT', 'UNBLOCK', id, reason), { kind: 'integer', value: 1 })
    assert.deepEqual(client.heard, [heard])
    assert.deepEqual(admin.ask('CLIENT', 'UNBLOCK', id), { kind: 'integer', value: 0 })
  }
})

test('a slot that is led elsewhere is answered MOVED with the address of the same door', () => {
  const rig = new Rig()
  const slot = slotOf(Buffer.from(TWO))
  const resp = rig.client().ask('XADD', TWO, '*', 'f', 'v')
  assert.deepEqual(resp, {
    kind: 'error',
    text: `MOVED ${slot} 127.0.0.1:7002`,
    redirect: { kind: 'MOVED', slot, epoch: 7, shard: 2, leader: 2 },
  })
  const grpc = rig.client(false, 'grpc').ask('XLEN', TWO)
  assert.equal(grpc.kind === 'error' && grpc.text, `MOVED ${slot} 127.0.0.1:7102`)
})

test('CROSSSLOT is judged before ownership, and MOVED before the words', () => {
  const rig = new Rig()
  const client = rig.client()
  client.send('DEL', TWO, THREE)
  client.send('XADD', TWO, 'no-id', 'f', 'v')
  client.send('XADD', ONE, 'no-id', 'f', 'v')
  assert.deepEqual(client.heard, [
    "CROSSSLOT Keys in request don't hash to the same slot",
    `MOVED ${slotOf(Buffer.from(TWO))} 127.0.0.1:7002`,
    'ERR Invalid stream ID specified as stream command argument',
  ])
})

test('a command waits a moment for its shard to have a leader, and is then sent there', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.leaders.delete(2)
  assert.equal(client.send('XLEN', TWO), false, 'the session is paused')
  rig.clock.advance(300)
  assert.deepEqual(client.heard, [])
  rig.leaders.set(2, 3)
  rig.broker.topologyChanged()
  rig.clock.turn()
  assert.deepEqual(client.heard, [`MOVED ${slotOf(Buffer.from(TWO))} 127.0.0.1:7003`])
  assert.ok(client.resumed > 0, 'the session goes on')
})

test('a command that waits for a leader is done here when this node becomes it', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.shard().isLeader = false
  client.send('XADD', ONE, '1-1', 'f', 'v')
  rig.shard().isLeader = true
  rig.broker.topologyChanged()
  rig.clock.turn()
  assert.deepEqual(client.heard, ['id'])
})

test('a shard that stays without a leader is down, for unordered sessions at once', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.leaders.delete(2)
  client.send('XLEN', TWO)
  for (let ms = 0; ms < 1_100; ms += 50) rig.clock.advance(50)
  rig.shard().isLeader = false
  client.send('XLEN', ONE)
  for (let ms = 0; ms < 1_100; ms += 50) rig.clock.advance(50)
  assert.deepEqual(client.heard, Array(2).fill('CLUSTERDOWN The cluster is down'))
  const unordered = rig.client(false, 'grpc')
  unordered.send('XLEN', TWO)
  assert.deepEqual(unordered.heard, ['CLUSTERDOWN The cluster is down'])
})

test('a standalone node knows neither CROSSSLOT nor MOVED', () => {
  const client = new Rig({ clusterEnabled: false }).client()
  assert.deepEqual(client.ask('DEL', ONE, TWO, THREE), { kind: 'integer', value: 0 })
  assert.deepEqual(client.ask('XADD', THREE, '1-1', 'f', 'v').kind, 'id')
  client.ask('READONLY')
  assert.equal(client.heard.at(-1), 'ERR This instance has cluster support disabled')
})

test('READONLY serves reads of a follower, not its waits and not writes', () => {
  const rig = new Rig()
  const client = rig.client()
  client.send('READONLY')
  client.send('XLEN', TWO)
  client.send('XREAD', 'BLOCK', '0', 'STREAMS', TWO, '$')
  client.send('XADD', TWO, '*', 'f', 'v')
  client.send('READWRITE')
  client.send('XLEN', TWO)
  const words = client.heard.map(text => text.split(' ')[0])
  assert.deepEqual(words, ['OK', 'integer', 'MOVED', 'MOVED', 'OK', 'MOVED'])
})

test('a replica that lost part of its log answers not even stale reads', () => {
  const rig = new Rig()
  const client = rig.client()
  client.send('READONLY')
  rig.shard(2).amnesiac = true
  client.send('XLEN', TWO)
  assert.equal(client.heard[1]?.split(' ')[0], 'MOVED')
})

test('what a replica loses is worded by what is known of it', () => {
  const rig = new Rig()
  const client = rig.client()
  const shard = rig.shard()
  shard.manual = true
  for (const why of ['moved', 'in-doubt', 'unblocked', 'timeout'] as const) {
    client.send('XADD', ONE, '*', 'f', 'v')
    rig.leaders.set(1, 3)
    shard.lose(why)
  }
  client.send('XADD', ONE, '*', 'f', 'v')
  rig.leaders.delete(1)
  shard.lose('moved')
  const [moved, inDoubt, unblocked, timeout, down] = client.heard
  assert.equal(moved, `MOVED ${slotOf(Buffer.from(ONE))} 127.0.0.1:7003`)
  assert.match(inDoubt ?? '', /^INDOUBT /)
  assert.match(unblocked ?? '', /^UNBLOCKED force unblock from blocking operation, instance state/)
  assert.equal(timeout, 'null-array')
  assert.equal(down, 'CLUSTERDOWN The cluster is down')
})

test('a full memory or disk refuses what grows and lets the rest go on', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.memoryFull = true
  client.send('XADD', ONE, '*', 'f', 'v')
  client.send('XTRIM', ONE, 'MAXLEN', '0')
  rig.memoryFull = false
  rig.shard().refusal = 'disk-full'
  client.send('XADD', ONE, '*', 'f', 'v')
  rig.shard().refusal = 'overloaded'
  client.send('XADD', ONE, '*', 'f', 'v')
  const words = client.heard.map(text => text.split(' ')[0])
  assert.deepEqual(words, ['OOM', 'integer', 'MISCONF', 'TRYAGAIN'])
})

test('a session with too much in flight is paused, a node with too much refuses', () => {
  const rig = new Rig({ sessionInFlightMax: 3, nodeInFlightMax: 5 })
  rig.shard().manual = true
  const first = rig.client()
  const second = rig.client(false)
  const send = (client: typeof first) => client.send('XADD', ONE, '*', 'f', 'v')
  assert.deepEqual([send(first), send(first), send(first)], [true, true, false])
  assert.deepEqual([send(second), send(second)], [true, true])
  assert.equal(send(rig.client()), true)
  const third = rig.client()
  assert.match(third.ask('XLEN', ONE).kind, /error/)
  assert.equal(third.heard[0], 'TRYAGAIN Too many commands are in flight, try again')
  assert.equal(third.ask('PING').kind, 'simple', 'what the desk answers itself goes on')
  rig.shard().run()
  rig.clock.turn()
  assert.deepEqual([first.resumed, second.resumed], [1, 0])
  assert.ok(send(third))
})

test('who disconnects is forgotten with all waits, and late answers go nowhere', () => {
  const rig = new Rig({ nodeInFlightMax: 4 })
  const client = rig.client()
  client.send('XREAD', 'BLOCK', '0', 'STREAMS', ONE, '$')
  rig.broker.disconnect(client.session)
  assert.deepEqual(rig.shard().forgotten, [client.session])
  const late = rig.client()
  rig.shard().manual = true
  for (let i = 0; i < 4; i += 1) late.send('XADD', ONE, '*', 'f', 'v')
  rig.broker.disconnect(late.session)
  rig.shard().run()
  assert.deepEqual(late.answers, [])
  rig.shard().manual = false
  assert.equal(rig.client().ask('XLEN', ONE).kind, 'integer', 'nothing is counted in flight')
})

test('unknown names, arity, empty commands and long keys are refused with the words of Redis', () => {
  const rig = new Rig()
  const client = rig.client()
  client.send('FOO')
  client.send('foo', 'bar')
  client.send('XGROUP', 'foo')
  client.send('XGROUP')
  client.send('XGROUP', 'CREATE')
  client.send('CLIENT', 'MAINT_NOTIFICATIONS', 'ON')
  client.send()
  client.send('XLEN', Buffer.alloc(65_537, 'k'))
  assert.deepEqual(client.heard, [
    "ERR unknown command 'FOO'",
    "ERR unknown command 'foo', with args beginning with: 'bar' ",
    "ERR unknown subcommand 'foo'. Try XGROUP HELP.",
    "ERR wrong number of arguments for 'xgroup' command",
    "ERR wrong number of arguments for 'xgroup|create' command",
    "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.",
    'ERR empty command',
    'ERR key is longer than 65536 bytes',
  ])
})

test('a mistake in the words costs no log entry', () => {
  const rig = new Rig()
  rig.client().ask('XADD', ONE, 'no-id', 'f', 'v')
  assert.equal(rig.shard().applied, 0)
})

test('flush lets doors write once a turn, however many answers there were', () => {
  const rig = new Rig()
  let flushes = 0
  rig.broker.onFlush(() => {
    flushes += 1
  })
  const client = rig.client()
  for (let i = 0; i < 10; i += 1) client.send('PING')
  assert.equal(flushes, 0)
  rig.clock.turn()
  assert.equal(flushes, 1)
})
