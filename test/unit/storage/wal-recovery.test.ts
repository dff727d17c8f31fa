// What a start makes of what it finds. The exhaustive versions are in test/fuzz/wal-*.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segmentName } from '../../../src/storage/segment.ts'
import { append, contentOf, entries, entry, Rig } from './rig.ts'

function walPath(number: number): string {
  return `/n1/wal/${segmentName(number)}`
}

test('empty-wal-file: an empty, a short and a zeroed last segment are as good as none (ra#170)', () => {
  for (const bytes of [0, 7, 80, 4096]) {
    const rig = new Rig()
    rig.open()
    rig.write(append(1, entries(1, 3, 1)))
    rig.disk.kill()
    rig.disk.plant(walPath(2), Buffer.alloc(bytes))
    assert.equal(rig.open().shard(1).lastIndex(), 3)
    assert.equal(rig.storage.shard(1).damaged, null)
    rig.write(append(1, entries(4, 1, 1, 5000)))
    assert.equal(rig.crash().shard(1).lastIndex(), 4)
  }
})

test('a leftover temporary segment is removed', () => {
  const rig = new Rig()
  rig.open()
  rig.disk.plant(`${walPath(2)}.tmp`, Buffer.alloc(100, 7))
  rig.restart()
  assert.equal(rig.disk.paths().includes(`${walPath(2)}.tmp`), false)
})

test('a torn tail is cut, zeroed and logged; nobody was told of it', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 2, 1)))
  // What a crash leaves of a batch whose first sector was lost.
  const bytes = rig.disk.bytes(walPath(1))
  bytes.fill(0xab, 1024, 1600)
  rig.disk.kill()
  rig.disk.plant(walPath(1), bytes)
  assert.equal(rig.open().shard(1).lastIndex(), 2)
  assert.equal(rig.storage.shard(1).damaged, null)
  assert.ok(rig.logger.has('torn tail cut'))
  assert.ok(
    rig.disk
      .bytes(walPath(1))
      .subarray(1024)
      .every(byte => byte === 0),
  )
})

test('crash-in-recovery: segments that a removal left in part do not hide the log (ra#589)', () => {
  const rig = new Rig()
  rig.open()
  for (let i = 1; i <= 60; i += 1) rig.write(append(1, entries(i, 1, 1, 300)))
  const old = [1, 2, 3].map(number => rig.disk.bytes(walPath(number)))
  rig.snapshot(1, 59, Buffer.from('state'))
  rig.storage.compact(1, 59)
  rig.write(append(1, entries(61, 1, 1, 4000)))
  rig.write(append(1, entries(62, 1, 1)))
  assert.equal(rig.disk.paths().includes(walPath(1)), false)
  const wanted = contentOf(rig.storage.shard(1))
  rig.disk.kill()
  // The removals of 1 and 3 were lost, that of 2 was kept.
  rig.disk.plant(walPath(1), old[0] ?? Buffer.alloc(0))
  rig.disk.plant(walPath(3), old[2] ?? Buffer.alloc(0))
  rig.open()
  assert.equal(rig.storage.shard(1).damaged, null)
  assert.ok(contentOf(rig.storage.shard(1)).join() === wanted.join())
  assert.equal(rig.disk.paths().includes(walPath(1)), false)
})

test('a record of another position or another chain is not read', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, [entry(1, 1)]))
  const one = rig.disk.bytes(walPath(1))
  rig.write(append(1, [entry(2, 1)]))
  const two = rig.disk.bytes(walPath(1))
  const end = one.findLastIndex(byte => byte !== 0) + 1
  const at = Math.ceil(end / 8) * 8
  // The second record again, behind itself: good in itself, but not of this place.
  const length = two.findLastIndex(byte => byte !== 0) + 1 - at
  const step = Math.ceil(length / 8) * 8
  two.copy(two, at + step, at, at + length)
  rig.disk.kill()
  rig.disk.plant(walPath(1), two)
  assert.equal(rig.open().shard(1).lastIndex(), 2)
  assert.ok(rig.logger.has('torn tail'))
})

test('an idle log that was marked tells damage of its last batch from a torn tail', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 3, 1)))
  const end = rig.disk.bytes(walPath(1)).findLastIndex(byte => byte !== 0)
  const unmarked = new Rig()
  unmarked.disk = rig.disk.clone(unmarked.loop)
  unmarked.disk.flipBit(walPath(1), end * 8)
  assert.equal(unmarked.open().shard(1).damaged, null)
  rig.write()
  rig.disk.flipBit(walPath(1), end * 8)
  assert.notEqual(rig.restart().shard(1).damaged, null)
})

