// The format of a snapshot file, version 1, and how one is written and read. Little-endian.
//
//   header   8 bytes magic "SLOTSNAP" | u16 version | u16 0 | u32 header bytes
//            u32 shard | u32 node id | u64 index | u64 term | conf (cursor.ts)
//            zeros up to a multiple of 8 less 4 | u32 crc32c of all before
//   frames   u32 length | u32 crc32c of the bytes | u64 offset in the state | bytes, padded to 8
//   trailer  u32 0xffffffff | u32 crc32c of all frame heads | u64 bytes of the state
//
// The file is <shard>-<index>-<term>.snap, while it is written with `.tmp` behind
// it. A frame's head holds the checksum of its bytes, and the trailer's covers
// the heads in their order, so it stands for the whole file. A file without its
// trailer is not a snapshot.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Index, NodeId, ShardId, Term } from '../base/types.ts'
import type { SnapshotMeta } from '../raft/message.ts'
import { Cursor, confBytes, padded, putConf, takeConf } from './cursor.ts'
import type { Disk, DiskDone, DiskFile } from './disk.ts'
import { asDiskError, DiskError, removeLeftover } from './disk.ts'

const MAGIC = Buffer.from('SLOTSNAP', 'latin1')
const VERSION = 1
const FIXED_HEADER_BYTES = 40
export const FRAME_HEAD_BYTES = 16
const TRAILER_MARK = 0xffff_ffff
const NAME = /^(\d+)-(\d+)-(\d+)\.snap$/
/** Written but unsynced bytes at which a writer syncs, so that the end is not one long stall of the disk. */
const SYNC_BYTES = 8 * 1024 * 1024
/** Read at a time when a whole file is checked. */
const CHECK_BYTES = 4 * 1024 * 1024

export type SnapshotName = { readonly shard: ShardId; readonly index: Index; readonly term: Term }

export function snapshotName(shard: ShardId, index: Index, term: Term): string {
  return `${shard}-${index}-${term}.snap`
}

export function parseSnapshotName(name: string): SnapshotName | null {
  const parts = NAME.exec(name)
  if (parts === null) return null
  return { shard: Number(parts[1]), index: Number(parts[2]), term: Number(parts[3]) }
}

export function encodeSnapshotHeader(shard: ShardId, nodeId: NodeId, meta: SnapshotMeta): Buffer {
  const bytes = padded(FIXED_HEADER_BYTES + confBytes(meta.conf) + 4)
  const cursor = new Cursor(Buffer.alloc(bytes), 0)
  cursor.putBytes(MAGIC)
  cursor.putU16(VERSION)
  cursor.putU16(0)
  cursor.putU32(bytes)
  cursor.putU32(shard)
  cursor.putU32(nodeId)
  cursor.putU64(meta.index)
  cursor.putU64(meta.term)
  putConf(cursor, meta.conf)
  cursor.at = bytes - 4
  cursor.putU32(crc32c(cursor.buffer.subarray(0, bytes - 4)))
  return cursor.buffer
}

type Frame = { readonly at: number; readonly offset: number; readonly length: number }

/** What a whole, checked file holds. */
export type SnapshotContent = {
  readonly shard: ShardId
  readonly meta: SnapshotMeta
  /** Bytes of the state. */
  readonly size: number
  readonly frames: readonly Frame[]
}

function readHeader(file: DiskFile): { content: SnapshotContent; bytes: number } | string {
  const fixed = file.read(0, FIXED_HEADER_BYTES)
  if (fixed.length < FIXED_HEADER_BYTES || !fixed.subarray(0, 8).equals(MAGIC)) return 'no header'
  const bytes = fixed.readUInt32LE(12)
  if (bytes < FIXED_HEADER_BYTES || bytes > file.size()) return 'bad header'
  const header = file.read(0, bytes)
  if (crc32c(header.subarray(0, bytes - 4)) !== header.readUInt32LE(bytes - 4)) return 'bad header'
  const cursor = new Cursor(header, 8)
  const version = cursor.takeU16()
  if (version !== VERSION) return `format version ${version}`
  cursor.at = 16
  const shard = cursor.takeU32()
  cursor.takeU32()
  const index = cursor.takeU64()
  const term = cursor.takeU64()
  const meta = { index, term, conf: takeConf(cursor) }
  return { content: { shard, meta, size: 0, frames: [] }, bytes }
}

