// Runs of bytes on their way to the disk past the page cache: in whole blocks, from aligned memory.
//
// The log and the snapshots are written once and hardly ever read, so pages that
// hold them only push out others. On a virtual machine a page that was never used
// before must first be found by the host: with three nodes at 300,000 XADD/s a third
// of all CPU time went there (docs/decisions/0002-direct-writes.md).
//
// A run begins where the one before it ended, in the middle of a block. That
// block is written again, as a page cache would: its old bytes with themselves, so
// that a torn write leaves them as they are. What stands behind the run in its last
// block becomes zeros.

import { assert } from '../base/assert.ts'

/** As much of the global as is needed: its types come with those of a browser only. */
declare const WebAssembly: {
  readonly Memory: new (pages: {
    readonly initial: number
    readonly maximum: number
  }) => { readonly buffer: ArrayBuffer }
}

/** The largest logical block of the disks there are; positions, lengths and addresses are multiples of it. */
export const BLOCK_BYTES = 4096
const WASM_PAGE_BYTES = 64 * 1024
const STAGE_BYTES = 1024 * 1024

/** An error of the system, with its code if it has one. */
export type RawError = Error & { readonly code?: string | undefined }

/** The file, as much of it as is needed. */
export type RawFile = {
  /** Writes whole blocks. */
  write(
    bytes: Buffer,
    position: number,
    done: (error: RawError | null, count: number) => void,
  ): void
  /** Reads at once, in any place; fewer bytes at the file's end. */
  read(position: number, length: number): Buffer
}

/** Stages that nobody uses. As many as there ever were writes at the same time: a handful. */
const freeStages: Buffer[] = []

/** Memory that begins at a page: what a WebAssembly memory is made of. Nothing else in Node promises it. */
function takeStage(): Buffer {
  const pages = STAGE_BYTES / WASM_PAGE_BYTES
  return (
    freeStages.pop() ??
    Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer)
  )
}

export class DirectWriter {
  readonly #file: RawFile
  /** What stands in the last block that was written, up to `#end`. */
  readonly #tail = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  /** Position behind the last run; -1: nothing was written yet. */
  #end = -1
  #isBusy = false

  constructor(file: RawFile) {
    this.#file = file
  }

  /** Writes `parts` one behind the other from `position` on. They are left alone until `done`; one run at a time. */
  write(
    parts: readonly Uint8Array[],
    position: number,
    done: (error: RawError | null) => void,
  ): void {
    assert(!this.#isBusy, 'two runs are written at once')
    this.#isBusy = true
    const stage = takeStage()
    const lead = position % BLOCK_BYTES
    const start = position - lead
    if (lead > 0) this.#lead(stage, start, lead)
    const finish = (error: RawError | null): void => {
      this.#isBusy = false
      freeStages.push(stage)
      done(error)
    }
    this.#fill(new Source(parts), stage, start, lead, finish)
  }

  /** Puts what stands before the run in its first block at the front of the stage. */
  #lead(stage: Buffer, start: number, lead: number): void {
    if (this.#end === start + lead) {
      this.#tail.copy(stage, 0, 0, lead)
      return
    }
    const before = this.#file.read(start, lead)
    before.copy(stage)
    stage.fill(0, before.length, lead)
  }

  /** Fills the stage behind its first `used` bytes and writes it, until the source is empty. */
  #fill(
    source: Source,
    stage: Buffer,
    start: number,
    used: number,
    finish: (error: RawError | null) => void,
  ): void {
    const end = source.copyTo(stage, used)
    const padded = Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES
    stage.fill(0, end, padded)
    this.#put(stage, 0, padded, start, error => {
      if (error !== null) finish(error)
      else if (!source.isEmpty) this.#fill(source, stage, start + STAGE_BYTES, 0, finish)
      else {
        const left = end % BLOCK_BYTES
        stage.copy(this.#tail, 0, end - left, end)
        this.#end = start + end
        finish(null)
      }
    })
  }

  /** Writes [from, to) of the stage; what one call leaves over, the next one writes. */
  #put(
    stage: Buffer,
    from: number,
    to: number,
    start: number,
    done: (error: RawError | null) => void,
  ): void {
    this.#file.write(stage.subarray(from, to), start + from, (error, count) => {
      // A call may end inside a block: that block again.
      const next = from + count - (count % BLOCK_BYTES)
      if (error !== null || next >= to) done(error)
      else this.#put(stage, next, to, start, done)
    })
  }
}

/** Parts that are read one behind the other. */
class Source {
  readonly #parts: readonly Uint8Array[]
  #part = 0
  #at = 0

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts
  }

  get isEmpty(): boolean {
    return this.#part === this.#parts.length
  }

  /** Copies what fits to `target` from `from` on. @returns where it ends */
  copyTo(target: Buffer, from: number): number {
    let to = from
    while (!this.isEmpty && to < target.length) {
      const part = this.#parts[this.#part] as Uint8Array
      const count = Math.min(part.length - this.#at, target.length - to)
      target.set(part.subarray(this.#at, this.#at + count), to)
      to += count
      this.#at += count
      if (this.#at < part.length) break
      this.#part += 1
      this.#at = 0
    }
    return to
  }
}
