// Segments that are used again: which are kept, when they may change, and when their space is given back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Disk } from '../../../src/storage/disk.ts'
import { RecycledSegments } from '../../../src/storage/recycled-segments.ts'
import { segmentName } from '../../../src/storage/segment.ts'
import { SpareSegment } from '../../../src/storage/spare-segment.ts'
import { FakeDisk } from '../../sim/fake-disk.ts'
import { append, entries, Loop, Rig } from './rig.ts'

const DIRECTORY = '/wal'
const BYTES = 4096
const KEPT_MAX = 6

function pathOf(number: number): string {
  return `${DIRECTORY}/${segmentName(number)}`
}

/** A directory with segments 1 to `count`, each full of its number, and what recycles them. */
class Wal {
  readonly loop: Loop
  readonly disk: FakeDisk
  readonly view: Disk
  readonly recycled: RecycledSegments
  readonly spare: SpareSegment
  readonly made: string[] = []

  constructor(count: number, seed = 1) {
    this.loop = new Loop(seed)
    this.disk = new FakeDisk(this.loop)
    for (let number = 1; number <= count; number += 1) {
      this.disk.plant(pathOf(number), Buffer.alloc(BYTES, number))
    }
    this.view = this.disk.view()
    this.recycled = new RecycledSegments(this.view, DIRECTORY, BYTES)
    this.spare = new SpareSegment(this.view, DIRECTORY, BYTES, this.recycled)
    this.disk.faults.before = (operation, path) => {
      if (operation === 'create') this.made.push(path)
    }
  }

  retire(first: number, last: number, allocated = BYTES): void {
    const count = last - first + 1
    this.recycled.retire(
      Array.from({ length: count }, (_, i) => ({ number: first + i, allocated })),
    )
  }

  /** Begins the segment `number` and asks for all of it. */
  fill(number: number, bytes = BYTES): void {
    this.spare.begin(number)
    this.spare.require(bytes, error => assert.equal(error, null))
  }

  get names(): string[] {
    return this.disk.paths().map(path => path.slice(DIRECTORY.length + 1))
  }

  get keptCount(): number {
    return this.names.filter(name => name.endsWith('.tmp')).length
  }
}

test('a retired segment becomes the next one, full of zeros, and no file is made', () => {
  const wal = new Wal(2)
  wal.retire(1, 1)
  wal.loop.run()
  wal.fill(3)
  wal.loop.run()
  const { file, allocated } = wal.spare.take()
  assert.deepEqual(wal.made, [])
  assert.deepEqual(wal.names, [segmentName(2), segmentName(3)])
  assert.equal(allocated, BYTES)
  assert.ok(file.read(0, BYTES).equals(Buffer.alloc(BYTES)))
})

test('without a retired segment, and for one of another size, a file is made', () => {
  const wal = new Wal(2)
  wal.fill(3)
  wal.loop.run()
  wal.spare.take()
  wal.retire(1, 1)
  wal.loop.run()
  wal.spare.begin(4, 3 * BYTES)
  wal.spare.require(3 * BYTES, () => {})
  wal.loop.run()
  assert.equal(wal.spare.readyBytes, 3 * BYTES)
  assert.deepEqual(wal.made, [`${pathOf(3)}.tmp`, `${pathOf(4)}.tmp`])
  assert.equal(wal.keptCount, 1)
})

test('a segment that had to grow while an old one was filled is whole', () => {
  const wal = new Wal(2)
  wal.retire(1, 1)
  wal.loop.run()
  wal.spare.begin(3)
  wal.spare.advance(1)
  wal.loop.step()
  wal.spare.require(BYTES + 1_000, error => assert.equal(error, null))
  wal.loop.run()
  const { file, allocated } = wal.spare.take()
  assert.equal(allocated, BYTES + 1_000)
  assert.ok(file.read(0, allocated).equals(Buffer.alloc(allocated)))
})

test('whenever power fails, a segment that has its name has its content', () => {
  let came = 0
  let used = 0
  for (let seed = 1; seed <= 400; seed += 1) {
    const wal = new Wal(4, seed)
    wal.loop.anyOrder = true
    wal.retire(1, 2)
    wal.retire(3, 3)
    for (let step = wal.loop.random.below(6); step > 0; step -= 1) {
      // Whoever wants one takes it as soon as it is given out.
      const path = wal.recycled.take()
      if (path !== null) {
        used += 1
        wal.view.open(path, 'write').writeLater(Buffer.alloc(BYTES, 0xee), 0, () => {})
      }
      wal.loop.step()
    }
    wal.disk.crash()
    for (let number = 1; number <= 4; number += 1) {
      if (!wal.disk.paths().includes(pathOf(number))) continue
      if (number < 4) came += 1
      const bytes = wal.disk.bytes(pathOf(number))
      assert.ok(bytes.equals(Buffer.alloc(BYTES, number)), `segment ${number}, seed ${seed}`)
    }
  }
  assert.ok(came > 50 && used > 100, `${came} names came back, ${used} segments were used`)
})