/** Reads a file from end to end. @returns its content, or what is wrong with it */
export function checkSnapshotFile(file: DiskFile): SnapshotContent | string {
  const header = readHeader(file)
  if (typeof header === 'string') return header
  const fileBytes = file.size()
  const frames: Frame[] = []
  let checksum = 0
  let size = 0
  let at = header.bytes
  let window: Buffer = Buffer.alloc(0)
  let windowAt = 0
  const take = (from: number, length: number): Buffer => {
    if (from < windowAt || from + length > windowAt + window.length) {
      window = file.read(from, Math.max(length, CHECK_BYTES))
      windowAt = from
    }
    return window.subarray(from - windowAt, from - windowAt + length)
  }
  for (;;) {
    const head = take(at, FRAME_HEAD_BYTES)
    if (head.length < FRAME_HEAD_BYTES) return `cut short at ${at}`
    const length = head.readUInt32LE(0)
    if (length === TRAILER_MARK) {
      const isWhole = head.readUInt32LE(4) === checksum && new Cursor(head, 8).takeU64() === size
      if (!isWhole) return 'the trailer does not fit'
      return { ...header.content, size, frames }
    }
    if (length > fileBytes - at - FRAME_HEAD_BYTES) return `bad frame at ${at}`
    checksum = crc32c(head, checksum)
    const frameChecksum = head.readUInt32LE(4)
    const bytes = take(at + FRAME_HEAD_BYTES, padded(length))
    const isGood =
      bytes.length === padded(length) &&
      crc32c(bytes.subarray(0, length)) === frameChecksum &&
      bytes.subarray(length).every(byte => byte === 0)
    if (!isGood) return `bad frame at ${at}`
    frames.push({ at: at + FRAME_HEAD_BYTES, offset: size, length })
    size += length
    at += FRAME_HEAD_BYTES + padded(length)
  }
}

/** A snapshot being written: to a temporary file until `commit`. One call outstanding at a time. */
export class SnapshotWriterFile {
  readonly meta: SnapshotMeta
  readonly #disk: Disk
  readonly #directory: string
  readonly #name: string
  readonly #file: DiskFile
  readonly #committed: (content: SnapshotContent) => void
  readonly #frames: Frame[] = []
  #scratch: Buffer = Buffer.alloc(0)
  readonly #shard: ShardId
  #at: number
  #size = 0
  #unsynced = 0
  #checksum = 0
  #state: 'idle' | 'busy' | 'over' = 'idle'

