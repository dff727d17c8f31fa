// How far the writes of a producer may run ahead of the oldest one that is not settled.
//
// A shard remembers the last 1,024 replies of a producer session, a stream the last hundred idempotent IDs of a producer.
// A write that is repeated after more than that many others is no longer known, so later ones wait here until it is
// settled. Others are later ones and, while an older one keeps the window where it is, all that entered before it: up to
// twice the window less one.

import type { Call } from './call.ts'
import { Fifo } from './fifo.ts'

export const SHARD_WINDOW = 512
export const KEY_WINDOW = 50

export class Window {
  readonly #size: number
  readonly #enter: (call: Call) => void
  /** Those that have entered, oldest first; settled ones stand until they are the oldest. */
  readonly #entered = new Fifo<Call>()
  readonly #waiting = new Fifo<Call>()

  /** @param enter told for each call that had to wait, when it may go on */
  constructor(size: number, enter: (call: Call) => void) {
    this.#size = size
    this.#enter = enter
  }

  get isIdle(): boolean {
    return this.#entered.length === 0 && this.#waiting.length === 0
  }

  /** @returns false: it has to wait */
  enter(call: Call): boolean {
    if (this.#waiting.length > 0 || this.#entered.length >= this.#size) {
      this.#waiting.push(call)
      return false
    }
    this.#entered.push(call)
    return true
  }

  /** A call was settled: whoever waited behind it goes on. */
  settled(): void {
    while (this.#entered.peek()?.isSettled === true) this.#entered.shift()
    while (this.#waiting.length > 0 && this.#entered.length < this.#size) {
      const call = this.#waiting.shift()
      if (call === undefined || call.isSettled) continue
      this.#entered.push(call)
      this.#enter(call)
    }
  }
}
