// The log files of a stopped node, for tests that damage them.

import { closeSync, openSync, readdirSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { checkRecord } from '../../src/storage/record.ts'
import { readSegmentHeader, SEGMENT_HEADER_BYTES } from '../../src/storage/segment.ts'

/** Where a record says its position (record.ts). */
const POSITION_AT = 24

type Record = { readonly offset: number; readonly next: number; readonly mark: number }

/** The newest segment that something was written to. */
export class NewestSegment {
  readonly path: string
  readonly records: readonly Record[]
  readonly #base: number

  constructor(dataDir: string) {
    const wal = join(dataDir, 'wal')
    const names = readdirSync(wal).filter(name => name.endsWith('.wal'))
    for (const name of names.sort().reverse()) {
      const path = join(wal, name)
      const bytes = readFileSync(path)
      const read = readSegmentHeader(bytes)
      if (read === null || read === 'version') continue
      this.path = path
      this.#base = read.header.base
      this.records = recordsIn(bytes, read.header.base)
      return
    }
    throw new Error(`no written segment in ${wal}`)
  }

  /** Offset below which everything was known to be synced, by what the file itself says. */
  get syncedBelow(): number {
    return Math.max(0, ...this.records.map(({ mark }) => mark - this.#base))
  }

  /** Flips the lowest bit of one byte. */
  flip(offset: number): void {
    const file = openSync(this.path, 'r+')
    const byte = readFileSync(this.path)[offset] as number
    writeSync(file, Buffer.of(byte ^ 1), 0, 1, offset)
    closeSync(file)
  }

  /** Makes everything from `offset` on zeros, as a write that never came that far. */
  tear(offset: number): void {
    const file = openSync(this.path, 'r+')
    const size = readFileSync(this.path).length
    writeSync(file, Buffer.alloc(size - offset), 0, size - offset, offset)
    closeSync(file)
  }

  /** Writes the first half of the last record again, behind it, as of this place. @returns where */
  beginRecord(): number {
    const last = this.records.at(-1)
    if (last === undefined) throw new Error(`${this.path} holds no record`)
    const bytes = readFileSync(this.path)
    const half = Buffer.from(bytes.subarray(last.offset, (last.offset + last.next) >> 1))
    half.writeBigUInt64LE(BigInt(this.#base + last.next), POSITION_AT)
    const file = openSync(this.path, 'r+')
    writeSync(file, half, 0, half.length, last.next)
    closeSync(file)
    return last.next
  }

  /** Ends the file at `offset`. */
  cut(offset: number): void {
    truncateSync(this.path, offset)
  }
}

function recordsIn(bytes: Buffer, base: number): Record[] {
  const records: Record[] = []
  let offset = SEGMENT_HEADER_BYTES
  for (;;) {
    const record = checkRecord(bytes, offset, bytes.length, base + offset)
    if (record === null) return records
    records.push({ offset, next: record.next, mark: record.mark })
    offset = record.next
  }
}
