// How much happens a second, as a mean over the last moments.

import type { Ms } from '../base/types.ts'

const SAMPLE_EVERY_MS: Ms = 100
/** 1.6 seconds, as Redis has it. */
const SAMPLES = 16

/** One figure that only grows, and how fast it did lately. */
export class Rate {
  readonly #samples = new Float64Array(SAMPLES)
  #next = 0
  #at: Ms
  #total = 0

  constructor(now: Ms) {
    this.#at = now
  }

  /** Called often; does something ten times a second. */
  look(now: Ms, total: number): void {
    const elapsed = now - this.#at
    if (elapsed < SAMPLE_EVERY_MS) return
    // It begins anew with CONFIG RESETSTAT.
    this.#samples[this.#next] = (Math.max(0, total - this.#total) * 1000) / elapsed
    this.#next = (this.#next + 1) % SAMPLES
    this.#at = now
    this.#total = total
  }

  get perSecond(): number {
    let sum = 0
    for (const sample of this.#samples) sum += sample
    return sum / SAMPLES
  }
}
