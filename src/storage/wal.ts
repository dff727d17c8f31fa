// The write-ahead log's writing end: one append and one durable write a batch, for all shards.
//
// At most one write is in flight. A batch lies in one segment: if it does not fit
// the current one, the next begins with it, in the same write as that segment's
// header and the state of every shard. After a failed write nothing is written
// any more: which pages a failed fsync kept is unknown, so the process exits and
// recovers from what the disk really holds (Rebello et al., USENIX ATC 2020).

import { assert } from '../base/assert.ts'
import type { NodeId } from '../base/types.ts'
import { BatchEncoder, type BatchItem, itemBytes } from './batch-encoder.ts'
import type { Disk, DiskDone, DiskFile } from './disk.ts'
import { RecycledSegments } from './recycled-segments.ts'
import { SEGMENT_HEADER_BYTES, type Segment } from './segment.ts'
import { SpareSegment } from './spare-segment.ts'

export type WalOptions = {
  readonly directory: string
  readonly segmentBytes: number
  readonly nodeId: NodeId
  readonly incarnation: string
}

/** Where a log goes on. */
export type WalEnd = {
  /** Oldest first; the last one is being written to. */
  readonly segments: readonly Segment[]
  readonly offset: number
  /** Checksum of the last record. */
  readonly previous: number
}

/** A batch, asked for its content when there is a place for it. */
export interface WalBatch {
  items(): readonly BatchItem[]
  /** What a new segment begins with. */
  headItems(): readonly BatchItem[]
  /** The items were encoded and are on their way: what changes now goes into the next batch. */
  sent(items: readonly BatchItem[]): void
  done: DiskDone
}

export class Wal {
  readonly #options: WalOptions
  readonly #encoder = new BatchEncoder()
  readonly #segments: Segment[]
  readonly #recycled: RecycledSegments
  readonly #spare: SpareSegment
  #offset: number
  #previous: number
  /** Position below which everything is synced. */
  #mark: number
  #bytesTotal = 0
  #isFailed = false

  constructor(disk: Disk, options: WalOptions, end: WalEnd) {
    this.#options = options
    this.#segments = [...end.segments]
    this.#offset = end.offset
    this.#previous = end.previous
    this.#mark = this.#current.base + end.offset
    const { directory, segmentBytes } = options
    this.#recycled = new RecycledSegments(disk, directory, segmentBytes)
    this.#spare = new SpareSegment(disk, directory, segmentBytes, this.#recycled)
    this.#spare.begin(this.#current.number + 1)
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  get oldestSegment(): number {
    return this.#segments[0]?.number ?? 0
  }

  get currentSegment(): number {
    return this.#current.number
  }

  /** Bytes appended since start. */
  get bytesTotal(): number {
    return this.#bytesTotal
  }

  /** A write failed: only closing is left. */
  get failed(): boolean {
    return this.#isFailed
  }

  file(number: number): DiskFile | null {
    const first = this.oldestSegment
    const segment = this.#segments[number - first]
    return segment?.number === number ? segment.file : null
  }

  /**
   * Appends a batch and says when it will survive a crash.
   *
   * `done` gets an error in two cases. The disk has no room for another segment:
   * nothing was written and the same may be tried again; `failed` is false.
   * Otherwise the log has ended.
   */
  append(batch: WalBatch): void {
    assert(!this.#isFailed, 'the log has ended')
    const items = batch.items()
    const bytes = bytesOf(items)
    if (this.#offset + bytes <= this.#current.allocated) {
      this.#encoder.begin(this.#current, this.#offset, this.#previous, this.#mark, bytes)
      this.#write(batch, items, this.#offset)
      return
    }
    const needed = rotationBytes(batch)
    if (this.#spare.readyBytes >= needed) {
      this.#rotate(batch)
      return
    }
    // What the batch holds may have grown when the segment is there: look again.
    this.#spare.require(needed, error => {
      if (error !== null) batch.done(error)
      else if (!this.#isFailed) this.append(batch)
    })
  }

  /** Removes the segments before `number`. The order is the log's, so that a crash leaves no gap that matters. */
  retire(number: number): void {
    const retired: Segment[] = []
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0] as Segment
      if (oldest.number >= number) break
      this.#segments.shift()
      oldest.file.close()
      retired.push(oldest)
    }
    if (retired.length > 0) this.#recycled.retire(retired)
  }

  /** Whether space of segments that were retired may be held for later. */
  holdSpace(holds: boolean): void {
    this.#recycled.hold(holds)
  }

  close(): void {
    this.#isFailed = true
    this.#spare.close()
    for (const segment of this.#segments) segment.file.close()
  }

  get #current(): Segment {
    const current = this.#segments[this.#segments.length - 1]
    assert(current !== undefined, 'a log has a segment')
    return current
  }

  #rotate(batch: WalBatch): void {
    const { nodeId, incarnation } = this.#options
    const before = this.#current
    const spare = this.#spare.take()
    const segment: Segment = { ...spare, base: before.base + before.allocated }
    const items = [...batch.headItems(), ...batch.items()]
    const bytes = SEGMENT_HEADER_BYTES + bytesOf(items)
    this.#encoder.begin(segment, 0, this.#previous, this.#mark, bytes)
    this.#encoder.putHeader({
      nodeId,
      incarnation,
      number: segment.number,
      base: segment.base,
      allocated: segment.allocated,
      mark: this.#mark,
      predecessor: this.#previous,
    })
    this.#segments.push(segment)
    this.#spare.begin(segment.number + 1)
    this.#write(batch, items, 0)
  }

  #write(batch: WalBatch, items: readonly BatchItem[], offset: number): void {
    const encoder = this.#encoder
    for (const item of items) encoder.put(item)
    const parts = encoder.finish()
    batch.sent(items)
    const { file, base } = this.#current
    file.writeDurably(parts, offset, error => {
      if (error !== null) {
        this.#isFailed = true
        return batch.done(error)
      }
      this.#bytesTotal += encoder.offset - offset
      this.#offset = encoder.offset
      this.#previous = encoder.previous
      this.#mark = base + encoder.offset
      this.#spare.advance(this.#offset)
      batch.done(null)
    })
  }
}

function bytesOf(items: readonly BatchItem[]): number {
  let bytes = 0
  for (const item of items) bytes += itemBytes(item)
  return bytes
}

function rotationBytes(batch: WalBatch): number {
  return SEGMENT_HEADER_BYTES + bytesOf(batch.headItems()) + bytesOf(batch.items())
}
