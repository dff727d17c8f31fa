// A shard's part of the write-ahead log, as Raft sees it.
//
// Everything here is durable: the storage changes it when a batch is on disk,
// not before. Terms are answered for the whole log from memory (entry-index.ts),
// data for the newest entries and for what was fetched (entry-cache.ts); for the
// rest the answer is 'not-now', and the host calls `fetch` and asks again.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Index, ShardId, Term } from '../base/types.ts'
import type {
  ConfState,
  Entry,
  HardState,
  LogStorage,
  Missing,
  SnapshotMeta,
} from '../raft/message.ts'
import { DiskError, type DiskFile } from './disk.ts'
import { EntryCache } from './entry-cache.ts'
import { ABSENT, EntryIndex } from './entry-index.ts'
import { ownedEntries } from './owned-entries.ts'
import { kindOf, packSize, type SnapshotNote, sizeOf } from './record.ts'
import { EMPTY_STATE, type ShardState } from './shard-state.ts'

/** Entries' data that recovery puts into one buffer. */
const CHUNK_BYTES = 256 * 1024

/** Of the log that one fetch reads, with what lies between the shard's entries. */
const FETCH_BYTES_MAX = 4 * 1024 * 1024

/** What a shard's log needs of the write-ahead log it is part of. */
export interface ShardHost {
  /** The segment's file, or null when it is gone. */
  segmentFile(segment: number): DiskFile | null
  /** The shard's state changed without a write; the next batch carries it. */
  stateChanged(shard: ShardId): void
}

/** Entries that lie back to back in a segment, `offset` being the first one's data. */
export type PlacedEntries = {
  readonly entries: readonly Entry[]
  readonly checksums: readonly number[]
  readonly segment: number
  readonly offset: number
}

export class ShardLog implements LogStorage {
  readonly shard: ShardId
  readonly #host: ShardHost
  readonly #index = new EntryIndex()
  readonly #cache: EntryCache
  /** `last` in here is not kept up; the index knows. */
  #state: ShardState = EMPTY_STATE

  constructor(shard: ShardId, cacheBytes: number, host: ShardHost) {
    this.shard = shard
    this.#host = host
    this.#cache = new EntryCache(cacheBytes)
  }

  // What Raft asks.

