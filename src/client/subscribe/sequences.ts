// Finds out from the numbers of messages that some are missing. Each node counts what is published on it, by channel.

/** Channels and origins that one subscription remembers; a pattern may bring any number of channels. Beyond, the oldest go. */
const REMEMBERED_MAX = 65_536

/** Nothing is missing. */
export const COMPLETE = 0
/** The origin counts anew: any number may be missing. */
export const RESTARTED = -1

export class Sequences {
  readonly #last = new Map<string, bigint>()

  /** @returns how many are missing before this one, COMPLETE or RESTARTED */
  take(channel: Buffer, origin: string, sequence: bigint): number {
    const key = `${origin}\n${channel.latin1Slice()}`
    const last = this.#last.get(key)
    this.#last.set(key, sequence)
    if (last === undefined) {
      if (this.#last.size > REMEMBERED_MAX) this.#forgetOldest()
      return COMPLETE
    }
    return sequence > last ? Number(sequence - last - 1n) : RESTARTED
  }

  /** The subscription begins anew. */
  clear(): void {
    this.#last.clear()
  }

  #forgetOldest(): void {
    for (const key of this.#last.keys()) {
      this.#last.delete(key)
      return
    }
  }
}
