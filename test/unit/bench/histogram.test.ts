// The latency histogram: few kilobytes, and percentiles that are never far off.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LatencyHistogram } from '../../../src/bench-histogram.ts'

test('a percentile is at most 1.6 % above the exact one, or a microsecond', () => {
  const latencies = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(latencies, fc.constantFrom(1, 50, 90, 99, 99.9, 100), (values, percent) => {
      const histogram = new LatencyHistogram()
      for (const ms of values) histogram.add(ms)
      const sorted = [...values].sort((a, b) => a - b)
      const exact = sorted[Math.ceil((values.length * percent) / 100) - 1] ?? 0
      const read = histogram.percentileMs(percent)
      assert.ok(read >= exact, `${read} is below ${exact}`)
      assert.ok(read <= exact * 1.016 + 0.001, `${read} is far above ${exact}`)
    }),
    { seed: 7, numRuns: 500 },
  )
})

test('the mean and the greatest are exact, and nothing counts as nothing', () => {
  const histogram = new LatencyHistogram()
  assert.equal(histogram.meanMs, 0)
  assert.equal(histogram.percentileMs(99), 0)
  for (const ms of [1, 2, 6]) histogram.add(ms)
  assert.equal(histogram.meanMs, 3)
  assert.equal(histogram.maxMs, 6)
  assert.equal(histogram.percentileMs(100), 6)
})
