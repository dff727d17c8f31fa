// A block: some consecutive entries of one stream, encoded in one buffer.
//
//   names  := varint count, count x word      (the field names of the first entry)
//   entry  := varint ms - base.ms
//             varint seq - base.seq if the times are equal, else seq
//             varint shape: 0, the fields have those names and only values follow;
//                           n, n pairs follow, field and value in turn
//             words
//   word   := varint length, bytes
//
// Entries of one stream mostly have the same fields, which therefore stand once a
// block (as in Redis' listpacks). A Block object is immutable in what it means:
// the stream's last block grows by writing behind `end`, where no other Block that
// shares the buffer looks, and whatever removes entries makes a new Block, which
// shares the buffer when it can. So snapshots and replies may keep what they saw.

import type { Argv } from '../../base/argv.ts'
import { Reader, readVarint, varintEnd, writeVarint } from '../../base/bytes.ts'
import { HALF_MAX, type Half, half, type StreamId } from './stream-id.ts'

/** Two varint halves and a shape. */
const ENTRY_HEAD_BYTES_MAX = 10 + 10 + 5
const WORD_HEAD_BYTES_MAX = 5
/** Below this many bytes a loop beats the call into native code. */
const LOOP_BYTES_MAX = 24
const NO_BYTES = Buffer.alloc(0)

export class Block {
  bytes: Buffer
  /** What entries' IDs are relative to: the ID of the first entry there ever was. */
  readonly baseMs: Half
  readonly baseSeq: Half
  /** Where the first entry stands; the names stand before `namesEnd`, at 0. */
  readonly start: number
  readonly namesEnd: number
  end: number
  /** Entries between start and end. */
  count: number
  readonly firstMs: Half
  readonly firstSeq: Half
  lastMs: Half
  lastSeq: Half

  constructor(
    bytes: Buffer,
    base: StreamId,
    namesEnd: number,
    start: number,
    end: number,
    count: number,
    first: StreamId,
    last: StreamId,
  ) {
    this.bytes = bytes
    this.baseMs = base.ms
    this.baseSeq = base.seq
    this.namesEnd = namesEnd
    this.start = start
    this.end = end
    this.count = count
    this.firstMs = first.ms
    this.firstSeq = first.seq
    this.lastMs = last.ms
    this.lastSeq = last.seq
  }

  /** The block as it is now: entries that are added later are behind its end. */
  frozen(): Block {
    return new Block(
      this.bytes,
      { ms: this.baseMs, seq: this.baseSeq },
      this.namesEnd,
      this.start,
      this.end,
      this.count,
      { ms: this.firstMs, seq: this.firstSeq },
      { ms: this.lastMs, seq: this.lastSeq },
    )
  }
}

/** The distance between two halves, `high` not below `low`. */
function distance(high: Half, low: Half): Half {
  if (typeof high === 'number' && typeof low === 'number') return high - low
  return half(BigInt(high) - BigInt(low))
}

function sum(a: Half, b: Half): Half {
  if (typeof a === 'number' && typeof b === 'number') {
    const value = a + b
    if (value <= Number.MAX_SAFE_INTEGER) return value
  }
  return half(BigInt(a) + BigInt(b))
}

/** Whether a-b comes before c-d. */
export function isBefore(ms: Half, seq: Half, otherMs: Half, otherSeq: Half): boolean {
  return ms === otherMs ? seq < otherSeq : ms < otherMs
}

/** Where the length that `readLength` read last ends. */
let lengthEnd = 0

