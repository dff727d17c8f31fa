// Pub/sub at the desk of a cluster's node: sharded channels and their slots, transactions, limits, order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../../../../src/base/limits.ts'
import { slotOf } from '../../../../src/base/slot.ts'
import { refusalOf, SHARD_CHANNELS } from '../../../../src/broker/pubsub/kinds.ts'
import type { Publication } from '../../../../src/broker/pubsub/publication.ts'
import type { Client } from '../../../../src/broker/session.ts'
import type { Reply } from '../../../../src/machine/reply.ts'
import { Rig, RigClient } from '../rig.ts'
import { Ear } from './ears.ts'

/** A client that messages can be pushed to; all it is sent, in order. */
class PushClient extends RigClient implements Client {
  readonly sent: string[] = []
  #held: string[] | null = null

  override answer(ticket: number, reply: Reply): void {
    super.answer(ticket, reply)
    this.sent.push(say(reply))
  }

  deliver({ source, kind, channelFrom, channelTo, payloadFrom, payloadTo }: Publication): void {
    const channel = source.toString('latin1', channelFrom, channelTo)
    const payload = source.toString('latin1', payloadFrom, payloadTo)
    ;(this.#held ?? this.sent).push(`${kind} ${channel} ${payload}`)
  }

  push(reply: Reply): void {
    this.sent.push(say(reply))
  }

  hold(): void {
    this.#held = []
  }

  release(): void {
    this.sent.push(...(this.#held ?? []))
    this.#held = null
  }
}

function say(reply: Reply): string {
  switch (reply.kind) {
    case 'pushes':
      return reply.pushes.map(items => items.map(say).join(' ')).join(', ')
    case 'array':
      return `[${reply.items.map(say).join(', ')}]`
    case 'bulk':
      return Buffer.from(reply.bytes).toString('latin1')
    case 'integer':
      return String(reply.value)
    default:
      return 'text' in reply ? reply.text : reply.kind
  }
}

function pushClient(rig: Rig): PushClient {
  return new PushClient(rig.broker, true, 'resp')
}

/** Names of channels whose slots node 1, 2 and 3 own. */
function channelOf(node: 1 | 2 | 3): string {
  for (let i = 0; ; i += 1) {
    const name = `channel ${i}`
    if (Math.floor(slotOf(Buffer.from(name)) / 5462) + 1 === node) return name
  }
}

const here = channelOf(1)
const there = channelOf(2)

test('sharded channels are served where their slot is led, and only there', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  const slot = slotOf(Buffer.from(there))
  client.send('SSUBSCRIBE', here)
  client.send('SSUBSCRIBE', there)
  client.send('SSUBSCRIBE', here, there)
  client.send('SUNSUBSCRIBE', there)
  const other = pushClient(rig)
  other.send('SPUBLISH', here, 'm')
  other.send('SPUBLISH', there, 'm')
  const moved = `MOVED ${slot} 127.0.0.1:7002`
  assert.deepEqual(client.sent, [
    `ssubscribe ${here} 1`,
    moved,
    "CROSSSLOT Keys in request don't hash to the same slot",
    moved,
    `smessage ${here} m`,
  ])
  assert.deepEqual(other.sent, ['1', moved])
})

test('when the leader changes its subscribers are told, and hear nothing more', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.send('SSUBSCRIBE', here)
  client.send('SUBSCRIBE', 'plain')
  rig.leaders.set(1, 2)
  rig.broker.topologyChanged()
  assert.deepEqual(client.sent.at(-1), `sunsubscribe ${here} 0`)
  client.send('SPUBLISH', here, 'm')
  assert.match(client.sent.at(-1) ?? '', /Can't execute 'spublish'|^MOVED/)
  const other = pushClient(rig)
  other.send('PUBLISH', 'plain', 'still')
  assert.equal(client.sent.at(-1), 'message plain still')
})

test('a leader that does not know yet that it was deposed loses its subscribers all the same', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.send('SSUBSCRIBE', here)
  // Its replica still says that it leads; another node announced a higher term.
  rig.leaders.set(1, 3)
  rig.broker.topologyChanged()
  assert.equal(client.sent.at(-1), `sunsubscribe ${here} 0`)
  client.send('UNSUBSCRIBE')
  client.send('SSUBSCRIBE', here)
  assert.match(client.sent.at(-1) ?? '', /^MOVED .*:7003$/)
})

test('in a transaction a sharded channel counts as a key of its slot', () => {
  const rig = new Rig()
  const ear = pushClient(rig)
  ear.send('SSUBSCRIBE', here)
  const client = pushClient(rig)
  client.send('MULTI')
  client.send('SPUBLISH', here, 'm')
  client.send('SET', `{${here}}key`, 'v')
  client.send('EXEC')
  assert.equal(client.sent.at(-1), '[1, OK]')
  client.send('MULTI')
  client.send('SPUBLISH', there, 'm')
  assert.match(client.sent.at(-1) ?? '', /^MOVED/)
  client.send('EXEC')
  assert.match(client.sent.at(-1) ?? '', /^EXECABORT/)
  client.send('MULTI')
  client.send('SPUBLISH', here, 'late')
  rig.leaders.set(1, 2)
  client.send('EXEC')
  assert.match(client.sent.at(-1) ?? '', /^MOVED/)
  assert.deepEqual(ear.sent, [`ssubscribe ${here} 1`, `smessage ${here} m`])
})

test('what a client publishes to itself comes behind the reply, in EXEC behind all of it', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.session.protocol = 3
  client.send('SUBSCRIBE', 'a')
  client.send('PUBLISH', 'a', '1')
  client.send('MULTI')
  client.send('PUBLISH', 'a', '2')
  client.send('PUBLISH', 'b', '3')
  client.send('EXEC')
  assert.deepEqual(client.sent, [
    'subscribe a 1',
    '1',
    'message a 1',
    'OK',
    'QUEUED',
    'QUEUED',
    '[1, 0]',
    'message a 2',
  ])
})

