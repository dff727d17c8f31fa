// The way from a command's keys to the shard that owns them.
//
// Numbers in and out, because every command passes here: a slot or shard is
// positive or zero, and what is wrong is negative.

import type { Argv } from '../base/argv.ts'
import { slotOf } from '../base/slot.ts'
import type { NodeId, ShardId, Slot } from '../base/types.ts'
import { type Address, type NodeFacts, type SlotMap, UNASSIGNED } from './slot-map.ts'

/** The command names no key. */
export const NO_KEYS = -1
/** Its keys belong to different slots. */
export const CROSS_SLOT = -2

/** The slot of the key that word `i` is. */
export function slotOfWord(argv: Argv, i: number): Slot {
  return slotOf(argv.buffer, argv.from(i), argv.to(i))
}

/** The one slot of the keys that stand at `words`, or what is wrong. */
export function commonSlot(argv: Argv, words: readonly number[]): number {
  let common: number = NO_KEYS
  for (const word of words) {
    const slot = slotOfWord(argv, word)
    if (common === NO_KEYS) common = slot
    else if (common !== slot) return CROSS_SLOT
  }
  return common
}

/** Which of a node's doors a client came through: redirects name the same door elsewhere. */
export type DoorName = 'resp' | 'grpc' | 'admin'

/** What a client needs to go on elsewhere. */
export type Elsewhere = {
  readonly shard: ShardId
  readonly leader: NodeFacts
  readonly door: Address
}

/**
 * Where the shard that owns `slot` is led.
 *
 * @returns 'unserved' if no shard owns the slot, 'leaderless' if none is known to lead it
 */
export function elsewhere(
  map: SlotMap,
  leaderOf: (shard: ShardId) => NodeId,
  slot: Slot,
  door: DoorName,
): Elsewhere | 'unserved' | 'leaderless' {
  const shard = map.ownerOf(slot)
  if (shard === UNASSIGNED) return 'unserved'
  const leader = map.nodes.get(leaderOf(shard))
  if (leader === undefined) return 'leaderless'
  return { shard, leader, door: leader[door] }
}
