// Bytes of a socket to commands, in place.
//
// The usual chunk holds many whole commands: they are parsed where they lie, and
// one Argv serves them all. A command that goes on in the next chunk is carried
// over into a buffer that grows as its bytes come; where its words stand is kept,
// so that no byte is looked at twice, however many chunks a command takes.

import { Argv } from '../../base/argv.ts'
import { limits } from '../../base/limits.ts'
import { splitInline } from './inline.ts'

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d
/** Digits that a count or length may have: more are out of any range. */
const DIGITS_MAX = 15
const CARRY_BYTES_MIN = 4096
/** A carry buffer above this is let go when little is left in it. */
const CARRY_BYTES_KEPT = 64 * 1024
/** A long word gets room for so many times what has come of it. */
const FORESEEN_TIMES = 4
/** Words that there is room for before they come. */
const WORDS_FORESEEN_MAX = 1024

/** A command stands in `argv`, until the next call. */
export const COMMAND = 1
/** All bytes are used up. */
export const MORE = 0
/** `fault` says what is wrong; nothing can be read any more. */
export const FAULT = -1
/** A browser that was tricked into speaking to us: drop the connection without a word. */
export const ATTACK = -2

/** What a number line can be instead of a number; any negative number is -1. */
const LINE_INCOMPLETE = -2
const LINE_BAD = -3
const LINE_TOO_LONG = -4

const EMPTY = Buffer.alloc(0)

/** What the decoders of a door may carry over together. */
export class CarryBudget {
  readonly #bytesMax: number
  bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Takes `bytes`, or gives them back if negative. False: there are not so many left. */
  take(bytes: number): boolean {
    if (bytes > 0 && this.bytes + bytes > this.#bytesMax) return false
    this.bytes += bytes
    return true
  }
}

export class Decoder {
  /** The command that `next` found. Its bytes are the chunk's or the carry's: copy what you keep. */
  readonly argv = new Argv()
  /** The error to send before closing, without its code. */
  fault = ''
  readonly #budget: CarryBudget
  /** What is read now: the last chunk, or the carry. */
  #buffer: Buffer = EMPTY
  #end = 0
  /** Where the command that is being read begins, and the next byte of it to look at. */
  #start = 0
  #position = 0
  /** Words of it that are still to come; -1: its head is not read yet. */
  #wordsLeft = -1
  /** Length of the word that is being read; -1: its length line is not read yet. */
  #length = -1
  /** Up to here the line that is being read has no end. */
  #searched = 0
  #lineEnd = 0
  #carry: Buffer = EMPTY

  constructor(budget: CarryBudget) {
    this.#budget = budget
  }

  /** Bytes that were fed and are not part of a command yet. */
  get pending(): number {
    return this.#end - this.#start
  }

