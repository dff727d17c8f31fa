// The segment after the current one, made ahead of time and a slice at a time.
//
// A slice of zeros is written and synced, then the next, and no faster than the
// log itself grows: the log's own fdatasync shares the disk with this. When all
// of it is synced the file gets its name, and when the directory is synced too it
// is ready. A batch that needs more than is there says so with `require`, and
// then the slices follow each other without a pause.
//
// It is a segment that the log is done with, if there is one (recycled-segments.ts),
// or else a new file.

import { assert } from '../base/assert.ts'
import { asDiskError, type Disk, type DiskError, type DiskFile, removeLeftover } from './disk.ts'
import type { RecycledSegments } from './recycled-segments.ts'
import { segmentName } from './segment.ts'

const SLICE_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(SLICE_BYTES)
/** Slices are prepared at this multiple of the log's own growth: ready when half a segment is used. */
const LEAD = 2

export type ReadySpare = {
  readonly number: number
  readonly allocated: number
  readonly file: DiskFile
}

export class SpareSegment {
  readonly #disk: Disk
  readonly #directory: string
  /** Size of a segment, unless a batch needs a larger one. */
  readonly #nominalBytes: number
  readonly #recycled: RecycledSegments
  #number = 0
  #file: DiskFile | null = null
  /** Zeros that are synced, how many are wanted in the end, and how many may be there by now. */
  #filled = 0
  #target = 0
  #allowed = 0
  #isNamed = false
  #isReady = false
  #isWorking = false
  #isClosed = false
  #waiting: ((error: DiskError | null) => void) | null = null

  constructor(disk: Disk, directory: string, nominalBytes: number, recycled: RecycledSegments) {
    this.#disk = disk
    this.#directory = directory
    this.#nominalBytes = nominalBytes
    this.#recycled = recycled
  }

  /** Begins the segment `number`. The one before must have been taken. */
  begin(number: number, bytes: number = this.#nominalBytes): void {
    this.#number = number
    this.#file = null
    this.#filled = 0
    this.#target = bytes
    this.#allowed = 0
    this.#isNamed = false
    this.#isReady = false
  }

  /** Says how much of the current segment is used. */
  advance(usedBytes: number): void {
    this.#allowed = Math.max(this.#allowed, usedBytes * LEAD)
    this.#work()
  }

  /** Size of the ready segment, 0 while there is none. */
  get readyBytes(): number {
    return this.#isReady ? this.#target : 0
  }

  /** Calls `done` when at least `bytes` are ready, and not before it returns. */
  require(bytes: number, done: (error: DiskError | null) => void): void {
    assert(this.#waiting === null, 'two batches wait for a segment')
    assert(this.readyBytes < bytes, 'the segment is ready')
    this.#waiting = done
    this.#isReady = false
    this.#target = Math.max(this.#target, bytes)
    this.#allowed = this.#target
    this.#work()
  }

  /** Hands the ready segment over. */
  take(): ReadySpare {
    const file = this.#file
    assert(this.#isReady && file !== null, 'no segment is ready')
    this.#file = null
    this.#isReady = false
    return { number: this.#number, allocated: this.#target, file }
  }

  close(): void {
    this.#isClosed = true
    this.#waiting = null
    if (!this.#isWorking) this.#file?.close()
  }

  #work(): void {
    if (this.#isWorking || this.#isReady || this.#isClosed || this.#number === 0) return
    if (this.#filled < this.#target) {
      if (this.#filled <= this.#allowed) this.#fill()
    } else {
      this.#name()
    }
  }

  #fill(): void {
    let file: DiskFile
    try {
      this.#file ??= this.#open()
      file = this.#file
    } catch (error) {
      this.#fail(asDiskError(error))
      return
    }
    const slice = ZEROS.subarray(0, Math.min(SLICE_BYTES, this.#target - this.#filled))
    this.#isWorking = true
    file.writeLater(slice, this.#filled, error => {
      if (error !== null) {
        this.#settle(error)
        return
      }
      file.syncLater(failure => {
        if (failure === null) this.#filled += slice.length
        this.#settle(failure)
      })
    })
  }

  /** A file to be filled, of nothing or of what an old segment held. */
  #open(): DiskFile {
    const old = this.#target === this.#nominalBytes ? this.#recycled.take() : null
    if (old === null) return this.#disk.open(this.#temporary(), 'create')
    this.#disk.rename(old, this.#temporary())
    return this.#disk.open(this.#temporary(), 'write')
  }

  /** The file is whole and synced; now its name. A named one that had to grow keeps it. */
  #name(): void {
    try {
      if (!this.#isNamed) this.#disk.rename(this.#temporary(), this.#path())
      this.#isNamed = true
    } catch (error) {
      this.#fail(asDiskError(error))
      return
    }
    this.#isWorking = true
    this.#disk.syncDirectoryLater(this.#directory, error => {
      if (error === null) this.#isReady = this.#filled >= this.#target
      this.#settle(error)
    })
  }

  #settle(error: DiskError | null): void {
    this.#isWorking = false
    if (this.#isClosed) {
      this.#file?.close()
      return
    }
    if (error !== null) {
      this.#fail(error)
      return
    }
    const waiting = this.#waiting
    if (this.#isReady && waiting !== null) {
      this.#waiting = null
      waiting(null)
      return
    }
    this.#work()
  }

  /**
   * Gives the file up and begins anew when asked next: nothing in it counts yet.
   * What is left on disk carries no header and is removed at the next start.
   */
  #fail(error: DiskError): void {
    this.#file?.close()
    removeLeftover(this.#disk, this.#isNamed ? this.#path() : this.#temporary())
    this.begin(this.#number, this.#target)
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.(error)
  }

  #path(): string {
    return `${this.#directory}/${segmentName(this.#number)}`
  }

  #temporary(): string {
    return `${this.#path()}.tmp`
  }
}

/**
 * Makes a segment at once, at start: zeros, and at its beginning `parts`. It replaces
 * a file of that name, in one step.
 */
export function makeSegment(
  disk: Disk,
  directory: string,
  number: number,
  bytes: number,
  parts: readonly Uint8Array[],
): void {
  const path = `${directory}/${segmentName(number)}`
  const file = disk.open(`${path}.tmp`, 'create')
  for (let at = 0; at < bytes; at += SLICE_BYTES) {
    file.write(ZEROS.subarray(0, Math.min(SLICE_BYTES, bytes - at)), at)
  }
  let at = 0
  for (const part of parts) {
    file.write(part, at)
    at += part.length
  }
  file.sync()
  file.close()
  disk.rename(`${path}.tmp`, path)
  disk.syncDirectory(directory)
}
