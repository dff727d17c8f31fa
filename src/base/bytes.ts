// Writing and reading of packed bytes: what snapshots are made of.
//
// Numbers are varints (LEB128, low seven bits first): small ones take one byte,
// and a 64-bit one at most ten. Values up to 2^53 - 1 are JS numbers, larger ones
// bigints, which is the normal form of stream-id.ts.

import { assert } from './assert.ts'

const CAPACITY_MIN = 256
const VARINT_BYTES_MAX = 10
/** Seven varint bytes hold 49 bits, which arithmetic on numbers keeps exact. */
const NUMBER_BYTES = 7
const LOW = 0x7f
const MORE = 0x80

/** Bytes that `writeVarint` takes for `value`. */
export function varintBytes(value: number | bigint): number {
  if (typeof value === 'bigint') {
    let count = 1
    for (let rest = value >> 7n; rest > 0n; rest >>= 7n) count += 1
    return count
  }
  let count = 1
  for (let rest = value; rest >= MORE; rest = Math.floor(rest / MORE)) count += 1
  return count
}

/** Writes an unsigned number at `at`. @returns the position behind it */
export function writeVarint(target: Uint8Array, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return writeBigVarint(target, at, value)
  let rest = value
  let position = at
  while (rest > 0x7fff_ffff) {
    target[position] = (rest % MORE) | MORE
    rest = Math.floor(rest / MORE)
    position += 1
  }
  while (rest >= MORE) {
    target[position] = (rest & LOW) | MORE
    rest >>>= 7
    position += 1
  }
  target[position] = rest
  return position + 1
}

function writeBigVarint(target: Uint8Array, at: number, value: bigint): number {
  let rest = value
  let position = at
  while (rest >= 128n) {
    target[position] = Number(rest & 127n) | MORE
    rest >>= 7n
    position += 1
  }
  target[position] = Number(rest)
  return position + 1
}

/** Where the varint that `readVarint` read last ends. Valid until the next call. */
export let varintEnd = 0

/** Reads an unsigned number of at most 64 bits; `varintEnd` then tells where it ends. */
export function readVarint(source: Uint8Array, at: number): number | bigint {
  let byte = source[at] as number
  if (byte < MORE) {
    varintEnd = at + 1
    return byte
  }
  let value = byte & LOW
  let scale = MORE
  let position = at + 1
  for (let i = 1; i < NUMBER_BYTES; i += 1) {
    byte = source[position] as number
    position += 1
    value += (byte & LOW) * scale
    if (byte < MORE) {
      varintEnd = position
      return value
    }
    scale *= MORE
  }
  return readBigVarint(source, position, BigInt(value))
}

