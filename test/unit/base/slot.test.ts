import assert from 'node:assert/strict'
import { test } from 'node:test'
import calculateSlot from 'cluster-key-slot'
import fc from 'fast-check'
import { slotOf } from '../../../src/base/slot.ts'

// Of `{}}` cluster-key-slot hashes the second brace; Redis (keyHashSlot) and we hash the whole key.
function hasEmptyTag(key: Uint8Array): boolean {
  const open = key.indexOf(0x7b)
  return open >= 0 && key[open + 1] === 0x7d
}

test('slots are those of cluster-key-slot for any bytes', () => {
  const pieces = fc.array(fc.constantFrom('{', '}', 'a', 'b', '\u00e9', '0'), { maxLength: 12 })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        pieces.map(p => Buffer.from(p.join(''))),
      ),
      key => {
        if (hasEmptyTag(key)) return
        assert.equal(slotOf(key), calculateSlot(Buffer.from(key)))
      },
    ),
    { seed: 4, numRuns: 500 },
  )
})

test('the published example of the specification holds', () => {
  assert.equal(slotOf(Buffer.from('123456789')), 0x31c3)
  assert.equal(slotOf(Buffer.from('xx{user:7}yy'), 2, 10), slotOf(Buffer.from('user:7')))
})

test('only the first non-empty tag counts', () => {
  const slot = (key: string) => slotOf(Buffer.from(key))
  assert.equal(slot('{user:7}:cart'), slot('{user:7}:log'))
  assert.notEqual(slot('{}:a'), slot('{}:b'))
  assert.equal(slot('{}}'), 14790)
  assert.equal(slot('a{b}{c}'), slot('b'))
  assert.equal(slot('a{{b}}'), slot('{b'))
})
