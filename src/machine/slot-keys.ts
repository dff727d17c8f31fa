// The keys of each slot, the oldest first: a list through the holders themselves, so that a slot costs nothing more.

import { assert } from '../base/assert.ts'
import type { Slot } from '../base/types.ts'
import type { Holder } from './holder.ts'

type Row = { count: number; first: Holder | null; last: Holder | null }

export class SlotKeys {
  readonly #rows = new Map<Slot, Row>()

  /** Number of keys in `slot`. */
  count(slot: Slot): number {
    return this.#rows.get(slot)?.count ?? 0
  }

  /** At most `count` keys of `slot`, oldest first. */
  first(slot: Slot, count: number): string[] {
    const keys: string[] = []
    let holder = this.#rows.get(slot)?.first ?? null
    for (; holder !== null && keys.length < count; holder = holder.after) keys.push(holder.key)
    return keys
  }

  add(holder: Holder): void {
    let row = this.#rows.get(holder.slot)
    if (row === undefined) {
      row = { count: 0, first: null, last: null }
      this.#rows.set(holder.slot, row)
    }
    holder.before = row.last
    if (row.last === null) row.first = holder
    else row.last.after = holder
    row.last = holder
    row.count += 1
  }

  remove(holder: Holder): void {
    const row = this.#rows.get(holder.slot)
    assert(row !== undefined, 'a key is in its slot')
    if (holder.before === null) row.first = holder.after
    else holder.before.after = holder.after
    if (holder.after === null) row.last = holder.before
    else holder.after.before = holder.before
    holder.before = null
    holder.after = null
    row.count -= 1
    if (row.count === 0) this.#rows.delete(holder.slot)
  }
}
