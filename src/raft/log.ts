// The Raft log as the core sees it: stable storage with the unstable end over it.
//
// Invariant: applied <= applying <= committed <= lastIndex. `applying` is what was
// handed out to be applied. With asynchronous storage nothing is handed out that
// is not stable here: a quorum of others may commit an entry before our own disk
// has it, and a client must not read what this node can still forget.

import { assert } from '../base/assert.ts'
import type { Index, Term } from '../base/types.ts'
import { countWithin, entriesBytes } from './entry-size.ts'
import type { Entry, LogStorage, Missing, SnapshotMeta } from './message.ts'
import { Unstable } from './unstable.ts'

const NO_ENTRIES: readonly Entry[] = []

export class RaftLog {
  readonly #storage: LogStorage
  readonly #unstable: Unstable
  readonly #applyUnstable: boolean
  readonly #applyingBytesMax: number
  #committed: Index
  #applying: Index
  #applied: Index
  #applyingBytes = 0
  /** No more to apply until some of what was handed out has been. */
  #applyingPaused = false
  /** Storage had to say `not-now` to what is to be applied; asked again after the next input. */
  #fetching = false

  /**
   * @param applyUnstable synchronous hosts write a Ready's entries before they apply its committed
   *                      ones, so those may be unstable still
   */
  constructor(storage: LogStorage, applyingBytesMax: number, applyUnstable: boolean) {
    this.#storage = storage
    this.#unstable = new Unstable(storage.lastIndex() + 1)
    this.#applyingBytesMax = applyingBytesMax
    this.#applyUnstable = applyUnstable
    this.#committed = storage.firstIndex() - 1
    this.#applying = this.#committed
    this.#applied = this.#committed
  }

  get committed(): Index {
    return this.#committed
  }

  get applied(): Index {
    return this.#applied
  }

  get firstIndex(): Index {
    const snapshot = this.#unstable.snapshot
    return snapshot ? snapshot.index + 1 : this.#storage.firstIndex()
  }

  get lastIndex(): Index {
    return this.#unstable.lastIndex() ?? this.#storage.lastIndex()
  }

  get lastTerm(): Term {
    const term = this.term(this.lastIndex)
    assert(typeof term === 'number', 'the last entry has a known term')
    return term
  }

  /** Whether some entry is not known to be stable, handed out or not. */
  get hasUnstableEntries(): boolean {
    return this.#unstable.hasEntries
  }

  get hasNextUnstableEntries(): boolean {
    return this.#unstable.hasNextEntries
  }

  /** A snapshot that is not installed yet, handed out or not. */
  get hasSnapshot(): boolean {
    return this.#unstable.snapshot !== null
  }

  /** The term at `index`, known from firstIndex - 1 on. */
  term(index: Index): Term | Missing {
    const unstable = this.#unstable.term(index)
    if (unstable !== undefined) return unstable
    if (index + 1 < this.firstIndex) return 'compacted'
    if (index > this.lastIndex) return 'unavailable'
    return this.#storage.term(index)
  }

  matches(index: Index, term: Term): boolean {
    return this.term(index) === term
  }

