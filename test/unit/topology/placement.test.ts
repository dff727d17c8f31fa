// Placement: slots in equal ranges, leaders spread, replicas on different hosts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SLOT_COUNT } from '../../../src/base/slot.ts'
import { place } from '../../../src/topology/placement.ts'

const places = (...labels: string[]) => labels.map((hostLabel, i) => ({ id: i + 1, hostLabel }))

test('every slot belongs to exactly one shard, whatever the number of shards', () => {
  for (const count of [1, 2, 3, 5, 7, 16, 100]) {
    const owners = new Array<number>(SLOT_COUNT).fill(0)
    for (const shard of place(places('a', 'b', 'c'), count, 3)) {
      for (const { first, last } of shard.ranges) {
        for (let slot = first; slot <= last; slot += 1) owners[slot] = (owners[slot] ?? 0) + 1
      }
    }
    assert.ok(
      owners.every(times => times === 1),
      `${count} shards`,
    )
  }
})

test('leaders are spread evenly over the nodes', () => {
  const homes = place(places('a', 'b', 'c'), 6, 3).map(shard => shard.voters[0])
  assert.deepEqual(homes, [1, 2, 3, 1, 2, 3])
})

test('replicas of a shard stand on different host labels where there are enough', () => {
  const nodes = places('a', 'a', 'b', 'b', 'c', 'c')
  for (const shard of place(nodes, 6, 3)) {
    const labels = new Set(shard.voters.map(id => nodes[id - 1]?.hostLabel))
    assert.equal(labels.size, 3)
  }
})

test('too few labels or nodes still give as many distinct voters as there are nodes', () => {
  assert.deepEqual(place(places('a', 'a', 'a'), 1, 3)[0]?.voters, [1, 2, 3])
  assert.deepEqual(place(places('a', 'b'), 1, 3)[0]?.voters, [1, 2])
})
