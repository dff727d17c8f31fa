// Reads a write-ahead log from its files, and tells a torn tail from corruption (RAFT 4.2).
//
// Records are read in order until one does not check or does not chain. Behind
// that place there is nothing, or a torn tail, or damage:
//
// - a later segment goes on from there: its header names the checksum of the
//   record that ended here. Fine, whatever follows in this file;
// - a later segment does not: damage;
// - the last segment is shorter than it was made, and the missing part may have
//   held records: damage. A segment has its size, durably, before it is used;
// - somewhere behind stands a good record that knew this place to be synced (its
//   mark lies above): damage. A batch goes out when the one before it is durable,
//   so what is torn can only be the last batch, and no record of that knows;
// - else it is a torn tail, of a batch that nobody was told is durable: it is
//   zeroed, so that it never reads as records behind a later, equal batch.
//
// Damage ends the log at that place: a fresh segment takes the place of the next
// one, says that every shard here is damaged, and chains to the last good record
// (`#repair`); then the log is read again from the start. That segment is renamed
// into place in one step, and every step before it and behind it leaves a log
// that reads as damaged, so recovery may crash anywhere and be run again.

import { assert } from '../base/assert.ts'
import { OperationalError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ShardId } from '../base/types.ts'
import { BatchEncoder, type BatchItem, itemBytes } from './batch-encoder.ts'
import { Cursor } from './cursor.ts'
import type { DataDir } from './data-dir.ts'
import type { Disk, DiskFile } from './disk.ts'
import {
  type CheckedRecord,
  checkRecord,
  ENTRY_HEAD_BYTES,
  RECORD_DROP,
  RECORD_HEADER_BYTES,
  RECORD_NODE,
  RECORD_STATE,
  RECORD_WRITE,
  readWriteBody,
  sizeOf,
} from './record.ts'
import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type Segment,
  type SegmentHeader,
  segmentName,
  segmentNumber,
} from './segment.ts'
import type { ShardLog } from './shard-log.ts'
import { readState, takeText } from './shard-state.ts'
import { makeSegment } from './spare-segment.ts'
import type { WalEnd } from './wal.ts'

/** Each repair moves the damage out of the way; a second one follows a crash inside the first. */
const ATTEMPTS_MAX = 8
/** A segment that begins with so many zeros holds nothing: its first batch was the shards' states. */
const UNUSED_BYTES = 1024 * 1024

export type RecoveryOptions = {
  readonly disk: Disk
  readonly dataDir: DataDir
  readonly segmentBytes: number
  readonly logger: Logger
  readonly makeLog: (shard: ShardId) => ShardLog
}

export type RecoveredWal = {
  readonly end: WalEnd
  readonly logs: Map<ShardId, ShardLog>
  /** Why shards that no record names may have been lost; null: none was. */
  readonly lost: string | null
}

type Found = {
  readonly number: number
  readonly file: DiskFile
  /** Null: there is none that checks. */
  readonly header: SegmentHeader | null
  readonly headerChecksum: number
}

const NO_BYTES = Buffer.alloc(0)

/** Where the log broke: behind `offset` of segment `at` in the list, or before the first one (-1). */
type Break = { readonly at: number; readonly offset: number; readonly reason: string }

export function recoverWal(options: RecoveryOptions): RecoveredWal {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const recovery = new WalRecovery(options)
    const recovered = recovery.run()
    if (recovered !== null) return recovered
  }
  throw new OperationalError('CORRUPT', `${options.dataDir.walPath} cannot be repaired`)
}

