// A key with its value and what is known of them: what a keyspace consists of, and snapshots cut.

import type { Index, Ms, Slot } from '../base/types.ts'
import type { Value } from './types/value.ts'

/** A key and its value. Stays as it is when the key is deleted, for cuts that have yet to write it. */
export type Holder = {
  readonly key: string
  value: Value
  /** Rises from key to key; the place in the order. */
  readonly number: number
  readonly slot: Slot
  /** Unix ms at which the key is dead; 0: never. */
  expiry: Ms
  /** The entry that changed it last. */
  changed: Index
  /** Where it stands among those that expire (expiries.ts). */
  place: number
  /** When a command last reached for the value: this node's own knowledge, no part of the state. */
  used: Ms
  /** 0 while it lives; else the number of cuts begun before it was deleted, plus one. */
  died: number
  /** Neighbours in the list of the slot's keys. */
  before: Holder | null
  after: Holder | null
}

/** Whoever must see a key's value and expiry before they change. */
export interface Guard {
  beforeChange(holder: Holder): void
}