test('PUBLISH and SUBSCRIBE wait for the commands before them in the pipeline', () => {
  const rig = new Rig()
  const ear = pushClient(rig)
  ear.send('SUBSCRIBE', 'done')
  const client = pushClient(rig)
  const shard = rig.shard()
  shard.manual = true
  assert.ok(client.send('SET', here, 'v'))
  assert.equal(client.send('PUBLISH', 'done', here), false)
  assert.deepEqual(ear.sent, ['subscribe done 1'])
  shard.run()
  rig.broker.flush()
  assert.deepEqual(client.sent, ['OK', '1'])
  assert.deepEqual(ear.sent, ['subscribe done 1', `message done ${here}`])
})

test('who subscribes is bounded, in number and in length, and all or nothing', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.send('SUBSCRIBE', 'ok', 'x'.repeat(limits.channelBytesMax + 1))
  client.send('PSUBSCRIBE', 'x'.repeat(limits.patternBytesMax + 1))
  client.send('PUBLISH', 'x'.repeat(limits.channelBytesMax + 1), 'm')
  for (const text of client.sent) assert.match(text, /^ERR (channel|pattern) is longer than/)
  assert.equal(client.session.subscribed, false)
  const { registry } = rig.broker.pubsub
  const { listener } = new Ear()
  const most = limits.subscriptionsPerClientMax
  assert.equal(refusalOf(SHARD_CHANNELS, registry, listener, most, 1), null)
  assert.match(String(refusalOf(SHARD_CHANNELS, registry, listener, most + 1, 1)?.text), /at most/)
  rig.memoryFull = true
  client.send('SUBSCRIBE', 'ok')
  assert.match(client.sent.at(-1) ?? '', /^OOM/)
})

test('a client that cannot be pushed to cannot subscribe, and may publish', () => {
  const rig = new Rig()
  const plain = rig.client(false, 'grpc')
  plain.send('SUBSCRIBE', 'a')
  plain.send('PUBLISH', 'a', 'm')
  assert.match(plain.heard[0] ?? '', /PubSubService/)
  assert.equal(plain.heard[1], 'integer')
})

test('a door without SUBSCRIBE listens by the desk, which redirects it and tells it of moves', () => {
  const rig = new Rig()
  const ear = new Ear()
  const refusal = rig.broker.listen(ear.listener, SHARD_CHANNELS, there, 'grpc')
  assert.equal(refusal?.redirect?.leader, 2)
  assert.equal(rig.broker.listen(ear.listener, SHARD_CHANNELS, here, 'grpc'), null)
  pushClient(rig).send('SPUBLISH', here, 'm')
  assert.deepEqual(ear.heard, [`smessage ${here} m`])
  rig.leaders.set(1, 2)
  rig.broker.topologyChanged()
  assert.deepEqual(ear.lost, [{ channel: here, slot: slotOf(Buffer.from(here)), left: 0 }])
})

test('who is gone is no subscriber any more', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.send('SUBSCRIBE', 'a')
  client.send('PSUBSCRIBE', 'a*')
  rig.broker.disconnect(client.session)
  const other = pushClient(rig)
  other.send('PUBLISH', 'a', 'm')
  assert.deepEqual(other.sent, ['0'])
  assert.equal(rig.broker.pubsub.registry.names, 0)
})

test('RESET ends all subscriptions without a word', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.send('SUBSCRIBE', 'a')
  client.send('SSUBSCRIBE', here)
  client.send('RESET')
  assert.deepEqual(client.sent.slice(2), ['RESET'])
  assert.equal(rig.broker.pubsub.registry.listeners, 0)
})

test('keyspace events are published by the leader alone, behind the reply, while they are wanted', () => {
  const rig = new Rig()
  const client = pushClient(rig)
  client.session.protocol = 3
  client.send('PSUBSCRIBE', '__key*')
  client.send('SET', here, '1')
  rig.broker.flush()
  client.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
  client.send('SET', here, '2')
  rig.broker.flush()
  assert.deepEqual(client.sent.slice(1), [
    'OK',
    'OK',
    'OK',
    `pmessage __keyspace@0__:${here} set`,
    `pmessage __keyevent@0__:set ${here}`,
  ])
  rig.shard().isLeader = false
  rig.shard().machine.keyspace.notify(1 << 2, 'del', here)
  rig.broker.flush()
  assert.equal(client.sent.length, 6)
  client.send('CONFIG', 'SET', 'notify-keyspace-events', '')
  assert.equal(rig.shard().machine.keyspace.listener, null)
})
