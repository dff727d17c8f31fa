// The bound on memory: looked at now and then, and garbage is collected before anything is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProcessPort } from '../../../src/base/process.ts'
import { MemoryLimit } from '../../../src/broker/memory-limit.ts'
import { Settings } from '../../../src/broker/settings.ts'
import { idleProcess } from '../../idle-process.ts'
import { RigClock } from './rig.ts'

class Heap {
  live = 0
  garbage = 0
  collections = 0
  looks = 0
  readonly process: ProcessPort = {
    ...idleProcess,
    memory: () => {
      this.looks += 1
      return { resident: 0, heap: 0, heapReserved: 0, buffers: this.live + this.garbage }
    },
    collect: () => {
      this.collections += 1
      this.garbage = 0
    },
  }
}

function made(memoryBytesMax: number) {
  const clock = new RigClock()
  const heap = new Heap()
  const settings = new Settings({ memoryBytesMax })
  return { clock, heap, settings, limit: new MemoryLimit(clock, heap.process, settings) }
}

test('garbage refuses nothing', () => {
  const { clock, heap, limit } = made(100)
  heap.live = 80
  heap.garbage = 80
  clock.advance(100)
  assert.equal(limit.full, false)
  assert.equal(heap.collections, 1)
})

test('what lives beyond the bound is full until it is gone', () => {
  const { clock, heap, limit } = made(100)
  heap.live = 101
  clock.advance(100)
  assert.equal(limit.full, true)
  heap.live = 99
  clock.advance(100)
  assert.equal(limit.full, false)
})

test('while it is full, garbage is collected once a second', () => {
  const { clock, heap } = made(100)
  heap.live = 200
  for (let i = 0; i < 50; i += 1) clock.advance(100)
  assert.equal(heap.collections, 5)
})

test('a bound that is set holds at once, and one that is taken back ends the looking', () => {
  const { clock, heap, settings, limit } = made(0)
  heap.live = 10
  clock.advance(1_000)
  assert.equal(heap.looks, 0, 'without a bound nobody looks')
  settings.memoryBytesMax = 5
  settings.changed()
  assert.equal(limit.full, true)
  settings.memoryBytesMax = 0
  settings.changed()
  assert.equal(limit.full, false)
  const { looks } = heap
  clock.advance(1_000)
  assert.equal(heap.looks, looks)
})

test('a bound that is set holds at once, however lately garbage was collected', () => {
  const { clock, heap, settings, limit } = made(100)
  heap.live = 80
  heap.garbage = 80
  clock.advance(100)
  assert.equal(heap.collections, 1)
  settings.memoryBytesMax = 50
  settings.changed()
  assert.equal(limit.full, true)
})
