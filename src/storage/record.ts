// The format of a write-ahead log record, format version 1. All fields little-endian.
//
//   header, 40 bytes
//    0  u32 checksum   crc32c of bytes 8..head, seeded with `previous`
//    4  u32 previous   checksum of the record before; of the segment header for the first
//    8  u32 length     bytes of the record without padding; 0: nothing was written here
//   12  u32 head       bytes of header and body; what follows up to `length` is entry data
//   16  u8  type | u8 flags | u16 0 | u32 shard
//   24  u64 position   of this record: base of its segment + offset in the file
//   32  u64 mark       everything below this position was known to be synced
//   body (by type), then entry data, then zeros up to a multiple of 8
//
//   1 write   what Raft wants kept, of one shard and one batch; flags say what is there:
//             1  hard state: u64 term | u64 vote | u64 commit
//             2  snapshot:   u64 index | u64 term | u8 filed | conf (cursor.ts)
//             8  the snapshot replaces the log: the log had not its last entry
//             4  entries:    u64 first index | u32 count | count x head; data back to back
//                head:       u64 term | u32 size, kind in bits 28..31 | u32 crc32c of the data
//   2 state   all of a shard but its entries (shard-state.ts), at the head of each segment
//   3 drop    the shard is gone; no body
//   4 node    why shards that this log does not know may be lost: u32 length | text
//   5 mark    no body: carries its `mark` over the last batch of a log that went idle
//
// A record stands for itself and in a chain. For itself: position, previous and
// mark are under its checksum, and the data under the checksums in the entries'
// heads, so that a reader who lost its way can find the next good record behind
// a bad one and ask what it knew to be synced (recovery.ts). In a chain: a record
// counts only if `previous` is the checksum of what stands before it, so that
// neither a leftover nor a swapped record ever parses. An entry's own checksum
// also serves whoever reads it again, years later (shard-log.ts).
//
// One record holds all that a shard wrote in a batch: a torn write leaves hard
// state and entries together, or neither.

import { crc32c } from '../base/crc32c.ts'
import type { Index, ShardId, Term } from '../base/types.ts'
import type { EntryKind, HardState, SnapshotMeta } from '../raft/message.ts'
import { Cursor, confBytes, padded, putConf, readU64, takeConf } from './cursor.ts'

export const RECORD_HEADER_BYTES = 40
export const ENTRY_HEAD_BYTES = 16
const ENTRIES_PREFIX_BYTES = 12
const HARD_STATE_BYTES = 24

export const RECORD_WRITE = 1
export const RECORD_STATE = 2
export const RECORD_DROP = 3
export const RECORD_NODE = 4
export const RECORD_MARK = 5

export const HAS_HARD_STATE = 1
export const HAS_SNAPSHOT = 2
export const HAS_ENTRIES = 4
export const REPLACES_LOG = 8

const KINDS: readonly EntryKind[] = ['normal', 'conf-change', 'conf-change-v2']
const SIZE_MASK = 0x0fff_ffff

/** Size and kind of an entry in 32 bits, on disk and in memory. */
export function packSize(size: number, kind: EntryKind): number {
  return ((KINDS.indexOf(kind) << 28) | size) >>> 0
}

export function sizeOf(packed: number): number {
  return packed & SIZE_MASK
}

export function kindOf(packed: number): EntryKind {
  return KINDS[packed >>> 28] ?? 'normal'
}

/** A snapshot as the log records it. Not filed: a beginning without a state, such as the first configuration. */
export type SnapshotNote = { readonly meta: SnapshotMeta; readonly filed: boolean }

/** A record that was checked. Offsets are into the buffer it was read from. */
export type CheckedRecord = {
  readonly type: number
  readonly flags: number
  readonly shard: ShardId
  readonly checksum: number
  readonly previous: number
  readonly position: number
  readonly mark: number
  readonly bodyAt: number
  readonly dataAt: number
  /** Where the next record begins. */
  readonly next: number
}

/** Where the entries of a record are. Head `i` stands at headsAt + i * ENTRY_HEAD_BYTES. */
export type EntriesPart = {
  readonly first: Index
  readonly count: number
  readonly headsAt: number
  readonly dataAt: number
}

export type WriteBody = {
  readonly hardState: HardState | null
  readonly snapshot: SnapshotNote | null
  readonly replacesLog: boolean
  readonly entries: EntriesPart | null
}

/**
 * The record at `offset`, or null when none that is whole and says `position` stands there.
 *
 * Every length is compared with what is left before anything is read by it.
 */
