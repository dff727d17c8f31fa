import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner, restored, snapshotBytes } from '../run.ts'

function ready(): Runner {
  const r = new Runner()
  r.run('XADD', 'a', '1-1', 'f', 'v')
  r.run('XGROUP', 'CREATE', 'a', 'g', '0')
  r.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'a', '>')
  r.run('PEXPIREAT', 'a', 9000)
  r.machine.takeReadyKeys()
  return r
}

test('a renamed stream keeps its groups and its time, and wakes who waits on either name', () => {
  const r = ready()
  r.run('XADD', 'b', '7-7', 'f', 'v')
  r.machine.takeReadyKeys()
  assert.equal(r.run('RENAME', 'a', 'b'), '+OK')
  assert.deepEqual(r.machine.takeReadyKeys(), ['a', 'b'])
  assert.equal(r.run('EXISTS', 'a'), 0)
  assert.deepEqual(r.run('XPENDING', 'b', 'g'), [1, '1-1', '1-1', [['c', '1']]])
  assert.equal(r.run('PEXPIRETIME', 'b'), 9000)
  assert.equal(r.run('RENAME', 'a', 'a'), '!ERR no such key')
  assert.equal(r.run('RENAME', 'b', 'b'), '+OK')
  assert.equal(r.run('RENAMENX', 'b', 'b'), 0)
  assert.equal(r.run('XADD', 'x', '1-1', 'f', 'v'), '1-1')
  assert.equal(r.run('RENAMENX', 'b', 'x'), 0)
  assert.equal(r.run('RENAMENX', 'b', 'y'), 1)
  assert.equal(r.run('RENAMENX', 'b', 'y'), '!ERR no such key')
})

test('a copy is a value of its own, with groups and time', () => {
  const r = ready()
  assert.equal(r.run('COPY', 'a', 'b'), 1)
  assert.equal(r.run('COPY', 'a', 'b'), 0)
  assert.equal(r.run('COPY', 'none', 'c'), 0)
  r.run('XADD', 'b', '2-1', 'f', 'v')
  r.run('XACK', 'b', 'g', '1-1')
  assert.equal(r.run('XLEN', 'a'), 1)
  assert.deepEqual(r.run('XPENDING', 'a', 'g'), [1, '1-1', '1-1', [['c', '1']]])
  assert.equal(r.run('PEXPIRETIME', 'b'), 9000)
  r.run('PERSIST', 'a')
  assert.equal(r.run('COPY', 'a', 'b', 'DB', 0, 'REPLACE'), 1)
  assert.equal(r.run('XLEN', 'b'), 1)
  assert.equal(r.run('TTL', 'b'), -1)
  assert.equal(r.run('COPY', 'a', 'b', 'DB', 1), '!ERR DB index is out of range')
})

test('a value that moves during a snapshot is written as it was, where it was', () => {
  const r = ready()
  r.run('XADD', 'first', '1-1', 'f', 'v')
  const expected = snapshotBytes(r.machine)
  const reader = r.machine.snapshot()
  r.run('RENAME', 'a', 'moved')
  r.run('XADD', 'moved', '9-1', 'f', 'late')
  r.run('PEXPIRE', 'moved', 1)
  r.run('RENAME', 'moved', 'first')
  r.run('XTRIM', 'first', 'MAXLEN', 0)
  const bytes = Buffer.from(reader.next(1 << 20) ?? [])
  assert.deepEqual(bytes, expected)
  assert.equal(restored(bytes).size, 2)
})
