// Where things are, as far as consumers and subscriptions ask the client for it.

import type { SlotMoved } from '../../gen/slotcast/v1/topology.ts'

export interface Atlas {
  /** gRPC addresses of all nodes of the map. */
  addresses(): readonly string[]
  /** The address of the slot's leader; empty while none is known. */
  leaderOf(slot: number): string
  /** @returns false: it is older than what is known, or says nothing */
  redirect(moved: SlotMoved | undefined): boolean
  /** A route is missing, or seems to be wrong. */
  refresh(): void
  /** A call to the node broke, or it was silent for too long: the map must not wait for it. */
  suspect(address: string): void
  /** Tells of each change of the map. @returns ends that */
  onTopology(listener: () => void): () => void
}
