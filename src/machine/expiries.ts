// Which keys will expire, the earliest first: a binary heap in which each holder knows its place.
//
// Knowing its place makes a change or a removal as cheap as an insertion, and leaves
// no dead entries behind: a key whose time is moved a million times stands here once.

import type { Holder } from './holder.ts'

/** The place of a holder that never expires. */
export const NO_PLACE = -1

/** Equal times by number, so that the order is one on every replica. */
function isBefore(a: Holder, b: Holder): boolean {
  return a.expiry < b.expiry || (a.expiry === b.expiry && a.number < b.number)
}

export class Expiries {
  readonly #heap: Holder[] = []

  get size(): number {
    return this.#heap.length
  }

  /** Takes note of `holder.expiry`, which is not 0, or of its change. */
  put(holder: Holder): void {
    if (holder.place === NO_PLACE) {
      holder.place = this.#heap.length
      this.#heap.push(holder)
    }
    this.#settle(holder)
  }

  /** Forgets `holder`, if it is here. */
  remove(holder: Holder): void {
    const { place } = holder
    if (place === NO_PLACE) return
    holder.place = NO_PLACE
    const last = this.#heap.pop() as Holder
    if (last === holder) return
    last.place = place
    this.#heap[place] = last
    this.#settle(last)
  }

  /** Moves `holder` to where it belongs, up or down. */
  #settle(holder: Holder): void {
    const heap = this.#heap
    let at = holder.place
    while (at > 0) {
      const parent = heap[(at - 1) >> 1] as Holder
      if (!isBefore(holder, parent)) break
      heap[at] = parent
      parent.place = at
      at = (at - 1) >> 1
    }
    for (;;) {
      const left = heap[2 * at + 1]
      if (left === undefined) break
      const right = heap[2 * at + 2]
      const child = right !== undefined && isBefore(right, left) ? right : left
      if (!isBefore(child, holder)) break
      const from = child.place
      heap[at] = child
      child.place = at
      at = from
    }
    heap[at] = holder
    holder.place = at
  }

  /** At most `count` keys whose time is `now` or before. Costs what it returns. */
  due(now: number, count: number): string[] {
    const keys: string[] = []
    // Below one that is not due nobody is.
    const places = [0]
    while (keys.length < count) {
      const place = places.pop()
      if (place === undefined) break
      const holder = this.#heap[place]
      if (holder === undefined || holder.expiry > now) continue
      keys.push(holder.key)
      places.push(2 * place + 2, 2 * place + 1)
    }
    return keys
  }
}
