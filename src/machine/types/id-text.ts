// Stream IDs as clients write them.
//
// Redis reads each half with strtoull where the strict reading fails, so leading
// blanks, zeros and a `+` pass, and `01-02` is `1-2` (COMMANDS 7.0). Real clients
// send plain digits, which the fast path takes.

import type { Argv } from '../../base/argv.ts'
import { type Half, half, MAX_ID, MIN_ID, nextId, previousId, type StreamId } from './stream-id.ts'

const ZERO = 0x30
const NINE = 0x39
const DASH = 0x2d
const PLUS = 0x2b
const OPEN = 0x28
const STAR = 0x2a
/** Digits that surely stay below 2^53. */
const SAFE_DIGITS = 15
const ID_BYTES_MAX = 127
const HALF_LIMIT = 1n << 64n
/** strtoull: blanks as isspace tells them, a sign, digits. */
const LENIENT = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)$/

/** Reads one half from `from` to `to`, or null. */
function readHalf(bytes: Buffer, from: number, to: number): Half | null {
  const count = to - from
  if (count === 0) return null
  if (count <= SAFE_DIGITS) {
    let value = 0
    let i = from
    for (; i < to; i += 1) {
      const byte = bytes[i] as number
      if (byte < ZERO || byte > NINE) break
      value = value * 10 + (byte - ZERO)
    }
    if (i === to) return value
  }
  return readLenient(bytes.latin1Slice(from, to))
}

function readLenient(text: string): Half | null {
  const match = LENIENT.exec(text)
  if (match === null) return null
  const value = BigInt(match[2] as string)
  if (value >= HALF_LIMIT) return null
  if (match[1] !== '-') return half(value)
  // `-5` was read strictly and is negative; with blanks or zeros before it strtoull reads and negates it.
  if (/^-[1-9]/.test(text) && value <= 1n << 63n) return null
  return value === 0n ? 0 : half(HALF_LIMIT - value)
}

function readId(bytes: Buffer, from: number, to: number, missing: Half): StreamId | null {
  if (to - from > ID_BYTES_MAX) return null
  let dash = from
  while (dash < to && bytes[dash] !== DASH) dash += 1
  const ms = readHalf(bytes, from, dash)
  if (ms === null) return null
  if (dash === to) return { ms, seq: missing }
  const seq = readHalf(bytes, dash + 1, to)
  return seq === null ? null : { ms, seq }
}

/**
 * Word i as a full ID, where `-` and `+` have no meaning.
 *
 * @param missing the sequence of an ID that has only a time
 * @returns null: not an ID, answer `invalidStreamId`
 */
export function parseId(argv: Argv, i: number, missing: Half = 0): StreamId | null {
  return readId(argv.buffer, argv.from(i), argv.to(i), missing)
}

/** Word i as an ID, or `-` for the lowest and `+` for the highest. */
export function parseOpenId(argv: Argv, i: number, missing: Half = 0): StreamId | null {
  if (argv.length(i) === 1) {
    const byte = argv.buffer[argv.from(i)]
    if (byte === DASH) return MIN_ID
    if (byte === PLUS) return MAX_ID
  }
  return parseId(argv, i, missing)
}

export type BoundFault = 'id' | 'start' | 'end'

/** Word i as the start of a range; `(` excludes the ID itself. 'start': nothing can come after it. */
export function parseRangeStart(argv: Argv, i: number): StreamId | BoundFault {
  if (argv.buffer[argv.from(i)] !== OPEN || argv.length(i) < 2) return parseOpenId(argv, i) ?? 'id'
  const id = readId(argv.buffer, argv.from(i) + 1, argv.to(i), 0)
  return id === null ? 'id' : (nextId(id) ?? 'start')
}

/** Word i as the end of a range. 'end': nothing can come before it. */
export function parseRangeEnd(argv: Argv, i: number): StreamId | BoundFault {
  if (argv.buffer[argv.from(i)] !== OPEN || argv.length(i) < 2)
    return parseOpenId(argv, i, MAX_ID.seq) ?? 'id'
  const id = readId(argv.buffer, argv.from(i) + 1, argv.to(i), MAX_ID.seq)
  return id === null ? 'id' : (previousId(id) ?? 'end')
}

/** Whether word i is the one byte `*`. */
export function isStar(argv: Argv, i: number): boolean {
  return argv.length(i) === 1 && argv.buffer[argv.from(i)] === STAR
}

/** The time of `ms-*`, or null if word i has not that form or its time is no number. */
export function parseTimeWithStar(argv: Argv, i: number): Half | null {
  const from = argv.from(i)
  const to = argv.to(i)
  if (to - from < 3 || to - from > ID_BYTES_MAX) return null
  if (argv.buffer[to - 1] !== STAR || argv.buffer[to - 2] !== DASH) return null
  return readHalf(argv.buffer, from, to - 2)
}
