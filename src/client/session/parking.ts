// Calls that cannot be sent now: their slot has no known leader, its node is down, or a node told them to wait.
//
// Calls of one slot wait in one line, in the order in which they were made, and later ones of the slot join it: so what an
// outage held back keeps its order.

import type { Call } from './call.ts'

type Line = { calls: Call[]; dueAt: number; isSorted: boolean }

export class Parking {
  readonly #lines = new Map<number, Line>()
  /** Told when a line is due. */
  readonly #due: () => void
  readonly #tickMs: number
  #timer: NodeJS.Timeout | null = null

  constructor(tickMs: number, due: () => void) {
    this.#tickMs = tickMs
    this.#due = due
  }

  /** Whether calls of the slot wait. */
  has(slot: number): boolean {
    return this.#lines.size > 0 && this.#lines.has(slot)
  }

  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  /** @param dueAt not before, on the clock of `performance.now()`; 0: when the others of its slot are */
  add(call: Call, dueAt: number): void {
    const line = this.#lines.get(call.slot)
    if (line === undefined) {
      this.#lines.set(call.slot, { calls: [call], dueAt, isSorted: true })
      this.#timer ??= setInterval(this.#due, this.#tickMs)
      return
    }
    const last = line.calls.at(-1)
    if (last !== undefined && last.order > call.order) line.isSorted = false
    line.calls.push(call)
    line.dueAt = Math.max(line.dueAt, dueAt)
  }

  /** Takes the lines that are due, each in the order of its calls. */
  take(now: number): Call[][] {
    const taken: Call[][] = []
    for (const [slot, { calls, dueAt, isSorted }] of this.#lines) {
      if (dueAt > now) continue
      this.#lines.delete(slot)
      if (!isSorted) calls.sort((a, b) => a.order - b.order)
      taken.push(calls.filter(call => !call.isSettled))
    }
    this.#rest()
    return taken
  }

  /** Lines of which nobody waits any more are forgotten. */
  clear(): void {
    this.#lines.clear()
    this.#rest()
  }

  #rest(): void {
    if (this.#lines.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
