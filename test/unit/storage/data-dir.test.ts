// A data directory says whose it is, and refuses everybody else.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OperationalError } from '../../../src/base/errors.ts'
import { formatIdentity, parseIdentity } from '../../../src/storage/data-dir.ts'
import { append, entries, Rig } from './rig.ts'

function refusal(action: () => unknown): OperationalError {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof OperationalError, String(error))
    assert.equal(error.message.includes('\n'), false)
    return error
  }
  throw new Error('it was not refused')
}

test('a new directory draws an incarnation and keeps it', () => {
  const rig = new Rig()
  const { incarnation } = rig.open().dataDir
  assert.match(incarnation, /^[0-9a-f]{32}$/)
  assert.equal(rig.crash().dataDir.incarnation, incarnation)
  assert.equal(rig.disk.bytes('/n1/node.pid').toString(), '100\n')
})

test('an identity reads as it was written, and no changed one does', () => {
  const identity = { format: 1, nodeId: 12, incarnation: '0f'.repeat(16), cluster: 'a b' }
  const text = formatIdentity(identity)
  assert.deepEqual(parseIdentity(text), identity)
  for (let at = 0; at < text.length; at += 1) {
    assert.equal(parseIdentity(text.slice(0, at)), null)
    const flipped = Buffer.from(text)
    flipped[at] = (flipped[at] ?? 0) ^ 4
    assert.equal(parseIdentity(flipped.toString()), null)
  }
})

test('another node, another cluster, another format: refused, naming both', () => {
  const rig = new Rig()
  rig.open().close()
  rig.options = { ...rig.options, nodeId: 2 }
  assert.match(refusal(() => rig.open()).message, /node 1, not to node 2/)
  rig.options = { ...rig.options, nodeId: 1, cluster: 'other' }
  const error = refusal(() => rig.open())
  assert.equal(error.code, 'CONFIG')
  assert.match(error.message, /cluster test.*other/)
  const text = formatIdentity({
    format: 9,
    nodeId: 1,
    incarnation: '0'.repeat(32),
    cluster: 'other',
  })
  rig.disk.plant('/n1/identity', Buffer.from(text))
  assert.match(refusal(() => rig.open()).message, /format 9/)
  // A refused start holds no lock.
  assert.equal(rig.disk.paths().includes('/n1/node.pid'), false)
})

test('a broken identity is refused, and so is a missing one beside a log', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 3, 1)))
  rig.storage.close()
  const identity = rig.disk.bytes('/n1/identity')
  rig.disk.plant('/n1/identity', identity.subarray(0, 20))
  assert.equal(refusal(() => rig.open()).code, 'CORRUPT')
  rig.disk.lose('/n1/identity')
  assert.match(refusal(() => rig.open()).message, /identity is missing/)
  rig.disk.plant('/n1/identity', identity)
  assert.equal(rig.open().shard(1).lastIndex(), 3)
})

test('an identity whose log is gone has forgotten its promises: every shard is damaged', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 3, 1)))
  const path = rig.segment()
  rig.disk.kill()
  rig.disk.lose(path)
  assert.match(rig.open().shard(1).damaged ?? '', /the log is gone/)
  assert.match(rig.restart().shard(2).damaged ?? '', /the log is gone/)
})

test('a lock of a dead process is taken over, and so are an empty one and our own number', () => {
  const rig = new Rig()
  rig.open()
  rig.disk.plant('/n1/node.pid', Buffer.from('4711\n'))
  rig.restart()
  rig.disk.plant('/n1/node.pid', Buffer.alloc(0))
  rig.restart()
  rig.alive.add(100)
  rig.restart()
  rig.disk.plant('/n1/node.pid', Buffer.from('4711\n'))
  rig.alive.add(4711)
  const error = refusal(() => rig.restart())
  assert.equal(error.code, 'LOCKED')
  assert.match(error.message, /4711/)
})

test('a disk that fails at start is a reason, not a crash', () => {
  const rig = new Rig()
  rig.disk.faults.fails = operation => operation === 'sync'
  assert.equal(refusal(() => rig.open()).code, 'DISK')
  rig.disk.faults.fails = null
  rig.disk.faults.quotaBytes = 1000
  assert.equal(refusal(() => rig.open()).code, 'DISK_FULL')
})
