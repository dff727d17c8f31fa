// Commands about all keys of a node: every shard it leads, as one answer.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply } from '../../../src/machine/reply.ts'
import { Rig, type RigClient } from './rig.ts'

/** Node 1 leads all three shards. */
function leader(): Rig {
  const rig = new Rig()
  for (const [id, shard] of rig.shards) {
    shard.isLeader = true
    rig.leaders.set(id, 1)
  }
  return rig
}

function strings(reply: Reply | undefined): string[] {
  if (reply?.kind !== 'array') return []
  return reply.items.map(item =>
    item.kind === 'bulk'
      ? Buffer.from(item.bytes).toString()
      : 'text' in item
        ? item.text
        : item.kind,
  )
}

function fill(client: RigClient, count: number): string[] {
  const keys = Array.from({ length: count }, (_, i) => `key${i}`)
  for (const key of keys) client.ask('XADD', key, '*', 'f', 'v')
  return keys.sort()
}

test('DBSIZE, KEYS and FLUSHALL mean all shards that the node leads', () => {
  const rig = leader()
  const client = rig.client()
  const keys = fill(client, 40)
  assert.deepEqual(client.ask('DBSIZE'), { kind: 'integer', value: 40 })
  assert.deepEqual(strings(client.ask('KEYS', '*')).sort(), keys)
  rig.shard(2).isLeader = false
  const size = client.ask('DBSIZE')
  assert.ok(size.kind === 'integer' && size.value > 0 && size.value < 40)
  rig.shard(2).isLeader = true
  assert.equal(client.ask('FLUSHALL').kind, 'simple')
  assert.deepEqual(client.ask('DBSIZE'), { kind: 'integer', value: 0 })
})

test('SCAN goes through all shards and returns each key once', () => {
  const rig = leader()
  const client = rig.client()
  const keys = fill(client, 60)
  const found: string[] = []
  let cursor = '0'
  let steps = 0
  do {
    const reply = client.ask('SCAN', cursor, 'COUNT', '7')
    assert.ok(reply.kind === 'array')
    cursor = strings(reply)[0] ?? '0'
    found.push(...strings(reply.items[1]))
    steps += 1
  } while (cursor !== '0' && steps < 100)
  assert.deepEqual(found.sort(), keys)
  assert.ok(steps > 8)
})

test('SCAN refuses cursors that are none and ends behind the last shard', () => {
  const client = leader().client()
  client.send('SCAN', 'x')
  client.send('SCAN', '99999999999999999999999')
  client.send('SCAN', '0', 'COUNT', '0')
  assert.deepEqual(client.heard, ['ERR invalid cursor', 'ERR invalid cursor', 'ERR syntax error'])
  assert.deepEqual(strings(client.ask('SCAN', '1024'))[0], '0')
})

test('a node-wide command waits for what is before it and holds up what is behind it', () => {
  const rig = leader()
  const client = rig.client()
  for (const shard of rig.shards.values()) shard.manual = true
  client.send('XADD', 'b', '*', 'f', 'v')
  assert.equal(client.send('DBSIZE'), false)
  assert.equal(rig.shard(2).queue.length, 0)
  rig.shard(1).run()
  rig.clock.turn()
  assert.equal(client.resumed, 0)
  for (const shard of rig.shards.values()) shard.run()
  rig.clock.turn()
  assert.equal(client.resumed, 1)
  assert.deepEqual(client.answers[1]?.reply, { kind: 'integer', value: 1 })
})

test('a node that leads nothing has no keys and flushes none', () => {
  const rig = new Rig()
  rig.shard(1).isLeader = false
  const client = rig.client()
  assert.deepEqual(client.ask('DBSIZE'), { kind: 'integer', value: 0 })
  client.send('FLUSHALL')
  assert.match(client.heard.at(-1) ?? '', /^READONLY /)
})

test('a shard that is lost meanwhile makes the answer an error', () => {
  const rig = leader()
  const client = rig.client()
  for (const shard of rig.shards.values()) shard.manual = true
  client.send('FLUSHALL')
  rig.shard(1).run()
  rig.shard(2).lose('in-doubt')
  rig.shard(3).run()
  assert.match(client.heard[0] ?? '', /^INDOUBT /)
})