  constructor(
    disk: Disk,
    directory: string,
    shard: ShardId,
    nodeId: NodeId,
    meta: SnapshotMeta,
    committed: (content: SnapshotContent) => void,
  ) {
    this.meta = meta
    this.#disk = disk
    this.#directory = directory
    this.#shard = shard
    this.#name = snapshotName(shard, meta.index, meta.term)
    this.#committed = committed
    if (disk.exists(this.#temporary)) disk.remove(this.#temporary)
    this.#file = disk.open(this.#temporary, 'create')
    const header = encodeSnapshotHeader(shard, nodeId, meta)
    this.#file.write(header, 0)
    this.#at = header.length
  }

  /** Bytes of the state so far. */
  get size(): number {
    return this.#size
  }

  /** Appends the next bytes of the state. They are copied before this returns. */
  append(bytes: Uint8Array, done: DiskDone): void {
    const length = bytes.length
    const frame = this.#frame(FRAME_HEAD_BYTES + padded(length))
    const cursor = new Cursor(frame, 0)
    cursor.putU32(length)
    cursor.putU32(crc32c(bytes))
    cursor.putU64(this.#size)
    cursor.putBytes(bytes)
    cursor.pad()
    this.#checksum = crc32c(frame.subarray(0, FRAME_HEAD_BYTES), this.#checksum)
    this.#frames.push({ at: this.#at + FRAME_HEAD_BYTES, offset: this.#size, length })
    this.#size += length
    this.#put(frame, done)
  }

  /**
   * Makes the snapshot durable under its name. The commit point is the rename and
   * the directory's sync; the log's own record of it comes after, by the caller.
   */
  commit(done: DiskDone): void {
    const cursor = new Cursor(Buffer.alloc(FRAME_HEAD_BYTES), 0)
    cursor.putU32(TRAILER_MARK)
    cursor.putU32(this.#checksum)
    cursor.putU64(this.#size)
    this.#unsynced = SYNC_BYTES
    this.#put(cursor.buffer, error => {
      if (error !== null) {
        done(error)
        return
      }
      if (this.#state === 'over') return
      this.#state = 'over'
      this.#file.close()
      try {
        this.#disk.rename(this.#temporary, `${this.#directory}/${this.#name}`)
      } catch (failure) {
        return done(asDiskError(failure))
      }
      this.#disk.syncDirectoryLater(this.#directory, failure => {
        if (failure === null) this.#committed(this.#content())
        done(failure)
      })
    })
  }

  /** Gives it up. An outstanding callback does not run any more. */
  abort(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#file.close()
    removeLeftover(this.#disk, this.#temporary)
  }

  /** Room for a frame. One is on its way to the disk at a time, so it is the same memory again and again. */
  #frame(bytes: number): Buffer {
    if (this.#scratch.length < bytes) this.#scratch = Buffer.allocUnsafeSlow(bytes)
    return this.#scratch.subarray(0, bytes)
  }

  #content(): SnapshotContent {
    return { shard: this.#shard, meta: this.meta, size: this.#size, frames: this.#frames }
  }

  get #temporary(): string {
    return `${this.#directory}/${this.#name}.tmp`
  }

  #put(bytes: Uint8Array, done: DiskDone): void {
    assert(this.#state === 'idle', `a snapshot file that is ${this.#state} is written to`)
    this.#state = 'busy'
    const settle: DiskDone = error => {
      if (this.#state === 'over') return
      this.#state = 'idle'
      done(error)
    }
    this.#file.writeLater(bytes, this.#at, error => {
      if (this.#state === 'over') return
      this.#at += bytes.length
      this.#unsynced += bytes.length
      if (error !== null || this.#unsynced < SYNC_BYTES) return settle(error)
      this.#unsynced = 0
      this.#file.syncLater(settle)
    })
  }
}

/** A snapshot to read from. Every frame is checked again as it is read. */
export class SnapshotFile {
  readonly meta: SnapshotMeta
  /** Bytes of the state. */
  readonly size: number
  readonly #file: DiskFile
  readonly #frames: readonly Frame[]

  constructor(file: DiskFile, content: SnapshotContent) {
    this.#file = file
    this.#frames = content.frames
    this.meta = content.meta
    this.size = content.size
  }

  /** Reads `length` bytes of the state from `offset` on; fewer at its end. */
  read(
    offset: number,
    length: number,
    done: (error: DiskError | null, bytes: Buffer) => void,
  ): void {
    const end = Math.min(this.size, offset + length)
    let from = this.#frameAt(offset)
    const first = this.#frames[from]
    if (first === undefined || end <= offset) {
      this.#file.readLater(0, 0, done)
      return
    }
    let to = from
    while (to < this.#frames.length && (this.#frames[to] as Frame).offset < end) to += 1
    const last = this.#frames[to - 1] as Frame
    const start = first.at - FRAME_HEAD_BYTES
    this.#file.readLater(start, last.at + last.length - start, (error, bytes) => {
      if (error !== null) {
        done(error, bytes)
        return
      }
      const state: Buffer[] = []
      for (; from < to; from += 1) {
        const frame = this.#frames[from] as Frame
        const at = frame.at - start
        const part = bytes.subarray(at, at + frame.length)
        const head = bytes.subarray(at - FRAME_HEAD_BYTES, at)
        if (part.length < frame.length || head.readUInt32LE(4) !== crc32c(part)) {
          return done(
            new DiskError(`snapshot ${this.meta.index}: bad frame at ${frame.at}`, false),
            part,
          )
        }
        state.push(
          part.subarray(
            Math.max(0, offset - frame.offset),
            Math.min(frame.length, end - frame.offset),
          ),
        )
      }
      done(null, state.length === 1 ? (state[0] as Buffer) : Buffer.concat(state))
    })
  }

  /** Reads all of the state, frame by frame, at once: for a start, when nothing else goes on. */
  readAll(visit: (bytes: Buffer) => void): void {
    for (const frame of this.#frames) {
      const bytes = this.#file.read(frame.at - FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + frame.length)
      const state = bytes.subarray(FRAME_HEAD_BYTES)
      if (state.length < frame.length || bytes.readUInt32LE(4) !== crc32c(state)) {
        throw new DiskError(`snapshot ${this.meta.index}: bad frame at ${frame.at}`, false)
      }
      visit(state)
    }
  }

  close(): void {
    this.#file.close()
  }

  /** Position in the list of the frame that holds `offset`. */
  #frameAt(offset: number): number {
    let low = 0
    let high = this.#frames.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const frame = this.#frames[middle] as Frame
      if (frame.offset + frame.length <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
