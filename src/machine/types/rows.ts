// Rows of 32-bit words, sorted by stream ID: what pending entries are kept in.
//
//   row       := ID (four words: ms high, ms low, seq high, seq low), then the owner's words
//   timed row := time (two words), ID          sorted by time, then by ID
//
// A million pending entries must not be a million objects, so rows stand side by
// side in chunks of at most CHUNK_ROWS_MAX. Appending at the end and removing at
// the front (deliveries and acknowledgements in order) move nothing; elsewhere the
// shorter side of one chunk moves. IDs are exact over all 64 bits.
//
// `cut` shares the chunks with whoever takes it: a chunk is copied before its first
// change after a cut.
//
// Rows has one cursor, which every lookup moves. Scans therefore cost no object,
// and a scan must not look up elsewhere in the same Rows before it is done.

import { assert } from '../../base/assert.ts'
import { type Half, half, type StreamId } from './stream-id.ts'

/** 256 rows of a group are 9 KiB: what a removal in the middle moves at most half of. */
const CHUNK_ROWS_MAX = 256
const CHUNK_ROWS_MIN = 4
/** A chunk with fewer rows is joined with its neighbour if both fill at most half a chunk. */
const SPARSE_ROWS = CHUNK_ROWS_MAX / 4
/** An emptied chunk of at most this many rows is kept for the next ones: a batch of 100 comes and goes. */
const SPARE_ROWS_MAX = 128
/** The objects around a chunk's words. */
const CHUNK_OVERHEAD_BYTES = 200
const TWO_32 = 0x1_0000_0000
/** A high word below this leaves 53 bits, which a number holds. */
const HIGH_SAFE = 0x20_0000

/** Words of a row that hold its ID. */
export const ID_WORDS = 4
/** Words of a timed row: all of them are its key. */
export const TIMED_WORDS = 2 + ID_WORDS

class Chunk {
  words: Uint32Array
  /** Rows stand from `from` to `to`. */
  from: number
  to: number
  /** The cut count at which this chunk became ours alone. */
  readonly epoch: number

  constructor(words: Uint32Array, from: number, to: number, epoch: number) {
    this.words = words
    this.from = from
    this.to = to
    this.epoch = epoch
  }
}

// The words of the key that was split last. An ID alone has four.
let key0 = 0
let key1 = 0
let key2 = 0
let key3 = 0
let key4 = 0
let key5 = 0

export function lowWord(value: Half): number {
  return typeof value === 'number' ? value >>> 0 : Number(value & 0xffff_ffffn)
}

export function highWord(value: Half): number {
  return typeof value === 'number' ? Math.floor(value / TWO_32) : Number(value >> 32n)
}

function split(id: StreamId): void {
  key0 = highWord(id.ms)
  key1 = lowWord(id.ms)
  key2 = highWord(id.seq)
  key3 = lowWord(id.seq)
}

function splitTimed(timeHigh: number, timeLow: number, id: StreamId): void {
  key0 = timeHigh
  key1 = timeLow
  key2 = highWord(id.ms)
  key3 = lowWord(id.ms)
  key4 = highWord(id.seq)
  key5 = lowWord(id.seq)
}

function join(high: number, low: number): Half {
  if (high < HIGH_SAFE) return high * TWO_32 + low
  return half((BigInt(high) << 32n) | BigInt(low))
}

/** Compares the row at word `at` with the split key of four words or, if `timed`, six. */
function compareToKey(words: Uint32Array, at: number, timed: boolean): number {
  if (words[at] !== key0) return (words[at] as number) - key0
  if (words[at + 1] !== key1) return (words[at + 1] as number) - key1
  if (words[at + 2] !== key2) return (words[at + 2] as number) - key2
  if (!timed || words[at + 3] !== key3) return (words[at + 3] as number) - key3
  if (words[at + 4] !== key4) return (words[at + 4] as number) - key4
  return (words[at + 5] as number) - key5
}

