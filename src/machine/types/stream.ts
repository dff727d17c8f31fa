// A stream: a row of packed blocks of entries, and its consumer groups.
//
// Only the last block grows. It is left for a new one when it holds as many entries
// as the shard says (BLOCK_ENTRIES unless CONFIG SET said otherwise) or an entry
// would take it over BLOCK_BYTES_MAX, and then copied to its exact size. Where blocks begin and end is part of the
// replicated state, because `~` trims whole blocks: the rule looks only at the
// live entries' count and encoded bytes, which snapshots preserve.

import type { Argv } from '../../base/argv.ts'
import type { Reply } from '../reply.ts'
import {
  appendEntry,
  Block,
  Cursor,
  entryBytesMax,
  hasSameNames,
  isBefore,
  moved,
  namesBytesMax,
  withoutEntries,
  withoutFirst,
  writeNames,
} from './block.ts'
import type { Group } from './group.ts'
import type { Idempotence } from './idempotence.ts'
import { increment } from './lag.ts'
import { References } from './references.ts'
import { StreamCut } from './stream-cut.ts'
import { compareIds, type Half, MIN_ID, type StreamId } from './stream-id.ts'
import type { Value } from './value.ts'

/** As Redis' stream-node-max-entries, of which this is the default: what `~` rounds to. 0 would be: no bound. */
export const BLOCK_ENTRIES = 100
/** 100 entries of 128 bytes fill 13.4 KiB. A million of them: 147 MiB resident here, 134 MiB in redis-server 7.0. */
export const BLOCK_BYTES_MAX = 16 * 1024
const CAPACITY_MIN = 128
/** A full block keeps its buffer if at most this share of it is unused. */
const UNUSED_SHARE = 32
/** The objects around a block's buffer, and around all blocks. */
const BLOCK_OVERHEAD_BYTES = 224
const STREAM_OVERHEAD_BYTES = 256
/** Dropped blocks at the front before the row is moved up. */
const DROPPED_MAX = 64

/** An entry as it stands in its block: word i from bounds[2i] to bounds[2i + 1], fields and values in turn. */
export type Entry = {
  readonly id: StreamId
  readonly bytes: Uint8Array
  readonly bounds: readonly number[]
}

/** What is done with an entry. @returns false: no more entries */
export type Visit = (id: StreamId, bytes: Uint8Array, bounds: readonly number[]) => unknown

/** What a stream is besides its entries and groups. */
export type StreamFacts = {
  readonly lastId: StreamId
  readonly maxDeletedId: StreamId
  readonly entriesAdded: Half
}

const NO_GROUPS: ReadonlyMap<string, Group> = new Map()
const DROPPED = new Block(Buffer.alloc(1), MIN_ID, 1, 1, 1, 0, MIN_ID, MIN_ID)

export class Stream implements Value {
  readonly type = 'stream'
  /** The highest ID ever given. Never goes back, except by XSETID. */
  lastId: StreamId = MIN_ID
  /** The highest ID that XDEL removed. */
  maxDeletedId: StreamId = MIN_ID
  /** Entries ever added, or what XSETID said. At most 2^63 - 1. */
  entriesAdded: Half = 0
  /** What is remembered of idempotent producers; null: nothing ever was. */
  idempotence: Idempotence | null = null
  #length = 0
  #blocks: Block[] = []
  /** Blocks before this one are gone. */
  #head = 0
  #groups: ReadonlyMap<string, Group> = NO_GROUPS
  readonly #cursor = new Cursor()

  /** A stream of `blocks`, which it takes over: a snapshot's. */
  static of(
    facts: StreamFacts,
    blocks: Block[],
    groups: readonly (readonly [string, Group])[],
    idempotence: Idempotence | null,
  ): Stream {
    const stream = new Stream()
    stream.lastId = facts.lastId
    stream.maxDeletedId = facts.maxDeletedId
    stream.entriesAdded = facts.entriesAdded
    stream.#blocks = blocks
    for (const block of blocks) stream.#length += block.count
    if (groups.length > 0) stream.#groups = new Map(groups)
    stream.idempotence = idempotence
    return stream
  }

