// Moves leadership back to where the map wants it, after failures have moved it away.
//
// Each node looks only at the shards it leads itself: if the shard's first voter
// is another node whose link has been up for a while and whose log is level, it
// hands over. One at a time and slowly, because a transfer costs a round trip of
// refused writes.

import type { Clock } from '../base/clock.ts'
import type { Ms, NodeId, ShardId } from '../base/types.ts'
import type { SlotMap } from '../topology/slot-map.ts'

/** A replica as the balancer sees it. */
export interface Led {
  readonly isLeader: boolean
  /** Last index of the log that `peer` is known to have, or null when it is not following closely. */
  lagOf(peer: NodeId): number | null
  transferLeader(to: NodeId): void
}

export type BalancerPorts = {
  readonly clock: Clock
  readonly self: NodeId
  readonly map: () => SlotMap
  readonly replica: (shard: ShardId) => Led | undefined
  /** How long the link to `peer` has been up, or null when it is down. */
  readonly upFor: (peer: NodeId) => Ms | null
}

const EVERY_MS: Ms = 1_000
/** A node that just came back catches up and warms up first. */
const STEADY_MS: Ms = 3_000
/** Entries that the next leader may be behind: a transfer waits for them. */
const LAG_MAX = 64

export class Balancer {
  readonly #ports: BalancerPorts
  #stopped = false

  constructor(ports: BalancerPorts) {
    this.#ports = ports
    this.#again()
  }

  stop(): void {
    this.#stopped = true
  }

  #again(): void {
    this.#ports.clock.after(EVERY_MS, () => {
      if (this.#stopped) return
      this.#balance()
      this.#again()
    })
  }

  #balance(): void {
    const { self, map, replica, upFor } = this.#ports
    for (const shard of map().shards.values()) {
      const home = shard.voters[0]
      const led = replica(shard.id)
      if (home === undefined || home === self || led === undefined || !led.isLeader) continue
      const up = upFor(home)
      const lag = led.lagOf(home)
      if (up === null || up < STEADY_MS || lag === null || lag > LAG_MAX) continue
      led.transferLeader(home)
      return
    }
  }
}
