// What an event stream asks for next, and what the answers mean: one kind of feed where all see all
// entries, another where each entry goes to one consumer of a group.

import type { Reply } from '../../machine/reply.ts'
import type { Word } from './asking.ts'
import { entriesOf, type JsonEntry } from './entry-json.ts'

/** An entry as it is sent. */
export type FeedEvent = JsonEntry & {
  /** It may have been delivered before. */
  readonly redelivered?: true
}

export interface Feed {
  /** Asked first, and in order: what fails here is no event but the status of the response. */
  readonly opening: readonly (readonly Word[])[]
  /** What to ask; null: nothing now, ask again after `poke` or in a while. */
  next(): readonly Word[] | null
  /** What an answer brings. */
  take(reply: Reply): readonly FeedEvent[]
  /** Something was acknowledged. */
  poke(): void
}

/** Entries and bytes of one answer. */
const BATCH = 100
const BYTES_MAX = 1024 * 1024

/** All entries after an ID, for whoever watches. */
export class WatchFeed implements Feed {
  readonly opening: readonly (readonly Word[])[]
  readonly #key: Buffer
  #after: string

  /** @param after an ID, or `$`: what comes from now on */
  constructor(key: Buffer, after: string) {
    this.#key = key
    this.#after = after
    // Tells where the stream is, and whether it is one; and an ID that is none.
    this.opening = [
      ['XLEN', key],
      ['XREAD', 'COUNT', '1', 'STREAMS', key, after],
    ]
  }

  next(): readonly Word[] {
    const bounds = ['COUNT', String(BATCH), 'MAXSIZE', String(BYTES_MAX)]
    return ['XREAD', ...bounds, 'BLOCK', '0', 'STREAMS', this.#key, this.#after]
  }

  take(reply: Reply): readonly FeedEvent[] {
    const entries = entriesOf(reply)
    this.#after = entries.at(-1)?.id ?? this.#after
    return entries
  }

  poke(): void {}
}

export type Work = {
  readonly key: Buffer
  readonly group: Buffer
  readonly consumer: string
  /** Entries that it may have pending. */
  readonly prefetch: number
  /** Take over what was pending for so many milliseconds; null: never. */
  readonly claimMinIdle: number | null
  /** Make a missing group, to begin after this ID; null: a missing group is an error. */
  readonly create: string | null
  /** What this consumer has pending up to here does not come again; `0`: all of it comes. */
  readonly after: string
}

type Step = 'replay' | 'live' | 'count'

/** The entries of one consumer of a group, as many as it may have pending. */
export class WorkFeed implements Feed {
  readonly opening: readonly (readonly Word[])[]
  readonly #work: Work
  /** What the answer that is awaited belongs to. */
  #asked: Step = 'replay'
  #isReplaying = true
  #cursor: string
  /** Entries that the consumer has pending, at most. */
  #pending = 0
  /** `#pending` may be less by now. */
  #isStale = true

  constructor(work: Work) {
    this.#work = work
    this.#cursor = work.after
    const { key, group, create } = work
    this.opening = [
      ...(create === null ? [] : [['XGROUP', 'CREATE', key, group, create, 'MKSTREAM']]),
      ['XPENDING', key, group],
    ]
  }

  next(): readonly Word[] | null {
    const { key, group, consumer, prefetch, claimMinIdle } = this.#work
    const room = prefetch - this.#pending
    if (room <= 0) {
      if (!this.#isStale) return null
      this.#asked = 'count'
      this.#isStale = false
      return ['XPENDING', key, group, '-', '+', String(prefetch), consumer]
    }
    const bounds = ['COUNT', String(Math.min(room, BATCH)), 'MAXSIZE', String(BYTES_MAX)]
    const read = ['XREADGROUP', 'GROUP', group, consumer, ...bounds]
    if (this.#isReplaying) {
      this.#asked = 'replay'
      return [...read, 'STREAMS', key, this.#cursor]
    }
    this.#asked = 'live'
    const claim = claimMinIdle === null ? [] : ['CLAIM', String(claimMinIdle)]
    return [...read, 'BLOCK', '0', ...claim, 'STREAMS', key, '>']
  }

  take(reply: Reply): readonly FeedEvent[] {
    if (this.#asked === 'count') {
      this.#pending = 'items' in reply ? reply.items.length : 0
      return []
    }
    const entries = entriesOf(reply)
    this.#pending += entries.length
    if (this.#asked === 'live') {
      // With CLAIM an entry also tells how long it idled and how often it came before.
      return entries.map(entry => (entry.deliveries ? { ...entry, redelivered: true } : entry))
    }
    const last = entries.at(-1)
    if (last === undefined) this.#isReplaying = false
    else this.#cursor = last.id
    return entries.map(entry => ({ ...entry, redelivered: true }))
  }

  poke(): void {
    this.#isStale = true
  }
}
