// What a node relies on: what was written is there again, after a restart, a crash, or an error.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OperationalError } from '../../../src/base/errors.ts'
import { append, CONF, contentOf, entries, entry, Rig } from './rig.ts'

const HARD = { term: 3, vote: 2, commit: 2 }

test('a written batch is shown just before done is called, and is there after a power failure', () => {
  const rig = new Rig()
  const storage = rig.open()
  let seen = 0
  storage.write([append(1, entries(1, 3, 3), HARD), append(7, [entry(1, 5)])], error => {
    assert.equal(error, null)
    seen = storage.shard(1).lastIndex()
  })
  assert.equal(storage.busy, true)
  assert.equal(storage.shard(1).lastIndex(), 0)
  rig.loop.run()
  assert.equal(seen, 3)
  assert.equal(storage.busy, false)

  const again = rig.crash()
  assert.deepEqual(again.shards(), [1, 7])
  assert.deepEqual(again.shard(1).initialState().hardState, HARD)
  assert.deepEqual(contentOf(again.shard(1)), ['1.3:e1.3', '2.3:e2.3', '3.3:e3.3'])
  assert.deepEqual(contentOf(again.shard(7)), ['1.5:e1.5'])
  assert.equal(again.shard(1).damaged, null)
})

test('an entry at an index that exists replaces it and all behind it', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 5, 1)))
  rig.write(append(1, [entry(3, 2)]))
  const wanted = ['1.1:e1.1', '2.1:e2.1', '3.2:e3.2']
  assert.deepEqual(contentOf(rig.storage.shard(1)), wanted)
  assert.deepEqual(contentOf(rig.restart().shard(1)), wanted)
})

test('a second write while one is in flight is a broken invariant', () => {
  const rig = new Rig()
  const storage = rig.open()
  storage.write([append(1, [entry(1, 1)])], () => {})
  assert.throws(() => storage.write([], () => {}), /in flight/)
})

test('an entry that leaves a gap is a broken invariant', () => {
  const rig = new Rig()
  rig.open()
  assert.throws(() => rig.write(append(1, [entry(2, 1)])), /does not fit/)
})

test('the log goes over into new segments, and an entry larger than a segment gets its own', () => {
  const rig = new Rig()
  rig.open()
  for (let i = 1; i <= 40; i += 1) rig.write(append(1, entries(i, 1, 1, 300)))
  rig.write(append(1, entries(41, 1, 1, 20_000)))
  rig.write(append(1, entries(42, 1, 1, 10)))
  assert.ok(rig.disk.paths().filter(path => path.endsWith('.wal')).length > 4)
  const before = contentOf(rig.storage.shard(1))
  assert.deepEqual(contentOf(rig.restart().shard(1)), before)
  assert.equal(before.length, 42)
})

test('segments that no log needs are removed, and the rest still reads', () => {
  const rig = new Rig()
  rig.open()
  for (let i = 1; i <= 60; i += 1)
    rig.write(append(1, entries(i, 1, 1, 300), { ...HARD, commit: i - 1 }))
  const many = rig.disk.paths().filter(path => path.endsWith('.wal')).length
  rig.snapshot(1, 55, Buffer.from('state'))
  rig.storage.compact(1, 55)
  rig.write(append(1, entries(61, 1, 1, 300)))
  rig.write()
  const few = rig.disk.paths().filter(path => path.endsWith('.wal')).length
  assert.ok(few < many - 3, `${few} of ${many} segments are left`)
  const storage = rig.crash()
  assert.equal(storage.shard(1).firstIndex(), 56)
  assert.equal(storage.shard(1).lastIndex(), 61)
  assert.equal(storage.shard(1).term(55), 1)
  assert.equal(storage.shard(1).term(54), 'compacted')
  assert.equal(storage.shard(1).damaged, null)
  assert.deepEqual(storage.shard(1).snapshot(), { index: 55, term: 1, conf: CONF })
})

test('a small log in an old segment is carried forward instead of pinning it', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(9, entries(1, 2, 1)))
  for (let i = 1; i <= 100; i += 1) {
    rig.write(append(1, entries(i, 1, 1, 300)))
    if (i % 10 === 0) {
      rig.snapshot(1, i, Buffer.from('state'))
      rig.storage.compact(1, i)
    }
  }
  assert.ok(rig.disk.paths().filter(path => path.endsWith('.wal')).length < 9)
  assert.deepEqual(contentOf(rig.storage.shard(9)), ['1.1:e1.1', '2.1:e2.1'])
  assert.deepEqual(contentOf(rig.crash().shard(9)), ['1.1:e1.1', '2.1:e2.1'])
})

