// Numbers as clients write them: whole ones strict, signed, 64 bits (Redis: string2ll),
// timeouts in seconds as C reads floating-point numbers.

import type { Argv } from '../base/argv.ts'
import { type ErrorReply, fail } from './reply.ts'

const ZERO = 0x30
const NINE = 0x39
const DASH = 0x2d
const SAFE_DIGITS = 15
const INT64_MIN = -(1n << 63n)
const INT64_MAX = (1n << 63n) - 1n
const STRICT = /^(?:0|-?[1-9][0-9]{0,18})$/

/**
 * Word i as a signed 64-bit number: decimal, no `+`, no leading zeros, no blanks.
 *
 * @returns a number where it is exact, a bigint beyond 2^53, null if it is none
 */
export function parseInteger(argv: Argv, i: number): number | bigint | null {
  const from = argv.from(i)
  const to = argv.to(i)
  const bytes = argv.buffer
  const negative = bytes[from] === DASH && to > from
  const first = negative ? from + 1 : from
  const digits = to - first
  if (digits < 1 || digits > SAFE_DIGITS) return digits < 1 ? null : integerOf(argv.latin1(i))
  if (bytes[first] === ZERO) return digits === 1 && !negative ? 0 : null
  let value = 0
  for (let k = first; k < to; k += 1) {
    const byte = bytes[k] as number
    if (byte < ZERO || byte > NINE) return null
    value = value * 10 + (byte - ZERO)
  }
  return negative ? -value : value
}

/** The same of text of one character a byte. */
export function integerOf(text: string): number | bigint | null {
  if (!STRICT.test(text)) return null
  const value = BigInt(text)
  if (value < INT64_MIN || value > INT64_MAX) return null
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : value
}

/** The sum of two such numbers, or null where 64 bits do not hold it. */
export function addIntegers(a: number | bigint, b: number | bigint): number | bigint | null {
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a + b)) return a + b
  const sum = BigInt(a) + BigInt(b)
  if (sum < INT64_MIN || sum > INT64_MAX) return null
  const near = Number(sum)
  return Number.isSafeInteger(near) ? near : sum
}

/** A number for what is only compared and counted with: beyond 2^53 the nearest safe integer. */
export function clampToSafe(value: number | bigint): number {
  if (typeof value === 'number') return value
  return value < 0 ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER
}

const timeoutNotInteger = fail('ERR timeout is not an integer or out of range')
const timeoutNegative = fail('ERR timeout is negative')
const timeoutTooLong = fail('ERR timeout is out of range')

const timeoutNotFloat = fail('ERR timeout is not a float or out of range')
const DECIMAL = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?:e([+-]?[0-9]+))?$/i
const HEX = /^([+-]?)0x(?:([0-9a-f]+)\.?([0-9a-f]*)|\.([0-9a-f]+))(?:p([+-]?[0-9]+))?$/i
const INFINITE = /^([+-]?)inf(?:inity)?$/i
/** Redis reads into 80 bits, where larger exponents overflow. */
const EXPONENT_MAX = 4932
/** Behind this many milliseconds the end of the wait does not fit 64 bits. */
const WAIT_MS_MAX = 9_223_370_000_000_000_000
/** Longer words are no timeouts, so that no text costs time. */
const TIMEOUT_BYTES_MAX = 256

function hexNumber(found: RegExpExecArray): number {
  const [, sign, whole = '', part = '', only = '', exponent = '0'] = found
  const fraction = part + only
  let value = 0
  for (const digit of whole + fraction) value = value * 16 + Number.parseInt(digit, 16)
  const size = value * 2 ** (Number(exponent) - 4 * fraction.length)
  return sign === '-' ? -size : size
}

/** @returns the number that `text` is in C, null if it is none */
function parseFloating(text: string): number | null {
  if (text.length > TIMEOUT_BYTES_MAX) return null
  const decimal = DECIMAL.exec(text)
  if (decimal !== null) {
    const [, digits = '', exponent = '0'] = decimal
    if (!/[1-9]/.test(digits)) return 0
    if (Math.abs(Number(exponent)) > EXPONENT_MAX) return null
    // Not zero, however small.
    return Number(text) === 0 ? Number.MIN_VALUE : Number(text)
  }
  const hex = HEX.exec(text)
  if (hex !== null) return hexNumber(hex)
  const infinite = INFINITE.exec(text)
  if (infinite === null) return null
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** Word i, a time in seconds, as milliseconds: what is less than one is one. 0 waits for ever. */
export function parseTimeoutSeconds(argv: Argv, i: number): number | ErrorReply {
  const seconds = parseFloating(argv.latin1(i))
  if (seconds === null) return timeoutNotFloat
  const exact = seconds * 1000
  if (exact > WAIT_MS_MAX) return timeoutTooLong
  // 1.001 seconds are 1001 ms, although their product is a little less or more.
  const near = Math.round(exact)
  const ms = Math.abs(exact - near) < near * 1e-12 ? near : Math.ceil(exact)
  return ms < 0 ? timeoutNegative : Math.max(ms, 0)
}

/** Word i as the milliseconds of BLOCK; 0 waits for ever. */
export function parseTimeoutMs(argv: Argv, i: number): number | ErrorReply {
  const value = parseInteger(argv, i)
  if (value === null) return timeoutNotInteger
  if (value < 0) return timeoutNegative
  return typeof value === 'number' ? value : timeoutTooLong
}
