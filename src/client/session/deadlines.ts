// Deadlines of many calls at the price of a few pointers each: calls with the same time to live expire in the order in
// which they came, so one list per time to live and one timer for all are enough.

import type { Call } from './call.ts'

const TICK_MS = 20

type List = { first: Call | null; last: Call | null }

export class Deadlines {
  readonly #lists = new Map<number, List>()
  readonly #expired: (call: Call) => void
  #timer: NodeJS.Timeout | null = null
  #size = 0

  constructor(expired: (call: Call) => void) {
    this.#expired = expired
  }

  /** @param ms from now on; Infinity: none */
  add(call: Call, ms: number, now: number): void {
    if (ms === Number.POSITIVE_INFINITY) return
    call.deadlineAt = now + ms
    call.lifetime = ms
    let list = this.#lists.get(ms)
    if (list === undefined) {
      list = { first: null, last: null }
      this.#lists.set(ms, list)
    }
    call.earlier = list.last
    if (list.last === null) list.first = call
    else list.last.later = call
    list.last = call
    this.#size += 1
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
  }

  remove(call: Call): void {
    const list = this.#lists.get(call.lifetime)
    if (list === undefined || call.deadlineAt === Number.POSITIVE_INFINITY) return
    if (call.earlier === null) list.first = call.later
    else call.earlier.later = call.later
    if (call.later === null) list.last = call.earlier
    else call.later.earlier = call.earlier
    call.earlier = null
    call.later = null
    call.deadlineAt = Number.POSITIVE_INFINITY
    this.#size -= 1
  }

  #tick(): void {
    const now = performance.now()
    for (const [ms, list] of this.#lists) {
      for (let call = list.first; call !== null && call.deadlineAt <= now; call = list.first)
        this.#expired(call)
      if (list.first === null) this.#lists.delete(ms)
    }
    if (this.#size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
