// The idempotent IDs that one producer used last, oldest first, packed.
//
//   record := u32 hash of the iid, varint length, iid, varint ms, varint seq   (of the entry)
//
// Records are added at the end and dropped at the front, and never change in between:
// the bytes between two places stay as they are, so a cut keeps them without a copy.
// With more than a few records a table of places tells by the hash where an iid may be.

import { assert } from '../../base/assert.ts'
import { Reader, readVarint, varintEnd, writeVarint } from '../../base/bytes.ts'
import type { StreamId } from './stream-id.ts'

const HASH_BYTES = 4
const VARINTS_BYTES_MAX = 5 + 10 + 10
const CAPACITY_MIN = 64
/** Up to this many records are compared one by one. */
const TABLELESS_MAX = 16
const FREE = 0
const DROPPED = -1

/** FNV-1a. Stands in snapshots, so it never changes. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash >>> 0
}

/** How many records `bytes` is, or -1 if it is anything else. For bytes that may be broken. */
function countRecords(bytes: Buffer): number {
  const reader = new Reader(bytes, 0, bytes.length, true)
  let count = 0
  for (; reader.left > 0; count += 1) {
    const hash = reader.u32()
    const length = reader.count()
    const from = reader.at
    reader.skip(length)
    if (reader.flaw !== null || hashOf(bytes, from, from + length) !== hash) return -1
    reader.varint()
    reader.varint()
  }
  return reader.flaw === null ? count : -1
}

/** A view of records that does not change any more. */
export type FixedIids = {
  readonly count: number
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

export class Iids {
  #bytes: Buffer
  #from = 0
  #to = 0
  #count = 0
  /** Time of the newest record's entry. */
  #lastMs = 0
  /** Places in `#bytes` plus one, by hash; FREE, or DROPPED and to be passed over. */
  #table: Int32Array | null = null
  #tableUsed = 0

  constructor(capacity: number = CAPACITY_MIN) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Takes over the bytes of a snapshot. null: they are not `count` records, or there is none. */
  static of(bytes: Buffer, count: number): Iids | null {
    if (count === 0 || countRecords(bytes) !== count) return null
    const iids = new Iids(0)
    iids.#bytes = bytes
    iids.#to = bytes.length
    iids.#count = count
    for (let at = 0; at < bytes.length; ) at = iids.#read(at)
    iids.#lastMs = recordMs
    iids.#index()
    return iids
  }

  get count(): number {
    return this.#count
  }

  /** Bytes of the records. */
  get size(): number {
    return this.#to - this.#from
  }

  /** Unix ms of the newest record's entry; there must be one. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** Unix ms of the oldest record's entry; there must be one. */
  get firstMs(): number {
    this.#read(this.#from)
    return recordMs
  }

  /** How many of the oldest records are of before `ms`. */
  countBefore(ms: number): number {
    let count = 0
    for (let at = this.#from; at < this.#to; count += 1) {
      at = this.#read(at)
      if (recordMs >= ms) break
    }
    return count
  }

  /** Reads the record at `at`. @returns where it ends */
  #read(at: number): number {
    const bytes = this.#bytes
    const length = Number(readVarint(bytes, at + HASH_BYTES))
    recordFrom = varintEnd
    recordTo = recordFrom + length
    recordMs = Number(readVarint(bytes, recordTo))
    readVarint(bytes, varintEnd)
    return varintEnd
  }

  /** ID of the entry that was added with the iid from `from` to `to` of `source`, or null. */
  find(source: Uint8Array, from: number, to: number): StreamId | null {
    const hash = hashOf(source, from, to)
    const table = this.#table
    if (table === null) {
      for (let at = this.#from; at < this.#to; at = this.#read(at))
        if (this.#matches(at, hash, source, from, to)) return this.#idAt(at)
      return null
    }
    for (let slot = hash & (table.length - 1); ; slot = (slot + 1) & (table.length - 1)) {
      const place = table[slot] as number
      if (place === FREE) return null
      if (place !== DROPPED && this.#matches(place - 1, hash, source, from, to))
        return this.#idAt(place - 1)
    }
  }

  #matches(at: number, hash: number, source: Uint8Array, from: number, to: number): boolean {
    const bytes = this.#bytes
    if (bytes.readUInt32LE(at) !== hash) return false
    this.#read(at)
    if (recordTo - recordFrom !== to - from) return false
    for (let i = 0; i < to - from; i += 1)
      if (bytes[recordFrom + i] !== source[from + i]) return false
    return true
  }

  #idAt(at: number): StreamId {
    this.#read(at)
    const ms = readVarint(this.#bytes, recordTo)
    return { ms, seq: readVarint(this.#bytes, varintEnd) }
  }

  /** Adds an iid that is not there. */
  add(source: Uint8Array, from: number, to: number, id: StreamId): void {
    this.#reserve(HASH_BYTES + VARINTS_BYTES_MAX + to - from)
    const at = this.#to
    const bytes = this.#bytes
    const hash = hashOf(source, from, to)
    let end = bytes.writeUInt32LE(hash, at)
    end = writeVarint(bytes, end, to - from)
    bytes.set(source.subarray(from, to), end)
    end = writeVarint(bytes, end + to - from, id.ms)
    this.#to = writeVarint(bytes, end, id.seq)
    this.#count += 1
    this.#lastMs = Number(id.ms)
    this.#note(hash, at)
  }

  /** Drops the oldest record. */
  dropFirst(): void {
    assert(this.#count > 0, 'there is a record to drop')
    const at = this.#from
    const table = this.#table
    if (table !== null) {
      let slot = this.#bytes.readUInt32LE(at) & (table.length - 1)
      while (table[slot] !== at + 1) slot = (slot + 1) & (table.length - 1)
      table[slot] = DROPPED
    }
    this.#from = this.#read(at)
    this.#count -= 1
  }

  /** Makes room behind the last record. Cuts keep the old bytes. */
  #reserve(count: number): void {
    if (this.#to + count <= this.#bytes.length) return
    const live = this.#to - this.#from
    const larger = Buffer.allocUnsafeSlow(Math.max(CAPACITY_MIN, (live + count) * 2))
    this.#bytes.copy(larger, 0, this.#from, this.#to)
    this.#bytes = larger
    this.#from = 0
    this.#to = live
    this.#index()
  }

  /** Puts a record into the table, which is made when there are enough and again when it is full. */
  #note(hash: number, at: number): void {
    const table = this.#table
    if (table === null ? this.#count > TABLELESS_MAX : (this.#tableUsed + 1) * 2 > table.length) {
      this.#index()
      return
    }
    if (table === null) return
    let slot = hash & (table.length - 1)
    while (table[slot] !== FREE) slot = (slot + 1) & (table.length - 1)
    table[slot] = at + 1
    this.#tableUsed += 1
  }

  #index(): void {
    this.#table = null
    this.#tableUsed = 0
    if (this.#count <= TABLELESS_MAX) return
    let slots = TABLELESS_MAX * 4
    while (slots < this.#count * 4) slots *= 2
    this.#table = new Int32Array(slots)
    for (let at = this.#from; at < this.#to; at = this.#read(at))
      this.#note(this.#bytes.readUInt32LE(at), at)
  }

  fixed(): FixedIids {
    return { count: this.#count, bytes: this.#bytes, from: this.#from, to: this.#to }
  }
}

// What `#read` read last.
let recordFrom = 0
let recordTo = 0
let recordMs = 0
