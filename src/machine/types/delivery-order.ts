// The pending entries of a group in the order in which XREADGROUP CLAIM takes them.
//
// Released ones (XNACK) come first, in the order of their release, then the others by
// the time of their last delivery, and by ID within a millisecond. The order follows
// from the rows of pending.ts and is no state of its own: snapshots leave it out.

import { assert } from '../../base/assert.ts'
import type { Ms } from '../../base/types.ts'
import { highWord, lowWord, Rows, TIMED_WORDS } from './rows.ts'
import type { Half, StreamId } from './stream-id.ts'

/** Set in the first word of an owned entry's key, above all bits of a time: released ones sort before it. */
const OWNED = 0x8000_0000

export class DeliveryOrder {
  readonly #rows = new Rows(TIMED_WORDS, true)

  get bytes(): number {
    return this.#rows.bytes
  }

  /** @param time of the delivery, or an entry's place among the released ones */
  add(id: StreamId, owned: boolean, time: Half): void {
    const isNew = this.#rows.placeTimed(first(owned, time), lowWord(time), id)
    assert(isNew, 'an entry has one place in the order of delivery')
  }

  remove(id: StreamId, owned: boolean, time: Half): void {
    const found = this.#rows.seekTimed(first(owned, time), lowWord(time), id)
    assert(found, 'a pending entry has a place in the order of delivery')
    this.#rows.remove()
  }

  /**
   * Visits released entries and those delivered at `until` or before, in order, as
   * long as `visit` says true. It must not change the group.
   */
  due(until: Ms, visit: (id: StreamId) => boolean): void {
    const rows = this.#rows
    for (rows.first(); rows.valid; rows.next()) {
      const time = this.#timeHere()
      if (time !== null && time > until) return
      if (!visit(rows.id())) return
    }
  }

  /** When the entry was delivered that waits for the longest; null: some are released; Infinity: there is none. */
  oldest(): Ms | null {
    this.#rows.first()
    return this.#rows.valid ? this.#timeHere() : Number.POSITIVE_INFINITY
  }

  /** Time of the row under the cursor; null: released. */
  #timeHere(): Ms | null {
    const high = this.#rows.word(0)
    if (high < OWNED) return null
    return (high - OWNED) * 0x1_0000_0000 + this.#rows.word(1)
  }
}

function first(owned: boolean, time: Half): number {
  const high = highWord(time)
  assert(high < OWNED, 'a time leaves the first bit free')
  return owned ? high + OWNED : high
}
