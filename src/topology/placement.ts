// Where the replicas of shards should stand, and which slots each shard gets.

import { assert } from '../base/assert.ts'
import { SLOT_COUNT } from '../base/slot.ts'
import type { NodeId } from '../base/types.ts'
import type { ShardFacts, SlotRange } from './slot-map.ts'

/** A place for replicas. */
export type Place = { readonly id: NodeId; readonly hostLabel: string }

/**
 * Lays out `shardCount` shards over `places`: slots in equal ranges, leaders
 * round robin, the other voters on the following places, each on another host
 * label where there are enough labels.
 *
 * @param replicas voters per shard; fewer places make fewer voters
 * @returns shards 1..shardCount; the first voter of each is where its leader should stand
 */
export function place(
  places: readonly Place[],
  shardCount: number,
  replicas: number,
): readonly ShardFacts[] {
  assert(places.length > 0 && shardCount > 0, 'a cluster needs a node and a shard')
  const shards: ShardFacts[] = []
  for (let i = 0; i < shardCount; i += 1) {
    shards.push({
      id: i + 1,
      voters: votersOf(places, i % places.length, replicas),
      ranges: [rangeOf(i, shardCount)],
    })
  }
  return shards
}

function rangeOf(i: number, count: number): SlotRange {
  return {
    first: Math.floor((i * SLOT_COUNT) / count),
    last: Math.floor(((i + 1) * SLOT_COUNT) / count) - 1,
  }
}

/** The places from `first` on: first those on labels not used yet, then whatever is left. */
function votersOf(places: readonly Place[], first: number, replicas: number): readonly NodeId[] {
  const ring = [...places.slice(first), ...places.slice(0, first)]
  const chosen: Place[] = []
  const labels = new Set<string>()
  for (const each of ring) {
    if (chosen.length >= replicas || labels.has(each.hostLabel)) continue
    chosen.push(each)
    labels.add(each.hostLabel)
  }
  for (const each of ring) {
    if (chosen.length >= replicas) break
    if (!chosen.includes(each)) chosen.push(each)
  }
  return chosen.map(each => each.id)
}
