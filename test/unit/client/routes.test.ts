import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fullJitter } from '../../../src/client/routes/backoff.ts'
import { RetryBudget } from '../../../src/client/routes/retry-budget.ts'
import { SlotCache } from '../../../src/client/routes/slot-cache.ts'
import { Call } from '../../../src/client/session/call.ts'
import { Parking } from '../../../src/client/session/parking.ts'
import { Window } from '../../../src/client/session/window.ts'
import { SlotMoved, Topology } from '../../../src/gen/slotcast/v1/topology.ts'

const none = (): void => {}

function callOf(order: number, slot = 1): Call {
  const call = new Call(['SET', 'k', 'v'], 'text', slot, false, false, none, none, null)
  call.order = order
  return call
}

function map(configEpoch: bigint, leader: string): Topology {
  const endpoint = (nodeId: string) => ({ nodeId, host: nodeId, port: 7 })
  return Topology.fromPartial({
    configEpoch,
    nodes: ['n1', 'n2'].map(nodeId => ({ nodeId, grpc: endpoint(nodeId) })),
    shards: [{ shardId: 1, ranges: [{ first: 0, last: 16_383 }], leaderNodeId: leader }],
  })
}

function moved(configEpoch: bigint, nodeId: string): SlotMoved {
  const leader = { nodeId, host: nodeId, port: 7 }
  const range = { first: 0, last: 99 }
  return SlotMoved.fromPartial({ slot: 5, configEpoch, shardId: 2, leader, range })
}

test('jitter is anything from nothing to the doubled base, up to the cap', () => {
  assert.equal(
    fullJitter(3, 10, 1_000, () => 0),
    0,
  )
  assert.equal(
    fullJitter(3, 10, 1_000, () => 0.5),
    40,
  )
  assert.equal(
    fullJitter(60, 10, 1_000, () => 1),
    1_000,
  )
})

test('a retry budget bounds an outage, and refills by time and by success', () => {
  const budget = new RetryBudget(10, 0)
  let taken = 0
  while (budget.take(0)) taken += 1
  assert.equal(taken, 50)
  for (let i = 0; i < 11; i += 1) budget.succeeded()
  assert.ok(budget.take(0))
  assert.ok(!budget.take(50))
  assert.ok(budget.take(200))
})

test('maps and redirects with an older epoch than ours are ignored', () => {
  const cache = new SlotCache()
  assert.ok(cache.replace(map(5n, 'n1')))
  assert.ok(!cache.replace(map(4n, 'n2')))
  assert.equal(cache.leaderOf(5), 'n1:7')
  assert.ok(!cache.redirect(moved(4n, 'n2')))
  assert.equal(cache.leaderOf(5), 'n1:7')
  assert.ok(cache.redirect(moved(5n, 'n2')))
  assert.equal(cache.leaderOf(5), 'n2:7')
  assert.equal(cache.leaderOf(99), 'n2:7')
  assert.equal(cache.leaderOf(100), 'n1:7')
})

test('a map of the same epoch changes leaders only, and not what a newer redirect told of slots', () => {
  const cache = new SlotCache()
  cache.replace(map(5n, 'n1'))
  cache.redirect(moved(6n, 'n2'))
  assert.ok(cache.replace(map(5n, 'n2')))
  assert.equal(cache.leaderOf(100), 'n2:7')
  assert.equal(cache.shardOf(99), 2)
  assert.ok(cache.replace(map(6n, 'n1')))
  assert.equal(cache.shardOf(99), 1)
  assert.deepEqual(cache.addresses, ['n1:7', 'n2:7'])
})

test('a node that is gone leads nothing until somebody says so again', () => {
  const cache = new SlotCache()
  cache.replace(map(5n, 'n1'))
  assert.ok(cache.forget('n1:7'))
  assert.equal(cache.leaderOf(5), '')
  assert.ok(cache.replace(map(5n, 'n2')))
  assert.equal(cache.leaderOf(5), 'n2:7')
})

test('what waits for a slot leaves in the order in which it was asked for, however it came', () => {
  const parking = new Parking(1_000, none)
  parking.add(callOf(3), 10)
  parking.add(callOf(1), 0)
  parking.add(callOf(2), 20)
  parking.add(callOf(9, 2), 10)
  assert.deepEqual(parking.take(9), [])
  assert.deepEqual(
    parking.take(10).map(line => line.map(({ order }) => order)),
    [[9]],
  )
  assert.deepEqual(
    parking.take(20).map(line => line.map(({ order }) => order)),
    [[1, 2, 3]],
  )
  assert.ok(parking.isEmpty)
})

test('writes run ahead of the oldest unsettled one by the window and no further', () => {
  const entered: number[] = []
  const window = new Window(2, call => entered.push(call.order))
  const calls = [1, 2, 3, 4, 5].map(order => callOf(order))
  assert.deepEqual(
    calls.map(call => window.enter(call)),
    [true, true, false, false, false],
  )
  const settle = (i: number): void => {
    ;(calls[i] as Call).isSettled = true
    window.settled()
  }
  settle(1)
  assert.deepEqual(entered, [], 'the oldest is open')
  settle(3)
  settle(0)
  assert.deepEqual(entered, [3, 5], 'who was given up while waiting does not enter')
})
