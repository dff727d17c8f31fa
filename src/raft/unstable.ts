// The end of the log that stable storage is not known to hold yet.
//
// entries[i] has index offset + i. Those below `offsetInProgress` were handed out
// to be written. `offset` may be below storage's last index: then the next write
// truncates there first. A snapshot, if there is one, lies below the entries.

import { assert } from '../base/assert.ts'
import type { Index, Term } from '../base/types.ts'
import type { Entry, SnapshotMeta } from './message.ts'

const NO_ENTRIES: readonly Entry[] = []

export class Unstable {
  #entries: Entry[] = []
  #offset: Index
  #offsetInProgress: Index
  #snapshot: SnapshotMeta | null = null
  #snapshotInProgress = false

  constructor(offset: Index) {
    this.#offset = offset
    this.#offsetInProgress = offset
  }

  /** Everything below is in stable storage. */
  get offset(): Index {
    return this.#offset
  }

  get snapshot(): SnapshotMeta | null {
    return this.#snapshot
  }

  get hasEntries(): boolean {
    return this.#entries.length > 0
  }

  get hasNextEntries(): boolean {
    return this.#offset + this.#entries.length > this.#offsetInProgress
  }

  /** Index of the last entry, else of the snapshot, else undefined. */
  lastIndex(): Index | undefined {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1
    return this.#snapshot?.index
  }

  term(index: Index): Term | undefined {
    if (index >= this.#offset) return this.#entries[index - this.#offset]?.term
    return this.#snapshot?.index === index ? this.#snapshot.term : undefined
  }

  /** Entries not handed out yet. */
  nextEntries(): readonly Entry[] {
    if (!this.hasNextEntries) return NO_ENTRIES
    return this.#entries.slice(this.#offsetInProgress - this.#offset)
  }

  /** The snapshot, if it was not handed out yet. */
  nextSnapshot(): SnapshotMeta | null {
    return this.#snapshotInProgress ? null : this.#snapshot
  }

  acceptInProgress(): void {
    this.#offsetInProgress = this.#offset + this.#entries.length
    if (this.#snapshot) this.#snapshotInProgress = true
  }

  /**
   * Lets go of the entries up to (index, term), which stable storage now holds.
   *
   * Only for who can attest that no write under way will overwrite them: see
   * `storage-append-response` in ready.ts about the race.
   */
  stableTo(index: Index, term: Term): void {
    if (index < this.#offset || this.term(index) !== term) return
    const count = index + 1 - this.#offset
    if (count === this.#entries.length) this.#entries = []
    else this.#entries.splice(0, count)
    this.#offset = index + 1
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset)
  }

  stableSnapshotTo(index: Index): void {
    if (this.#snapshot?.index !== index) return
    this.#snapshot = null
    this.#snapshotInProgress = false
  }

  /** A snapshot replaces the whole log. */
  restore(snapshot: SnapshotMeta): void {
    this.#offset = snapshot.index + 1
    this.#offsetInProgress = this.#offset
    this.#entries = []
    this.#snapshot = snapshot
    this.#snapshotInProgress = false
  }

  /** Appends one entry at the end; it must be the next. */
  push(entry: Entry): void {
    this.#entries.push(entry)
  }

  /** Appends `entries` from position `from` on, after dropping what they replace. */
  truncateAndAppend(entries: readonly Entry[], from: number): void {
    const first = entries[from]
    assert(first !== undefined, 'an append of nothing')
    const index = first.index
    if (index < this.#offset) {
      // What replaces stable entries: storage truncates when it writes these.
      this.#entries = []
      this.#offset = index
      this.#offsetInProgress = index
    } else if (index < this.#offset + this.#entries.length) {
      this.#entries.length = index - this.#offset
      this.#offsetInProgress = Math.min(this.#offsetInProgress, index)
    }
    assert(index === this.#offset + this.#entries.length, () => `a gap before entry ${index}`)
    for (let i = from; i < entries.length; i += 1) {
      const entry = entries[i]
      if (entry) this.#entries.push(entry)
    }
  }

  /** Entries in [low, high), all of which must be here. The list is the caller's. */
  slice(low: Index, high: Index): Entry[] {
    assert(
      low >= this.#offset && high <= this.#offset + this.#entries.length && low <= high,
      () => `unstable slice [${low}, ${high}) out of [${this.#offset}, +${this.#entries.length})`,
    )
    return this.#entries.slice(low - this.#offset, high - this.#offset)
  }
}
