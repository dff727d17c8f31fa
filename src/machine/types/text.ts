// A string: a number, a short text, or bytes.
//
// One object a key is all a string costs. What is written as a whole number of 64 bits
// is kept as one, so that counting is adding; short texts are strings of one character a
// byte, which cost 12 bytes more than they hold; the rest, and whatever grows by APPEND,
// is a buffer. Content is replaced and never changed, except that a buffer grows behind
// what it holds: a cut therefore shares it.

import type { Argv } from '../../base/argv.ts'
import type { Reader, Writer } from '../../base/bytes.ts'
import { limits } from '../../base/limits.ts'
import { integerOf, parseInteger } from '../integers.ts'
import { bulk, type Reply, text } from '../reply.ts'
import { type Builder, type Cut, flawAtEnd } from './part.ts'
import type { Value } from './value.ts'

/** A whole number of 64 bits; text of one character a byte; bytes. */
export type Content = number | bigint | string | Buffer

/** The longest number, with its sign. */
const INTEGER_BYTES_MAX = 20
/** Above this a buffer's own cost does not matter, and the heap is spared. */
const SHORT_BYTES_MAX = 1024
/** The object itself, with a small number inside. */
const TEXT_BYTES = 32
const BIGINT_BYTES = 16
/** What characters and buffers cost beside what they hold. */
const STRING_OVERHEAD_BYTES = 12
const BUFFER_OVERHEAD_BYTES = 160
/** Above this Redis keeps a string in an allocation of its own. */
const EMBEDDED_BYTES_MAX = 44

/** Word i as a string holds it. Owns its memory. */
export function contentOf(argv: Argv, i: number): Content {
  if (argv.length(i) <= INTEGER_BYTES_MAX) {
    const number = parseInteger(argv, i)
    if (number !== null) return number
  }
  return textOrBytes(argv.buffer, argv.from(i), argv.to(i))
}

/** The bytes [from, to) as a string holds them. Owns its memory. */
export function contentFrom(bytes: Buffer, from: number, to: number): Content {
  const number = to - from <= INTEGER_BYTES_MAX ? integerOf(bytes.latin1Slice(from, to)) : null
  return number ?? textOrBytes(bytes, from, to)
}

function textOrBytes(bytes: Buffer, from: number, to: number): Content {
  if (to - from <= SHORT_BYTES_MAX) return bytes.latin1Slice(from, to)
  const own = Buffer.allocUnsafeSlow(to - from)
  bytes.copy(own, 0, from, to)
  return own
}

export class Text implements Value {
  readonly type = 'string'
  #content: Content
  /** Bytes of a buffer that are in use. */
  #used = 0

  constructor(content: Content) {
    this.#content = content
    this.#used = typeof content === 'object' ? content.length : 0
  }

  /** Replaces all of it. */
  set(content: Content): void {
    this.#content = content
    this.#used = typeof content === 'object' ? content.length : 0
  }

  get encoding(): string {
    const content = this.#content
    if (typeof content === 'number' || typeof content === 'bigint') return 'int'
    const isEmbedded = typeof content === 'string' && content.length <= EMBEDDED_BYTES_MAX
    return isEmbedded ? 'embstr' : 'raw'
  }

  get length(): number {
    const content = this.#content
    if (typeof content === 'object') return this.#used
    return typeof content === 'string' ? content.length : String(content).length
  }

  /** The bytes, which nobody may change. */
  bytes(): Buffer {
    const content = this.#content
    if (typeof content === 'object') return content.subarray(0, this.#used)
    return Buffer.from(String(content), 'latin1')
  }

  /** As a reply, which holds what the string holds now. */
  reply(): Reply {
    const content = this.#content
    return typeof content === 'number' ? text(String(content)) : bulk(this.bytes())
  }

  /** The whole number it is, or null. */
  integer(): number | bigint | null {
    const content = this.#content
    if (typeof content === 'number' || typeof content === 'bigint') return content
    if (this.length > INTEGER_BYTES_MAX) return null
    return integerOf(typeof content === 'string' ? content : this.bytes().latin1Slice())
  }

  /** Whether it holds the bytes of word i. */
  equals(argv: Argv, i: number): boolean {
    return this.length === argv.length(i) && this.bytes().equals(argv.bytes(i))
  }

  /** Adds word i at the end. */
  append(argv: Argv, i: number): void {
    const length = argv.length(i)
    const old = this.#content
    const used = this.length
    let buffer: Buffer
    if (typeof old === 'object' && old.length >= used + length) {
      buffer = old
    } else {
      buffer = Buffer.allocUnsafeSlow((used + length) * 2)
      this.bytes().copy(buffer)
    }
    argv.buffer.copy(buffer, used, argv.from(i), argv.to(i))
    this.#content = buffer
    this.#used = used + length
  }

  memoryBytes(): number {
    const content = this.#content
    if (typeof content === 'number') return TEXT_BYTES
    if (typeof content === 'bigint') return TEXT_BYTES + BIGINT_BYTES
    if (typeof content === 'string') return TEXT_BYTES + STRING_OVERHEAD_BYTES + content.length
    return TEXT_BYTES + BUFFER_OVERHEAD_BYTES + content.length
  }

  cut(): Cut {
    return new TextCut(typeof this.#content === 'object' ? this.bytes() : this.#content)
  }
}

// The first part begins with what the string is; bytes go on in parts of their own.
const INTEGER = 0
const SHORT = 1
const BYTES = 2

class TextCut implements Cut {
  readonly #content: Content
  #next = -1

  constructor(content: Content) {
    this.#content = content
  }

  write(writer: Writer, bytesMax: number): boolean {
    const content = this.#content
    if (typeof content === 'string') {
      writer.u8(SHORT)
      writer.latin1(content)
      return true
    }
    if (typeof content !== 'object') {
      writer.u8(INTEGER)
      writer.signed(content)
      return true
    }
    if (this.#next < 0) {
      writer.u8(BYTES)
      writer.varint(content.length)
      this.#next = 0
    }
    const end = Math.min(this.#next + bytesMax, content.length)
    writer.raw(content, this.#next, end)
    this.#next = end
    return end === content.length
  }
}

export class TextBuilder implements Builder<Text> {
  #content: Content | null = null
  #filled = 0

  read(reader: Reader): string | null {
    if (this.#content === null) {
      const kind = reader.u8()
      if (kind === INTEGER) {
        this.#content = reader.signed()
      } else if (kind === SHORT) {
        this.#content = reader.latin1()
      } else if (kind === BYTES) {
        const length = reader.count()
        if (length > limits.valueBytesMax) return `a string of ${length} bytes is too long`
        this.#content = Buffer.allocUnsafeSlow(length)
      } else {
        return `a string of kind ${kind} is unknown`
      }
    }
    const content = this.#content
    if (typeof content === 'object') {
      const more = reader.raw(reader.left)
      if (this.#filled + more.length > content.length) return 'a string has the bytes it said'
      more.copy(content, this.#filled)
      this.#filled += more.length
    }
    return flawAtEnd(reader)
  }

  finish(): Text | string {
    const content = this.#content
    if (content === null) return 'a string has a part'
    const isWhole = typeof content !== 'object' || this.#filled === content.length
    return isWhole ? new Text(content) : 'a string has all its bytes'
  }
}
