// The caretaker: makes the cluster once all seeds are known, keeps addresses true, hosts what the map wants.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Argv } from '../../../src/base/argv.ts'
import type { Logger } from '../../../src/base/log.ts'
import { PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../../../src/base/payload.ts'
import { decodeFacts, encodeFacts, Reconciler } from '../../../src/control/reconciler.ts'
import { MetaMachine } from '../../../src/topology/meta-machine.ts'
import type { NodeFacts } from '../../../src/topology/slot-map.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

const node = (id: number, port = 7000 + id): NodeFacts => {
  const address = { host: '127.0.0.1', port }
  return {
    id,
    name: `n${id}`,
    incarnation: `${id}`.repeat(32),
    hostLabel: '',
    resp: address,
    grpc: address,
    peer: address,
    admin: address,
  }
}

/** A reconciler over a meta machine that applies each proposal at once. */
function setUp(leads: boolean) {
  const meta = new MetaMachine()
  const hosted: number[] = []
  const proposed: Argv[] = []
  const reconciler: Reconciler = new Reconciler({
    random: { below: () => 0, bytes: count => new Uint8Array(count) },
    logger: silent,
    meta,
    self: node(1),
    members: [1, 2, 3],
    shardCount: 3,
    replicasPerShard: 3,
    leadsMeta: () => leads,
    propose: (command, done) => {
      proposed.push(command)
      const header = Buffer.alloc(PAYLOAD_HEADER_BYTES)
      writePayloadHeader(header, 0, 1)
      meta.apply(Buffer.concat([header, command.buffer]), proposed.length, null)
      done()
    },
    host: shard => hosted.push(shard.id),
    mapChanged: () => {},
  })
  return { reconciler, meta, hosted, proposed }
}

test('the leader of the meta shard makes the cluster when every seed is known, and not before', () => {
  const { reconciler, meta, hosted } = setUp(true)
  reconciler.look()
  reconciler.heard(node(2))
  assert.equal(meta.map.epoch, 0)
  reconciler.heard(node(3))
  assert.equal(meta.map.epoch, 1)
  assert.deepEqual(hosted, [1, 2, 3])
})

test('a node that does not lead the meta shard proposes nothing', () => {
  const { reconciler, proposed } = setUp(false)
  reconciler.heard(node(2))
  reconciler.heard(node(3))
  assert.equal(proposed.length, 0)
})

test('news of other addresses is written into the map once', () => {
  const { reconciler, meta, proposed } = setUp(true)
  reconciler.heard(node(2))
  reconciler.heard(node(3))
  reconciler.heard(node(3, 9999))
  reconciler.heard(node(3, 9999))
  assert.equal(meta.map.nodes.get(3)?.resp.port, 9999)
  assert.equal(proposed.length, 2)
})

test('facts survive their encoding, and anything else is not facts', () => {
  assert.deepEqual(decodeFacts(encodeFacts(node(7))), node(7))
  assert.equal(decodeFacts(Buffer.from('[1,2]')), null)
  assert.equal(decodeFacts(Buffer.from([0xff, 0x00])), null)
})
