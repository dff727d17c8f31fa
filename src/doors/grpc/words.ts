// Builds the words of a command in the wire form that the desk takes, in one buffer
// used again and again.
//
// The log carries commands as RESP arrays of bulk strings (base/multibulk.ts), so
// that form is written here once, and nothing between here and the disk encodes again.

import { Argv } from '../../base/argv.ts'
import { assert } from '../../base/assert.ts'
import { limits } from '../../base/limits.ts'

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const ZERO = 0x30

/** Room for `*<count>\r\n`, written last, just before the first word. */
const HEAD_BYTES = 16
/** Room for `$<length>\r\n` and the `\r\n` behind a word. */
const FRAME_BYTES = 16
const BUFFER_BYTES = 64 * 1024
/** A buffer that grew beyond this for one large command is given back after it. */
const BUFFER_KEPT_BYTES = 1024 * 1024
/** Below this many bytes a loop is faster than a call into the runtime (bench/grpc.ts). */
const LOOP_BYTES_MAX = 24

export class Words {
  /** The command, once `finish` was called; good until `begin`. */
  readonly argv = new Argv()
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #position = HEAD_BYTES
  #tooLarge = false

  begin(): void {
    if (this.#buffer.length > BUFFER_KEPT_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
    }
    this.argv.count = 0
    this.#position = HEAD_BYTES
    this.#tooLarge = false
  }

  get count(): number {
    return this.argv.count
  }

  /** Adds the bytes of `source` from `from` to `to`. */
  slice(source: Uint8Array, from: number, to: number): void {
    const length = to - from
    if (!this.#open(length)) return
    const buffer = this.#buffer
    let position = this.#position
    if (length <= LOOP_BYTES_MAX) {
      for (let i = from; i < to; i += 1) {
        buffer[position] = source[i] as number
        position += 1
      }
    } else {
      buffer.set(source.subarray(from, to), position)
      position += length
    }
    this.#close(position)
  }

  bytes(word: Uint8Array): void {
    this.slice(word, 0, word.length)
  }

  /** Adds `text`, in UTF-8. */
  text(text: string): void {
    const ascii = text.length <= LOOP_BYTES_MAX
    const length = ascii ? text.length : Buffer.byteLength(text)
    if (!this.#open(length)) return
    const start = this.#position
    if (ascii) {
      for (let i = 0; i < length; i += 1) {
        const unit = text.charCodeAt(i)
        if (unit > 0x7f) {
          this.#rewrite(text)
          return
        }
        this.#buffer[start + i] = unit
      }
    } else {
      this.#buffer.write(text, start, length, 'utf8')
    }
    this.#close(start + length)
  }

  /** Adds a whole number in decimal. */
  number(value: number | bigint): void {
    this.text(String(value))
  }

  /** @returns null: `argv` is whole. Otherwise what is wrong with the command. */
  finish(): string | null {
    if (this.#tooLarge || this.#position - HEAD_BYTES > limits.commandBytesMax) {
      return `a word is over ${limits.valueBytesMax} bytes, or the command over ${limits.commandBytesMax}`
    }
    const argv = this.argv
    if (argv.count > limits.wordsMax) return `the command has over ${limits.wordsMax} words`
    const digits = digitsOf(argv.count)
    const start = HEAD_BYTES - digits - 3
    assert(start >= 0, 'the head has room')
    this.#buffer[start] = STAR
    this.#decimal(argv.count, start + 1, digits)
    this.#buffer[HEAD_BYTES - 2] = CR
    this.#buffer[HEAD_BYTES - 1] = LF
    argv.buffer = this.#buffer
    argv.start = start
    argv.end = this.#position
    return null
  }

  /** Writes what stands before a word of `length` bytes; false: the word does not fit the limits. */
  #open(length: number): boolean {
    if (this.#tooLarge) return false
    const needed = this.#position + length + FRAME_BYTES
    if (length > limits.valueBytesMax || needed > limits.commandBytesMax + FRAME_BYTES * 2) {
      this.#tooLarge = true
      return false
    }
    if (needed > this.#buffer.length) this.#grow(needed)
    const digits = digitsOf(length)
    this.#buffer[this.#position] = DOLLAR
    this.#decimal(length, this.#position + 1, digits)
    this.#position += digits + 3
    this.#buffer[this.#position - 2] = CR
    this.#buffer[this.#position - 1] = LF
    return true
  }

  /** Ends the word that began at the position `open` left and stands up to `end`. */
  #close(end: number): void {
    const argv = this.argv
    if (argv.bounds.length < (argv.count + 1) * 2) {
      const grown = new Int32Array(argv.bounds.length * 2)
      grown.set(argv.bounds)
      argv.bounds = grown
    }
    argv.push(this.#position, end)
    this.#buffer[end] = CR
    this.#buffer[end + 1] = LF
    this.#position = end + 2
  }

  /** Adds a short text that turned out not to be ASCII, in place of its begun frame. */
  #rewrite(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.#position -= digitsOf(text.length) + 3
    this.bytes(bytes)
  }

  #decimal(value: number, at: number, digits: number): void {
    let rest = value
    for (let i = at + digits - 1; i >= at; i -= 1) {
      const tens = (rest / 10) | 0
      this.#buffer[i] = ZERO + rest - tens * 10
      rest = tens
    }
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#position)
    this.#buffer = grown
  }
}

/** Decimal digits of `value`, which is below 2^31. */
function digitsOf(value: number): number {
  if (value < 10) return 1
  if (value < 100) return 2
  if (value < 1000) return 3
  let digits = 4
  for (let bound = 10_000; value >= bound; bound *= 10) digits += 1
  return digits
}