  initialState(): { readonly hardState: HardState; readonly conf: ConfState } {
    return { hardState: this.#state.hardState, conf: this.#state.conf }
  }

  entries(low: Index, high: Index, bytesMax: number): readonly Entry[] | Missing {
    if (low < this.#index.first) return 'compacted'
    if (low > this.#index.last || high > this.#index.last + 1) return 'unavailable'
    return this.#cache.read(low, high, bytesMax) ?? 'not-now'
  }

  term(index: Index): Term | Missing {
    if (this.#index.has(index)) return this.#index.term(index)
    if (index === this.#state.start.index) return this.#state.start.term
    return index < this.#state.start.index ? 'compacted' : 'unavailable'
  }

  firstIndex(): Index {
    return this.#index.first
  }

  lastIndex(): Index {
    return this.#index.last
  }

  snapshot(): SnapshotMeta | Missing {
    return this.#state.snapshot?.meta ?? 'not-now'
  }

  // What the host asks.

  /** Index of the last change of configuration that initialState() includes. */
  get confIndex(): Index {
    return this.#state.confIndex
  }

  /** Why this replica must neither vote nor acknowledge until its leader has repaired it; null: it may. */
  get damaged(): string | null {
    return this.#state.damaged
  }

  get state(): ShardState {
    return { ...this.#state, last: this.#index.last }
  }

  /** Bytes of the newest entries that are kept in memory. */
  get cacheBytes(): number {
    return this.#cache.bytes
  }

  /** The lowest index from which on the entries up to `last` take at most `bytes` on disk. */
  tailFrom(last: Index, bytes: number): Index {
    let index = Math.min(last, this.#index.last)
    let left = bytes
    while (this.#index.has(index)) {
      left -= sizeOf(this.#index.packedSize(index))
      if (left < 0) break
      index -= 1
    }
    return index + 1
  }

  /** The oldest segment that holds an entry of this shard, or null without entries. */
  get oldestSegment(): number | null {
    return this.#index.count === 0 ? null : this.#index.segment(this.#index.first)
  }

  /** Notes the configuration that applying the entry at `applied` led to; durable with the next batch. */
  setConf(conf: ConfState, applied: Index): void {
    this.#state = { ...this.#state, conf, confIndex: applied }
    this.#host.stateChanged(this.shard)
  }

  /**
   * Reads entries from `low` on from disk, so that `entries(low, ...)` succeeds afterwards.
   *
   * One read: as many entries of one segment as have `bytesMax` of data, at least
   * one, and lie not too far apart, since other shards' entries lie between. Each
   * is checked against its own checksum again. What was replaced or compacted
   * meanwhile is left out without an error.
   */
  fetch(low: Index, high: Index, bytesMax: number, done: (error: DiskError | null) => void): void {
    assert(
      this.#index.has(low) && high > low && high <= this.#index.last + 1,
      () => `shard ${this.shard}: fetch of ${low}..${high} outside the log`,
    )
    const segment = this.#index.segment(low)
    const from = this.#index.offset(low)
    const file = this.#host.segmentFile(segment)
    assert(file !== null, () => `shard ${this.shard}: segment ${segment} of entry ${low} is gone`)
    let end = low
    let to = from
    let dataBytes = 0
    while (end < high && this.#index.segment(end) === segment) {
      const size = sizeOf(this.#index.packedSize(end))
      const next = this.#index.offset(end) + size
      dataBytes += size
      if (end > low && (dataBytes > bytesMax || next - from > FETCH_BYTES_MAX)) break
      to = next
      end += 1
    }
    file.readLater(from, to - from, (error, bytes) => {
      if (error !== null) {
        done(error)
        return
      }
      const found: Entry[] = []
      for (let index = low; index < end; index += 1) {
        if (!this.#index.has(index) || this.#index.segment(index) !== segment) break
        const at = this.#index.offset(index) - from
        if (at < 0 || at + sizeOf(this.#index.packedSize(index)) > bytes.length) break
        const entry = this.#entryFrom(bytes, at, index)
        if (entry === null) {
          return done(
            new DiskError(
              `shard ${this.shard}: entry ${index} in segment ${segment} is bad`,
              false,
            ),
          )
        }
        found.push(entry)
      }
      if (found.length > 0) this.#cache.addSpan(ownedEntries(found))
      done(null)
    })
  }

  // What the storage changes, each when it is durable.

  setHardState(hardState: HardState): void {
    this.#state = { ...this.#state, hardState }
  }

  /**
   * Records a snapshot.
   *
   * @param replacesLog the log has not the snapshot's last entry and ends there; else it stays.
   *                    Decided when it was written: who reads a log from its middle on cannot know.
   */
  setSnapshot(snapshot: SnapshotNote, replacesLog: boolean): void {
    const { index, term, conf } = snapshot.meta
    const confIndex = Math.max(index, this.#state.confIndex)
    this.#state = {
      ...this.#state,
      snapshot,
      confIndex,
      conf: index >= this.#state.confIndex ? conf : this.#state.conf,
    }
    if (replacesLog) this.#beginAt(index, term)
  }

  append(placed: PlacedEntries): void {
    const first = placed.entries[0]
    if (first === undefined) return
    this.#cutAt(first.index)
    let offset = placed.offset
    for (const [i, entry] of placed.entries.entries()) {
      const packed = packSize(entry.data.length, entry.kind)
      this.#index.push(entry.term, placed.segment, offset, packed, placed.checksums[i] as number)
      this.#cache.push(entry)
      offset += entry.data.length
    }
  }

  /** Notes that entries were written again, into a newer segment. Those replaced meanwhile stay. */
  relocate(placed: PlacedEntries): void {
    let offset = placed.offset
    for (const { index, term, data } of placed.entries) {
      if (this.#index.has(index) && this.#index.term(index) === term) {
        this.#index.move(index, placed.segment, offset)
      }
      offset += data.length
    }
  }

  /** The whole log, if it is in memory and has at most `bytesMax` bytes of data; else null. */
  wholeLog(bytesMax: number): readonly Entry[] | null {
    const { first, count } = this.#index
    if (count === 0) return null
    const entries = this.#cache.read(first, first + count, bytesMax)
    return entries?.length === count ? entries : null
  }

  /** Drops the entries up to and including `index`, whose term stays known. */
  compact(index: Index): void {
    if (index <= this.#state.start.index) return
    const term = this.term(index)
    assert(typeof term === 'number', () => `shard ${this.shard}: compacting to ${index}: ${term}`)
    this.#state = { ...this.#state, start: { index, term } }
    this.#index.dropUpTo(index)
    this.#cache.dropUpTo(index)
    this.#host.stateChanged(this.shard)
  }

  setDamaged(damaged: string | null): void {
    this.#state = { ...this.#state, damaged }
    this.#host.stateChanged(this.shard)
  }

  // What recovery does.

  /** Takes a state record's word. Entries it names and nobody brought are noted as absent. */
  restore(state: ShardState): void {
    const { index, term } = state.start
    const isInside = index === this.#state.start.index || this.#index.has(index)
    if (isInside) this.#index.dropUpTo(index)
    else this.#beginAt(index, term)
    this.#index.truncate(state.last + 1)
    while (this.#index.last < state.last) this.#index.push(0, ABSENT, 0, 0, 0)
    this.#state = state
  }

  /** Notes one entry of the log, without its data. */
  placeEntry(
    index: Index,
    term: Term,
    segment: number,
    offset: number,
    packedSize: number,
    checksum: number,
  ): void {
    this.#cutAt(index)
    this.#index.push(term, segment, offset, packedSize, checksum)
  }

  /** Cuts the log before the first entry that no file holds. @returns its index, or null if none is missing */
  cutAbsent(): Index | null {
    for (let index = this.#index.first; index <= this.#index.last; index += 1) {
      if (this.#index.segment(index) !== ABSENT) continue
      this.#index.truncate(index)
      return index
    }
    return null
  }

  /** A commit index may be forgotten, but must lie inside the log, and a snapshot is committed (RAFT 3.8). */
  clampCommit(): void {
    const { hardState, snapshot, start } = this.#state
    const floor = Math.max(start.index, snapshot?.meta.index ?? 0)
    const inside = Math.max(floor, Math.min(hardState.commit, this.#index.last))
    if (inside !== hardState.commit) this.setHardState({ ...hardState, commit: inside })
  }

  /** Forgets the log and the snapshot, but not term, vote and configuration. */
  loseAll(): void {
    const { hardState } = this.#state
    this.#state = { ...this.#state, snapshot: null, hardState: { ...hardState, commit: 0 } }
    this.#beginAt(0, 0)
  }

  /** The first entry whose data the cache has room for, counted from the end. */
  cacheableFrom(): Index {
    let from = this.#index.last + 1
    let bytes = 0
    while (from > this.#index.first) {
      bytes += sizeOf(this.#index.packedSize(from - 1))
      if (!this.#cache.fits(this.#index.last - from + 2, bytes)) break
      from -= 1
    }
    return from
  }

  segmentOf(index: Index): number {
    return this.#index.segment(index)
  }

  /**
   * Takes the data of entries before `to`, not before `from`, out of the bytes of their segment.
   *
   * @returns the first entry taken; a chunk at a time, so that what is evicted later is freed
   */
  cacheFrom(bytes: Buffer, from: Index, to: Index): Index {
    const segment = this.#index.segment(to - 1)
    let low = to
    let total = 0
    while (low > from && total < CHUNK_BYTES && this.#index.segment(low - 1) === segment) {
      low -= 1
      total += sizeOf(this.#index.packedSize(low))
    }
    const owned = Buffer.allocUnsafeSlow(total)
    const entries: Entry[] = []
    let at = 0
    for (let index = low; index < to; index += 1) {
      const packed = this.#index.packedSize(index)
      const offset = this.#index.offset(index)
      bytes.copy(owned, at, offset, offset + sizeOf(packed))
      const data = owned.subarray(at, at + sizeOf(packed))
      entries.push({ term: this.#index.term(index), index, kind: kindOf(packed), data })
      at += sizeOf(packed)
    }
    this.#cache.unshift(entries)
    return low
  }

  #entryFrom(bytes: Buffer, at: number, index: Index): Entry | null {
    const packed = this.#index.packedSize(index)
    const data = bytes.subarray(at, at + sizeOf(packed))
    if (crc32c(data) !== this.#index.checksum(index)) return null
    return { term: this.#index.term(index), index, kind: kindOf(packed), data }
  }

  #cutAt(index: Index): void {
    assert(
      index >= this.#index.first && index <= this.#index.last + 1,
      () =>
        `shard ${this.shard}: entry ${index} does not fit a log of ${this.#index.first}..${this.#index.last}`,
    )
    if (index > this.#index.last) return
    this.#index.truncate(index)
    this.#cache.truncate(index)
  }

  /** Empties the log; it goes on behind `index`. */
  #beginAt(index: Index, term: Term): void {
    this.#state = { ...this.#state, start: { index, term } }
    this.#index.reset(index + 1)
    this.#cache.clear()
  }
}
