// What a node remembers of its peers: read back after a crash, and never half.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rig } from './rig.ts'

const PEERS = new Map([
  [2, '2'.repeat(32)],
  [3, '3'.repeat(32)],
])

test('the incarnations of the peers are there after a power failure', () => {
  const rig = new Rig()
  assert.equal(rig.open().knownPeers.size, 0)
  rig.storage.rememberPeers(PEERS)
  assert.deepEqual(rig.crash().knownPeers, PEERS)
})

test('a change replaces them, and a full disk leaves the old ones', () => {
  const rig = new Rig()
  rig.open()
  rig.storage.rememberPeers(PEERS)
  const moved = new Map([...PEERS, [3, 'f'.repeat(32)]])
  rig.disk.faults.quotaBytes = 0
  rig.storage.rememberPeers(moved)
  assert.deepEqual(rig.storage.knownPeers, PEERS)
  rig.disk.faults.quotaBytes = Number.POSITIVE_INFINITY
  rig.storage.rememberPeers(moved)
  assert.deepEqual(rig.restart().knownPeers, moved)
})
