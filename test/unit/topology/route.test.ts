// Keys to one slot, and a slot to where it is led.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import {
  CROSS_SLOT,
  commonSlot,
  elsewhere,
  NO_KEYS,
  slotOfWord,
} from '../../../src/topology/route.ts'
import { SlotMap } from '../../../src/topology/slot-map.ts'
import { nodeFacts, threeShards } from '../broker/rig.ts'

test('keys with one hash tag share a slot, others cross', () => {
  const argv = Argv.of('DEL', '{a}1', '{a}2', 'b')
  assert.equal(commonSlot(argv, [1, 2]), slotOfWord(argv, 1))
  assert.equal(commonSlot(argv, [1, 2, 3]), CROSS_SLOT)
  assert.equal(commonSlot(argv, []), NO_KEYS)
})

test('a slot is found at the leader of its shard, at the door the client came through', () => {
  const map = threeShards()
  const resp = elsewhere(map, () => 3, 0, 'resp')
  assert.deepEqual(typeof resp === 'object' && resp.door, { host: '127.0.0.1', port: 7003 })
  const grpc = elsewhere(map, () => 3, 0, 'grpc')
  assert.deepEqual(typeof grpc === 'object' && [grpc.shard, grpc.door.port], [1, 7103])
})

test('a slot that no shard owns is unserved, one without a leader leaderless', () => {
  const map = new SlotMap(
    1,
    '',
    [nodeFacts(1)],
    [{ id: 1, voters: [1], ranges: [{ first: 0, last: 10 }] }],
  )
  assert.equal(
    elsewhere(map, () => 1, 11, 'resp'),
    'unserved',
  )
  assert.equal(
    elsewhere(map, () => 0, 3, 'resp'),
    'leaderless',
  )
})
