// The entries of a shard that are in memory: a window of the newest, and what was fetched for laggards.
//
// The window is one run that ends at the log's end, so that followers which keep
// up, and the apply loop, never touch the disk. A fetched span is a run from
// further back; a few are kept, since a few followers may be behind at a few
// places. Bytes are owned here: an entry that came as a view of a much larger
// buffer was copied before (batch-encoder.ts), or it would keep all of it alive.

import type { Index } from '../base/types.ts'
import type { Entry } from '../raft/message.ts'

const SPANS_MAX = 4
/** What an entry costs beside its data: object, view, slot. Keeps empty entries from being free. */
const ENTRY_OVERHEAD_BYTES = 96
/** Stands in the slot of an evicted entry, so that the slot keeps nothing alive. */
const GONE: Entry = { term: 0, index: 0, kind: 'normal', data: new Uint8Array(0) }

export class EntryCache {
  readonly #bytesMax: number
  /** Entries from #head on are live. */
  #window: Entry[] = []
  #head = 0
  #bytes = 0
  #spans: (readonly Entry[])[] = []

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Appends behind the newest. Evicts the oldest; the newest stays whatever its size. */
  push(entry: Entry): void {
    this.#window.push(entry)
    this.#bytes += entry.data.length + ENTRY_OVERHEAD_BYTES
    while (this.#bytes > this.#bytesMax && this.#window.length - this.#head > 1) this.#dropOldest()
    this.#shrink()
  }

  /** Puts an entry before the oldest one, if it fits. For recovery, which reads backwards. */
  unshift(entries: readonly Entry[]): void {
    this.#window = entries.concat(this.#window.slice(this.#head))
    this.#head = 0
    for (const entry of entries) this.#bytes += entry.data.length + ENTRY_OVERHEAD_BYTES
  }

  /** How many bytes a window of entries with `dataBytes` of data takes. */
  fits(entryCount: number, dataBytes: number): boolean {
    return entryCount * ENTRY_OVERHEAD_BYTES + dataBytes <= this.#bytesMax
  }

  addSpan(entries: readonly Entry[]): void {
    this.#spans.push(entries)
    if (this.#spans.length > SPANS_MAX) this.#spans.shift()
  }

  /** Forgets the entries from `index` on: they are being replaced. */
  truncate(index: Index): void {
    while (this.#window.length > this.#head) {
      const newest = this.#window[this.#window.length - 1]
      if (newest === undefined || newest.index < index) break
      this.#window.pop()
      this.#bytes -= newest.data.length + ENTRY_OVERHEAD_BYTES
    }
    this.#spans = this.#spans.filter(span => (span[span.length - 1]?.index ?? 0) < index)
  }

  /** Forgets the entries up to and including `index`. */
  dropUpTo(index: Index): void {
    for (;;) {
      const oldest = this.#window[this.#head]
      if (oldest === undefined || oldest.index > index) break
      this.#dropOldest()
    }
    this.#shrink()
    this.#spans = this.#spans.filter(span => (span[0]?.index ?? 0) > index)
  }

  clear(): void {
    this.#window = []
    this.#head = 0
    this.#bytes = 0
    this.#spans = []
  }

  /** Whether `index` is in memory. */
  has(index: Index): boolean {
    return this.#runWith(index) !== null
  }

  /** Entries in [low, high), at least one, as many as are here in one run and fit; null: low is not here. */
  read(low: Index, high: Index, bytesMax: number): readonly Entry[] | null {
    const run = this.#runWith(low)
    if (run === null) return null
    const from = low - (run[run === this.#window ? this.#head : 0] as Entry).index
    const found: Entry[] = []
    let bytes = 0
    for (let i = from + (run === this.#window ? this.#head : 0); i < run.length; i += 1) {
      const entry = run[i] as Entry
      bytes += entry.data.length
      if (entry.index >= high || (found.length > 0 && bytes > bytesMax)) break
      found.push(entry)
    }
    return found
  }

  #runWith(index: Index): readonly Entry[] | null {
    const oldest = this.#window[this.#head]
    const length = this.#window.length - this.#head
    if (oldest !== undefined && index >= oldest.index) {
      return index < oldest.index + length ? this.#window : null
    }
    for (const span of this.#spans) {
      const first = span[0]
      if (first !== undefined && index >= first.index && index < first.index + span.length) {
        return span
      }
    }
    return null
  }

  #dropOldest(): void {
    const oldest = this.#window[this.#head] as Entry
    this.#bytes -= oldest.data.length + ENTRY_OVERHEAD_BYTES
    this.#window[this.#head] = GONE
    this.#head += 1
  }

  /** Wins the dropped entries' slots back once they are the larger part. */
  #shrink(): void {
    if (this.#head < 64 || this.#head < this.#window.length / 2) return
    this.#window = this.#window.slice(this.#head)
    this.#head = 0
  }
}