test('a segment is given out only when the directory was synced without its name', () => {
  const wal = new Wal(2)
  wal.retire(1, 1)
  assert.equal(wal.recycled.take(), null)
  wal.loop.run()
  assert.equal(wal.recycled.take(), `${pathOf(1)}.tmp`)
  assert.equal(wal.recycled.take(), null)
  wal.disk.crashHard()
  assert.deepEqual(wal.names, [`${segmentName(1)}.tmp`, segmentName(2)])
})

test('if the directory cannot be synced, the segments go and are never used', () => {
  const wal = new Wal(3)
  wal.disk.faults.fails = operation => operation === 'sync'
  wal.retire(1, 2)
  wal.loop.run()
  assert.equal(wal.recycled.take(), null)
  assert.deepEqual(wal.names, [segmentName(3)])
})

test('a segment that cannot be renamed keeps its name and the others are kept', () => {
  const wal = new Wal(4)
  wal.disk.faults.fails = (_, path) => path === pathOf(2)
  wal.retire(1, 3)
  wal.loop.run()
  assert.deepEqual(wal.names, [
    `${segmentName(1)}.tmp`,
    segmentName(2),
    `${segmentName(3)}.tmp`,
    segmentName(4),
  ])
})

test('no more than six are kept, also when many are retired before the directory is synced', () => {
  const together = new Wal(10)
  together.retire(1, 9)
  together.loop.run()
  assert.equal(together.keptCount, KEPT_MAX)
  assert.equal(together.names.length, KEPT_MAX + 1)
  const apart = new Wal(10)
  apart.retire(1, 4)
  apart.retire(5, 9)
  apart.loop.run()
  assert.equal(apart.keptCount, KEPT_MAX)
  assert.equal(apart.names.length, KEPT_MAX + 1)
  apart.recycled.take()
  apart.retire(10, 10)
  apart.loop.run()
  assert.equal(apart.keptCount, KEPT_MAX + 1, 'the place of one that was taken is free again')
})

test('segments of another size are not kept', () => {
  const wal = new Wal(4)
  wal.retire(1, 2, 2 * BYTES)
  wal.retire(3, 3, BYTES - 512)
  wal.loop.run()
  assert.deepEqual(wal.names, [segmentName(4)])
})

test('when space is short, what is kept goes, and what is retired from then on', () => {
  const wal = new Wal(6)
  wal.retire(1, 2)
  wal.loop.run()
  // On its way when it happens.
  wal.retire(3, 3)
  wal.recycled.hold(false)
  wal.loop.run()
  wal.retire(4, 4)
  wal.loop.run()
  assert.deepEqual(wal.names, [segmentName(5), segmentName(6)])
  assert.equal(wal.recycled.take(), null)
  wal.recycled.hold(true)
  wal.retire(5, 5)
  wal.loop.run()
  assert.equal(wal.recycled.take(), `${pathOf(5)}.tmp`)
})

/** Fills segments and retires them, round after round. */
function churn(rig: Rig, from: number, rounds: number): void {
  for (let index = from; index < from + rounds; index += 1) {
    rig.write(append(1, entries(index, 1, 1, 1500)))
    if (index % 4 !== 0) continue
    rig.snapshot(1, index, Buffer.from('state'))
    rig.storage.compact(1, index)
    rig.write()
  }
}

test('a log that is trimmed as fast as it grows makes no new files after a while', () => {
  const rig = new Rig()
  rig.open()
  churn(rig, 1, 40)
  const made: string[] = []
  rig.disk.faults.before = (operation, path) => {
    if (operation === 'create' && path.includes('/wal/')) made.push(path)
  }
  churn(rig, 41, 40)
  assert.deepEqual(made, [])
  const kept = rig.disk.paths().filter(path => path.endsWith('.wal.tmp'))
  assert.ok(kept.length > 0 && kept.length <= KEPT_MAX)
  rig.crash()
  assert.equal(rig.storage.shard(1).damaged, null)
  assert.equal(rig.storage.shard(1).lastIndex(), 80)
  assert.ok(!rig.disk.paths().some(path => path.endsWith('.tmp')))
})

test('a nearly full disk gets the space of segments back when the log is trimmed', () => {
  const rig = new Rig({ reserveBytes: 16_384 })
  rig.open()
  churn(rig, 1, 8)
  for (let index = 9; index <= 20; index += 1) rig.write(append(1, entries(index, 1, 1, 1500)))
  rig.disk.faults.quotaBytes = rig.disk.usedBytes() + 16_000
  rig.storage.checkSpace()
  assert.ok(rig.storage.full)
  rig.snapshot(1, 20, Buffer.from('state'))
  rig.storage.compact(1, 20)
  for (let i = 0; i < 3; i += 1) rig.write()
  rig.storage.checkSpace()
  assert.equal(rig.storage.full, false, rig.disk.paths().join())
  assert.ok(!rig.disk.paths().some(path => path.endsWith('.wal.tmp')))
})
