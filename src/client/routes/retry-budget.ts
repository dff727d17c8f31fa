// A token bucket over the whole client: retries add a tenth to the load of a healthy cluster and little to that of a
// sick one. A retry that finds it empty waits for a token instead of being given up, as far as its deadline allows.

const OF_SUCCESS = 0.1
/** Seconds of refill that an idle client saves: enough to send again what one node had in flight. */
const SAVED_SECONDS = 5

export class RetryBudget {
  readonly #perMs: number
  readonly #capacity: number
  #tokens: number
  #at: number

  /** @param now a monotonic time in ms */
  constructor(perSecond: number, now: number) {
    this.#perMs = perSecond / 1_000
    this.#capacity = perSecond * SAVED_SECONDS
    this.#tokens = this.#capacity
    this.#at = now
  }

  succeeded(): void {
    if (this.#tokens < this.#capacity) this.#tokens += OF_SUCCESS
  }

  /** Whether a retry may be sent now. */
  take(now: number): boolean {
    const tokens = Math.min(this.#capacity, this.#tokens + (now - this.#at) * this.#perMs)
    this.#at = now
    this.#tokens = tokens
    if (tokens < 1) return false
    this.#tokens = tokens - 1
    return true
  }
}
