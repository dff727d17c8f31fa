// Replies to bytes, RESP2 or RESP3, straight into a buffer that grows and is used again.
//
// What every XADD needs, an ID, costs no string: digits are written as bytes, and
// the milliseconds that a whole batch shares are worked out once.
//
// Long values are not copied but sent from where they are, and a buffer that is full is
// set aside instead of being copied into a larger one: what was encoded is a row of parts
// and the buffer that is being filled.

import type { Bulks, Reply } from '../../machine/reply.ts'
import type { Half, StreamId } from '../../machine/types/stream-id.ts'

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const DASH = 0x2d
const ZERO = 0x30
const STAR = 0x2a
const DOLLAR = 0x24
const COLON = 0x3a
const PERCENT = 0x25
const TILDE = 0x7e
const EQUALS = 0x3d
const UNDERSCORE = 0x5f
const PLUS = 0x2b
const GREATER = 0x3e

const CAPACITY_MIN = 1024
/** A buffer that is full at this size is set aside. */
const CAPACITY_MAX = 256 * 1024
/** Bytes of at least this length are sent from where they are. */
export const SHARED_BYTES_MIN = 16 * 1024
/** What stands before a part and is shorter than this is copied, so that its buffer goes on being filled. */
const COPIED_BYTES_MAX = 4096
/** Type byte, up to 20 digits with sign, CRLF. */
const HEADER_BYTES_MAX = 24
/** `$41`, two halves of 20 digits, a dash, two line ends. */
const ID_BYTES_MAX = 50
/** Below this a loop beats a call that copies. */
const COPY_LOOP_BYTES = 24
const DIGITS_MAX = 20
/** Numbers above are split, so that division stays on 32 bits. */
const SPLIT = 10_000_000
const EMPTY = Buffer.alloc(0)
const OK_LINE = Buffer.from('+OK\r\n', 'latin1')

type Aggregate = Extract<Reply, { readonly items: readonly Reply[] }>

const digits = new Uint8Array(DIGITS_MAX)

/** Writes the digits of `value` right-aligned into `digits`. @returns how many */
function writeDigits(value: Half): number {
  let at = DIGITS_MAX
  if (typeof value === 'bigint') {
    const text = value.toString()
    for (let i = text.length - 1; i >= 0; i -= 1) {
      at -= 1
      digits[at] = text.charCodeAt(i)
    }
    return DIGITS_MAX - at
  }
  let rest = value
  while (rest >= SPLIT) {
    const high = Math.floor(rest / SPLIT)
    let low = (rest - high * SPLIT) | 0
    for (let i = 0; i < 7; i += 1) {
      const tenth = (low / 10) | 0
      at -= 1
      digits[at] = ZERO + low - tenth * 10
      low = tenth
    }
    rest = high
  }
  let low = rest | 0
  do {
    const tenth = (low / 10) | 0
    at -= 1
    digits[at] = ZERO + low - tenth * 10
    low = tenth
  } while (low > 0)
  return DIGITS_MAX - at
}

export class Encoder {
  #bytes: Buffer = Buffer.allocUnsafeSlow(CAPACITY_MIN)
  /** Bytes that stand in `#bytes`. */
  #filled = 0
  /** What comes before them, oldest first. */
  #parts: Buffer[] = []
  #partsBytes = 0
  /** The milliseconds of the last ID, and their digits. */
  #ms: Half = 0
  readonly #msDigits = new Uint8Array(DIGITS_MAX).fill(ZERO)
  #msCount = 1

  /** Bytes that were encoded since the last `clear`. */
  get length(): number {
    return this.#partsBytes + this.#filled
  }

  /** What was encoded before `last`, oldest first. */
  get parts(): readonly Buffer[] {
    return this.#parts
  }

  /** The end of what was encoded, as a view that holds until the next `encode`. */
  last(): Buffer {
    return this.#bytes.subarray(0, this.#filled)
  }

