// The slot map: which shard owns which slot, who carries the shard, at which epoch.
//
// A value made by the meta shard's machine. Leaders are not part of it: who leads
// is Raft's to say, changes without an epoch, and comes from the replicas.

import { SLOT_COUNT } from '../base/slot.ts'
import type { Epoch, NodeId, ShardId, Slot } from '../base/types.ts'

/** Host and port as clients or peers dial them. */
export type Address = { readonly host: string; readonly port: number }

export type NodeFacts = {
  readonly id: NodeId
  /** `n1`. */
  readonly name: string
  /** Random id of the node's data directory; 32 hex digits. A node that lost its disk has a new one. */
  readonly incarnation: string
  /** Replicas of a shard stand on different labels. */
  readonly hostLabel: string
  readonly resp: Address
  readonly grpc: Address
  readonly peer: Address
  readonly admin: Address
}

/** Slots from `first` to `last`, both included. */
export type SlotRange = { readonly first: Slot; readonly last: Slot }

export type ShardFacts = {
  readonly id: ShardId
  /** The first is where the leader should stand. */
  readonly voters: readonly NodeId[]
  readonly ranges: readonly SlotRange[]
}

/** No shard owns the slot. */
export const UNASSIGNED: ShardId = 0

export class SlotMap {
  readonly epoch: Epoch
  /** Random id of the cluster, made at bootstrap; 32 hex digits. Empty before. */
  readonly clusterId: string
  readonly nodes: ReadonlyMap<NodeId, NodeFacts>
  /** Without the meta shard. */
  readonly shards: ReadonlyMap<ShardId, ShardFacts>
  /** Owner of each slot, or UNASSIGNED. */
  readonly owners: Uint16Array

  constructor(
    epoch: Epoch,
    clusterId: string,
    nodes: readonly NodeFacts[],
    shards: readonly ShardFacts[],
  ) {
    this.epoch = epoch
    this.clusterId = clusterId
    this.nodes = new Map(nodes.map(node => [node.id, node]))
    this.shards = new Map(shards.map(shard => [shard.id, shard]))
    this.owners = new Uint16Array(SLOT_COUNT)
    for (const shard of shards) {
      for (const range of shard.ranges) this.owners.fill(shard.id, range.first, range.last + 1)
    }
  }

  /** The shard that owns `slot`, or UNASSIGNED. */
  ownerOf(slot: Slot): ShardId {
    return this.owners[slot] as ShardId
  }
}

/** A node's name as clients of RESP see it: 40 hex digits, as Redis Cluster has them. */
export function clusterNodeId(node: NodeFacts): string {
  return node.incarnation.padEnd(40, '0').slice(0, 40)
}