/** One reading of the log. */
class WalRecovery {
  readonly #options: RecoveryOptions
  readonly #logs = new Map<ShardId, ShardLog>()
  #lost: string | null = null
  #found: Found[] = []
  #scratch: Buffer = NO_BYTES
  /** Checksum of the last good record, and the position that it knew to be synced. */
  #previous = 0
  #mark = 0

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** Null: there was damage, it was repaired, and the log is to be read again. */
  run(): RecoveredWal | null {
    this.#open()
    this.#dropUnused()
    const leftovers = this.#takeLeftovers()
    const end = this.#walk()
    if ('reason' in end) {
      this.#repair(end)
      for (const { file } of [...leftovers, ...this.#found]) file.close()
      return null
    }
    this.#finish(leftovers)
    const segments = this.#found.map(({ number, file, header }): Segment => {
      assert(header !== null, 'a log that was read has headers')
      return { number, file, base: header.base, allocated: header.allocated }
    })
    this.#warm(segments)
    return {
      end: { segments, offset: end.offset, previous: this.#previous },
      logs: this.#logs,
      lost: this.#lost,
    }
  }

  /** Opens the segments and reads their headers; removes what was only begun. */
  #open(): void {
    const { disk, dataDir } = this.#options
    for (const name of disk.list(dataDir.walPath)) {
      const path = `${dataDir.walPath}/${name}`
      if (name.endsWith('.tmp')) disk.remove(path)
      const number = segmentNumber(name)
      if (number === null) continue
      const file = disk.open(path, 'write')
      const read = readSegmentHeader(file.read(0, SEGMENT_HEADER_BYTES))
      if (read === 'version') {
        throw new OperationalError('CONFIG', `${path} has a format that this build does not read`)
      }
      const isOurs =
        read?.header.number === number &&
        read.header.incarnation === dataDir.incarnation &&
        read.header.nodeId === dataDir.nodeId
      this.#found.push({
        number,
        file,
        header: isOurs ? read.header : null,
        headerChecksum: isOurs ? read.checksum : 0,
      })
    }
    this.#found.sort((a, b) => a.number - b.number)
  }

  /**
   * Removes segments at the end that nothing durable was written to: prepared
   * ones, empty ones, and one whose first batch was torn with its header.
   */
  #dropUnused(): void {
    const { disk, dataDir, logger } = this.#options
    for (;;) {
      const last = this.#found.at(-1)
      if (last === undefined || last.header !== null) return
      const isUnused = isZero(last.file.read(0, UNUSED_BYTES), 0)
      const bytes = isUnused ? NO_BYTES : this.#bytesOf(last.file)
      if (!isUnused && (this.#found.length === 1 || findSynced(bytes, 0, null) !== null)) return
      last.file.close()
      disk.remove(`${dataDir.walPath}/${segmentName(last.number)}`)
      this.#found.pop()
      if (!isUnused) logger.warn({ segment: last.number }, 'torn segment removed')
    }
  }

  /**
   * Sets aside what stands before a gap in the numbers: removals that a crash kept
   * in part. If entries turn out to be missing, it was not that.
   */
  #takeLeftovers(): readonly Found[] {
    let from = this.#found.length - 1
    while (from > 0 && this.#found[from - 1]?.number === (this.#found[from] as Found).number - 1) {
      from -= 1
    }
    return this.#found.splice(0, Math.max(0, from))
  }

  #walk(): Break | { readonly offset: number } {
    if (this.#found.length === 0) return { at: -1, offset: 0, reason: 'the log is gone' }
    let offset = 0
    let before: SegmentHeader | null = null
    for (const [at, { number, file, header, headerChecksum }] of this.#found.entries()) {
      if (header === null) {
        return { at: at - 1, offset, reason: `segment ${number} has no good header` }
      }
      if (before !== null && !follows(before, header, this.#previous)) {
        const reason = `segment ${before.number} is bad from offset ${offset} on`
        return { at: at - 1, offset, reason }
      }
      this.#previous = headerChecksum
      this.#mark = header.mark
      const bytes = this.#bytesOf(file).subarray(0, header.allocated)
      offset = this.#readSegment(bytes, header)
      before = header
      if (at < this.#found.length - 1) continue
      const reason = this.#judgeTail(file, bytes, header, offset)
      if (reason !== null) return { at, offset, reason }
    }
    return { offset }
  }

  /** Applies the records of a segment. @returns the offset behind the last good one */
  #readSegment(bytes: Buffer, header: SegmentHeader): number {
    let offset = SEGMENT_HEADER_BYTES
    for (;;) {
      const record = checkRecord(bytes, offset, bytes.length, header.base + offset)
      if (record === null || record.previous !== this.#previous) return offset
      this.#apply(bytes, record, header.number)
      this.#previous = record.checksum
      this.#mark = record.mark
      offset = record.next
    }
  }

  #apply(bytes: Buffer, record: CheckedRecord, segment: number): void {
    switch (record.type) {
      case RECORD_WRITE:
        this.#applyWrite(bytes, record, segment)
        return
      case RECORD_STATE:
        this.#log(record.shard).restore(readState(bytes, record))
        return
      case RECORD_DROP:
        this.#logs.delete(record.shard)
        return
      case RECORD_NODE:
        this.#lost = takeText(new Cursor(bytes, record.bodyAt))
        return
      default:
        // A mark has no content.
        return
    }
  }

  #applyWrite(bytes: Buffer, record: CheckedRecord, segment: number): void {
    const log = this.#log(record.shard)
    const { hardState, snapshot, replacesLog, entries } = readWriteBody(bytes, record)
    if (hardState !== null) log.setHardState(hardState)
    if (snapshot !== null) log.setSnapshot(snapshot, replacesLog)
    if (entries === null) return
    let offset = entries.dataAt
    for (let i = 0; i < entries.count; i += 1) {
      const cursor = new Cursor(bytes, entries.headsAt + i * ENTRY_HEAD_BYTES)
      const term = cursor.takeU64()
      const packed = cursor.takeU32()
      log.placeEntry(entries.first + i, term, segment, offset, packed, cursor.takeU32())
      offset += sizeOf(packed)
    }
  }

  /** What stands behind the last good record of the log. @returns the damage, or null */
  #judgeTail(file: DiskFile, bytes: Buffer, header: SegmentHeader, offset: number): string | null {
    const { logger } = this.#options
    const isShort = bytes.length < header.allocated
    const isClean = isZero(bytes, offset)
    if (isShort && !(isClean && bytes.length - offset >= 16)) {
      return `segment ${header.number} is cut short: ${bytes.length} of ${header.allocated} bytes`
    }
    if (!isClean) {
      const witness = findSynced(bytes, offset, header.base)
      if (witness !== null) {
        return `segment ${header.number} is bad at offset ${offset}, and synced up to ${witness - header.base}`
      }
      logger.warn(
        { segment: header.number, offset },
        'torn tail cut: a batch that was never acknowledged',
      )
    }
    if (!isClean || isShort) zero(file, isClean ? bytes.length : offset, header.allocated)
    // What is whole may be in the page cache only: of a process that was killed, or
    // behind an fsync that failed, and then a sync alone would not write it.
    const from = Math.max(0, this.#mark - header.base)
    if (from < offset) file.write(bytes.subarray(from, offset), from)
    file.sync()
    return null
  }

  /** Makes the log end where it broke, with every shard that may have lost something marked. */
  #repair(broken: Break): void {
    const { disk, dataDir, segmentBytes, logger } = this.#options
    logger.error({ reason: broken.reason }, 'the write-ahead log is damaged')
    const good = this.#found[broken.at]?.header ?? null
    this.#salvage(broken)
    this.#lost = this.#lost ?? broken.reason
    const items: BatchItem[] = [{ kind: 'node', reason: this.#lost }]
    for (const log of this.#logs.values()) {
      log.cutAbsent()
      log.clampCommit()
      const damaged = log.damaged ?? broken.reason
      items.push({ kind: 'state', shard: log.shard, state: { ...log.state, damaged } })
    }
    const number = good === null ? (this.#found[0]?.number ?? 1) : good.number + 1
    const base = good === null ? 0 : good.base + good.allocated
    let needed = SEGMENT_HEADER_BYTES
    for (const item of items) needed += itemBytes(item)
    const allocated = Math.max(segmentBytes, needed)
    const encoder = new BatchEncoder()
    encoder.begin({ number, base }, 0, 0, base, needed)
    const { nodeId, incarnation } = dataDir
    const predecessor = good === null ? 0 : this.#previous
    encoder.putHeader({ nodeId, incarnation, number, base, allocated, mark: base, predecessor })
    for (const item of items) encoder.put(item)
    // Copied, not renamed: without the old file the damage might look like a torn tail.
    const path = `${dataDir.walPath}/${segmentName(number)}`
    const old = this.#found.find(found => found.number === number)
    if (old !== undefined) copyAside(disk, old.file, path)
    makeSegment(disk, dataDir.walPath, number, allocated, encoder.finish())
    for (const { number: later } of this.#found.filter(found => found.number > number)) {
      const name = `${dataDir.walPath}/${segmentName(later)}`
      disk.rename(name, `${name}.damaged`)
    }
    disk.syncDirectory(dataDir.walPath)
  }

  /**
   * Learns terms, votes and shards from good records behind the damage. Their
   * entries cannot be used, but a term that was seen must not be forgotten.
   */
  #salvage(broken: Break): void {
    for (const [at, { file }] of this.#found.entries()) {
      if (at < broken.at) continue
      const bytes = this.#bytesOf(file)
      forEachRecord(bytes, at === broken.at ? broken.offset : 0, null, record => {
        if (record.type !== RECORD_WRITE && record.type !== RECORD_STATE) return
        const log = this.#log(record.shard)
        const isState = record.type === RECORD_STATE
        const state = isState ? readState(bytes, record) : null
        const hardState = state === null ? readWriteBody(bytes, record).hardState : state.hardState
        const known = log.initialState().hardState
        if (hardState !== null && hardState.term >= known.term) {
          const vote =
            hardState.vote !== 0 || hardState.term > known.term ? hardState.vote : known.vote
          log.setHardState({ term: hardState.term, vote, commit: known.commit })
        }
        if (state !== null && state.confIndex > log.confIndex) {
          log.restore({ ...log.state, conf: state.conf, confIndex: state.confIndex })
        }
      })
    }
  }

  #finish(leftovers: readonly Found[]): void {
    const { disk, dataDir, logger } = this.#options
    let isMissing = false
    for (const log of this.#logs.values()) {
      const absent = log.cutAbsent()
      log.clampCommit()
      if (absent === null) continue
      isMissing = true
      log.setDamaged(log.damaged ?? `entries from ${absent} on are in no segment`)
      logger.error({ shard: log.shard, index: absent }, 'entries are missing')
    }
    for (const { number, file } of leftovers) {
      file.close()
      const path = `${dataDir.walPath}/${segmentName(number)}`
      if (isMissing) disk.rename(path, `${path}.damaged`)
      else disk.remove(path)
    }
    disk.syncDirectory(dataDir.walPath)
  }

  /** Loads the newest entries of each shard: what is to be applied again is read at once. */
  #warm(segments: readonly Segment[]): void {
    const wanted = [...this.#logs.values()].map(log => ({
      log,
      from: log.cacheableFrom(),
      to: log.lastIndex() + 1,
    }))
    for (const { number, file } of [...segments].reverse()) {
      let bytes: Buffer | null = null
      for (const want of wanted) {
        while (want.to > want.from && want.log.segmentOf(want.to - 1) === number) {
          bytes ??= this.#bytesOf(file)
          want.to = want.log.cacheFrom(bytes, want.from, want.to)
        }
      }
    }
  }

  /** All of a file; good until the next call. */
  #bytesOf(file: DiskFile): Buffer {
    const size = file.size()
    if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafe(size)
    return file.read(0, size, this.#scratch)
  }

  #log(shard: ShardId): ShardLog {
    let log = this.#logs.get(shard)
    if (log === undefined) {
      log = this.#options.makeLog(shard)
      this.#logs.set(shard, log)
    }
    return log
  }
}

