// The unstable end of the log: what it gives out, what it lets go, what it drops.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Unstable } from '../../../src/raft/unstable.ts'
import { entry, THREE } from './lone.ts'

function holding(...terms: number[]): Unstable {
  const unstable = new Unstable(5)
  terms.forEach((term, i) => {
    unstable.push(entry(term, 5 + i))
  })
  return unstable
}

const indexes = (unstable: Unstable) => unstable.nextEntries().map(e => e.index)

test('entries are handed out once', () => {
  const unstable = holding(1, 1)
  assert.deepEqual(indexes(unstable), [5, 6])
  unstable.acceptInProgress()
  assert.equal(unstable.hasNextEntries, false)
  unstable.push(entry(1, 7))
  assert.deepEqual(indexes(unstable), [7])
})

test('only an answer with the term that memory has at its index frees it', () => {
  const unstable = holding(1, 2, 2)
  unstable.acceptInProgress()
  unstable.stableTo(6, 1)
  unstable.stableTo(9, 2)
  unstable.stableTo(4, 1)
  assert.equal(unstable.offset, 5)
  unstable.stableTo(6, 2)
  assert.deepEqual([unstable.offset, unstable.term(6), unstable.term(7)], [7, undefined, 2])
})

test('what replaces an entry under way is handed out again', () => {
  const unstable = holding(1, 1, 1)
  unstable.acceptInProgress()
  unstable.truncateAndAppend([entry(2, 6)], 0)
  assert.deepEqual([indexes(unstable), unstable.lastIndex()], [[6], 6])
})

test('what replaces stable entries begins where they did', () => {
  const unstable = holding(1)
  unstable.acceptInProgress()
  unstable.truncateAndAppend([entry(2, 3), entry(2, 4)], 0)
  assert.deepEqual([unstable.offset, indexes(unstable)], [3, [3, 4]])
})

test('a gap is a broken invariant', () => {
  assert.throws(() => holding(1).truncateAndAppend([entry(2, 9)], 0))
})

test('a snapshot replaces everything, and leaves when it is installed', () => {
  const unstable = holding(1, 1)
  unstable.restore({ index: 20, term: 3, conf: THREE })
  assert.deepEqual([unstable.lastIndex(), unstable.term(20), unstable.offset], [20, 3, 21])
  unstable.acceptInProgress()
  assert.equal(unstable.nextSnapshot(), null)
  unstable.stableSnapshotTo(19)
  assert.notEqual(unstable.snapshot, null)
  unstable.stableSnapshotTo(20)
  assert.equal(unstable.lastIndex(), undefined)
})
