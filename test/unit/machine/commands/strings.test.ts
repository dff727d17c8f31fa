// What transcripts of Redis 7.0 do not show of strings: what is newer, limits, and times as the machine sees them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner, restored, snapshotBytes } from '../run.ts'

test('SET compares with what is there: IFEQ needs a key, IFNE does not', () => {
  const r = new Runner()
  assert.equal(r.run('SET', 'k', 'v', 'IFEQ', 'x'), null)
  assert.equal(r.run('SET', 'k', '1', 'IFNE', 'x'), '+OK')
  assert.equal(r.run('SET', 'k', '2', 'IFNE', '1'), null)
  assert.equal(r.run('SET', 'k', '2', 'IFEQ', '1'), '+OK')
  assert.equal(r.run('SET', 'k', '3', 'IFEQ', '1', 'GET'), '2')
  assert.equal(r.run('GET', 'k'), '2')
  assert.equal(r.run('SET', 'k', '3', 'GET', 'IFEQ', '2'), '2')
  assert.equal(r.run('GET', 'k'), '3')
  assert.equal(r.run('SET', 'k', '3', 'IFEQ', '3', 'NX'), '!ERR syntax error')
  assert.equal(r.run('SET', 'k', '3', 'IFEQ'), '!ERR syntax error')
  r.run('XADD', 's', '*', 'f', 'v')
  assert.match(String(r.run('SET', 's', '3', 'IFEQ', '3')), /^!WRONGTYPE/)
})

test('a time that is over when it is applied leaves no key', () => {
  const r = new Runner()
  r.now = 50_000
  assert.equal(r.run('SET', 'k', 'v', 'EXAT', 50), '+OK')
  assert.equal(r.run('DBSIZE'), 0)
  assert.equal(r.run('SET', 'k', 'v', 'PX', 1), '+OK')
  assert.equal(r.run('GETEX', 'k', 'PXAT', 50_000), 'v')
  assert.equal(r.run('DBSIZE'), 0)
  r.run('SET', 'k', '5', 'PX', 1)
  r.now += 1
  assert.equal(r.run('INCR', 'k'), 1)
  assert.equal(r.run('PTTL', 'k'), -1)
})

test('a string that takes the place of a stream ends the waits on it, and no other string does', () => {
  const r = new Runner()
  r.run('SET', 'k', 'v')
  r.run('XADD', 's', '*', 'f', 'v')
  r.machine.takeReadyKeys()
  r.run('SET', 'k', 'w')
  r.run('SET', 's', 'w')
  assert.deepEqual(r.machine.takeReadyKeys(), ['s'])
})

test('APPEND stops at the size of a value', () => {
  const r = new Runner()
  const mebibytes = Buffer.alloc(9 << 20, 'x')
  assert.equal(r.run('APPEND', 'k', mebibytes), 9 << 20)
  assert.match(String(r.run('APPEND', 'k', mebibytes)), /^!ERR string exceeds maximum allowed size/)
  assert.equal(r.run('STRLEN', 'k'), 9 << 20)
  const copy = restored(snapshotBytes(r.machine))
  assert.deepEqual(snapshotBytes(copy), snapshotBytes(r.machine))
})