/** A varint below 2^31. */
function readLength(bytes: Uint8Array, at: number): number {
  let byte = bytes[at] as number
  if (byte < 0x80) {
    lengthEnd = at + 1
    return byte
  }
  let value = byte & 0x7f
  let position = at + 1
  for (let shift = 7; ; shift += 7) {
    byte = bytes[position] as number
    position += 1
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  lengthEnd = position
  return value
}

function writeWord(target: Buffer, at: number, source: Buffer, from: number, to: number): number {
  const length = to - from
  let position = at
  if (length < 0x80) {
    target[position] = length
    position += 1
  } else {
    position = writeVarint(target, position, length)
  }
  if (length > LOOP_BYTES_MAX) {
    source.copy(target, position, from, to)
  } else {
    for (let i = 0; i < length; i += 1) target[position + i] = source[from + i] as number
  }
  return position + length
}

/** Whether the field names from word `first` on are the names at the block's front. */
export function hasSameNames(block: Block, argv: Argv, first: number): boolean {
  const bytes = block.bytes
  const pairs = (argv.count - first) >> 1
  if (readLength(bytes, 0) !== pairs) return false
  const words = argv.buffer
  let at = lengthEnd
  for (let i = first; i < argv.count; i += 2) {
    const from = argv.from(i)
    const length = argv.to(i) - from
    if (readLength(bytes, at) !== length) return false
    at = lengthEnd
    for (let k = 0; k < length; k += 1) if (bytes[at + k] !== words[from + k]) return false
    at += length
  }
  return true
}

/** The most bytes that the entry of the words from `first` on takes in a block. */
export function entryBytesMax(argv: Argv, first: number, sameNames: boolean): number {
  let bytes = ENTRY_HEAD_BYTES_MAX
  for (let i = sameNames ? first + 1 : first; i < argv.count; i += sameNames ? 2 : 1)
    bytes += argv.length(i) + WORD_HEAD_BYTES_MAX
  return bytes
}

/** The most bytes that the field names from word `first` on take at a block's front. */
export function namesBytesMax(argv: Argv, first: number): number {
  let bytes = WORD_HEAD_BYTES_MAX
  for (let i = first; i < argv.count; i += 2) bytes += argv.length(i) + WORD_HEAD_BYTES_MAX
  return bytes
}

/** Writes the field names from word `first` on at the front. @returns where it ends */
export function writeNames(bytes: Buffer, argv: Argv, first: number): number {
  let at = writeVarint(bytes, 0, (argv.count - first) >> 1)
  for (let i = first; i < argv.count; i += 2)
    at = writeWord(bytes, at, argv.buffer, argv.from(i), argv.to(i))
  return at
}

/** Adds an entry behind the last; its bytes must fit (see `entryBytesMax`). */
export function appendEntry(
  block: Block,
  id: StreamId,
  argv: Argv,
  first: number,
  sameNames: boolean,
): void {
  const bytes = block.bytes
  const sameTime = id.ms === block.baseMs
  let at = writeVarint(bytes, block.end, sameTime ? 0 : distance(id.ms, block.baseMs))
  at = writeVarint(bytes, at, sameTime ? distance(id.seq, block.baseSeq) : id.seq)
  if (sameNames) {
    bytes[at] = 0
    at += 1
    for (let i = first + 1; i < argv.count; i += 2)
      at = writeWord(bytes, at, argv.buffer, argv.from(i), argv.to(i))
  } else {
    at = writeVarint(bytes, at, (argv.count - first) >> 1)
    for (let i = first; i < argv.count; i += 1)
      at = writeWord(bytes, at, argv.buffer, argv.from(i), argv.to(i))
  }
  block.end = at
  block.count += 1
  block.lastMs = id.ms
  block.lastSeq = id.seq
}

/** Walks the entries of a block. One Cursor may open one block after another. */
export class Cursor {
  /** ID of the entry that `next` or `seek` came to. */
  ms: Half = 0
  seq: Half = 0
  /** Where that entry begins and ends. */
  at = 0
  end = 0
  #block: Block | null = null
  #bytes: Buffer = NO_BYTES
  #limit = 0
  #baseMs: Half = 0
  #baseSeq: Half = 0
  #namePairs = 0
  #nameWords = 0
  #shape = 0
  #words = 0
  /** Bounds of the names, once needed. */
  #names: number[] | null = null

  /** Stands before the first entry. */
  open(block: Block): void {
    this.#block = block
    this.at = -1
    this.#bytes = block.bytes
    this.#baseMs = block.baseMs
    this.#baseSeq = block.baseSeq
    this.#namePairs = readLength(block.bytes, 0)
    this.#nameWords = lengthEnd
    this.#names = null
    this.#limit = block.end
    this.end = block.start
  }

  /** Whether the cursor is in `block`, at an entry not behind ms-seq. It then sees what was added since. */
  resume(block: Block, ms: Half, seq: Half): boolean {
    if (this.#block !== block || this.at < 0 || isBefore(ms, seq, this.ms, this.seq)) return false
    this.#limit = block.end
    return true
  }

  /** Stands at the entry that begins at `at`. */
  seek(at: number): void {
    this.end = at
    this.next()
  }

  /** Goes to the next entry. @returns false behind the last */
  next(): boolean {
    if (this.end >= this.#limit) return false
    const bytes = this.#bytes
    this.at = this.end
    const delta = readVarint(bytes, this.at)
    const seq = readVarint(bytes, varintEnd)
    this.ms = delta === 0 ? this.#baseMs : sum(this.#baseMs, delta)
    this.seq = delta === 0 ? sum(this.#baseSeq, seq) : seq
    this.#shape = readLength(bytes, varintEnd)
    this.#words = lengthEnd
    let position = lengthEnd
    const words = this.#shape === 0 ? this.#namePairs : this.#shape * 2
    for (let i = 0; i < words; i += 1) {
      const length = readLength(bytes, position)
      position = lengthEnd + length
    }
    this.end = position
    return true
  }

  /** Where the entry's fields and values stand in the block's bytes, in turn. */
  bounds(): number[] {
    const bytes = this.#bytes
    let position = this.#words
    if (this.#shape === 0) {
      const names = this.#nameBounds()
      const bounds: number[] = new Array(this.#namePairs * 4)
      for (let i = 0; i < this.#namePairs; i += 1) {
        const length = readLength(bytes, position)
        bounds[i * 4] = names[i * 2] as number
        bounds[i * 4 + 1] = names[i * 2 + 1] as number
        bounds[i * 4 + 2] = lengthEnd
        position = lengthEnd + length
        bounds[i * 4 + 3] = position
      }
      return bounds
    }
    const bounds: number[] = new Array(this.#shape * 4)
    for (let i = 0; i < this.#shape * 2; i += 1) {
      const length = readLength(bytes, position)
      bounds[i * 2] = lengthEnd
      position = lengthEnd + length
      bounds[i * 2 + 1] = position
    }
    return bounds
  }

  #nameBounds(): number[] {
    if (this.#names !== null) return this.#names
    const bounds: number[] = []
    let position = this.#nameWords
    for (let i = 0; i < this.#namePairs; i += 1) {
      const length = readLength(this.#bytes, position)
      bounds.push(lengthEnd, lengthEnd + length)
      position = lengthEnd + length
    }
    this.#names = bounds
    return bounds
  }
}

/** The block without its first `count` entries, of which it must have more. Shares the buffer. */
export function withoutFirst(block: Block, count: number): Block {
  const cursor = new Cursor()
  cursor.open(block)
  for (let i = 0; i <= count; i += 1) cursor.next()
  return new Block(
    block.bytes,
    { ms: block.baseMs, seq: block.baseSeq },
    block.namesEnd,
    cursor.at,
    block.end,
    block.count - count,
    { ms: cursor.ms, seq: cursor.seq },
    { ms: block.lastMs, seq: block.lastSeq },
  )
}

/**
 * The block without some entries, in a buffer of its own. It must have others.
 *
 * @param spans where those entries begin and end, in turn, in rising order
 */
export function withoutEntries(block: Block, spans: readonly number[]): Block {
  let removed = 0
  for (let i = 0; i < spans.length; i += 2)
    removed += (spans[i + 1] as number) - (spans[i] as number)
  const head = block.namesEnd
  const bytes = Buffer.allocUnsafeSlow(head + block.end - block.start - removed)
  block.bytes.copy(bytes, 0, 0, head)
  let from = block.start
  let to = head
  for (let i = 0; i < spans.length; i += 2) {
    to += block.bytes.copy(bytes, to, from, spans[i] as number)
    from = spans[i + 1] as number
  }
  block.bytes.copy(bytes, to, from, block.end)
  const base = { ms: block.baseMs, seq: block.baseSeq }
  return measured(bytes, base, head, block.count - spans.length / 2)
}

/** The block in a buffer of `capacity` bytes, without what trimming left before its first entry. */
export function moved(block: Block, capacity: number): Block {
  const head = block.namesEnd
  const bytes = Buffer.allocUnsafeSlow(capacity)
  block.bytes.copy(bytes, 0, 0, head)
  block.bytes.copy(bytes, head, block.start, block.end)
  return new Block(
    bytes,
    { ms: block.baseMs, seq: block.baseSeq },
    head,
    head,
    head + block.end - block.start,
    block.count,
    { ms: block.firstMs, seq: block.firstSeq },
    { ms: block.lastMs, seq: block.lastSeq },
  )
}

/** A Block over `bytes`, whose first and last entry are found by reading. */
export function measured(bytes: Buffer, base: StreamId, namesEnd: number, count: number): Block {
  const block = new Block(bytes, base, namesEnd, namesEnd, bytes.length, count, base, base)
  const cursor = new Cursor()
  cursor.open(block)
  cursor.next()
  const first = { ms: cursor.ms, seq: cursor.seq }
  let more = true
  while (more) more = cursor.next()
  const last = { ms: cursor.ms, seq: cursor.seq }
  return new Block(bytes, base, namesEnd, namesEnd, bytes.length, count, first, last)
}

/** More entries than any block of ours has: it bounds what a command on one block may cost. */
const ENTRIES_LIMIT = 65_536

/** As `measured`, of bytes that may be broken. null: they are not such a block. */
export function checked(
  bytes: Buffer,
  base: StreamId,
  namesEnd: number,
  count: number,
): Block | null {
  const reader = new Reader(bytes, 0, bytes.length, true)
  const names = reader.things(1)
  skipWords(reader, names)
  if (names === 0 || reader.at !== namesEnd || count < 1 || count > ENTRIES_LIMIT) return null
  let first = base
  let last = base
  for (let i = 0; i < count; i += 1) {
    const delta = reader.varint()
    const seq = reader.varint()
    const id = {
      ms: delta === 0 ? base.ms : sum(base.ms, delta),
      seq: delta === 0 ? sum(base.seq, seq) : seq,
    }
    const shape = reader.things(2)
    skipWords(reader, shape === 0 ? names : shape * 2)
    if (reader.flaw !== null || id.ms > HALF_MAX || id.seq > HALF_MAX) return null
    if (i === 0) first = id
    else if (!isBefore(last.ms, last.seq, id.ms, id.seq)) return null
    last = id
  }
  if (reader.left > 0) return null
  return new Block(bytes, base, namesEnd, namesEnd, bytes.length, count, first, last)
}

function skipWords(reader: Reader, count: number): void {
  for (let left = count; left > 0 && reader.flaw === null; left -= 1) reader.skip(reader.count())
}
