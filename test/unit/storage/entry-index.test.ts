// The index of entries behaves as an array would.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EntryIndex } from '../../../src/storage/entry-index.ts'

type Step = { readonly kind: 'push' | 'truncate' | 'drop' | 'reset' | 'move'; readonly n: number }

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('push', 'push', 'push', 'truncate', 'drop', 'reset', 'move'),
  n: fc.nat(40),
})

test('pushing, truncating, dropping and moving leave what an array would hold', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), steps => {
      const index = new EntryIndex()
      let first = 1
      let rows: number[][] = []
      let serial = 0
      for (const { kind, n } of steps) {
        const at = first + (rows.length === 0 ? 0 : n % (rows.length + 1))
        if (kind === 'push') {
          for (let i = 0; i < n; i += 1) {
            serial += 1
            const row = [serial, serial % 7, serial * 3, (1 << 28) | serial, serial ^ 0xff]
            rows.push(row)
            index.push(...(row as [number, number, number, number, number]))
          }
        } else if (kind === 'truncate') {
          rows = rows.slice(0, at - first)
          index.truncate(at)
        } else if (kind === 'drop') {
          rows = rows.slice(at + 1 - first)
          first = at + 1
          index.dropUpTo(at)
        } else if (kind === 'reset' && n > 35) {
          rows = []
          first = n
          index.reset(n)
        } else if (kind === 'move' && at < first + rows.length) {
          const row = rows[at - first] ?? []
          row[1] = 99
          row[2] = n
          index.move(at, 99, n)
        }
      }
      assert.equal(index.first, first)
      assert.equal(index.last, first + rows.length - 1)
      assert.equal(index.has(first - 1) || index.has(first + rows.length), false)
      for (const [i, row] of rows.entries()) {
        const at = first + i
        const is = [
          index.term(at),
          index.segment(at),
          index.offset(at),
          index.packedSize(at),
          index.checksum(at),
        ]
        assert.deepEqual(is, row)
      }
    }),
    { seed: 7, numRuns: 300 },
  )
})
