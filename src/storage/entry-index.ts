// Where every entry of a shard's log is on disk: 24 bytes an entry, in typed arrays.
//
// Raft asks for the term of any entry at any time and must have the answer at
// once, so the whole log is indexed in memory; the data is not. The arrays are a
// deque: entries come and go at the end, compaction takes from the front and the
// room is won back when half of it is free.

import type { Index, Term } from '../base/types.ts'

const CAPACITY_MIN = 16

/** Segment of an entry that the log names but that no file holds. Only during recovery. */
export const ABSENT = 0

export class EntryIndex {
  #first: Index = 1
  #head = 0
  #count = 0
  #terms = new Float64Array(CAPACITY_MIN)
  #segments = new Uint32Array(CAPACITY_MIN)
  #offsets = new Uint32Array(CAPACITY_MIN)
  #sizes = new Uint32Array(CAPACITY_MIN)
  #checksums = new Uint32Array(CAPACITY_MIN)

  get first(): Index {
    return this.#first
  }

  get last(): Index {
    return this.#first + this.#count - 1
  }

  get count(): number {
    return this.#count
  }

  has(index: Index): boolean {
    return index >= this.#first && index < this.#first + this.#count
  }

  term(index: Index): Term {
    return this.#terms[this.#at(index)] as number
  }

  segment(index: Index): number {
    return this.#segments[this.#at(index)] as number
  }

  /** Of the data's first byte, in the file. */
  offset(index: Index): number {
    return this.#offsets[this.#at(index)] as number
  }

  /** Size and kind, as in record.ts. */
  packedSize(index: Index): number {
    return this.#sizes[this.#at(index)] as number
  }

  checksum(index: Index): number {
    return this.#checksums[this.#at(index)] as number
  }

  push(term: Term, segment: number, offset: number, packedSize: number, checksum: number): void {
    const at = this.#head + this.#count
    if (at === this.#terms.length) this.#makeRoom()
    const end = this.#head + this.#count
    this.#terms[end] = term
    this.#segments[end] = segment
    this.#offsets[end] = offset
    this.#sizes[end] = packedSize
    this.#checksums[end] = checksum
    this.#count += 1
  }

  /** Notes that the entry was written again, elsewhere. */
  move(index: Index, segment: number, offset: number): void {
    this.#segments[this.#at(index)] = segment
    this.#offsets[this.#at(index)] = offset
  }

  /** Drops the entries from `index` on. */
  truncate(index: Index): void {
    this.#count = Math.min(this.#count, Math.max(0, index - this.#first))
  }

  /** Drops the entries up to and including `index`; the next to come is index + 1 at least. */
  dropUpTo(index: Index): void {
    const gone = index + 1 - this.#first
    if (gone <= 0) return
    if (gone >= this.#count) {
      this.reset(index + 1)
      return
    }
    this.#first += gone
    this.#head += gone
    this.#count -= gone
  }

  /** Empties the index; the next entry is `first`. */
  reset(first: Index): void {
    this.#first = first
    this.#head = 0
    this.#count = 0
    if (this.#terms.length > 4096) this.#resize(CAPACITY_MIN)
  }

  #at(index: Index): number {
    return this.#head + index - this.#first
  }

  #makeRoom(): void {
    if (this.#head >= this.#terms.length / 2) this.#resize(this.#terms.length)
    else this.#resize(this.#terms.length * 2)
  }

  #resize(capacity: number): void {
    const live = [this.#head, this.#head + this.#count] as const
    this.#terms = moved(new Float64Array(capacity), this.#terms.subarray(...live))
    this.#segments = moved(new Uint32Array(capacity), this.#segments.subarray(...live))
    this.#offsets = moved(new Uint32Array(capacity), this.#offsets.subarray(...live))
    this.#sizes = moved(new Uint32Array(capacity), this.#sizes.subarray(...live))
    this.#checksums = moved(new Uint32Array(capacity), this.#checksums.subarray(...live))
    this.#head = 0
  }
}

function moved<T extends Float64Array | Uint32Array>(target: T, live: T): T {
  target.set(live)
  return target
}
