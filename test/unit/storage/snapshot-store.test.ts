// Snapshot files: whole or not there, and the log's record of them decides.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DiskError } from '../../../src/storage/disk.ts'
import { append, CONF, entries, Rig, seeded } from './rig.ts'

const META = { index: 5, term: 1, conf: CONF }
const PATH = '/n1/snapshots/1-5-1.snap'

function readAll(rig: Rig, offset: number, length: number): Buffer {
  const file = rig.storage.snapshots.open(1, META)
  assert.ok(file !== null)
  let result: Buffer | DiskError | null = null
  file.read(offset, length, (error, bytes) => {
    result = error ?? Buffer.from(bytes)
  })
  rig.loop.run()
  file.close()
  if (result === null || !Buffer.isBuffer(result)) throw result ?? new Error('no answer')
  return result
}

/** A shard with nine entries and a snapshot of `state` at 5, written in chunks. */
function withSnapshot(state: Uint8Array, chunkBytes: number): Rig {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 9, 1)))
  const file = rig.storage.snapshots.create(1, META)
  for (let at = 0; at < state.length; at += chunkBytes) {
    file.append(state.subarray(at, at + chunkBytes), error => assert.equal(error, null))
    rig.loop.run()
  }
  let isCommitted = false
  file.commit(error => {
    assert.equal(error, null)
    isCommitted = true
  })
  rig.loop.run()
  assert.ok(isCommitted)
  rig.write({ shard: 1, hardState: null, entries: [], snapshot: META })
  return rig
}

test('any part of a snapshot reads as it was written, over the borders of its chunks', () => {
  const state = seeded(3).bytes(10_000)
  const rig = withSnapshot(state, 700)
  rig.crash()
  assert.equal(rig.storage.snapshots.size(1, META), 10_000)
  for (const [offset, length] of [
    [0, 10_000],
    [0, 700],
    [699, 2],
    [1400, 700],
    [9_999, 50],
    [10_000, 10],
    [123, 4567],
  ] as const) {
    assert.deepEqual(
      readAll(rig, offset, length),
      Buffer.from(state.subarray(offset, offset + length)),
      `${length} bytes at ${offset}`,
    )
  }
})

test('an empty snapshot is one', () => {
  const rig = withSnapshot(new Uint8Array(0), 10)
  rig.crash()
  assert.equal(rig.storage.shard(1).damaged, null)
  assert.equal(readAll(rig, 0, 10).length, 0)
})

test('half-written-snapshot: a temporary file is removed at start and counts for nothing', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 9, 1)))
  const file = rig.storage.snapshots.create(1, META)
  file.append(Buffer.alloc(100), () => {})
  rig.loop.run()
  rig.crash()
  assert.equal(rig.storage.snapshots.newest(1), null)
  assert.equal(rig.storage.shard(1).snapshot(), 'not-now')
  assert.equal(
    rig.disk.paths().some(path => path.endsWith('.tmp')),
    false,
  )
})

test('a committed file that no record names is removed at start, and the one before it stays', () => {
  const rig = withSnapshot(Buffer.from('old'), 10)
  rig.file(1, { index: 8, term: 1, conf: CONF }, Buffer.from('new'))
  assert.equal(rig.storage.snapshots.newest(1)?.index, 8)
  rig.crash()
  assert.equal(rig.storage.snapshots.newest(1)?.index, 5)
  assert.deepEqual(readAll(rig, 0, 10), Buffer.from('old'))
  assert.equal(rig.storage.shard(1).damaged, null)
})

/** Where the trailer ends: a disk may put zeros behind it. */
function contentBytes(file: Buffer): number {
  return Math.ceil((file.findLastIndex(byte => byte !== 0) + 1) / 8) * 8
}

test('a flipped bit anywhere in the file is damage, and the shard starts anew from its leader', () => {
  const rig = withSnapshot(seeded(3).bytes(300), 100)
  const bits = contentBytes(rig.disk.bytes(PATH)) * 8
  for (let bit = 1; bit < bits; bit += 37) {
    const other = new Rig()
    other.disk = rig.disk.clone(other.loop)
    other.disk.flipBit(PATH, bit)
    const log = other.open().shard(1)
    assert.match(log.damaged ?? '', /snapshot 5 is missing or bad/, `bit ${bit}`)
    assert.equal(log.lastIndex(), 0)
    assert.deepEqual(log.initialState().conf, CONF)
    assert.ok(other.disk.paths().includes(`${PATH}.damaged`))
    assert.notEqual(other.restart().shard(1).damaged, null)
  }
})

test('a damaged shard takes the newest whole snapshot', () => {
  const rig = withSnapshot(Buffer.from('old'), 10)
  rig.file(1, { index: 8, term: 1, conf: CONF }, Buffer.from('new'))
  rig.loop.clear()
  rig.disk.kill()
  rig.disk.lose(PATH)
  const log = rig.open().shard(1)
  assert.notEqual(log.damaged, null)
  assert.deepEqual(log.snapshot(), { index: 8, term: 1, conf: CONF })
  assert.equal(log.initialState().hardState.commit, 8)
})

test('decay after the start is found when the part is read', () => {
  const rig = withSnapshot(seeded(3).bytes(300), 100)
  const bytes = rig.disk.bytes(PATH)
  const at = contentBytes(bytes) - 100
  bytes[at] = (bytes[at] ?? 0) ^ 1
  rig.disk.plant(PATH, bytes)
  assert.throws(() => readAll(rig, 0, 300), /bad frame/)
})

test('a snapshot that was given up leaves nothing, and its callback does not run', () => {
  const rig = new Rig()
  rig.open()
  const file = rig.storage.snapshots.create(1, META)
  file.append(Buffer.alloc(10), () => assert.fail('called'))
  file.abort()
  rig.loop.run()
  assert.equal(
    rig.disk.paths().some(path => path.includes('snapshots')),
    false,
  )
})

test('a disk error while a snapshot is written is told, and no snapshot comes of it', () => {
  const rig = new Rig()
  rig.open()
  const file = rig.storage.snapshots.create(1, META)
  file.append(Buffer.alloc(10), () => {})
  rig.loop.run()
  rig.disk.faults.fails = operation => operation === 'sync'
  let error: DiskError | null = null
  file.commit(result => {
    error = result
  })
  rig.loop.run()
  assert.notEqual(error, null)
  assert.equal(rig.storage.snapshots.newest(1), null)
})

test('an open reader keeps a file that is dropped', () => {
  const rig = withSnapshot(Buffer.from('state'), 10)
  const file = rig.storage.snapshots.open(1, META)
  rig.snapshot(1, 7, Buffer.from('newer'))
  let text = ''
  file?.read(0, 10, (_error, bytes) => {
    text = bytes.toString()
  })
  rig.loop.run()
  assert.equal(text, 'state')
})
