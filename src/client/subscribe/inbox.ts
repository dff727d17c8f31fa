// What came and was not taken yet, and who waits for it. Bounded in bytes: whoever fills it is told to stop.

import { Fifo } from '../session/fifo.ts'
import { type Gap, Message } from './message.ts'
import type { Topic } from './topic.ts'

/** What a message takes beside its bytes, about. */
const AROUND_BYTES = 200

type Item = { readonly topic: Topic; readonly event: Message | Gap }
type Waiting = { resolve(next: Next): void; reject(error: Error): void }
export type Next = IteratorResult<Message | Gap, void>

export class Inbox {
  readonly #items = new Fifo<Item>()
  readonly #waiting = new Fifo<Waiting>()
  readonly #limit: number
  readonly #drained: () => void
  #bytes = 0
  #wasFull = false
  #fault: Error | null = null
  #isEnded = false

  /** @param drained told when it was full and half of it is free again */
  constructor(limit: number, drained: () => void) {
    this.#limit = limit
    this.#drained = drained
  }

  /** @returns false: it is full */
  push(topic: Topic, event: Message | Gap): boolean {
    if (this.#isEnded || this.#fault !== null) return true
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) {
      if (topic.queuedGap === event) topic.queuedGap = null
      waiting.resolve({ done: false, value: event })
      return true
    }
    this.#items.push({ topic, event })
    this.#bytes += bytesOf(event)
    if (event instanceof Message && this.#bytes >= this.#limit) this.#wasFull = true
    return !this.#wasFull
  }

  next(): Promise<Next> {
    const event = this.#take()
    if (event !== null) return Promise.resolve({ done: false, value: event })
    if (this.#fault !== null) return Promise.reject(this.#fault)
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Nothing more comes; what is here may still be taken, and then the iteration ends with `error`. */
  fail(error: Error): void {
    if (this.#isEnded) return
    this.#fault ??= error
    for (const { reject } of this.#waiting.drain()) reject(error)
  }

  /** Nothing more comes, and what is here is forgotten. */
  end(): void {
    this.#isEnded = true
    this.#items.drain()
    this.#bytes = 0
    for (const { resolve } of this.#waiting.drain()) resolve({ done: true, value: undefined })
  }

  #take(): Message | Gap | null {
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      const { topic, event } = item
      this.#bytes -= bytesOf(event)
      if (topic.queuedGap === event) topic.queuedGap = null
      if (this.#wasFull && this.#bytes <= this.#limit / 2) {
        this.#wasFull = false
        this.#drained()
      }
      if (!topic.isRemoved) return event
    }
    return null
  }
}

function bytesOf(event: Message | Gap): number {
  if (event.type === 'gap') return AROUND_BYTES
  return AROUND_BYTES + event.payload.length + event.channelBytes.length
}
