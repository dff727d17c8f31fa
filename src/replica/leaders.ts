// Who leads which shard, as far as this node knows.
//
// For a shard with a replica here the replica says it. For others it is what
// leaders announce in their envelopes; a higher term wins. This is a hint for
// redirects and nothing else: the leader itself checks.

import { NO_NODE, type NodeId, type ShardId, type Term } from '../base/types.ts'

export class Leaders {
  readonly #known = new Map<ShardId, { leader: NodeId; term: Term }>()
  readonly #listeners = new Set<() => void>()

  /** 0: unknown. */
  of(shard: ShardId): NodeId {
    return this.#known.get(shard)?.leader ?? NO_NODE
  }

  /** What a replica on this node believes; it may forget a leader, too. */
  set(shard: ShardId, leader: NodeId, term: Term): void {
    const known = this.#known.get(shard)
    if (known !== undefined && known.leader === leader && known.term === term) return
    // A follower that missed an election hears of it from the new leader's announcement first.
    if (known !== undefined && known.term > term) return
    this.#known.set(shard, { leader, term })
    this.#tell()
  }

  /** What a leader announces of itself. */
  announced(shard: ShardId, leader: NodeId, term: Term): void {
    const known = this.#known.get(shard)
    if (
      known !== undefined &&
      (known.term > term || (known.term === term && known.leader === leader))
    )
      return
    this.#known.set(shard, { leader, term })
    this.#tell()
  }

  /** The process of `node` is gone: it leads nothing until it says so again. */
  forget(node: NodeId): void {
    let changed = false
    for (const known of this.#known.values()) {
      if (known.leader !== node) continue
      known.leader = NO_NODE
      changed = true
    }
    if (changed) this.#tell()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
