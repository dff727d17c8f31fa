import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner } from '../run.ts'

test('a key is idle from the last command that reached for its value', () => {
  const r = new Runner()
  r.run('XADD', 'k', '1-1', 'f', 'v')
  r.now += 3500
  assert.equal(r.run('OBJECT', 'IDLETIME', 'k'), 3)
  assert.equal(r.run('TYPE', 'k'), '+stream')
  assert.equal(r.run('OBJECT', 'IDLETIME', 'k'), 3)
  assert.equal(r.run('EXISTS', 'k'), 1)
  assert.equal(r.run('OBJECT', 'IDLETIME', 'k'), 3)
  r.run('XLEN', 'k')
  assert.equal(r.run('OBJECT', 'IDLETIME', 'k'), 0)
  r.now += 2000
  r.run('TOUCH', 'k')
  assert.equal(r.run('OBJECT', 'IDLETIME', 'k'), 0)
  assert.equal(r.run('OBJECT', 'IDLETIME', 'none'), null)
})

test('OBJECT tells how a value is kept', () => {
  const r = new Runner()
  r.run('XADD', 'k', '1-1', 'f', 'v')
  assert.equal(r.run('OBJECT', 'ENCODING', 'k'), 'stream')
  assert.equal(r.run('OBJECT', 'ENCODING', 'none'), null)
  assert.equal(r.run('OBJECT', 'REFCOUNT', 'k'), 1)
  assert.equal(r.run('OBJECT', 'REFCOUNT', 'none'), null)
  assert.match(
    String(r.run('OBJECT', 'FREQ', 'k')),
    /^!ERR An LFU maxmemory policy is not selected/,
  )
  assert.equal(r.run('OBJECT', 'FREQ', 'none'), null)
})