/** A reader's view of rows that never change: a cut. */
export type FixedRows = {
  readonly width: number
  readonly size: number
  readonly chunks: readonly {
    readonly words: Uint32Array
    readonly from: number
    readonly to: number
  }[]
}

/** Half in words `at` and `at + 1`. */
export function halfAt(words: Uint32Array, at: number): Half {
  return join(words[at] as number, words[at + 1] as number)
}

export class Rows {
  /** Words of a row, its ID included. */
  readonly width: number
  /** Whether a time stands before the ID. */
  readonly timed: boolean
  // Sorted, and none is empty.
  #chunks: Chunk[] = []
  #spare: Chunk | null = null
  #size = 0
  #epoch = 0
  // The cursor: row #rank, counted from `from`, of chunk #at. Behind the last chunk at the end.
  #at = 0
  #rank = 0

  constructor(width: number, timed = false) {
    this.width = width
    this.timed = timed
  }

  get size(): number {
    return this.#size
  }

  /** Bytes that the rows take. */
  get bytes(): number {
    let bytes = 0
    for (const { words } of this.#chunks) bytes += CHUNK_OVERHEAD_BYTES + words.byteLength
    return bytes
  }

  /** Whether the cursor is on a row. */
  get valid(): boolean {
    return this.#at < this.#chunks.length
  }

  /** Puts the cursor on the first row. */
  first(): void {
    this.#at = 0
    this.#rank = 0
  }

  /** Puts the cursor on the last row. */
  last(): void {
    const chunk = this.#chunks[this.#chunks.length - 1]
    this.#at = Math.max(0, this.#chunks.length - 1)
    this.#rank = chunk === undefined ? 0 : chunk.to - chunk.from - 1
  }

  /** Moves the cursor to the next row. */
  next(): void {
    this.#rank += 1
    this.#overflow()
  }

  /** Moves on to the next chunk where the cursor is behind the end of this one. */
  #overflow(): void {
    const chunk = this.#chunks[this.#at]
    if (chunk === undefined || this.#rank < chunk.to - chunk.from) return
    this.#at += 1
    this.#rank = 0
  }

  /** Puts the cursor on `id`, or on the first row behind it. @returns whether `id` is there */
  seek(id: StreamId): boolean {
    split(id)
    return this.#seekKey()
  }

  /** As `seek`, of a timed row. */
  seekTimed(timeHigh: number, timeLow: number, id: StreamId): boolean {
    splitTimed(timeHigh, timeLow, id)
    return this.#seekKey()
  }

  /** How many rows stand from `from` to `to`, both included. Chunks between the two are only counted. */
  countBetween(from: StreamId, to: StreamId): number {
    this.seek(from)
    let count = -this.#rank
    let at = this.#at
    const hasLast = this.seek(to)
    for (; at < this.#at; at += 1) {
      const chunk = this.#chunks[at] as Chunk
      count += chunk.to - chunk.from
    }
    return count + this.#rank + (hasLast ? 1 : 0)
  }

  #seekKey(): boolean {
    const width = this.width
    this.#at = this.#findChunk()
    this.#rank = 0
    const chunk = this.#chunks[this.#at]
    if (chunk === undefined) return false
    let low = chunk.from
    let high = chunk.to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareToKey(chunk.words, middle * width, this.timed) < 0) low = middle + 1
      else high = middle
    }
    this.#rank = low - chunk.from
    if (low < chunk.to) return compareToKey(chunk.words, low * width, this.timed) === 0
    this.#overflow()
    return false
  }

  /** Index of the last chunk that begins at or before the key, or 0. */
  #findChunk(): number {
    const chunks = this.#chunks
    const width = this.width
    // What is acknowledged in order is in the chunk that the cursor is in.
    const here = chunks[this.#at]
    if (
      here !== undefined &&
      compareToKey(here.words, here.from * width, this.timed) <= 0 &&
      compareToKey(here.words, (here.to - 1) * width, this.timed) >= 0
    )
      return this.#at
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = chunks[middle] as Chunk
      if (compareToKey(chunk.words, chunk.from * width, this.timed) <= 0) low = middle + 1
      else high = middle
    }
    return low > 0 ? low - 1 : 0
  }

  #here(): Chunk {
    const chunk = this.#chunks[this.#at]
    assert(chunk !== undefined, 'the cursor is on a row')
    return chunk
  }

  /** Position of word k of the row under the cursor. */
  #position(chunk: Chunk, k: number): number {
    return (chunk.from + this.#rank) * this.width + k
  }

  /** ID of the row under the cursor. */
  id(): StreamId {
    const chunk = this.#here()
    const at = this.#position(chunk, this.timed ? 2 : 0)
    return { ms: halfAt(chunk.words, at), seq: halfAt(chunk.words, at + 2) }
  }

  /** Word k of the row under the cursor. */
  word(k: number): number {
    const chunk = this.#here()
    return chunk.words[this.#position(chunk, k)] as number
  }

  setWord(k: number, value: number): void {
    const chunk = this.#own()
    chunk.words[this.#position(chunk, k)] = value
  }

  /** Words k and k + 1 of the row under the cursor, as one number of 64 bits. */
  wide(k: number): Half {
    const chunk = this.#here()
    return halfAt(chunk.words, this.#position(chunk, k))
  }

  setWide(k: number, value: Half): void {
    const chunk = this.#own()
    const at = this.#position(chunk, k)
    chunk.words[at] = highWord(value)
    chunk.words[at + 1] = lowWord(value)
  }

  /** The chunk under the cursor, ours alone. */
  #own(): Chunk {
    const chunk = this.#here()
    return chunk.epoch === this.#epoch ? chunk : this.#copy(chunk, chunk.to - chunk.from)
  }

  /** Puts a copy in the place of the chunk under the cursor, with room for `capacity` rows. */
  #copy(chunk: Chunk, capacity: number): Chunk {
    const copy = this.#part(chunk, chunk.from, chunk.to, capacity)
    this.#chunks[this.#at] = copy
    return copy
  }

  /** A new chunk of rows `from` to `to` of `chunk`. */
  #part(chunk: Chunk, from: number, to: number, capacity: number): Chunk {
    const words = new Uint32Array(Math.max(capacity, CHUNK_ROWS_MIN) * this.width)
    words.set(chunk.words.subarray(from * this.width, to * this.width))
    return new Chunk(words, 0, to - from, this.#epoch)
  }

  /**
   * Puts the cursor on the row of `id`, and makes one if there is none: the words
   * behind its ID are then for the caller to set.
   *
   * @returns whether the row is new
   */
  place(id: StreamId): boolean {
    split(id)
    return this.#placeKey()
  }

  /** As `place`, of a timed row. */
  placeTimed(timeHigh: number, timeLow: number, id: StreamId): boolean {
    splitTimed(timeHigh, timeLow, id)
    return this.#placeKey()
  }

  #placeKey(): boolean {
    const last = this.#chunks[this.#chunks.length - 1]
    if (
      last !== undefined &&
      compareToKey(last.words, (last.to - 1) * this.width, this.timed) >= 0
    ) {
      if (this.#seekKey()) return false
    } else {
      this.#at = Math.max(0, this.#chunks.length - 1)
      this.#rank = last === undefined ? 0 : last.to - last.from
    }
    const chunk = this.#roomy()
    const at = this.#position(chunk, 0)
    const end = chunk.to * this.width
    if (at < end) chunk.words.copyWithin(at + this.width, at, end)
    chunk.to += 1
    chunk.words[at] = key0
    chunk.words[at + 1] = key1
    chunk.words[at + 2] = key2
    chunk.words[at + 3] = key3
    if (this.timed) {
      chunk.words[at + 4] = key4
      chunk.words[at + 5] = key5
    }
    this.#size += 1
    return true
  }

  /** The chunk under the cursor with room for one more row, ours alone. */
  #roomy(): Chunk {
    const full = this.#chunks[this.#at]
    if (full === undefined) return this.#fresh(CHUNK_ROWS_MIN)
    if (full.to - full.from >= CHUNK_ROWS_MAX) {
      if (this.#rank === CHUNK_ROWS_MAX) {
        this.#at += 1
        this.#rank = 0
        return this.#fresh(CHUNK_ROWS_MAX)
      }
      this.#halve(full)
    }
    const chunk = this.#here()
    const count = chunk.to - chunk.from
    const capacity = chunk.words.length / this.width
    if (chunk.epoch === this.#epoch) {
      if (chunk.to < capacity) return chunk
      if (chunk.from * 2 >= capacity) {
        chunk.words.copyWithin(0, chunk.from * this.width, chunk.to * this.width)
        chunk.from = 0
        chunk.to = count
        return chunk
      }
    }
    return this.#copy(chunk, Math.min(CHUNK_ROWS_MAX, Math.max(count + 1, count * 2)))
  }

  /** A new last chunk, under the cursor. */
  #fresh(capacity: number): Chunk {
    const chunk =
      this.#spare ?? new Chunk(new Uint32Array(capacity * this.width), 0, 0, this.#epoch)
    this.#spare = null
    this.#chunks.push(chunk)
    return chunk
  }

  /** Makes two chunks of the one under the cursor, which stays at its row. */
  #halve(chunk: Chunk): void {
    const middle = (chunk.from + chunk.to) >>> 1
    const lower = this.#part(chunk, chunk.from, middle, CHUNK_ROWS_MAX)
    const upper = this.#part(chunk, middle, chunk.to, CHUNK_ROWS_MAX)
    this.#chunks.splice(this.#at, 1, lower, upper)
    if (this.#rank <= lower.to) return
    this.#at += 1
    this.#rank -= lower.to
  }

  /** Removes the row under the cursor, which then is on the one that followed. */
  remove(): void {
    const chunk = this.#own()
    const width = this.width
    const at = this.#position(chunk, 0)
    const begin = chunk.from * width
    const end = chunk.to * width
    if (at - begin < end - at) {
      if (at > begin) chunk.words.copyWithin(begin + width, begin, at)
      chunk.from += 1
    } else {
      chunk.words.copyWithin(at, at + width, end)
      chunk.to -= 1
    }
    this.#size -= 1
    if (chunk.to === chunk.from) this.#drop(chunk)
    else if (chunk.to - chunk.from < SPARSE_ROWS) this.#gather(chunk)
    this.#overflow()
  }

  /** Takes the empty chunk under the cursor out of the row. */
  #drop(chunk: Chunk): void {
    this.#chunks.splice(this.#at, 1)
    this.#rank = 0
    if (chunk.words.length > SPARE_ROWS_MAX * this.width) return
    chunk.from = 0
    chunk.to = 0
    this.#spare = chunk
  }

  /** Joins the chunk under the cursor with a neighbour if both are small, or gives it less room. */
  #gather(chunk: Chunk): void {
    const left = this.#at > 0 ? this.#at - 1 : 0
    const one = this.#chunks[left] as Chunk
    const two = this.#chunks[left + 1]
    const count = one.to - one.from
    if (two !== undefined && count + two.to - two.from <= CHUNK_ROWS_MAX / 2) {
      const joined = this.#part(one, one.from, one.to, CHUNK_ROWS_MAX)
      joined.words.set(
        two.words.subarray(two.from * this.width, two.to * this.width),
        count * this.width,
      )
      joined.to = count + two.to - two.from
      this.#chunks.splice(left, 2, joined)
      if (left < this.#at) this.#rank += count
      this.#at = left
    } else {
      const rows = chunk.to - chunk.from
      const capacity = chunk.words.length / this.width
      if (capacity > SPARE_ROWS_MAX && rows * 4 < capacity) this.#copy(chunk, rows * 2)
    }
  }

  /** The rows as they are now, for a reader that outlives the next change. */
  cut(): FixedRows {
    this.#epoch += 1
    this.#spare = null
    return { width: this.width, size: this.#size, chunks: this.#chunks.slice() }
  }
}
