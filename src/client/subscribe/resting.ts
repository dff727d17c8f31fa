// Nodes that failed, and when each may be tried again: what many clients lost together they do not try together.

import { fullJitter } from '../routes/backoff.ts'

const BASE_MS = 100
const CAP_MS = 2_000

export class Resting {
  readonly #nodes = new Map<string, { failures: number; until: number }>()

  add(address: string, now: number): void {
    const failures = (this.#nodes.get(address)?.failures ?? 0) + 1
    const wait = BASE_MS / 2 + fullJitter(failures - 1, BASE_MS, CAP_MS, Math.random)
    this.#nodes.set(address, { failures, until: now + wait })
  }

  has(address: string, now: number): boolean {
    const node = this.#nodes.get(address)
    return node !== undefined && now < node.until
  }

  /** The node is well. */
  clear(address: string): void {
    this.#nodes.delete(address)
  }
}