test('the log may not be shortened beyond a durable snapshot', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 5, 1)))
  assert.throws(() => rig.storage.compact(1, 3), /no durable snapshot/)
})

test('a snapshot without the log that it ends replaces the log', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 5, 1)))
  const meta = { index: 9, term: 4, conf: CONF }
  rig.file(1, meta, Buffer.from('state'))
  rig.write({
    shard: 1,
    hardState: { term: 4, vote: 0, commit: 9 },
    entries: [entry(10, 4)],
    snapshot: meta,
  })
  for (const storage of [rig.storage, rig.crash()]) {
    const log = storage.shard(1)
    assert.equal(log.firstIndex(), 10)
    assert.equal(log.lastIndex(), 10)
    assert.equal(log.term(9), 4)
    assert.deepEqual(log.snapshot(), meta)
    assert.deepEqual(log.initialState(), {
      hardState: { term: 4, vote: 0, commit: 9 },
      conf: CONF,
    })
  }
})

test('a snapshot inside the log leaves the log, and the one before it goes', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 9, 1)))
  rig.snapshot(1, 3, Buffer.from('three'))
  rig.snapshot(1, 6, Buffer.from('six'))
  assert.equal(rig.storage.shard(1).firstIndex(), 1)
  assert.deepEqual(
    rig.disk.paths().filter(path => path.endsWith('.snap')),
    ['/n1/snapshots/1-6-1.snap'],
  )
  assert.equal(rig.crash().shard(1).firstIndex(), 1)
})

test('a first configuration is a snapshot without a file', () => {
  const rig = new Rig()
  rig.open()
  const meta = { index: 1, term: 0, conf: CONF }
  rig.write({ shard: 1, hardState: null, entries: [], snapshot: meta })
  const log = rig.crash().shard(1)
  assert.equal(log.damaged, null)
  assert.deepEqual(log.snapshot(), meta)
  assert.equal(log.firstIndex(), 2)
  assert.deepEqual(log.initialState().conf, CONF)
})

test('a configuration is durable with the next batch, and a later snapshot brings its own', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 9, 1)))
  const five = { ...CONF, voters: [1, 2, 3, 4, 5], learners: [] }
  rig.storage.shard(1).setConf(five, 4)
  rig.write()
  assert.deepEqual(rig.crash().shard(1).initialState().conf, five)
  assert.equal(rig.storage.shard(1).confIndex, 4)
  rig.snapshot(1, 6, Buffer.from('state'))
  assert.deepEqual(rig.crash().shard(1).initialState().conf, CONF)
})

test('a dropped shard is gone, with its snapshots', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 4, 1)), append(2, entries(1, 4, 1)))
  rig.snapshot(1, 3, Buffer.from('state'))
  rig.storage.dropShard(1)
  rig.write(append(2, [entry(5, 1)]))
  const storage = rig.crash()
  assert.deepEqual(storage.shards(), [2])
  assert.equal(storage.shard(1).lastIndex(), 0)
  assert.equal(
    rig.disk.paths().some(path => path.endsWith('.snap')),
    false,
  )
})

test('a commit index beyond the log comes back inside it', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 2, 1), { term: 1, vote: 0, commit: 7 }))
  assert.equal(rig.restart().shard(1).initialState().hardState.commit, 2)
})

test('entries whose data is not in memory are fetched', () => {
  const rig = new Rig({ cacheBytesPerShard: 2000 })
  rig.open()
  for (let i = 1; i <= 20; i += 1) rig.write(append(1, entries(i, 1, 1, 300)))
  const log = rig.storage.shard(1)
  assert.equal(log.entries(2, 6, 1e6), 'not-now')
  assert.notEqual(log.entries(19, 21, 1e6), 'not-now')
  let error: unknown = 'never'
  log.fetch(2, 6, 1e6, result => {
    error = result
  })
  rig.loop.run()
  assert.equal(error, null)
  const found = log.entries(2, 6, 1e6)
  assert.ok(typeof found !== 'string')
  assert.deepEqual(
    found.map(item => [item.index, item.data.length, item.data[0]]),
    [2, 3, 4, 5].map(i => [i, 300, i]),
  )
})

