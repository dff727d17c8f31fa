// Protobuf's wire form, written in place.
//
// The generated code builds an object for every message; a session answers
// hundreds of thousands of calls a second, so its frames are written by hand,
// forwards, into chunks that are handed to the socket and never reused.

import { assert } from '../../base/assert.ts'

/** Bytes of a chunk: several frames of a turn share one. */
const CHUNK_BYTES = 64 * 1024
const EMPTY = Buffer.alloc(0)

const VARINT_MORE = 0x80
const TWO_31 = 0x8000_0000
const TWO_28 = 0x1000_0000

/** Bytes that `value`, a whole number from 0 to 2^53 - 1, takes as a varint. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < TWO_28) return 4
  let bytes = 5
  for (let rest = Math.floor(value / TWO_28 / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) {
    bytes += 1
  }
  return bytes
}

/** A message that grows at its end and is taken away whole. */
export class Frame {
  /** Where bytes go; written to directly by who has reserved them. */
  buffer: Buffer
  position = 0
  #start = 0

  /** `bytes`: of the first chunk. */
  constructor(bytes = CHUNK_BYTES) {
    this.buffer = Buffer.allocUnsafe(bytes)
  }

  /** Bytes since the last `take`. */
  get length(): number {
    return this.position - this.#start
  }

  /** Makes room for `bytes` more. May replace `buffer`. */
  reserve(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return
    const begun = this.length
    const grown = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (begun + bytes) * 2))
    this.buffer.copy(grown, 0, this.#start, this.position)
    this.buffer = grown
    this.#start = 0
    this.position = begun
  }

  /** What was written since the last call; its bytes are not touched again. */
  take(): Buffer {
    if (this.length === 0) return EMPTY
    const taken = this.buffer.subarray(this.#start, this.position)
    this.#start = this.position
    // A chunk made for one large message would be kept alive by small ones.
    if (this.buffer.length > CHUNK_BYTES) {
      this.buffer = EMPTY
      this.#start = 0
      this.position = 0
    }
    return taken
  }

  byte(value: number): void {
    this.buffer[this.position] = value
    this.position += 1
  }

  /** A whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    let rest = value
    while (rest >= TWO_31) {
      this.byte((rest % 0x80) | VARINT_MORE)
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= VARINT_MORE) {
      this.byte((rest & 0x7f) | VARINT_MORE)
      rest >>>= 7
    }
    this.byte(rest)
  }

  /** A signed 64-bit number as protobuf's int64: negative ones take ten bytes. */
  int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.varint(value)
      return
    }
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest >= 0x80n) {
      this.byte(Number(rest & 0x7fn) | VARINT_MORE)
      rest >>= 7n
    }
    this.byte(Number(rest))
  }

  raw(source: Uint8Array, from: number, to: number): void {
    const length = to - from
    if (length <= 24) {
      for (let i = 0; i < length; i += 1) {
        this.buffer[this.position + i] = source[from + i] as number
      }
    } else {
      this.buffer.set(source.subarray(from, to), this.position)
    }
    this.position += length
  }

  /** `text` in UTF-8, which takes `bytes`. */
  utf8(text: string, bytes: number): void {
    this.buffer.write(text, this.position, bytes, 'utf8')
    this.position += bytes
  }

  /** A whole number from 0 to 2^53 - 1 in decimal, `digits` digits long. */
  decimal(value: number, digits: number): void {
    let rest = value
    let at = this.position + digits
    this.position = at
    while (rest >= TWO_31) {
      const tens = Math.floor(rest / 10)
      at -= 1
      this.buffer[at] = 0x30 + (rest - tens * 10)
      rest = tens
    }
    while (rest >= 10) {
      const tens = (rest / 10) | 0
      at -= 1
      this.buffer[at] = 0x30 + (rest - tens * 10)
      rest = tens
    }
    at -= 1
    this.buffer[at] = 0x30 + rest
    assert(at === this.position - digits, 'the digits were counted')
  }
}

/** Bytes that an int64 takes. */
export function int64Bytes(value: number | bigint): number {
  if (value < 0) return 10
  if (typeof value === 'number') return varintBytes(value)
  let bytes = 1
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) bytes += 1
  return bytes
}

/** Decimal digits of a whole number from 0 to 2^53 - 1. */
export function decimalDigits(value: number): number {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits += 1
  return digits
}
