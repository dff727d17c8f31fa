// Percentiles and cumulative counts of what calls took.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LatencyHistogram } from '../../../src/broker/latency-histogram.ts'

test('a percentile is at least the value and at most a sixteenth above it', () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2_000_000_000 }), { minLength: 1 }), values => {
      const histogram = new LatencyHistogram()
      for (const value of values) histogram.record(value, 1)
      const sorted = values.toSorted((a, b) => a - b)
      for (const percent of [0, 50, 99, 100]) {
        const exact = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] as number
        const told = histogram.percentile(percent)
        assert.ok(told >= exact && told <= exact * (1 + 1 / 16) + 1, `${told} for ${exact}`)
      }
    }),
  ))

test('cumulative counts double their bounds and end with all calls', () => {
  const histogram = new LatencyHistogram()
  histogram.record(500, 3)
  histogram.record(3_000, 2)
  histogram.record(1_500_000, 1)
  assert.deepEqual(histogram.cumulative(), [
    [1, 3],
    [4, 5],
    [2097, 6],
  ])
  assert.equal(histogram.count, 6)
  assert.deepEqual(new LatencyHistogram().cumulative(), [])
})

test('what takes longer than two seconds counts as that long', () => {
  const histogram = new LatencyHistogram()
  histogram.record(60_000_000_000, 1)
  assert.equal(histogram.percentile(50), 0x7fff_ffff)
})