function readBigVarint(source: Uint8Array, at: number, low: bigint): number | bigint {
  let value = low
  let shift = BigInt(NUMBER_BYTES * 7)
  let position = at
  for (;;) {
    const byte = source[position]
    assert(byte !== undefined && shift < 70n, 'a varint ends within ten bytes')
    value |= BigInt(byte & LOW) << shift
    position += 1
    if (byte < MORE) break
    shift += 7n
  }
  varintEnd = position
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

/** Gathers bytes in a buffer that grows. */
export class Writer {
  #buffer: Buffer
  #length = 0

  constructor(capacity: number = CAPACITY_MIN) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(capacity, CAPACITY_MIN))
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#length
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length] = value
    this.#length += 1
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32LE(value, this.#length)
  }

  f64(value: number): void {
    this.#reserve(8)
    this.#length = this.#buffer.writeDoubleLE(value, this.#length)
  }

  /** An unsigned number: a whole JS number, or a bigint below 2^64. */
  varint(value: number | bigint): void {
    this.#reserve(VARINT_BYTES_MAX)
    this.#length = writeVarint(this.#buffer, this.#length, value)
  }

  /** A whole number of either sign, below 2^63 in size. */
  signed(value: number | bigint): void {
    const negative = value < 0
    this.u8(negative ? 1 : 0)
    this.varint(negative ? -value : value)
  }

  /** Bytes without their length. */
  raw(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.#reserve(to - from)
    for (let i = from, at = this.#length; i < to && to - from < 32; i += 1, at += 1)
      this.#buffer[at] = bytes[i] as number
    if (to - from >= 32) this.#buffer.set(bytes.subarray(from, to), this.#length)
    this.#length += to - from
  }

  /** Length and bytes. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** Length and bytes of text of one character a byte: keys and names. */
  latin1(value: string): void {
    this.varint(value.length)
    this.#reserve(value.length)
    this.#length += this.#buffer.write(value, this.#length, 'latin1')
  }

  /** Overwrites four bytes at `at`, for a length that is known afterwards. */
  patchU32(at: number, value: number): void {
    assert(at + 4 <= this.#length, 'a patch lies within what was written')
    this.#buffer.writeUInt32LE(value, at)
  }

  /** What was written from `from` to `to`, until the next write. */
  view(from: number, to: number): Buffer {
    return this.#buffer.subarray(from, to)
  }

  /** Begins anew in the same memory: views of what was written are void. */
  clear(): void {
    this.#length = 0
  }

  /** What was written, which the caller owns from now on. The writer begins anew. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length)
    this.#buffer = Buffer.allocUnsafeSlow(CAPACITY_MIN)
    this.#length = 0
    return taken
  }
}

/**
 * Reads what a Writer wrote. Reading past the end is a broken invariant where checksums
 * were checked before. Of bytes that anybody may have written a wary reader is made: once
 * something is not there it has a flaw, nothing is left, and all that it answers is zero.
 */
export class Reader {
  readonly #bytes: Buffer
  #at: number
  readonly #end: number
  readonly #isWary: boolean
  #flaw: string | null = null

  constructor(bytes: Buffer, from = 0, to: number = bytes.length, isWary = false) {
    this.#bytes = bytes
    this.#at = from
    this.#end = to
    this.#isWary = isWary
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#end - this.#at
  }

  /** Where the next byte stands. */
  get at(): number {
    return this.#at
  }

  /** What is wrong with the bytes of a wary reader; null: nothing so far. */
  get flaw(): string | null {
    return this.#flaw
  }

  #fail(why: string): void {
    assert(this.#isWary, why)
    this.#flaw ??= why
    this.#at = this.#end
  }

  /** Goes over `count` bytes. @returns where they begin, or -1 */
  #take(count: number): number {
    const at = this.#at
    if (count >= 0 && count <= this.#end - at) {
      this.#at = at + count
      return at
    }
    this.#fail(`${count} bytes wanted, ${this.#end - at} left`)
    return -1
  }

  u8(): number {
    const at = this.#take(1)
    return at < 0 ? 0 : (this.#bytes[at] as number)
  }

  u32(): number {
    const at = this.#take(4)
    return at < 0 ? 0 : this.#bytes.readUInt32LE(at)
  }

  f64(): number {
    const at = this.#take(8)
    return at < 0 ? 0 : this.#bytes.readDoubleLE(at)
  }

  varint(): number | bigint {
    const bytes = this.#bytes
    const at = this.#at
    let last = at
    while (last < this.#end && (bytes[last] as number) >= MORE) last += 1
    if (last >= this.#end) {
      this.#take(last - at + 1)
      return 0
    }
    const count = last - at + 1
    // Nine bytes hold 63 bits.
    if (count > VARINT_BYTES_MAX || (count === VARINT_BYTES_MAX && (bytes[last] as number) > 1)) {
      this.#fail('a varint ends within ten bytes and 64 bits')
      return 0
    }
    this.#at = last + 1
    return readVarint(bytes, at)
  }

  /** A varint that must be a count or a size: at most 2^53 - 1. */
  count(): number {
    const value = this.varint()
    if (typeof value === 'number') return value
    this.#fail('a count fits a number')
    return 0
  }

  /** How many things follow, each of which takes `bytesMin` bytes at least: so no more than can be there. */
  things(bytesMin: number): number {
    return this.#plausible(this.count(), bytesMin)
  }

  /** As `things`, of a u32. */
  things32(bytesMin: number): number {
    return this.#plausible(this.u32(), bytesMin)
  }

  #plausible(count: number, bytesMin: number): number {
    if (count * bytesMin <= this.left) return count
    this.#fail(`${count} things of ${bytesMin} bytes are too many`)
    return 0
  }

  signed(): number | bigint {
    const negative = this.u8() === 1
    const value = this.varint()
    return negative ? -value : value
  }

  /** Goes over `count` bytes. */
  skip(count: number): void {
    this.#take(count)
  }

  /** A reader, as wary, of the next `count` bytes, which this one goes over. */
  inner(count: number): Reader {
    const from = Math.max(0, this.#take(count))
    return new Reader(this.#bytes, from, this.#flaw === null ? from + count : from, this.#isWary)
  }

  /** A copy of `count` bytes. */
  raw(count: number): Buffer {
    const from = this.#take(count)
    if (from < 0) return Buffer.alloc(0)
    const copy = Buffer.allocUnsafeSlow(count)
    this.#bytes.copy(copy, 0, from, from + count)
    return copy
  }

  /** A copy of the bytes that `Writer.bytes` wrote. */
  bytes(): Buffer {
    return this.raw(this.count())
  }

  latin1(): string {
    const count = this.count()
    const from = this.#take(count)
    return from < 0 ? '' : this.#bytes.latin1Slice(from, from + count)
  }
}