  /** Takes the next bytes, by reference. False: too much is carried over by all; give up. */
  feed(chunk: Buffer): boolean {
    const left = this.#end - this.#start
    if (left > 0) return this.#append(chunk, left)
    if (this.#carry.length > CARRY_BYTES_KEPT) this.close()
    this.#buffer = chunk
    this.#start = 0
    this.#position = 0
    this.#searched = 0
    this.#end = chunk.length
    return true
  }

  /** Lets go of the carry. */
  close(): void {
    this.#budget.take(-this.#carry.length)
    this.#carry = EMPTY
  }

  /** Reads on. @returns COMMAND, MORE, FAULT or ATTACK */
  next(): number {
    for (;;) {
      if (this.#wordsLeft < 0) {
        const found = this.#head()
        if (found !== COMMAND) return found
        // An inline command is whole already; a count of nothing is skipped.
        if (this.#wordsLeft < 0) {
          if (this.argv.count > 0) return COMMAND
          continue
        }
      }
      return this.#words()
    }
  }

  /** Reads the count of a command, or all of an inline one. */
  #head(): number {
    const start = this.#start
    this.argv.count = 0
    if (this.fault !== '') return FAULT
    if (start >= this.#end) return MORE
    if (this.#buffer[start] !== STAR) return this.#inline()
    const count = this.#number(start + 1)
    if (count === LINE_INCOMPLETE) return MORE
    if (count === LINE_TOO_LONG) return this.#fail('too big mbulk count string')
    if (count === LINE_BAD || count > limits.wordsMax) return this.#fail('invalid multibulk length')
    this.#position = this.#lineEnd
    if (count <= 0) {
      this.#start = this.#position
      return COMMAND
    }
    this.argv.reset(Math.min(count, WORDS_FORESEEN_MAX))
    this.#wordsLeft = count
    return COMMAND
  }

  /** Reads words until the command is whole. */
  #words(): number {
    const { argv } = this
    const buffer = this.#buffer
    const end = this.#end
    let position = this.#position
    let left = this.#wordsLeft
    let length = this.#length
    while (left > 0) {
      if (length < 0) {
        if (position >= end) break
        if (buffer[position] !== DOLLAR) return this.#fail(gotInstead(buffer[position] as number))
        length = this.#number(position + 1)
        if (length < 0) {
          if (length === LINE_INCOMPLETE) break
          return this.#fail(
            length === LINE_TOO_LONG ? 'too big bulk count string' : 'invalid bulk length',
          )
        }
        position = this.#lineEnd
        if (length > limits.valueBytesMax) return this.#fail('invalid bulk length')
        if (position + length - this.#start > limits.commandBytesMax)
          return this.#fail('too big command')
      }
      if (position + length + 2 > end) break
      if (argv.count * 2 >= argv.bounds.length) growBounds(argv)
      argv.push(position, position + length)
      position += length + 2
      length = -1
      left -= 1
    }
    this.#position = position
    if (left > 0) {
      this.#wordsLeft = left
      this.#length = length < 0 ? -1 : length
      return MORE
    }
    argv.buffer = buffer
    argv.start = this.#start
    argv.end = position
    this.#start = position
    this.#wordsLeft = -1
    this.#length = -1
    return COMMAND
  }

  /** Reads the number of a line into the result and the line's end into `#lineEnd`. */
  #number(from: number): number {
    const buffer = this.#buffer
    const end = this.#end
    let i = from
    let value = 0
    if (i < end && buffer[i] === MINUS) i += 1
    const first = i
    for (; i < end; i += 1) {
      const digit = (buffer[i] as number) - ZERO
      if (digit < 0 || digit > NINE - ZERO || i - first >= DIGITS_MAX) break
      value = value * 10 + digit
    }
    if (i + 1 < end && buffer[i] === CR) {
      if (i === first || buffer[i + 1] !== LF) return LINE_BAD
      this.#lineEnd = i + 2
      return first === from ? value : -1
    }
    if (i >= end || buffer[i] === CR) return LINE_INCOMPLETE
    // No number. What Redis says of it depends on whether the line ends.
    if (buffer.subarray(Math.max(i, this.#searched), end).includes(CR)) return LINE_BAD
    this.#searched = end
    return end - from > limits.inlineBytesMax ? LINE_TOO_LONG : LINE_INCOMPLETE
  }

  #inline(): number {
    const start = this.#start
    const from = Math.max(start, this.#searched)
    const found = this.#buffer.subarray(from, this.#end).indexOf(LF)
    const lineEnd = found < 0 ? this.#end : from + found
    if (lineEnd - start > limits.inlineBytesMax) return this.#fail('too big inline request')
    if (found < 0) {
      this.#searched = this.#end
      return MORE
    }
    const words = splitInline(this.#buffer.subarray(start, lineEnd))
    if (words === null) return this.#fail('unbalanced quotes in request')
    this.#start = lineEnd + 1
    this.#position = this.#start
    this.argv.assign(words)
    if (words.length > 0 && (this.argv.is(0, 'POST') || this.argv.is(0, 'HOST:'))) return ATTACK
    return COMMAND
  }

  #fail(text: string): number {
    this.fault = `Protocol error: ${text}`
    return FAULT
  }

  /** Adds `chunk` behind the `left` bytes that are not used up. */
  #append(chunk: Buffer, left: number): boolean {
    const need = left + chunk.length
    const old = this.#carry
    const wasteful = old.length > CARRY_BYTES_KEPT && need < CARRY_BYTES_KEPT / 2
    let target = old
    if (need > old.length || wasteful) {
      let capacity = wasteful ? CARRY_BYTES_MIN : Math.max(CARRY_BYTES_MIN, old.length)
      while (capacity < need) capacity *= 2
      // Only a word that is most of it: many that each get their own room would be copied again and again.
      if (this.#length * 2 > capacity) capacity = this.#foreseen(need)
      if (!this.#budget.take(capacity - old.length)) return false
      target = Buffer.allocUnsafeSlow(capacity)
    }
    if (this.#buffer !== target || this.#end + chunk.length > target.length) {
      this.#buffer.copy(target, 0, this.#start, this.#end)
      this.#shift(this.#start)
      this.#buffer = target
      this.#carry = target
    }
    chunk.copy(target, this.#end)
    this.#end += chunk.length
    return true
  }

  /**
   * A capacity for the long word that is being read, of which `have` bytes are here with all before it: all of it,
   * but a word that is only announced must not take memory, so at most four times what has come.
   */
  #foreseen(have: number): number {
    const whole = this.#position - this.#start + this.#length + 2
    return Math.max(have, Math.min(whole, FORESEEN_TIMES * have))
  }

  /** The unused bytes now stand `by` further to the front. */
  #shift(by: number): void {
    this.#start -= by
    this.#position -= by
    this.#end -= by
    this.#searched = Math.max(0, this.#searched - by)
    const { bounds, count } = this.argv
    for (let i = 0; i < count * 2; i += 1) bounds[i] = (bounds[i] as number) - by
  }
}

function growBounds(argv: Argv): void {
  const bounds = new Int32Array(argv.bounds.length * 2)
  bounds.set(argv.bounds)
  argv.bounds = bounds
}

function gotInstead(byte: number): string {
  const char = byte === CR || byte === LF ? ' ' : String.fromCharCode(byte)
  return `expected '$', got '${char}'`
}
