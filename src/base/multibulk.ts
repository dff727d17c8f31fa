// The wire form of a command: a RESP array of bulk strings, parsed in place.
//
//   *<count>\r\n ( $<length>\r\n <bytes> \r\n ) x count
//
// Two readers share it: the RESP door for what clients send, and the state
// machine for what entries carry, since a payload holds commands in the very
// bytes they arrived in (docs/formats.md).

import type { Argv } from './argv.ts'
import { limits } from './limits.ts'

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d

/** The bytes end before the command does. */
export const INCOMPLETE = 0
/** Faults are negative, so that one number says where the command ended or what is wrong with it. */
export const FAULT_COUNT = -1
export const FAULT_COUNT_LINE = -2
export const FAULT_NO_DOLLAR = -3
export const FAULT_LENGTH = -4
export const FAULT_LENGTH_LINE = -5
export const FAULT_TOO_LARGE = -6

/** After a count line or length line: the number, and where the next byte stands. */
let lineValue = 0
let lineEnd = 0

/**
 * Reads the decimal number of a line that ends in CRLF into `lineValue` and `lineEnd`.
 *
 * @returns 1 read, 0 the line is incomplete, -1 not a number, -2 the line is too long
 */
function readLine(buffer: Uint8Array, from: number, to: number): number {
  let i = from
  let negative = false
  if (i < to && buffer[i] === MINUS) {
    negative = true
    i += 1
  }
  let value = 0
  let digits = 0
  while (i < to) {
    const byte = buffer[i] as number
    if (byte === CR) break
    if (byte < ZERO || byte > NINE || digits > 15) {
      // A line without an end is judged by its length, one with an end by its content.
      for (let k = i; k < to && k - from <= limits.inlineBytesMax; k += 1)
        if (buffer[k] === CR) return -1
      return to - from > limits.inlineBytesMax ? -2 : 0
    }
    value = value * 10 + (byte - ZERO)
    digits += 1
    i += 1
  }
  if (i + 1 >= to) return 0
  if (digits === 0 || buffer[i + 1] !== LF) return -1
  lineValue = negative ? -value : value
  lineEnd = i + 2
  return 1
}

/**
 * Parses one command that begins at `from` with `*`.
 *
 * A count of 0 or -1 is a command without words, which callers skip.
 *
 * @param argv filled with the words; untouched in meaning unless the result is positive
 * @returns the position behind the command, INCOMPLETE, or a FAULT
 */
export function parseMultibulk(argv: Argv, buffer: Buffer, from: number, to: number): number {
  if (buffer[from] !== STAR) return FAULT_COUNT
  const head = readLine(buffer, from + 1, to)
  if (head <= 0) return head === 0 ? INCOMPLETE : head === -1 ? FAULT_COUNT : FAULT_COUNT_LINE
  const count = lineValue
  if (count > limits.wordsMax) return FAULT_COUNT
  let position = lineEnd
  argv.reset(count > 0 ? Math.min(count, to - position) : 0)
  for (let i = 0; i < count; i += 1) {
    if (position >= to) return INCOMPLETE
    if (buffer[position] !== DOLLAR) return FAULT_NO_DOLLAR
    const line = readLine(buffer, position + 1, to)
    if (line <= 0) return line === 0 ? INCOMPLETE : line === -1 ? FAULT_LENGTH : FAULT_LENGTH_LINE
    if (lineValue < 0 || lineValue > limits.valueBytesMax) return FAULT_LENGTH
    const start = lineEnd
    const end = start + lineValue
    if (end - from > limits.commandBytesMax) return FAULT_TOO_LARGE
    if (end + 2 > to) return INCOMPLETE
    argv.push(start, end)
    position = end + 2
  }
  argv.buffer = buffer
  argv.start = from
  argv.end = position
  return position
}
