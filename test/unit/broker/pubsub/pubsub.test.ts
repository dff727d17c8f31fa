// Pub/sub between nodes: who gets what, what travels, and what happens when links fail.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../../../src/base/metrics.ts'
import { channelHash } from '../../../../src/broker/pubsub/channel-hash.ts'
import { readParcel } from '../../../../src/broker/pubsub/parcel.ts'
import { PARCEL_BYTES_MAX, Peers } from '../../../../src/broker/pubsub/peers.ts'
import { Registry } from '../../../../src/broker/pubsub/registry.ts'
import { Ear, settle, type WiredNode, wired } from './ears.ts'

function three(): [WiredNode, WiredNode, WiredNode] {
  return wired(3) as [WiredNode, WiredNode, WiredNode]
}

test('a message reaches channels and patterns on every node, once for each subscription', () => {
  const [a, b, c] = three()
  const ears = [a, b, c].map(node => {
    const ear = new Ear()
    node.pubsub.registry.subscribe(ear.listener, 'news')
    node.pubsub.registry.subscribePattern(ear.listener, 'n*')
    return ear
  })
  settle([a, b, c])
  assert.equal(a.publish('news', 'hello'), 2, 'deliveries on this node')
  assert.equal(a.publish('name', 'x'), 1)
  settle([a, b, c])
  const expected = ['message news hello', 'pmessage n* news hello', 'pmessage n* name x']
  for (const ear of ears) assert.deepEqual(ear.heard, expected)
})

test('a node on which nobody listens gets no bytes', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.pubsub.registry.subscribe(ear.listener, 'news')
  settle([a, b, c])
  const before = c.count('pubsub_peer_received_bytes_total')
  for (let i = 0; i < 10; i += 1) a.publish('news', String(i))
  a.publish('other', 'nobody')
  settle([a, b, c])
  assert.equal(ear.heard.length, 10)
  assert.equal(c.count('pubsub_peer_received_bytes_total'), before)
  assert.equal(a.count('pubsub_peer_sent_messages_total'), 10)
})

test('many listeners on a node cost one message on the way there', () => {
  const [a, b, c] = three()
  const ears = Array.from({ length: 100 }, () => new Ear())
  for (const ear of ears) {
    b.pubsub.registry.subscribe(ear.listener, 'news')
    b.pubsub.registry.subscribePattern(ear.listener, '*')
  }
  settle([a, b, c])
  a.publish('news', 'x')
  settle([a, b, c])
  assert.equal(a.count('pubsub_peer_sent_messages_total'), 1)
  for (const ear of ears) assert.equal(ear.heard.length, 2)
})

test('who left hears nothing more, and its node gets nothing', () => {
  const [a, b, c] = three()
  const [one, two] = [new Ear(), new Ear()]
  b.pubsub.registry.subscribe(one.listener, 'news')
  b.pubsub.registry.subscribe(two.listener, 'news')
  settle([a, b, c])
  b.pubsub.leave(one.listener)
  a.publish('news', '1')
  settle([a, b, c])
  assert.deepEqual([one.heard, two.heard], [[], ['message news 1']])
  b.pubsub.registry.unsubscribe(two.listener, 'news')
  settle([a, b, c])
  a.publish('news', '2')
  settle([a, b, c])
  assert.equal(two.heard.length, 1)
  assert.equal(a.count('pubsub_peer_sent_messages_total'), 1)
  assert.equal(b.pubsub.registry.listeners, 0)
})

test('after a link broke, what changed meanwhile is told', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.pubsub.registry.subscribe(ear.listener, 'old')
  settle([a, b, c])
  // Words get lost on the way, and b does not notice.
  const wire = b.peers.get(1) as WiredNode
  b.peers.delete(1)
  b.pubsub.registry.subscribe(ear.listener, 'new')
  b.pubsub.registry.unsubscribe(ear.listener, 'old')
  b.turn()
  b.peers.set(1, wire)
  a.pubsub.down(2, false)
  a.publish('old', 'lost')
  assert.equal(a.count('pubsub_peer_dropped_messages_total'), 1)
  a.pubsub.up(2)
  settle([a, b, c])
  a.publish('new', 'x')
  a.publish('old', 'y')
  settle([a, b, c])
  assert.deepEqual(ear.heard, ['message new x'])
})

test('a peer that died is sent nothing until it says what it wants', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.pubsub.registry.subscribe(ear.listener, 'news')
  settle([a, b, c])
  a.pubsub.down(2, true)
  a.publish('news', 'x')
  assert.equal(a.count('pubsub_peer_dropped_messages_total'), 0)
  a.pubsub.up(2)
  settle([a, b, c])
  a.publish('news', 'y')
  settle([a, b, c])
  assert.deepEqual(ear.heard, ['message news y'])
})

test('interest that a full link did not take is told again', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.refuses = true
  b.pubsub.registry.subscribe(ear.listener, 'news')
  b.turn()
  b.refuses = false
  settle([a, b, c])
  a.publish('news', 'x')
  settle([a, b, c])
  assert.deepEqual(ear.heard, ['message news x'])
})

