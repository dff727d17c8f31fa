// The slow log and the latency monitor: bounded, newest first.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyMonitor } from '../../../src/broker/latency-monitor.ts'
import { loggedWords, SlowLog } from '../../../src/broker/slow-log.ts'

test('the slow log keeps the newest and numbers go on', () => {
  const log = new SlowLog(2)
  for (let i = 0; i < 3; i += 1) log.add(5_999, 1.9, [String(i)])
  assert.deepEqual(
    log.newest(10).map(({ id, at, micros }) => [id, at, micros]),
    [
      [2, 5, 1],
      [1, 5, 1],
    ],
  )
  assert.equal(log.newest(1).length, 1)
  assert.equal(log.newest(0).length, 0)
  log.lengthMax = 1
  assert.equal(log.length, 1)
  log.reset()
  assert.equal(log.add(0, 0, []).id, 3)
  log.lengthMax = 0
  log.add(0, 0, [])
  assert.equal(log.length, 0)
})

test('words are cut as Redis cuts them', () => {
  assert.deepEqual(loggedWords(['a', 'b'], 2), ['a', 'b'])
  assert.deepEqual(loggedWords(['x'.repeat(130)], 1), [`${'x'.repeat(128)}... (2 more bytes)`])
  const many = Array.from({ length: 40 }, (_, i) => String(i))
  const kept = loggedWords(many, 40)
  assert.equal(kept.length, 32)
  assert.equal(kept.at(-1), '... (9 more arguments)')
  assert.deepEqual(loggedWords(['a'], 3), ['a', '... (2 more arguments)'], 'some were not kept')
})

test('the monitor keeps the worst of each second, and so many seconds', () => {
  const monitor = new LatencyMonitor()
  monitor.add('command', 1_000, 5.5)
  monitor.add('command', 1_900, 3)
  assert.deepEqual(monitor.series.get('command')?.samples, [{ at: 1, latency: 5 }])
  for (let i = 0; i < 200; i += 1) monitor.add('command', 2_000 + i * 1_000, 4)
  const series = monitor.series.get('command')
  assert.deepEqual([series?.samples.length, series?.worst], [160, 5])
  monitor.add('fast-command', 0, 1)
  assert.equal(monitor.reset(['nosuch', 'command']), 1)
  assert.equal(monitor.reset([]), 1)
})
