// An entry in the hands of a consumer, until it says what became of it.

import type { Entry } from '../entry.ts'

export type NackMode = 'silent' | 'fail' | 'fatal'

/** What is done to an entry that is pending. */
export type Deed = 'ack' | 'touch' | `nack-${NackMode}`

/** The consumer, as far as its deliveries tell it. */
export interface DeliveryHost {
  /** @returns whether it was true of the entry; false also where that cannot be told */
  settle(delivery: Delivery, deed: Deed): Promise<boolean>
  /** It is out of the application's hands: its credit is given back. */
  finished(delivery: Delivery): void
}

export class Delivery {
  readonly stream: string
  readonly entry: Entry
  /** It may have been delivered before, to this consumer or to another. */
  readonly redelivered: boolean
  /** How often before; only with `claimMinIdleMs`. */
  readonly deliveriesBefore: number | null
  /** What the propagator found in the entry. */
  readonly context: unknown
  readonly #host: DeliveryHost
  #isFinished = false

  constructor(
    host: DeliveryHost,
    stream: string,
    entry: Entry,
    before: { readonly redelivered: boolean; readonly deliveries: number | null },
    context: unknown,
  ) {
    this.#host = host
    this.stream = stream
    this.entry = entry
    this.redelivered = before.redelivered
    this.deliveriesBefore = before.deliveries
    this.context = context
  }

  get id(): string {
    return this.entry.id
  }

  /**
   * Done: it comes no more. Sent with the end of the turn, and again until it is settled.
   *
   * @returns whether this took it off the list of what is pending: true for one ack of an entry at most
   */
  ack(): Promise<boolean> {
    return this.#end('ack')
  }

  /** Not done: others are given it. `fail` counts as a delivery, `silent` does not, `fatal` says that nobody can do it. */
  nack(mode: NackMode = 'fail'): Promise<boolean> {
    return this.#end(`nack-${mode}`)
  }

  /** Still at work on it: `claimMinIdleMs` counts anew. */
  touch(): Promise<boolean> {
    return this.#host.settle(this, 'touch')
  }

  /** Leaves it pending, and gives its credit back. */
  release(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#host.finished(this)
  }

  #end(deed: Deed): Promise<boolean> {
    const settled = this.#host.settle(this, deed)
    this.release()
    return settled
  }
}
