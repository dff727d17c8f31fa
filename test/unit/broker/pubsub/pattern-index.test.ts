// The index of patterns finds exactly what matching each of them finds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PatternIndex } from '../../../../src/broker/pubsub/pattern-index.ts'
import { globMatch } from '../../../../src/machine/glob.ts'

const pattern = fc
  .array(fc.constantFrom('a', 'b', 'ab', '*', '?', '[ab]', '\\*', 'x'.repeat(40)), { maxLength: 4 })
  .map(parts => parts.join(''))
const name = fc
  .array(fc.constantFrom('a', 'b', '*', 'x'.repeat(40)), { maxLength: 5 })
  .map(parts => parts.join(''))

test('what matches is found, whatever came and went before', () => {
  fc.assert(
    fc.property(
      fc.array(pattern, { maxLength: 20 }),
      fc.array(pattern, { maxLength: 10 }),
      fc.array(name, { minLength: 1, maxLength: 10 }),
      (added, removed, names) => {
        const index = new PatternIndex<string>()
        const kept = new Set(added)
        for (const one of added) index.set(one, one)
        for (const one of removed) {
          index.delete(one)
          kept.delete(one)
        }
        assert.equal(index.size, kept.size)
        assert.deepEqual([...index.patterns()].sort(), [...kept].sort())
        for (const one of names) {
          const wanted = [...kept].filter(other => globMatch(other, one)).sort()
          assert.deepEqual(index.matching(one).sort(), wanted, one)
          assert.equal(index.matchesAny(one), wanted.length > 0)
        }
      },
    ),
    { seed: 1, numRuns: 500 },
  )
})
