// The balancer: hands leadership to the shard's first voter, when that one is steady and level.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../../src/base/clock.ts'
import { Balancer } from '../../../src/control/balancer.ts'
import { SlotMap } from '../../../src/topology/slot-map.ts'

function setUp(upFor: number | null, lag: number | null) {
  const transfers: number[] = []
  let due: (() => void) | null = null
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_delay, callback) => {
      due = callback
      return { cancel() {} }
    },
    soon: () => {},
  }
  const map = new SlotMap(
    1,
    'c',
    [],
    [
      { id: 1, voters: [2, 1, 3], ranges: [] },
      { id: 2, voters: [1, 2, 3], ranges: [] },
    ],
  )
  const balancer = new Balancer({
    clock,
    self: 1,
    map: () => map,
    replica: () => ({ isLeader: true, lagOf: () => lag, transferLeader: to => transfers.push(to) }),
    upFor: () => upFor,
  })
  const pass = (): void => due?.()
  return { balancer, transfers, pass }
}

test('a shard led away from home goes home when home is steady and level', () => {
  const { transfers, pass } = setUp(10_000, 0)
  pass()
  assert.deepEqual(transfers, [2])
})

test('home that just came up, is down, or lags is left alone', () => {
  for (const [upFor, lag] of [
    [1_000, 0],
    [null, 0],
    [10_000, 100_000],
    [10_000, null],
  ] as const) {
    const { transfers, pass } = setUp(upFor, lag)
    pass()
    assert.deepEqual(transfers, [])
  }
})

test('a stopping node moves nothing', () => {
  const { balancer, transfers, pass } = setUp(10_000, 0)
  balancer.stop()
  pass()
  assert.deepEqual(transfers, [])
})
