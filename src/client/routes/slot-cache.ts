// Who leads which slot, as far as this client knows: the newest map, and what redirects have told since.
//
// A map or a redirect with a lower config epoch than ours is older than what we know, and ignored. Leaders change
// without a new epoch; of two sayings with the same epoch the later one counts.

import { SLOT_COUNT } from '../../base/slot.ts'
import type { Endpoint, SlotMoved, Topology } from '../../gen/slotcast/v1/topology.ts'

type Shard = { readonly id: number; leader: string }

const UNKNOWN: Shard = { id: 0, leader: '' }

export class SlotCache {
  #epoch = 0
  #shards = new Map<number, Shard>()
  #bySlot: Shard[] = new Array(SLOT_COUNT).fill(UNKNOWN)
  #addresses: readonly string[] = []

  get epoch(): number {
    return this.#epoch
  }

  /** gRPC addresses of all nodes of the map. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** The address of the slot's leader; empty while none is known. */
  leaderOf(slot: number): string {
    return (this.#bySlot[slot] ?? UNKNOWN).leader
  }

  /** The shard that owns the slot; 0 while none is known. */
  shardOf(slot: number): number {
    return (this.#bySlot[slot] ?? UNKNOWN).id
  }

  /** @returns false: it is older than what is known */
  replace(topology: Topology): boolean {
    const epoch = Number(topology.configEpoch)
    if (epoch < this.#epoch) return false
    const addresses = new Map(topology.nodes.map(node => [node.nodeId, addressOf(node.grpc)]))
    this.#addresses = [...addresses.values()].filter(address => address !== '')
    if (
      epoch === this.#epoch &&
      topology.shards.every(({ shardId }) => this.#shards.has(shardId))
    ) {
      // The same slots: only leaders are news.
      for (const { shardId, leaderNodeId } of topology.shards) {
        const shard = this.#shards.get(shardId)
        if (shard !== undefined) shard.leader = addresses.get(leaderNodeId) ?? ''
      }
      return true
    }
    const shards = new Map<number, Shard>()
    const bySlot: Shard[] = new Array(SLOT_COUNT).fill(UNKNOWN)
    for (const { shardId, leaderNodeId, ranges } of topology.shards) {
      const shard = { id: shardId, leader: addresses.get(leaderNodeId) ?? '' }
      shards.set(shardId, shard)
      for (const { first, last } of ranges) bySlot.fill(shard, first, last + 1)
    }
    this.#epoch = epoch
    this.#shards = shards
    this.#bySlot = bySlot
    return true
  }

  /** @returns false: it is older than what is known, or says nothing */
  redirect(moved: SlotMoved | undefined): boolean {
    const leader = addressOf(moved?.leader)
    if (moved === undefined || leader === '' || Number(moved.configEpoch) < this.#epoch)
      return false
    let shard = this.#shards.get(moved.shardId)
    if (shard === undefined) {
      shard = { id: moved.shardId, leader }
      this.#shards.set(shard.id, shard)
    }
    shard.leader = leader
    const { first, last } = moved.range ?? { first: moved.slot, last: moved.slot }
    if (this.#bySlot[moved.slot] !== shard) this.#bySlot.fill(shard, first, last + 1)
    return true
  }

  /** A node is gone: it leads nothing until somebody says so again. @returns whether it led anything */
  forget(address: string): boolean {
    let led = false
    for (const shard of this.#shards.values()) {
      if (shard.leader !== address) continue
      shard.leader = ''
      led = true
    }
    return led
  }
}

export function addressOf(endpoint: Endpoint | undefined): string {
  if (endpoint === undefined || endpoint.host === '') return ''
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  return `${host}:${endpoint.port}`
}
