// Which keys were touched, and when last: those on which somebody may wait. Not part of the state.
//
// Runs of commands on one key hand in the same string, so the last one is kept beside the map.

const NO_KEYS: readonly string[] = []

export class TouchedKeys {
  /** Key to moment; but for `#last`, whose is `#lastMoment`. */
  #keys = new Map<string, number>()
  #last: string | null = null
  #lastMoment = 0
  /** What `take` took last. */
  #taken: ReadonlyMap<string, number> = new Map()

  add(key: string, moment: number): void {
    if (key !== this.#last) {
      if (this.#last !== null) this.#keys.set(this.#last, this.#lastMoment)
      this.#keys.set(key, moment)
      this.#last = key
    }
    this.#lastMoment = moment
  }

  /** The keys that were touched since the last call. */
  take(): readonly string[] {
    if (this.#last === null) return NO_KEYS
    this.#keys.set(this.#last, this.#lastMoment)
    this.#last = null
    this.#taken = this.#keys
    this.#keys = new Map()
    return [...this.#taken.keys()]
  }

  /** The moment at which `key` was touched last before `take` took it; 0: it was not among them. */
  momentOf(key: string): number {
    return this.#taken.get(key) ?? 0
  }
}