  /** Entries there are. */
  get length(): number {
    return this.#length
  }

  /** Blocks there are: what XINFO calls nodes. */
  get blockCount(): number {
    return this.#blocks.length - this.#head
  }

  /** Groups by name (latin1), in the byte order of their names. */
  get groups(): ReadonlyMap<string, Group> {
    return this.#groups
  }

  /** Adds or replaces a group. */
  setGroup(name: string, group: Group): void {
    const pairs = [...this.#groups].filter(([other]) => other !== name)
    pairs.push([name, group])
    // Code units of latin1 text are its bytes.
    pairs.sort(([a], [b]) => (a < b ? -1 : 1))
    this.#groups = new Map(pairs)
  }

  /** @returns whether there was such a group */
  deleteGroup(name: string): boolean {
    if (!this.#groups.has(name)) return false
    this.#groups = new Map([...this.#groups].filter(([other]) => other !== name))
    return true
  }

  /** ID of the first entry; 0-0 when there is none. */
  firstId(): StreamId {
    if (this.#length === 0) return MIN_ID
    const block = this.#blocks[this.#head] as Block
    return { ms: block.firstMs, seq: block.firstSeq }
  }

  /** ID of the last entry there is; 0-0 when there is none. */
  topId(): StreamId {
    if (this.#length === 0) return MIN_ID
    const block = this.#blocks[this.#blocks.length - 1] as Block
    return { ms: block.lastMs, seq: block.lastSeq }
  }

  /**
   * Adds an entry of the fields and values that stand in `argv` from word `first` on.
   *
   * @param id above `lastId`; the caller checked
   * @param blockEntries how many entries a block takes; 0: as many as its bytes hold
   */
  append(id: StreamId, argv: Argv, first: number, blockEntries: number): void {
    let block = this.#blocks.length > this.#head ? this.#blocks[this.#blocks.length - 1] : undefined
    let sameNames = true
    if (block !== undefined) {
      sameNames = hasSameNames(block, argv, first)
      const bytes = entryBytesMax(argv, first, sameNames)
      const live = block.end - block.start
      const isFull = blockEntries > 0 && block.count >= blockEntries
      if (isFull || live + bytes > BLOCK_BYTES_MAX) {
        this.#seal(block)
        block = this.#begin(id, argv, first, block.namesEnd + live)
        sameNames = true
      } else if (block.end + bytes > block.bytes.length) {
        block = moved(block, Math.max(CAPACITY_MIN, (block.namesEnd + live + bytes) * 2))
        this.#blocks[this.#blocks.length - 1] = block
      }
    } else {
      block = this.#begin(id, argv, first, 0)
    }
    appendEntry(block, id, argv, first, sameNames)
    this.#length += 1
    this.lastId = id
    this.entriesAdded = increment(this.entriesAdded)
  }

  /** Begins a block. @param like bytes of the one before, which the next will resemble */
  #begin(id: StreamId, argv: Argv, first: number, like: number): Block {
    const needed = namesBytesMax(argv, first) + entryBytesMax(argv, first, true)
    const capacity = Math.max(needed, CAPACITY_MIN, Math.min(like + (like >> 6), BLOCK_BYTES_MAX))
    const bytes = Buffer.allocUnsafeSlow(capacity)
    const end = writeNames(bytes, argv, first)
    const block = new Block(bytes, id, end, end, end, 0, id, id)
    this.#blocks.push(block)
    return block
  }

  /** Gives the last block its exact size. */
  #seal(block: Block): void {
    const bytes = block.namesEnd + block.end - block.start
    if ((block.bytes.length - bytes) * UNUSED_SHARE > bytes)
      this.#blocks[this.#blocks.length - 1] = moved(block, bytes)
  }

  /** Index of the first block that ends at or after ms-seq; behind the last if none does. */
  #find(ms: Half, seq: Half): number {
    let low = this.#head
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const block = this.#blocks[middle] as Block
      if (isBefore(block.lastMs, block.lastSeq, ms, seq)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Puts the cursor on the entry `id`. @returns the index of its block, or -1 */
  #seek(id: StreamId): number {
    const i = this.#find(id.ms, id.seq)
    const block = this.#blocks[i]
    if (block === undefined || isBefore(id.ms, id.seq, block.firstMs, block.firstSeq)) return -1
    const cursor = this.#cursor
    // IDs are mostly sought in rising order: go on where the last one was.
    if (!cursor.resume(block, id.ms, id.seq)) cursor.open(block)
    else if (cursor.ms === id.ms && cursor.seq === id.seq) return i
    while (cursor.next()) {
      if (cursor.ms === id.ms && cursor.seq === id.seq) return i
      if (isBefore(id.ms, id.seq, cursor.ms, cursor.seq)) return -1
    }
    return -1
  }

  /** How many entries come after `id`: whole blocks by their counts, from the nearer end, one block by its entries. */
  countAfter(id: StreamId): number {
    const blocks = this.#blocks
    const at = this.#find(id.ms, id.seq)
    const block = blocks[at]
    if (block === undefined) return 0
    let count = this.#countAfterIn(block, id)
    if (blocks.length - at <= at - this.#head) {
      for (let i = at + 1; i < blocks.length; i += 1) count += (blocks[i] as Block).count
      return count
    }
    count += this.#length - block.count
    for (let i = this.#head; i < at; i += 1) count -= (blocks[i] as Block).count
    return count
  }

  #countAfterIn(block: Block, id: StreamId): number {
    if (isBefore(id.ms, id.seq, block.firstMs, block.firstSeq)) return block.count
    const cursor = this.#cursor
    cursor.open(block)
    let count = 0
    while (cursor.next()) if (isBefore(id.ms, id.seq, cursor.ms, cursor.seq)) count += 1
    return count
  }

  has(id: StreamId): boolean {
    return this.#length > 0 && this.#seek(id) >= 0
  }

  get(id: StreamId): Entry | null {
    const i = this.#length > 0 ? this.#seek(id) : -1
    if (i < 0) return null
    return { id, bytes: (this.#blocks[i] as Block).bytes, bounds: this.#cursor.bounds() }
  }

  /**
   * Visits the entries from `from` to `to`, both included, at most `count` of them;
   * with `reverse` from the highest down. `visit` must not change the stream.
   */
  range(from: StreamId, to: StreamId, count: number, reverse: boolean, visit: Visit): void {
    if (this.#length === 0 || compareIds(from, to) > 0 || count <= 0) return
    if (reverse) this.#backwards(from, to, count, visit)
    else this.#forwards(from, to, count, visit)
  }

  #forwards(from: StreamId, to: StreamId, count: number, visit: Visit): void {
    const cursor = new Cursor()
    let left = count
    for (let i = this.#find(from.ms, from.seq); i < this.#blocks.length; i += 1) {
      const block = this.#blocks[i] as Block
      if (isBefore(to.ms, to.seq, block.firstMs, block.firstSeq)) return
      cursor.open(block)
      while (cursor.next()) {
        if (isBefore(cursor.ms, cursor.seq, from.ms, from.seq)) continue
        if (isBefore(to.ms, to.seq, cursor.ms, cursor.seq)) return
        const id = { ms: cursor.ms, seq: cursor.seq }
        if (visit(id, block.bytes, cursor.bounds()) === false) return
        left -= 1
        if (left === 0) return
      }
    }
  }

  #backwards(from: StreamId, to: StreamId, count: number, visit: Visit): void {
    const cursor = new Cursor()
    const starts: number[] = []
    let left = count
    for (
      let i = Math.min(this.#find(to.ms, to.seq), this.#blocks.length - 1);
      i >= this.#head;
      i -= 1
    ) {
      const block = this.#blocks[i] as Block
      if (isBefore(block.lastMs, block.lastSeq, from.ms, from.seq)) return
      cursor.open(block)
      // Entries are read forwards: their places first, then the entries from behind.
      starts.length = 0
      while (cursor.next() && !isBefore(to.ms, to.seq, cursor.ms, cursor.seq))
        if (!isBefore(cursor.ms, cursor.seq, from.ms, from.seq)) starts.push(cursor.at)
      for (let k = starts.length - 1; k >= 0; k -= 1) {
        cursor.seek(starts[k] as number)
        const id = { ms: cursor.ms, seq: cursor.seq }
        if (visit(id, block.bytes, cursor.bounds()) === false) return
        left -= 1
        if (left === 0) return
      }
    }
  }

  /** Removes an entry, as XDEL does. @returns whether it was there */
  delete(id: StreamId): boolean {
    const i = this.#length > 0 ? this.#seek(id) : -1
    if (i < 0) return false
    const block = this.#blocks[i] as Block
    const { at, end } = this.#cursor
    if (block.count === 1) {
      if (i === this.#head) this.#drop()
      else this.#remove(i)
    } else {
      this.#blocks[i] =
        at === block.start ? withoutFirst(block, 1) : withoutEntries(block, [at, end])
    }
    this.#length -= 1
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = id
    return true
  }

  /** Takes out a block that is not the first. The one before may become the last, which grows: cuts keep the old. */
  #remove(i: number): void {
    this.#blocks.splice(i, 1)
    if (i === this.#blocks.length) this.#blocks[i - 1] = (this.#blocks[i - 1] as Block).frozen()
  }

  /** Lets go of the first block, without moving the others each time. */
  #drop(): void {
    this.#blocks[this.#head] = DROPPED
    this.#head += 1
    if (this.#head === this.#blocks.length) {
      this.#blocks = []
      this.#head = 0
    } else if (this.#head > DROPPED_MAX && this.#head * 2 > this.#blocks.length) {
      this.#blocks.splice(0, this.#head)
      this.#head = 0
    }
  }

  /**
   * Removes the oldest entries until `max` are left.
   *
   * @param approximate only whole blocks, as Redis removes only whole nodes: more may be left
   * @param limit       with `approximate`: stop before more than this many are removed; 0 is no limit
   * @returns how many were removed
   */
  trimByLength(max: number, approximate: boolean, limit: number): number {
    const before = this.#length
    while (this.#length > max) {
      const block = this.#blocks[this.#head] as Block
      if (limit > 0 && before - this.#length + block.count > limit) break
      if (this.#length - block.count >= max) {
        this.#length -= block.count
        this.#drop()
        continue
      }
      if (approximate) break
      this.#blocks[this.#head] = withoutFirst(block, this.#length - max)
      this.#length = max
    }
    return before - this.#length
  }

  /** Removes the entries below `id`; otherwise as `trimByLength`. */
  trimByMinId(id: StreamId, approximate: boolean, limit: number): number {
    const before = this.#length
    while (this.#length > 0) {
      const block = this.#blocks[this.#head] as Block
      if (!isBefore(block.firstMs, block.firstSeq, id.ms, id.seq)) break
      if (limit > 0 && before - this.#length + block.count > limit) break
      if (isBefore(block.lastMs, block.lastSeq, id.ms, id.seq)) {
        this.#length -= block.count
        this.#drop()
        continue
      }
      if (approximate) break
      const cursor = this.#cursor
      cursor.open(block)
      let count = 0
      while (cursor.next() && isBefore(cursor.ms, cursor.seq, id.ms, id.seq)) count += 1
      this.#blocks[this.#head] = withoutFirst(block, count)
      this.#length -= count
    }
    return before - this.#length
  }

  /**
   * Removes old entries one by one, as the groups allow it or with what they have pending.
   *
   * @param max     how many may stay, where `minId` is null
   * @param minId   otherwise: entries below it go
   * @param policy  'mind': what is referenced stays, and younger ones go in its place
   */
  trimByReferences(
    max: number,
    minId: StreamId | null,
    approximate: boolean,
    limit: number,
    policy: 'drop' | 'mind',
  ): number {
    const references = new References(this)
    const before = this.#length
    const kept: Block[] = []
    let i = this.#head
    for (let more = true; more && i < this.#blocks.length; i += 1) {
      const block = this.#blocks[i] as Block
      const { count } = block
      const first = { ms: block.firstMs, seq: block.firstSeq }
      const last = { ms: block.lastMs, seq: block.lastSeq }
      if (minId === null ? this.#length <= max : compareIds(first, minId) >= 0) break
      if (limit > 0 && before - this.#length + count > limit) break
      const whole = minId === null ? this.#length - count >= max : compareIds(last, minId) < 0
      if (approximate && !whole) break
      if (policy === 'mind' && references.isAhead(first)) break
      more = whole
      if (policy === 'mind' && references.holdsAll({ first, last, count })) {
        kept.push(block)
        continue
      }
      const groups = references.pendingIn({ first, last, count })
      const spans: number[] = []
      const cursor = this.#cursor
      cursor.open(block)
      while (cursor.next()) {
        const id = { ms: cursor.ms, seq: cursor.seq }
        if (minId === null ? this.#length <= max : compareIds(id, minId) >= 0) break
        if (policy === 'drop') references.drop(id, groups)
        else if (references.has(id, groups)) continue
        spans.push(cursor.at, cursor.end)
        this.#length -= 1
      }
      if (spans.length === 0) kept.push(block)
      else if (spans.length < count * 2) kept.push(withoutEntries(block, spans))
    }
    if (this.#length < before) this.#replaceFront(i, kept)
    return before - this.#length
  }

  /** Puts `kept` in the place of the blocks before `end`, moving none behind it. */
  #replaceFront(end: number, kept: readonly Block[]): void {
    const head = end - kept.length
    const hasLast = end === this.#blocks.length && kept.length > 0
    for (const [k, block] of kept.entries()) this.#blocks[head + k] = block
    for (let dropped = head - this.#head; dropped > 0; dropped -= 1) this.#drop()
    if (!hasLast) return
    // As in `#remove`: a block that grows must be ours alone.
    const last = this.#blocks.length - 1
    this.#blocks[last] = (this.#blocks[last] as Block).frozen()
  }

  /** About how many bytes it takes, going by its first `samples` blocks. */
  memoryBytes(samples: number): number {
    const count = Math.min(this.blockCount, samples)
    let bytes = 0
    for (let i = 0; i < count; i += 1)
      bytes += BLOCK_OVERHEAD_BYTES + (this.#blocks[this.#head + i] as Block).bytes.length
    if (count > 0) bytes = Math.round((bytes * this.blockCount) / count)
    for (const [name, group] of this.#groups) bytes += name.length + group.memoryBytes()
    return STREAM_OVERHEAD_BYTES + bytes + (this.idempotence?.memoryBytes() ?? 0)
  }

  /** The stream as it is now, to be written while it changes. */
  cut(): StreamCut {
    const blocks = this.#blocks.slice(this.#head)
    const last = blocks[blocks.length - 1]
    if (last !== undefined) blocks[blocks.length - 1] = last.frozen()
    return new StreamCut(this, blocks)
  }
}

/** `[id, [field, value ...]]`, as every command answers an entry. */
export function entryReply(id: StreamId, bytes: Uint8Array, bounds: readonly number[]): Reply {
  return {
    kind: 'array',
    items: [
      { kind: 'id', id },
      { kind: 'bulks', bytes, bounds },
    ],
  }
}
