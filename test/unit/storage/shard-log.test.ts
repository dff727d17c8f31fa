// A shard's log as the host asks it: how much of it to keep behind a snapshot.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { append, entries, Rig } from './rig.ts'

test('the tail of a log begins where its entries no longer fit the bytes', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 9, 1)))
  const log = rig.storage.shard(1)
  assert.equal(log.tailFrom(9, 0), 10)
  assert.equal(log.tailFrom(9, 1_000_000), 1)
  // Entries of a few bytes are equal in size: twice the room holds twice as many.
  const one = [...Array(200).keys()].find(bytes => log.tailFrom(9, bytes) === 9) ?? 0
  assert.ok(one > 0)
  assert.equal(log.tailFrom(9, 4 * one), 6)
  assert.equal(log.tailFrom(8, 4 * one), 5)
})