  /** Forgets what was encoded. */
  clear(): void {
    this.#filled = 0
    if (this.#parts.length > 0) this.#parts = []
    this.#partsBytes = 0
    if (this.#bytes.length > CAPACITY_MAX) this.#bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN)
  }

  encode(reply: Reply, protocol: 2 | 3): void {
    switch (reply.kind) {
      case 'id':
        this.#id(reply.id)
        break
      case 'integer':
        this.#integer(reply.value)
        break
      case 'bulk':
        this.#header(DOLLAR, reply.bytes.length)
        if (reply.bytes.length < SHARED_BYTES_MIN) {
          this.#bulkBody(reply.bytes, 0, reply.bytes.length)
        } else {
          this.#share(asBuffer(reply.bytes))
          this.#reserve(2)
          this.#lineEnd()
        }
        break
      case 'bulks':
        this.#bulks(reply)
        break
      case 'simple':
        if (reply.text === 'OK') this.#raw(OK_LINE)
        else this.#line(PLUS, reply.text)
        break
      case 'error':
        this.#line(DASH, reply.text)
        break
      case 'text':
        this.#text(reply.text)
        break
      case 'verbatim':
        if (protocol === 3) this.#verbatim(reply.text)
        else this.#text(reply.text)
        break
      case 'null':
        this.#missing(DOLLAR, protocol)
        break
      case 'null-array':
        this.#missing(STAR, protocol)
        break
      case 'pushes':
        for (const items of reply.pushes) this.#push(items, protocol)
        break
      default:
        this.#aggregate(reply, protocol)
    }
  }

  #aggregate(reply: Aggregate, protocol: 2 | 3): void {
    const { kind, items } = reply
    if (kind === 'pairs') {
      this.#pairs(items, protocol)
      return
    }
    if (kind === 'map' && protocol === 3) this.#header(PERCENT, items.length / 2)
    else this.#header(kind === 'set' && protocol === 3 ? TILDE : STAR, items.length)
    for (const item of items) this.encode(item, protocol)
  }

  #push(items: readonly Reply[], protocol: 2 | 3): void {
    this.#header(protocol === 3 ? GREATER : STAR, items.length)
    for (const item of items) this.encode(item, protocol)
  }

  /** Adds bytes that are encoded already, but for the first, which says what they are. */
  message(bytes: Buffer, length: number, protocol: 2 | 3): void {
    this.#reserve(length)
    const target = this.#bytes
    const at = this.#filled
    target[at] = protocol === 3 ? GREATER : STAR
    if (length <= COPY_LOOP_BYTES)
      for (let i = 1; i < length; i += 1) target[at + i] = bytes[i] as number
    else bytes.copy(target, at + 1, 1, length)
    this.#filled = at + length
  }

  /** Adds a message as `message` does, but sends it from where it is. Its bytes must not change. */
  sharedMessage(bytes: Buffer, length: number, protocol: 2 | 3): void {
    this.#reserve(1)
    this.#bytes[this.#filled++] = protocol === 3 ? GREATER : STAR
    this.#share(bytes.subarray(1, length))
  }

  /** Moves here what another encoder has. */
  append(other: Encoder): void {
    for (const part of other.#parts) this.#share(part)
    const count = other.#filled
    this.#reserve(count)
    other.#bytes.copy(this.#bytes, this.#filled, 0, count)
    this.#filled += count
    other.clear()
  }

  #reserve(bytes: number): void {
    if (this.#filled + bytes > this.#bytes.length) this.#grow(bytes)
  }

  #grow(bytes: number): void {
    let capacity = Math.max(CAPACITY_MIN, this.#bytes.length * 2)
    if (this.#bytes.length >= CAPACITY_MAX) {
      this.#setAside()
      if (bytes <= this.#bytes.length) return
      capacity = CAPACITY_MAX
    }
    const need = this.#filled + bytes
    while (capacity < need) capacity *= 2
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#bytes.copy(grown, 0, 0, this.#filled)
    this.#bytes = grown
  }

  /** Adds bytes that nobody changes any more. */
  #share(bytes: Buffer): void {
    this.#setAside()
    this.#add(bytes)
  }

  #add(part: Buffer): void {
    this.#parts.push(part)
    this.#partsBytes += part.length
  }

