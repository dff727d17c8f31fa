// A segment: one file of the write-ahead log, and the format of its header.
//
//   header, 80 bytes, little-endian, format version 1
//    0  8 bytes magic "SLOTWAL" 0
//    8  u16 version | u16 header bytes | u32 node id
//   16  u64 number        of this segment; its file is <number, 16 digits>.wal
//   24  u64 base          log position of the file's first byte
//   32  u64 allocated     size of the file; the next segment's base is base + allocated
//   40  16 bytes          incarnation of the data directory
//   56  u64 mark          everything below this position was known to be synced
//   64  u32 predecessor   checksum of the last record of the segment before, 0 for the first
//   68  u32 0
//   72  u32 0
//   76  u32 checksum      crc32c of bytes 0..75
//
// A file is filled with zeros and synced, with its directory, before it gets its
// name: appending to it then changes no size, and fdatasync has no metadata to
// write. A header of zeros is a segment that nothing was written to. The header
// goes out in one write with the first records, and those are a state record for
// every shard (shard-state.ts), so that a log can be read from any segment on.

import { crc32c } from '../base/crc32c.ts'
import type { NodeId } from '../base/types.ts'
import { Cursor } from './cursor.ts'
import type { DiskFile } from './disk.ts'

export const WAL_VERSION = 1
export const SEGMENT_HEADER_BYTES = 80
const MAGIC = Buffer.from('SLOTWAL\0', 'latin1')
const NAME = /^(\d{16})\.wal$/

export type SegmentHeader = {
  readonly nodeId: NodeId
  readonly number: number
  readonly base: number
  readonly allocated: number
  /** 32 hex digits. */
  readonly incarnation: string
  readonly mark: number
  readonly predecessor: number
}

/** A segment in use. Its file stays open as long as an entry in it may be read. */
export type Segment = {
  readonly number: number
  readonly base: number
  readonly allocated: number
  readonly file: DiskFile
}

/** The header's own checksum seeds the first record, and so carries the chain across files. */
export type ReadHeader = { readonly header: SegmentHeader; readonly checksum: number }

export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.wal`
}

/** The number in a segment's name, or null for another file. */
export function segmentNumber(name: string): number | null {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** Writes the header into the first SEGMENT_HEADER_BYTES of `buffer`, and says its checksum. */
export function putSegmentHeader(buffer: Buffer, header: SegmentHeader): number {
  const cursor = new Cursor(buffer, 0)
  cursor.putBytes(MAGIC)
  cursor.putU16(WAL_VERSION)
  cursor.putU16(SEGMENT_HEADER_BYTES)
  cursor.putU32(header.nodeId)
  cursor.putU64(header.number)
  cursor.putU64(header.base)
  cursor.putU64(header.allocated)
  cursor.putBytes(Buffer.from(header.incarnation, 'hex'))
  cursor.putU64(header.mark)
  cursor.putU32(header.predecessor)
  cursor.putU64(0)
  const checksum = crc32c(buffer.subarray(0, SEGMENT_HEADER_BYTES - 4))
  cursor.putU32(checksum)
  return checksum
}

/**
 * The header of a segment's bytes; null when there is none that checks.
 *
 * A version that this build does not know checks all the same, and is for the
 * caller to refuse: 'version' means that the file is good and not ours to read.
 */
export function readSegmentHeader(bytes: Buffer): ReadHeader | 'version' | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return null
  const checksum = bytes.readUInt32LE(SEGMENT_HEADER_BYTES - 4)
  if (crc32c(bytes.subarray(0, SEGMENT_HEADER_BYTES - 4)) !== checksum) return null
  const cursor = new Cursor(bytes, 8)
  if (cursor.takeU16() !== WAL_VERSION) return 'version'
  cursor.takeU16()
  const nodeId = cursor.takeU32()
  const number = cursor.takeU64()
  const base = cursor.takeU64()
  const allocated = cursor.takeU64()
  const incarnation = cursor.takeBytes(16).toString('hex')
  const mark = cursor.takeU64()
  const predecessor = cursor.takeU32()
  return { header: { nodeId, number, base, allocated, incarnation, mark, predecessor }, checksum }
}