export function checkRecord(
  buffer: Buffer,
  offset: number,
  end: number,
  position: number,
): CheckedRecord | null {
  if (offset + RECORD_HEADER_BYTES > end) return null
  const length = buffer.readUInt32LE(offset + 8)
  const head = buffer.readUInt32LE(offset + 12)
  if (head < RECORD_HEADER_BYTES || length < head || length > end - offset) return null
  if (readU64(buffer, offset + 24) !== position) return null
  const previous = buffer.readUInt32LE(offset + 4)
  const checksum = buffer.readUInt32LE(offset)
  if (crc32c(buffer.subarray(offset + 8, offset + head), previous) !== checksum) return null
  const record: CheckedRecord = {
    type: buffer.readUInt8(offset + 16),
    flags: buffer.readUInt8(offset + 17),
    shard: buffer.readUInt32LE(offset + 20),
    checksum,
    previous,
    position,
    mark: readU64(buffer, offset + 32),
    bodyAt: offset + RECORD_HEADER_BYTES,
    dataAt: offset + head,
    next: offset + padded(length),
  }
  const isGood = dataIsGood(buffer, record, offset + length)
  return isGood && paddingIsGood(buffer, offset + length, record.next) ? record : null
}

/** Padding belongs to no checksum; that it is zeros leaves no bit of the log unchecked. */
function paddingIsGood(buffer: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (buffer[at] !== 0) return false
  return true
}

function dataIsGood(buffer: Buffer, record: CheckedRecord, end: number): boolean {
  if (record.type !== RECORD_WRITE || (record.flags & HAS_ENTRIES) === 0) {
    return record.dataAt === end
  }
  const part = readWriteBody(buffer, record).entries
  if (part === null) return false
  let at = part.dataAt
  for (let i = 0; i < part.count; i += 1) {
    const headAt = part.headsAt + i * ENTRY_HEAD_BYTES
    const size = sizeOf(buffer.readUInt32LE(headAt + 8))
    if (at + size > end) return false
    if (crc32c(buffer.subarray(at, at + size)) !== buffer.readUInt32LE(headAt + 12)) return false
    at += size
  }
  return at === end
}

export function readWriteBody(buffer: Buffer, record: CheckedRecord): WriteBody {
  const cursor = new Cursor(buffer, record.bodyAt)
  let hardState: HardState | null = null
  let snapshot: SnapshotNote | null = null
  let entries: EntriesPart | null = null
  if (record.flags & HAS_HARD_STATE) {
    hardState = { term: cursor.takeU64(), vote: cursor.takeU64(), commit: cursor.takeU64() }
  }
  if (record.flags & HAS_SNAPSHOT) snapshot = takeSnapshot(cursor)
  if (record.flags & HAS_ENTRIES) {
    const first = cursor.takeU64()
    const count = cursor.takeU32()
    entries = { first, count, headsAt: cursor.at, dataAt: record.dataAt }
  }
  return { hardState, snapshot, replacesLog: (record.flags & REPLACES_LOG) !== 0, entries }
}

/** Bytes of a write record's header and body, without data. */
export function writeHeadBytes(
  hardState: HardState | null,
  snapshot: SnapshotNote | null,
  entryCount: number,
): number {
  let bytes = RECORD_HEADER_BYTES
  if (hardState !== null) bytes += HARD_STATE_BYTES
  if (snapshot !== null) bytes += snapshotBytes(snapshot)
  if (entryCount > 0) bytes += ENTRIES_PREFIX_BYTES + entryCount * ENTRY_HEAD_BYTES
  return bytes
}

export function putHardState(cursor: Cursor, hardState: HardState): void {
  cursor.putU64(hardState.term)
  cursor.putU64(hardState.vote)
  cursor.putU64(hardState.commit)
}

export function snapshotBytes(note: SnapshotNote): number {
  return 17 + confBytes(note.meta.conf)
}

export function putSnapshot(cursor: Cursor, note: SnapshotNote): void {
  cursor.putU64(note.meta.index)
  cursor.putU64(note.meta.term)
  cursor.putU8(note.filed ? 1 : 0)
  putConf(cursor, note.meta.conf)
}

export function takeSnapshot(cursor: Cursor): SnapshotNote {
  const index: Index = cursor.takeU64()
  const term: Term = cursor.takeU64()
  const filed = cursor.takeU8() === 1
  return { meta: { index, term, conf: takeConf(cursor) }, filed }
}
