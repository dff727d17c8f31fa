// What a program told of one stream, and of one channel.

/** Of a stream. */
export class StreamTale {
  /** ID by value. */
  readonly appended = new Map<string, string>()
  /** How often each ID came. */
  readonly processed = new Map<string, number>()
  /** IDs that came as delivered before. */
  readonly redelivered = new Set<string>()
  /** The sum of the counts of the acks of each ID. */
  readonly acknowledged = new Map<string, number>()
  /** IDs whose acks were settled. */
  readonly settled = new Set<string>()

  take(id: string, redelivered: boolean): void {
    this.processed.set(id, (this.processed.get(id) ?? 0) + 1)
    if (redelivered) this.redelivered.add(id)
  }

  settle(id: string, count: number): void {
    this.settled.add(id)
    this.acknowledged.set(id, (this.acknowledged.get(id) ?? 0) + count)
  }
}

/**
 * Of a channel. What somebody received while a subscription stood must come, unless it ended: then messages may have
 * gone with it, and the program must tell that another stands.
 */
export class ChannelTale {
  /** How often a subscription came to stand. */
  subscriptions = 0
  /** Messages that came. */
  heard = 0
  /** Messages that somebody received, as their publisher was answered. */
  received = 0
  /** Messages that went with a subscription that ended. */
  missed = 0
  /** Values that somebody received while this subscription stands, and that did not come yet. */
  readonly due = new Set<string>()
  readonly #came = new Set<string>()
  #lastHeard = -1
  #lastPublished = -1

  subscribed(): void {
    this.subscriptions += 1
    this.missed += this.due.size
    this.due.clear()
  }

  /** A publisher's `number`-th message, which `count` received. @returns what is wrong with it */
  published(value: string, number: number, count: number): string | null {
    if (count > 0) {
      this.received += 1
      if (!this.#came.has(value)) this.due.add(value)
    }
    if (!(number > this.#lastPublished)) return `published after ${this.#lastPublished}`
    this.#lastPublished = number
    return null
  }

  /** @returns what is wrong with it */
  hear(value: string, number: number): string | null {
    this.heard += 1
    this.due.delete(value)
    this.#came.add(value)
    if (this.subscriptions === 0) return 'came before a subscription stood'
    if (!(number > this.#lastHeard)) return `came after ${this.#lastHeard}`
    this.#lastHeard = number
    return null
  }
}