test('a format of a later version is refused, not repaired', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 3, 1)))
  const good = rig.disk.bytes(walPath(1))
  const later = Buffer.from(good)
  later.writeUInt16LE(2, 8)
  rig.disk.kill()
  rig.disk.plant(walPath(1), later)
  // Its checksum does not fit: that is damage, and not a version.
  assert.notEqual(rig.open().shard(1).damaged, null)
})

test('entries of a cold start are in memory, the newest first, up to the limit', () => {
  const rig = new Rig({ cacheBytesPerShard: 3000 })
  rig.open()
  for (let i = 1; i <= 50; i += 1) {
    rig.write(append(1, entries(i, 1, 1, 200)), append(2, entries(i, 1, 1, 100)))
  }
  const log = rig.restart().shard(1)
  assert.equal(log.entries(20, 21, 1e6), 'not-now')
  const newest = log.entries(45, 51, 1e6)
  assert.ok(typeof newest !== 'string')
  assert.deepEqual(
    newest.map(item => [item.index, item.data.length, item.data[0]]),
    [45, 46, 47, 48, 49, 50].map(i => [i, 200, i]),
  )
  assert.ok(log.cacheBytes <= 3000)
})

test('a repaired shard is repaired for good, the others are not', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 3, 1)), append(2, entries(1, 3, 1)))
  rig.write(append(1, entries(4, 3, 1)))
  rig.write()
  rig.disk.flipBit(walPath(1), 8 * 200)
  rig.restart()
  rig.storage.clearDamage(2)
  rig.write(append(2, entries(1, 3, 4), { term: 4, vote: 1, commit: 3 }))
  rig.crash()
  assert.notEqual(rig.storage.shard(1).damaged, null)
  assert.equal(rig.storage.shard(2).damaged, null)
  assert.equal(rig.storage.shard(2).lastIndex(), 3)
})

test('a segment whose head was torn can be read once older ones are gone', () => {
  const rig = new Rig()
  rig.open()
  const shards = [1, 2, 3, 4]
  rig.write(
    ...shards.map(shard => append(shard, entries(1, 3, 1), { term: 1, vote: 1, commit: 0 })),
  )
  for (const shard of shards) {
    rig.snapshot(shard, 3, Buffer.from('state'))
    rig.storage.compact(shard, 3)
  }
  rig.storage.write([append(1, entries(4, 1, 1, 3500))], () => {})
  rig.loop.run()
  // Of the batch that began segment 2, the header and the first sector's states survive.
  const bytes = rig.disk.bytes(walPath(2))
  bytes.fill(0, 512)
  rig.disk.kill()
  rig.disk.plant(walPath(2), bytes)
  rig.open()
  assert.ok(rig.logger.has('torn tail cut'))
  rig.write(append(4, entries(4, 2, 1)))
  for (const shard of shards) rig.storage.compact(shard, 3)
  rig.write(append(4, entries(6, 1, 1)))
  rig.write()
  assert.equal(rig.disk.paths().includes(walPath(1)), false)
  rig.crash()
  for (const shard of shards) {
    assert.equal(rig.storage.shard(shard).damaged, null)
    assert.equal(rig.storage.shard(shard).firstIndex(), 4)
    assert.equal(rig.storage.shard(shard).initialState().hardState.term, 1)
  }
  assert.equal(rig.storage.shard(4).lastIndex(), 6)
})

test('old segments go only when damage to what replaces them would be noticed', () => {
  const rig = new Rig()
  rig.open()
  rig.write(
    append(1, entries(1, 3, 1), { term: 8, vote: 1, commit: 0 }),
    append(2, entries(1, 1, 1)),
  )
  rig.snapshot(1, 3, Buffer.from('state'))
  rig.storage.compact(1, 3)
  rig.snapshot(2, 1, Buffer.from('state'))
  rig.storage.compact(2, 1)
  rig.write(append(2, entries(2, 1, 1, 3500)))
  for (let more = 0; more < 3; more += 1) {
    const other = new Rig()
    other.disk = rig.disk.clone(other.loop)
    other.disk.flipBit(walPath(2), 8 * 200)
    const log = other.open().shard(1)
    assert.ok(
      log.damaged !== null || log.initialState().hardState.term === 8,
      `${more} more batches`,
    )
    rig.write(append(2, entries(3 + more, 1, 1)))
  }
  assert.equal(rig.disk.paths().includes(walPath(1)), false)
})
