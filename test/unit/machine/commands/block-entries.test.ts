// How many entries a block of a stream takes: a setting that is state, and what `~` makes of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner, restored, snapshotBytes } from '../run.ts'

function filled(r: Runner, count: number): void {
  for (let i = 0; i < count; i += 1) r.run('XADD', 's', '*', 'f', 'v')
}

test('~ trims whole blocks of the size that was set', () => {
  const r = new Runner()
  r.run('slotcast.block-entries', 10)
  filled(r, 100)
  r.run('XADD', 's', 'MAXLEN', '~', 55, 'LIMIT', 30, '*', 'f', 'v')
  assert.equal(r.run('XLEN', 's'), 71)
  assert.equal(r.run('XTRIM', 's', 'MAXLEN', '~', 55), 10)
})

test('a size that is set leaves the blocks there are as they are', () => {
  const r = new Runner()
  filled(r, 100)
  r.run('slotcast.block-entries', 2)
  filled(r, 5)
  assert.equal(r.run('XTRIM', 's', 'MAXLEN', '~', 4), 100)
  assert.equal(r.run('XTRIM', 's', 'MAXLEN', '~', 0, 'LIMIT', 3), 2)
})

test('~ without LIMIT stops after a hundred full blocks', () => {
  const r = new Runner()
  r.run('slotcast.block-entries', 1)
  filled(r, 102)
  assert.equal(r.run('XTRIM', 's', 'MAXLEN', '~', 1), 100)
})

test('without a bound a block takes what its bytes hold', () => {
  const r = new Runner()
  r.run('slotcast.block-entries', 0)
  filled(r, 300)
  assert.equal(r.run('XTRIM', 's', 'MAXLEN', '~', 1), 0)
})

test('the size goes with snapshots', () => {
  const r = new Runner()
  r.run('slotcast.block-entries', 3)
  filled(r, 4)
  const machine = restored(snapshotBytes(r.machine))
  assert.equal(machine.keyspace.blockEntries, 3)
  assert.deepEqual(snapshotBytes(machine), snapshotBytes(r.machine))
})
