// What is in memory is right, and is no more than allowed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EntryCache } from '../../../src/storage/entry-cache.ts'
import { entries, entry } from './rig.ts'

test('the newest entries stay, as many as fit, and at least one', () => {
  const cache = new EntryCache(1000)
  for (const item of entries(1, 10, 1, 200)) cache.push(item)
  assert.ok(cache.bytes <= 1000)
  assert.equal(cache.has(7), false)
  assert.deepEqual(
    cache.read(8, 11, 1e6)?.map(item => item.index),
    [8, 9, 10],
  )
  cache.push(entry(11, 1, Buffer.alloc(5000)))
  assert.equal(cache.read(11, 12, 1)?.length, 1)
  assert.equal(cache.has(10), false)
})

test('a read is at least one entry, then as many as fit the bytes', () => {
  const cache = new EntryCache(100_000)
  for (const item of entries(1, 10, 1, 100)) cache.push(item)
  assert.equal(cache.read(3, 11, 0)?.length, 1)
  assert.equal(cache.read(3, 11, 250)?.length, 2)
  assert.equal(cache.read(3, 5, 1e6)?.length, 2)
  assert.equal(cache.read(11, 12, 1e6), null)
})

test('fetched spans serve until they are replaced, and only a few are kept', () => {
  const cache = new EntryCache(0)
  cache.push(entry(100, 1))
  for (const first of [1, 11, 21, 31, 41]) cache.addSpan(entries(first, 5, 1))
  assert.equal(cache.has(1), false)
  assert.equal(cache.has(15), true)
  assert.equal(cache.has(16), false)
  cache.truncate(34)
  assert.equal(cache.has(32), false)
  assert.equal(cache.has(22), true)
  cache.dropUpTo(12)
  assert.equal(cache.has(13), false)
})

test('pushes, truncations and drops: what is there is what was pushed last', () => {
  const step = fc.record({ kind: fc.constantFrom('push', 'push', 'cut', 'drop'), n: fc.nat(30) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const cache = new EntryCache(4000)
      const log = new Map<number, number>()
      let first = 1
      let last = 0
      let term = 1
      for (const { kind, n } of steps) {
        if (kind === 'push') {
          for (let i = 0; i < n; i += 1) {
            last += 1
            log.set(last, term)
            cache.push(entry(last, term))
          }
        } else if (kind === 'cut' && last >= first) {
          const from = first + (n % (last - first + 1))
          for (let index = from; index <= last; index += 1) log.delete(index)
          last = from - 1
          term += 1
          cache.truncate(from)
        } else if (kind === 'drop' && last >= first) {
          first += n % (last - first + 2)
          cache.dropUpTo(first - 1)
        }
      }
      assert.ok(cache.bytes <= 4000 + 200)
      for (let index = 1; index <= last + 1; index += 1) {
        const found = cache.read(index, index + 1, 1e6)
        if (index < first || index > last) assert.equal(found, null)
        else if (found !== null) {
          assert.deepEqual([found[0]?.index, found[0]?.term], [index, log.get(index)])
        }
      }
    }),
    { seed: 11, numRuns: 300 },
  )
})