test('a link that takes nothing costs messages, which are counted, and no interest', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.pubsub.registry.subscribe(ear.listener, 'news')
  settle([a, b, c])
  a.room = 0
  const own = new Ear()
  a.pubsub.registry.subscribe(own.listener, 'back')
  for (let i = 0; i < 5; i += 1) a.publish('news', 'x')
  a.turn()
  assert.equal(ear.heard.length, 0)
  assert.equal(a.count('pubsub_peer_dropped_messages_total'), 5)
  a.room = Number.POSITIVE_INFINITY
  a.publish('news', 'y')
  settle([a, b, c])
  assert.deepEqual(ear.heard, ['message news y'])
  b.publish('back', 'z')
  settle([a, b, c])
  assert.deepEqual(own.heard, ['message back z'])
})

test('one turn holds a bound of bytes for a peer', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.pubsub.registry.subscribe(ear.listener, 'news')
  settle([a, b, c])
  const big = 'x'.repeat(PARCEL_BYTES_MAX / 4)
  for (let i = 0; i < 10; i += 1) a.publish('news', big)
  settle([a, b, c])
  assert.ok(ear.heard.length >= 3 && ear.heard.length <= 5, String(ear.heard.length))
  assert.equal(a.count('pubsub_peer_dropped_messages_total'), 10 - ear.heard.length)
})

test('sequences count the messages of a channel by publishing node, so that a gap shows', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  b.pubsub.registry.subscribe(ear.listener, 'news')
  settle([a, b, c])
  a.publish('news', '1')
  a.publish('other', 'x')
  c.publish('news', '2')
  settle([a, b, c])
  a.room = 0
  a.publish('news', '3')
  a.turn()
  a.room = Number.POSITIVE_INFINITY
  a.publish('news', '4')
  settle([a, b, c])
  assert.deepEqual(ear.sequences, ['n1:1', 'n3:1', 'n1:3'])
})

test('two channels with one hash do not end each other', () => {
  const metrics = new Metrics()
  const peers = new Peers(new Registry(() => {}), metrics, 7, 0)
  peers.peer(2).up = true
  const collect = (): string[] => {
    const told: string[] = []
    peers.collect(
      0,
      () => Number.POSITIVE_INFINITY,
      (_to, bytes) => {
        readParcel(bytes, {
          publication: () => {},
          asked: () => {},
          interest: ({ channels, leftChannels }) =>
            told.push(`${channels.length} came, ${leftChannels.length} left`),
        })
      },
    )
    return told
  }
  // One name twice stands for two names with one hash.
  peers.changed('channel', 'x', true)
  peers.changed('channel', 'x', true)
  assert.deepEqual(collect(), ['1 came, 0 left'])
  peers.changed('channel', 'x', false)
  assert.deepEqual(collect(), [])
  peers.changed('channel', 'x', false)
  assert.deepEqual(collect(), ['0 came, 1 left'])
})

test('hashes of channels are whole numbers of 52 bits, and differ', () => {
  const seen = new Set<number>()
  for (let i = 0; i < 200_000; i += 1) seen.add(channelHash(`user:${i}:events`))
  assert.equal(seen.size, 200_000)
  for (const hash of seen) assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 52)
})

test('a sharded channel stays on its node, and ends with a notice when its slot is led elsewhere', () => {
  const [a, b, c] = three()
  const [here, there] = [new Ear(), new Ear()]
  a.pubsub.registry.subscribeShard(here.listener, 'orders')
  a.pubsub.registry.subscribeShard(here.listener, '{orders}:2')
  a.pubsub.registry.subscribeShard(here.listener, 'another')
  b.pubsub.registry.subscribeShard(there.listener, 'orders')
  settle([a, b, c])
  const source = Buffer.from('ordersx')
  assert.equal(a.pubsub.publishSharded('orders', source, 0, 6, 6, 7), 1)
  settle([a, b, c])
  assert.deepEqual([here.heard, there.heard], [['smessage orders x'], []])
  assert.equal(a.count('pubsub_peer_sent_messages_total'), 0)
  a.pubsub.moveShards(() => true)
  assert.equal(here.lost.length, 0)
  a.pubsub.moveShards(() => false)
  assert.deepEqual(
    here.lost.map(({ channel, left }) => `${channel} ${left}`),
    ['orders 2', '{orders}:2 1', 'another 0'],
  )
  assert.equal(a.pubsub.publishSharded('orders', source, 0, 6, 6, 7), 0)
  assert.equal(a.pubsub.registry.listeners, 0)
})

test('ten thousand subscribers get a message each', () => {
  const [a] = three()
  const ears = Array.from({ length: 10_000 }, () => new Ear())
  for (const [i, ear] of ears.entries()) {
    a.pubsub.registry.subscribe(ear.listener, 'all')
    a.pubsub.registry.subscribe(ear.listener, `own:${i}`)
  }
  assert.equal(a.publish('all', 'x'), 10_000)
  assert.equal(a.publish('own:77', 'y'), 1)
  assert.deepEqual(ears[77]?.heard, ['message all x', 'message own:77 y'])
})

test('a change that was lost without a word is asked for within a second', () => {
  const [a, b, c] = three()
  const ear = new Ear()
  const wire = b.peers.get(1) as WiredNode
  b.peers.delete(1)
  b.pubsub.registry.subscribe(ear.listener, 'news')
  b.turn()
  b.peers.set(1, wire)
  settle([a, b, c])
  a.publish('news', 'missed')
  settle([a, b, c])
  assert.equal(ear.heard.length, 0)
  b.now += 1_000
  settle([a, b, c])
  a.publish('news', 'heard')
  settle([a, b, c])
  assert.deepEqual(ear.heard, ['message news heard'])
})
