// Digests: kept for the entries applied last, and never taken for another entry's.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Digests } from '../../../src/replica/digests.ts'

test('a digest is found at its own index only, and only while it is kept', () => {
  const digests = new Digests()
  assert.equal(digests.at(0), null)
  assert.equal(digests.at(5), null)
  for (let index = 1; index <= 1500; index += 1) digests.note(index, index * 7)
  assert.equal(digests.at(1500), 10_500)
  assert.equal(digests.at(1500 - 1023), (1500 - 1023) * 7)
  assert.equal(digests.at(1500 - 1024), null)
  assert.equal(digests.at(1501), null)
})