  /** What was filled becomes a part. */
  #setAside(): void {
    const filled = this.last()
    if (filled.length === 0) return
    this.#filled = 0
    if (filled.length < COPIED_BYTES_MAX) {
      this.#add(Buffer.from(filled))
      return
    }
    this.#add(filled)
    this.#bytes = EMPTY
  }

  #pairs(items: readonly Reply[], protocol: 2 | 3): void {
    this.#header(protocol === 3 ? PERCENT : STAR, items.length / 2)
    for (let i = 0; i < items.length; i += 1) {
      if (protocol === 2 && i % 2 === 0) this.#header(STAR, 2)
      this.encode(items[i] as Reply, protocol)
    }
  }

  /** A type byte and a number that is not negative, as a line. */
  #header(type: number, value: number): void {
    this.#reserve(HEADER_BYTES_MAX)
    const bytes = this.#bytes
    let at = this.#filled
    bytes[at++] = type
    if (value < 10) {
      bytes[at++] = ZERO + value
    } else {
      const count = writeDigits(value)
      for (let i = DIGITS_MAX - count; i < DIGITS_MAX; i += 1) bytes[at++] = digits[i] as number
    }
    bytes[at++] = CR
    bytes[at++] = LF
    this.#filled = at
  }

  #integer(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) this.#header(COLON, value)
    else this.#line(COLON, value.toString())
  }

  #id(id: StreamId): void {
    this.#reserve(ID_BYTES_MAX)
    if (id.ms !== this.#ms) this.#remember(id.ms)
    const bytes = this.#bytes
    const msCount = this.#msCount
    const seqCount = writeDigits(id.seq)
    const length = msCount + 1 + seqCount
    let at = this.#filled
    bytes[at++] = DOLLAR
    if (length >= 10) bytes[at++] = ZERO + ((length / 10) | 0)
    bytes[at++] = ZERO + (length % 10)
    bytes[at++] = CR
    bytes[at++] = LF
    const ms = this.#msDigits
    for (let i = DIGITS_MAX - msCount; i < DIGITS_MAX; i += 1) bytes[at++] = ms[i] as number
    bytes[at++] = DASH
    for (let i = DIGITS_MAX - seqCount; i < DIGITS_MAX; i += 1) bytes[at++] = digits[i] as number
    bytes[at++] = CR
    bytes[at++] = LF
    this.#filled = at
  }

  #remember(ms: Half): void {
    this.#ms = ms
    this.#msCount = writeDigits(ms)
    this.#msDigits.set(digits)
  }

  /** Bytes [from, to) of `source` and a line end. */
  #bulkBody(source: Uint8Array, from: number, to: number): void {
    const count = to - from
    this.#reserve(count + 2)
    const bytes = this.#bytes
    let at = this.#filled
    if (count <= COPY_LOOP_BYTES) {
      for (let i = from; i < to; i += 1) bytes[at++] = source[i] as number
    } else {
      Buffer.prototype.copy.call(source, bytes, at, from, to)
      at += count
    }
    bytes[at++] = CR
    bytes[at++] = LF
    this.#filled = at
  }

  #bulks({ bytes: source, bounds, framedBytes }: Bulks): void {
    this.#header(STAR, bounds.length / 2)
    if (framedBytes !== undefined) {
      if (framedBytes >= SHARED_BYTES_MIN) {
        this.#share(asBuffer(source).subarray(0, framedBytes))
        return
      }
      this.#reserve(framedBytes)
      Buffer.prototype.copy.call(source, this.#bytes, this.#filled, 0, framedBytes)
      this.#filled += framedBytes
      return
    }
    for (let i = 0; i < bounds.length; i += 2) {
      const from = bounds[i] as number
      const to = bounds[i + 1] as number
      this.#header(DOLLAR, to - from)
      this.#bulkBody(source, from, to)
    }
  }

  #text(text: string): void {
    const count = Buffer.byteLength(text, 'utf8')
    this.#header(DOLLAR, count)
    this.#utf8(text, count)
  }

  #verbatim(text: string): void {
    const marked = `txt:${text}`
    const count = Buffer.byteLength(marked, 'utf8')
    this.#header(EQUALS, count)
    this.#utf8(marked, count)
  }

  #utf8(text: string, count: number): void {
    this.#reserve(count + 2)
    this.#bytes.write(text, this.#filled, count, 'utf8')
    this.#filled += count
    this.#lineEnd()
  }

  /** A line of text. What a client sent may be in it, so line ends become blanks. */
  #line(type: number, text: string): void {
    const count = Buffer.byteLength(text, 'utf8')
    this.#reserve(count + 3)
    this.#bytes[this.#filled] = type
    const from = this.#filled + 1
    this.#bytes.write(text, from, count, 'utf8')
    this.#filled = from + count
    for (let i = from; i < this.#filled; i += 1)
      if (this.#bytes[i] === CR || this.#bytes[i] === LF) this.#bytes[i] = SPACE
    this.#lineEnd()
  }

  #raw(line: Uint8Array): void {
    this.#reserve(line.length)
    for (let i = 0; i < line.length; i += 1) this.#bytes[this.#filled++] = line[i] as number
  }

  /** A null: `_` in RESP3, else -1 in place of a length. */
  #missing(type: number, protocol: 2 | 3): void {
    this.#reserve(5)
    if (protocol === 3) {
      this.#bytes[this.#filled++] = UNDERSCORE
    } else {
      this.#bytes[this.#filled++] = type
      this.#bytes[this.#filled++] = DASH
      this.#bytes[this.#filled++] = ZERO + 1
    }
    this.#lineEnd()
  }

  /** There must be room for it. */
  #lineEnd(): void {
    this.#bytes[this.#filled++] = CR
    this.#bytes[this.#filled++] = LF
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
