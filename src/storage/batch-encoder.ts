// Turns what a batch holds into the bytes of one write, chained to what stands before.
//
// Headers and small data go into one scratch buffer that is reused, since at
// most one batch is in flight; data of REFERENCE_BYTES_MIN and more goes to the
// disk from where it is. Its checksum is the entry's own, so no byte is read twice.

import { crc32c } from '../base/crc32c.ts'
import type { Entry, HardState } from '../raft/message.ts'
import { Cursor, padded } from './cursor.ts'
import {
  HAS_ENTRIES,
  HAS_HARD_STATE,
  HAS_SNAPSHOT,
  packSize,
  putHardState,
  putSnapshot,
  RECORD_DROP,
  RECORD_HEADER_BYTES,
  RECORD_MARK,
  RECORD_NODE,
  RECORD_STATE,
  RECORD_WRITE,
  REPLACES_LOG,
  type SnapshotNote,
  writeHeadBytes,
} from './record.ts'
import { putSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts'
import type { ShardLog } from './shard-log.ts'
import { putState, putText, type ShardState, stateBytes } from './shard-state.ts'

/** Below this a copy is cheaper than one more buffer for the kernel to gather. */
const REFERENCE_BYTES_MIN = 8192
const SCRATCH_BYTES = 64 * 1024
/** A larger scratch buffer, once needed, is given back after the batch. */
const SCRATCH_KEPT_BYTES_MAX = 4 * 1024 * 1024

/** A shard's part of a batch. `segment`, `offset` and checksums are filled in when it is encoded. */
export type StagedWrite = {
  readonly kind: 'write'
  readonly log: ShardLog
  readonly hardState: HardState | null
  readonly snapshot: SnapshotNote | null
  readonly replacesLog: boolean
  readonly entries: readonly Entry[]
  /** These entries are in the log already and move out of an old segment. */
  readonly isCarried: boolean
  readonly checksums: number[]
  segment: number
  offset: number
}

export type BatchItem =
  | StagedWrite
  | { readonly kind: 'state'; readonly shard: number; readonly state: ShardState }
  | { readonly kind: 'drop'; readonly shard: number }
  | { readonly kind: 'node'; readonly reason: string }
  | { readonly kind: 'mark' }

/** Bytes that an item takes in the log. */
export function itemBytes(item: BatchItem): number {
  switch (item.kind) {
    case 'write': {
      let bytes = writeHeadBytes(item.hardState, item.snapshot, item.entries.length)
      for (const entry of item.entries) bytes += entry.data.length
      return padded(bytes)
    }
    case 'state':
      return padded(stateBytes(item.state))
    case 'node':
      return padded(RECORD_HEADER_BYTES + 4 + Buffer.byteLength(item.reason))
    default:
      return RECORD_HEADER_BYTES
  }
}

export class BatchEncoder {
  #cursor = new Cursor(Buffer.allocUnsafe(SCRATCH_BYTES), 0)
  #parts: Uint8Array[] = []
  /** Where in the scratch buffer the bytes begin that are in no part yet. */
  #from = 0
  #segment = 0
  #base = 0
  #offset = 0
  #mark = 0
  #previous = 0

  /** Offset in the file behind the last record. */
  get offset(): number {
    return this.#offset
  }

  /** Checksum of the last record. */
  get previous(): number {
    return this.#previous
  }

  /** Begins a batch of at most `bytes` at `offset` of a segment. */
  begin(
    segment: { readonly number: number; readonly base: number },
    offset: number,
    previous: number,
    mark: number,
    bytes: number,
  ): void {
    const capacity = Math.max(SCRATCH_BYTES, bytes)
    const { buffer } = this.#cursor
    if (buffer.length < bytes || buffer.length > Math.max(bytes, SCRATCH_KEPT_BYTES_MAX)) {
      this.#cursor = new Cursor(Buffer.allocUnsafe(capacity), 0)
    }
    this.#cursor.at = 0
    this.#parts = []
    this.#from = 0
    this.#segment = segment.number
    this.#base = segment.base
    this.#offset = offset
    this.#previous = previous
    this.#mark = mark
  }

  putHeader(header: SegmentHeader): void {
    this.#previous = putSegmentHeader(this.#cursor.buffer, header)
    this.#cursor.at = SEGMENT_HEADER_BYTES
    this.#offset = SEGMENT_HEADER_BYTES
  }

  put(item: BatchItem): void {
    if (item.kind === 'write') {
      this.#putWrite(item)
      return
    }
    const at = this.#open()
    if (item.kind === 'state') {
      putState(this.#cursor, item.state)
      this.#seal(at, RECORD_STATE, 0, item.shard, 0)
    } else if (item.kind === 'drop') {
      this.#seal(at, RECORD_DROP, 0, item.shard, 0)
    } else if (item.kind === 'node') {
      putText(this.#cursor, item.reason)
      this.#seal(at, RECORD_NODE, 0, 0, 0)
    } else {
      this.#seal(at, RECORD_MARK, 0, 0, 0)
    }
  }

  /** The bytes of the batch; good until the next `begin`. */
  finish(): readonly Uint8Array[] {
    this.#cutPart()
    return this.#parts
  }

  #putWrite(item: StagedWrite): void {
    const { hardState, snapshot, entries, checksums } = item
    const at = this.#open()
    const cursor = this.#cursor
    let flags = 0
    let dataBytes = 0
    if (hardState !== null) {
      flags |= HAS_HARD_STATE
      putHardState(cursor, hardState)
    }
    if (snapshot !== null) {
      flags |= item.replacesLog ? HAS_SNAPSHOT | REPLACES_LOG : HAS_SNAPSHOT
      putSnapshot(cursor, snapshot)
    }
    const first = entries[0]
    if (first !== undefined) {
      flags |= HAS_ENTRIES
      cursor.putU64(first.index)
      cursor.putU32(entries.length)
    }
    checksums.length = 0
    for (const entry of entries) {
      const checksum = crc32c(entry.data)
      checksums.push(checksum)
      cursor.putU64(entry.term)
      cursor.putU32(packSize(entry.data.length, entry.kind))
      cursor.putU32(checksum)
      dataBytes += entry.data.length
    }
    item.segment = this.#segment
    item.offset = this.#offset + cursor.at - at
    this.#seal(at, RECORD_WRITE, flags, item.log.shard, dataBytes, entries)
  }

  /** Leaves room for a header. @returns where it goes in the scratch buffer */
  #open(): number {
    const { at } = this.#cursor
    this.#cursor.at = at + RECORD_HEADER_BYTES
    return at
  }

  /** Fills in the header at `at` for the body that ends here, then appends data and padding. */
  #seal(
    at: number,
    type: number,
    flags: number,
    shard: number,
    dataBytes: number,
    entries: readonly Entry[] = [],
  ): void {
    const cursor = this.#cursor
    const end = cursor.at
    const length = end - at + dataBytes
    cursor.at = at + 4
    cursor.putU32(this.#previous)
    cursor.putU32(length)
    cursor.putU32(end - at)
    cursor.putU8(type)
    cursor.putU8(flags)
    cursor.putU16(0)
    cursor.putU32(shard)
    cursor.putU64(this.#base + this.#offset)
    cursor.putU64(this.#mark)
    const checksum = crc32c(cursor.buffer.subarray(at + 8, end), this.#previous)
    cursor.at = at
    cursor.putU32(checksum)
    cursor.at = end
    for (const entry of entries) this.#putData(entry.data)
    const padding = padded(length) - length
    cursor.buffer.fill(0, cursor.at, cursor.at + padding)
    cursor.at += padding
    this.#previous = checksum
    this.#offset += length + padding
  }

  #putData(data: Uint8Array): void {
    if (data.length < REFERENCE_BYTES_MIN) {
      this.#cursor.putBytes(data)
      return
    }
    this.#cutPart()
    this.#parts.push(data)
  }

  #cutPart(): void {
    const { buffer, at } = this.#cursor
    if (at > this.#from) this.#parts.push(buffer.subarray(this.#from, at))
    this.#from = at
  }
}
