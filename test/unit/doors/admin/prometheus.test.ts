// The exposition format: what a Prometheus server would make of each kind of series.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../../../src/base/metrics.ts'
import { prometheusText } from '../../../../src/doors/admin/prometheus.ts'

test('a counter has help, type and value, under our prefix', () => {
  const metrics = new Metrics()
  metrics.counter('turns_total', 'Rounds,\nall \\ of them.').add(3)
  assert.equal(
    prometheusText(metrics),
    '# HELP slotcast_turns_total Rounds,\\nall \\\\ of them.\n# TYPE slotcast_turns_total counter\nslotcast_turns_total 3\n',
  )
})

test('a gauge is read when asked, with a label where it has one, escaped', () => {
  const metrics = new Metrics()
  let value = 1
  metrics.gauge({ name: 'depth', help: 'h', read: () => value })
  metrics.gauge({ name: 'up', help: 'h', label: 'peer', read: () => new Map([['a"\\\nb', 0.5]]) })
  value = 2
  const text = prometheusText(metrics)
  assert.match(text, /^slotcast_depth 2$/m)
  assert.ok(text.includes('slotcast_up{peer="a\\"\\\\\\nb"} 0.5\n'))
  assert.match(text, /^# TYPE slotcast_up gauge$/m)
})

test('a gauge that counts is told as a counter', () => {
  const metrics = new Metrics()
  metrics.gauge({ name: 'reads_total', help: 'h', read: () => 1 })
  assert.match(prometheusText(metrics), /^# TYPE slotcast_reads_total counter$/m)
})

test('the buckets of a histogram are cumulative and end with +Inf, which is the count', () => {
  const metrics = new Metrics()
  const histogram = metrics.histogram('sync_seconds', 'h')
  for (const value of [0.0001, 0.0002, 0.2, 99]) histogram.observe(value)
  const text = prometheusText(metrics)
  const buckets = [...text.matchAll(/_bucket\{le="([^"]+)"\} (\d+)/g)].map(match => [
    match[1],
    Number(match[2]),
  ])
  assert.deepEqual(buckets[0], ['0.0001', 1])
  assert.deepEqual(buckets[1], ['0.00025', 2])
  assert.deepEqual(buckets.at(-2), ['2.5', 3])
  assert.deepEqual(buckets.at(-1), ['+Inf', 4])
  assert.match(text, /^slotcast_sync_seconds_count 4$/m)
  assert.match(text, /^slotcast_sync_seconds_sum 99\.2003$/m)
  const counts = buckets.map(bucket => bucket[1] as number)
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
  )
})

test('process series keep their names, and every line is a comment or a sample', () => {
  const metrics = new Metrics()
  metrics.gauge({ name: 'process_cpu_seconds_total', help: 'h', read: () => 1e-7 })
  metrics.counter('a_total', 'h').add(1e21)
  const text = prometheusText(metrics)
  assert.match(text, /^process_cpu_seconds_total 1e-7$/m)
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"\})? [0-9.e+-]+)$/)
  }
})