test('a fetch that was overtaken by a replacement brings nothing of the old', () => {
  const rig = new Rig({ cacheBytesPerShard: 0 })
  rig.open()
  rig.write(append(1, entries(1, 4, 1, 100)))
  const log = rig.storage.shard(1)
  let error: unknown = 'never'
  log.fetch(2, 5, 1e6, result => {
    error = result
  })
  // While the read is on its way the entries 3 and 4 go, and 2 becomes another.
  log.append({ entries: [entry(2, 2)], checksums: [0], segment: 1, offset: 3000 })
  rig.loop.run()
  assert.equal(error, null)
  const found = log.entries(2, 3, 1e6)
  assert.ok(typeof found !== 'string')
  assert.equal(found[0]?.term, 2)
})

test('data that is a small view of a large buffer is copied, and data of its own is not', () => {
  const rig = new Rig()
  rig.open()
  const big = new Uint8Array(100_000)
  const own = new Uint8Array(100)
  rig.write(
    append(1, [
      { ...entry(1, 1), data: big.subarray(10, 110) },
      { ...entry(2, 1), data: own },
    ]),
  )
  const found = rig.storage.shard(1).entries(1, 3, 1e6)
  assert.ok(typeof found !== 'string')
  assert.ok((found[0]?.data.buffer.byteLength ?? 0) < 1000)
  assert.equal(found[1]?.data, own)
})

test('a failed sync ends the log: the error is told, nothing is written any more', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, [entry(1, 1)]))
  rig.disk.faults.fails = operation => operation === 'sync'
  const error = rig.tryWrite(append(1, [entry(2, 1)]))
  assert.match(error?.message ?? '', /EIO/)
  assert.equal(rig.storage.failed, true)
  assert.equal(rig.storage.shard(1).lastIndex(), 1)
  rig.disk.faults.fails = null
  assert.throws(() => rig.tryWrite(append(1, [entry(2, 1)])), /ended/)
})

test('fsync-eio-then-ok: what a failed sync left in the page cache is written again by recovery', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, [entry(1, 1)]))
  rig.disk.faults.fails = operation => operation === 'sync'
  rig.tryWrite(append(1, [entry(2, 1)]))
  rig.disk.faults.fails = null
  // The process restarts and reads the page cache; what it shows must be on the disk then.
  const shown = contentOf(rig.restart().shard(1))
  rig.loop.clear()
  rig.disk.crashHard()
  assert.deepEqual(contentOf(rig.open().shard(1)), shown)
})

test('enospc-mid-batch: a batch without room for its segment leaves no hole, and may be tried again', () => {
  const rig = new Rig()
  rig.open()
  rig.write(append(1, entries(1, 2, 1, 300)))
  rig.disk.faults.quotaBytes = rig.disk.usedBytes() + 100
  const error = rig.tryWrite(append(1, entries(3, 1, 1, 5000)))
  assert.equal(error?.full, true)
  assert.equal(rig.storage.failed, false)
  assert.equal(rig.storage.full, true)
  rig.write(append(1, entries(3, 1, 1, 10)))
  assert.equal(rig.restart().shard(1).lastIndex(), 3)
  rig.disk.faults.quotaBytes = Number.MAX_SAFE_INTEGER
  rig.write(append(1, entries(4, 1, 1, 5000)))
  assert.equal(rig.crash().shard(1).lastIndex(), 4)
  assert.equal(rig.storage.shard(1).damaged, null)
})

test('growth is refused while little space is left, with a distance between in and out', () => {
  const rig = new Rig({ reserveBytes: 100_000 })
  rig.open()
  assert.equal(rig.storage.full, false)
  rig.disk.faults.quotaBytes = rig.disk.usedBytes() + 99_000
  rig.storage.checkSpace()
  assert.equal(rig.storage.full, true)
  rig.disk.faults.quotaBytes = rig.disk.usedBytes() + 110_000
  rig.storage.checkSpace()
  assert.equal(rig.storage.full, true)
  rig.disk.faults.quotaBytes = rig.disk.usedBytes() + 126_000
  rig.storage.checkSpace()
  assert.equal(rig.storage.full, false)
})

test('two nodes on one directory: the second is told who has it', () => {
  const rig = new Rig()
  rig.open()
  rig.alive.add(100)
  const options = { ...rig.options, processes: { pid: 200, alive: () => true } }
  rig.options = options
  assert.throws(
    () => rig.restart(),
    (error: unknown) =>
      error instanceof OperationalError &&
      error.code === 'LOCKED' &&
      /process 100/.test(error.message),
  )
})

test('closing gives the lock back', () => {
  const rig = new Rig()
  rig.open().close()
  assert.equal(rig.disk.paths().includes('/n1/node.pid'), false)
})
