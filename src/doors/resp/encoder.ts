// Replies to bytes, RESP2 or RESP3, straight into a buffer that grows and is used again.
//
// What every XADD needs, an ID, costs no string: digits are written as bytes, and
// the milliseconds that a whole batch shares are worked out once.

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
/** Type byte, up to 20 digits with sign, CRLF. */
const HEADER_BYTES_MAX = 24
/** `$41`, two halves of 20 digits, a dash, two line ends. */
const ID_BYTES_MAX = 50
/** Below this a loop beats a call that copies. */
const COPY_LOOP_BYTES = 24
const DIGITS_MAX = 20
/** Numbers above are split, so that division stays on 32 bits. */
const SPLIT = 10_000_000
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
  #length = 0
  /** The milliseconds of the last ID, and their digits. */
  #ms: Half = 0
  readonly #msDigits = new Uint8Array(DIGITS_MAX).fill(ZERO)
  #msCount = 1

  /** Bytes that were encoded and not taken. */
  get length(): number {
    return this.#length
  }

  /** What was encoded, as a view that holds until the next `encode`. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets what was encoded; a buffer that grew beyond `keptMax` bytes is let go. */
  clear(keptMax: number): void {
    this.#length = 0
    if (this.#bytes.length > keptMax) this.#bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN)
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
        this.#bulkBody(reply.bytes, 0, reply.bytes.length)
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
    const at = this.#length
    target[at] = protocol === 3 ? GREATER : STAR
    if (length <= COPY_LOOP_BYTES)
      for (let i = 1; i < length; i += 1) target[at + i] = bytes[i] as number
    else bytes.copy(target, at + 1, 1, length)
    this.#length = at + length
  }

  /** Adds the first byte of a message whose others are sent from where they are. */
  messageMark(protocol: 2 | 3): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = protocol === 3 ? GREATER : STAR
  }

  /** Adds what another encoder has. */
  append(other: Encoder): void {
    this.#reserve(other.#length)
    other.#bytes.copy(this.#bytes, this.#length, 0, other.#length)
    this.#length += other.#length
  }

  /** What was encoded, as bytes that are the taker's; the encoder is empty. */
  take(): Buffer {
    const taken = this.view()
    this.#bytes = Buffer.allocUnsafeSlow(CAPACITY_MIN)
    this.#length = 0
    return taken
  }

  #reserve(bytes: number): void {
    const need = this.#length + bytes
    if (need <= this.#bytes.length) return
    let capacity = this.#bytes.length * 2
    while (capacity < need) capacity *= 2
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
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
    let at = this.#length
    bytes[at++] = type
    if (value < 10) {
      bytes[at++] = ZERO + value
    } else {
      const count = writeDigits(value)
      for (let i = DIGITS_MAX - count; i < DIGITS_MAX; i += 1) bytes[at++] = digits[i] as number
    }
    bytes[at++] = CR
    bytes[at++] = LF
    this.#length = at
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
    let at = this.#length
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
    this.#length = at
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
    let at = this.#length
    if (count <= COPY_LOOP_BYTES) {
      for (let i = from; i < to; i += 1) bytes[at++] = source[i] as number
    } else {
      Buffer.prototype.copy.call(source, bytes, at, from, to)
      at += count
    }
    bytes[at++] = CR
    bytes[at++] = LF
    this.#length = at
  }

  #bulks({ bytes: source, bounds, framedBytes }: Bulks): void {
    this.#header(STAR, bounds.length / 2)
    if (framedBytes !== undefined) {
      this.#reserve(framedBytes)
      Buffer.prototype.copy.call(source, this.#bytes, this.#length, 0, framedBytes)
      this.#length += framedBytes
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
    this.#bytes.write(text, this.#length, count, 'utf8')
    this.#length += count
    this.#lineEnd()
  }

  /** A line of text. What a client sent may be in it, so line ends become blanks. */
  #line(type: number, text: string): void {
    const count = Buffer.byteLength(text, 'utf8')
    this.#reserve(count + 3)
    this.#bytes[this.#length] = type
    const from = this.#length + 1
    this.#bytes.write(text, from, count, 'utf8')
    this.#length = from + count
    for (let i = from; i < this.#length; i += 1)
      if (this.#bytes[i] === CR || this.#bytes[i] === LF) this.#bytes[i] = SPACE
    this.#lineEnd()
  }

  #raw(line: Uint8Array): void {
    this.#reserve(line.length)
    for (let i = 0; i < line.length; i += 1) this.#bytes[this.#length++] = line[i] as number
  }

  /** A null: `_` in RESP3, else -1 in place of a length. */
  #missing(type: number, protocol: 2 | 3): void {
    this.#reserve(5)
    if (protocol === 3) {
      this.#bytes[this.#length++] = UNDERSCORE
    } else {
      this.#bytes[this.#length++] = type
      this.#bytes[this.#length++] = DASH
      this.#bytes[this.#length++] = ZERO + 1
    }
    this.#lineEnd()
  }

  /** There must be room for it. */
  #lineEnd(): void {
    this.#bytes[this.#length++] = CR
    this.#bytes[this.#length++] = LF
  }
}