  /** Whether a log that ends in (index, term) has all that ours has. Raft §5.4.1. */
  isUpToDate(index: Index, term: Term): boolean {
    const lastTerm = this.lastTerm
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex)
  }

  /** Entries from `low` to the end, as many as fit, at least one if there is one. */
  entriesFrom(low: Index, bytesMax: number): readonly Entry[] | Missing {
    const last = this.lastIndex
    return low > last ? NO_ENTRIES : this.slice(low, last + 1, bytesMax)
  }

  /** Entries in [low, high), as many as fit, at least one. */
  slice(low: Index, high: Index, bytesMax: number): readonly Entry[] | Missing {
    if (low < this.firstIndex) return 'compacted'
    assert(high <= this.lastIndex + 1, () => `slice to ${high} beyond the log`)
    const offset = this.#unstable.offset
    if (low >= offset) return shorten(this.#unstable.slice(low, high), bytesMax)
    const cut = Math.min(high, offset)
    const stable = this.#storage.entries(low, cut, bytesMax)
    if (typeof stable === 'string') {
      assert(stable !== 'unavailable', () => `storage lacks entries in [${low}, ${cut})`)
      return stable
    }
    if (high <= offset || stable.length < cut - low) return stable
    const bytes = entriesBytes(stable)
    if (bytes >= bytesMax) return stable
    const rest = shorten(this.#unstable.slice(offset, high), bytesMax - bytes)
    if (bytes + entriesBytes(rest) > bytesMax) return stable
    return stable.concat(rest)
  }

  snapshot(): SnapshotMeta | Missing {
    return this.#unstable.snapshot ?? this.#storage.snapshot()
  }

  /** A leader's own entry at the end. */
  push(entry: Entry): void {
    this.#unstable.push(entry)
  }

  /**
   * A follower's side of an append (RAFT.md 3.4).
   *
   * Nothing is truncated without a conflict: appends overtake each other, and
   * an older, shorter one must not cut off what was acknowledged since.
   *
   * @returns whether the entry before the first was found; false changes nothing
   */
  append(
    prevIndex: Index,
    prevTerm: Term,
    entries: readonly Entry[],
    leaderCommit: Index,
  ): boolean {
    if (!this.matches(prevIndex, prevTerm)) return false
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i]
      if (!entry || this.matches(entry.index, entry.term)) continue
      assert(
        entry.index > this.#committed,
        () =>
          `entry ${entry.index} of term ${entry.term} conflicts below commit ${this.#committed}`,
      )
      assert(entry.index === prevIndex + 1 + i, 'the entries of an append follow each other')
      this.#unstable.truncateAndAppend(entries, i)
      break
    }
    // Capped at what this message vouched for: what lies behind may be an old leader's.
    this.commitTo(Math.min(leaderCommit, prevIndex + entries.length))
    return true
  }

  /**
   * The highest index up to `index` at which a log that has `term` at its own
   * highest such index could match ours, with our term there (0: not known).
   */
  findConflictByTerm(index: Index, term: Term): { readonly index: Index; readonly term: Term } {
    for (let at = index; at > 0; at -= 1) {
      const ours = this.term(at)
      if (typeof ours !== 'number') return { index: at, term: 0 }
      if (ours <= term) return { index: at, term: ours }
    }
    return { index: 0, term: 0 }
  }

  /** Commits by counting, which only entries of the leader's own term may. Raft §5.4.2, figure 8. */
  maybeCommit(index: Index, term: Term): boolean {
    if (index <= this.#committed || !this.matches(index, term)) return false
    this.commitTo(index)
    return true
  }

  commitTo(index: Index): void {
    if (index <= this.#committed) return
    const last = this.lastIndex
    assert(index <= last, () => `commit ${index} is beyond the last entry ${last}: was it lost?`)
    this.#committed = index
  }

  /** The commit index that was durable at the last stop. */
  loadCommitted(index: Index): void {
    assert(
      index >= this.#committed && index <= this.lastIndex,
      () => `durable commit ${index} is outside [${this.#committed}, ${this.lastIndex}]`,
    )
    this.#committed = index
  }

  restore(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.#committed, 'a snapshot at or below commit is never installed')
    this.#committed = snapshot.index
    this.#unstable.restore(snapshot)
  }

  nextUnstableEntries(): readonly Entry[] {
    return this.#unstable.nextEntries()
  }

  nextSnapshot(): SnapshotMeta | null {
    return this.#unstable.nextSnapshot()
  }

  /** What is unstable now has been handed out to be written. */
  acceptUnstable(): void {
    this.#unstable.acceptInProgress()
  }

  stableTo(index: Index, term: Term): void {
    this.#unstable.stableTo(index, term)
  }

  stableSnapshotTo(index: Index): void {
    this.#unstable.stableSnapshotTo(index)
  }

  get hasNextCommitted(): boolean {
    return (
      this.#applying < this.#appliable() &&
      !this.#applyingPaused &&
      !this.#fetching &&
      !this.hasSnapshot
    )
  }

  /** The next page to apply. Empty while a snapshot is being installed: which is first would be moot. */
  nextCommitted(): readonly Entry[] {
    if (!this.hasNextCommitted) return NO_ENTRIES
    const room = this.#applyingBytesMax - this.#applyingBytes
    const entries = this.slice(this.#applying + 1, this.#appliable() + 1, room)
    if (typeof entries !== 'string') return entries
    assert(entries === 'not-now', 'a committed entry was compacted before it was applied')
    this.#fetching = true
    return NO_ENTRIES
  }

  /** Storage may have fetched what it lacked: ask again. */
  retryFetch(): void {
    this.#fetching = false
  }

  acceptApplying(index: Index, bytes: number): void {
    assert(index <= this.#committed, () => `applying ${index} beyond commit ${this.#committed}`)
    this.#applying = index
    this.#applyingBytes += bytes
    // A page that did not reach the end was cut by the limit: its next entry would cross it.
    this.#applyingPaused =
      this.#applyingBytes >= this.#applyingBytesMax || index < this.#appliable()
  }

  appliedTo(index: Index, bytes: number): void {
    assert(
      index >= this.#applied && index <= this.#committed,
      () => `applied ${index} is outside [${this.#applied}, ${this.#committed}]`,
    )
    this.#applied = index
    this.#applying = Math.max(this.#applying, index)
    // When a snapshot overtakes what was handed out, its host may drop that without a word.
    const isIdle = this.#applied === this.#applying
    this.#applyingBytes = isIdle ? 0 : Math.max(0, this.#applyingBytes - bytes)
    this.#applyingPaused = this.#applyingBytes >= this.#applyingBytesMax
  }

  #appliable(): Index {
    return this.#applyUnstable
      ? this.#committed
      : Math.min(this.#committed, this.#unstable.offset - 1)
  }
}

/** Cuts a list that is ours. */
function shorten(entries: Entry[], bytesMax: number): Entry[] {
  if (bytesMax !== Infinity) entries.length = countWithin(entries, bytesMax)
  return entries
}