function follows(before: SegmentHeader, header: SegmentHeader, previous: number): boolean {
  return header.predecessor === previous && header.base === before.base + before.allocated
}

/** Whether only zeros stand in `bytes` from `offset` on. */
function isZero(bytes: Buffer, offset: number): boolean {
  const rest = bytes.subarray(offset)
  // Comparing with itself, one byte on, runs at the speed of memory.
  return rest.length === 0 || (rest[0] === 0 && rest.subarray(1).equals(rest.subarray(0, -1)))
}

/** Makes [from, to) of a file zeros; the caller syncs. */
function zero(file: DiskFile, from: number, to: number): void {
  const zeros = Buffer.alloc(Math.min(to - from, 1024 * 1024))
  for (let at = from; at < to; at += zeros.length) {
    file.write(zeros.subarray(0, Math.min(zeros.length, to - at)), at)
  }
}

/**
 * Looks behind `offset` for a record that knew `offset` to be synced.
 *
 * @param base of the segment, or null when its header is lost: then a record
 *             that knows its own segment's first batch to be synced
 * @returns the highest mark found, or null
 */
function findSynced(bytes: Buffer, offset: number, base: number | null): number | null {
  let highest: number | null = null
  forEachRecord(bytes, offset, base, (record, at) => {
    const bad = (base ?? record.position - at) + offset
    if (record.mark > bad && record.mark > (highest ?? 0)) highest = record.mark
  })
  return highest
}

/** Finds all good records from `offset` on, chained or not. */
function forEachRecord(
  bytes: Buffer,
  offset: number,
  base: number | null,
  visit: (record: CheckedRecord, at: number) => void,
): void {
  let at = offset
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const record = mayBeRecord(bytes, at)
      ? checkRecord(bytes, at, bytes.length, base === null ? positionAt(bytes, at) : base + at)
      : null
    if (record !== null) visit(record, at)
    at = record?.next ?? at + 8
  }
}

/** A look at two lengths, since most places in a segment are zeros. */
function mayBeRecord(bytes: Buffer, at: number): boolean {
  const length = bytes.readUInt32LE(at + 8)
  return length >= RECORD_HEADER_BYTES && length <= bytes.length - at
}

function positionAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 24) + bytes.readUInt32LE(at + 28) * 0x1_0000_0000
}

function copyAside(disk: Disk, file: DiskFile, path: string): void {
  if (disk.exists(`${path}.damaged`)) disk.remove(`${path}.damaged`)
  const copy = disk.open(`${path}.damaged`, 'create')
  copy.write(file.read(0, file.size()), 0)
  copy.sync()
  copy.close()
}
