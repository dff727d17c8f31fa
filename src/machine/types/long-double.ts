// Numbers as INCRBYFLOAT knows them: the 80-bit `long double` of x86-64, on which Redis runs.
//
// A number is mantissa x 2^exponent with a mantissa of 64 bits, kept exactly as big
// integers, rounded to nearest and ties to even wherever the hardware rounds, and
// printed as printf's %.17Lf does it, without zeros at the end. Slow, and only where
// JavaScript's doubles would show different digits.

/** mantissa x 2^exponent. */
export type LongDouble = { readonly mantissa: bigint; readonly exponent: number }

/** Not a finite number: Redis tells it apart from text that is no number. */
export type Parsed = LongDouble | 'infinite' | null

const MANTISSA_BITS = 64
/** The largest finite number is below 2^16384. */
const EXPONENT_MAX = 16_384
/** The smallest number above 0 is 2^-16445. */
const EXPONENT_MIN = -16_445
/** Redis' bound on such a text. */
const TEXT_BYTES_MAX = 5 * 1024 - 1
/** No power of ten beyond leaves a finite number other than 0, whatever digits stand before it. */
const POWER_MAX = 20_000
const PRINTED_DIGITS = 17
const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i
const HEXADECIMAL = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i
const INFINITE = /^[+-]?inf(?:inity)?$/i

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length
}

/** numerator / denominator, to the nearest whole number, ties to the even one. */
function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const twice = (numerator % denominator) * 2n
  if (twice < denominator || (twice === denominator && quotient % 2n === 0n)) return quotient
  return quotient + 1n
}

/** The nearest number to numerator / denominator, both above 0; 'infinite' beyond the range. */
function nearest(numerator: bigint, denominator: bigint): LongDouble | 'infinite' {
  let exponent = bitLength(numerator) - bitLength(denominator) - MANTISSA_BITS
  const shifted = (by: number): bigint =>
    by >= 0
      ? divideRounded(numerator, denominator << BigInt(by))
      : divideRounded(numerator << BigInt(-by), denominator)
  exponent = Math.max(exponent, EXPONENT_MIN)
  let mantissa = shifted(exponent)
  if (bitLength(mantissa) > MANTISSA_BITS) {
    exponent += 1
    mantissa = shifted(exponent)
    // Rounding up filled all bits: the next power of two.
    if (bitLength(mantissa) > MANTISSA_BITS) {
      mantissa >>= 1n
      exponent += 1
    }
  }
  return bitLength(mantissa) + exponent > EXPONENT_MAX ? 'infinite' : { mantissa, exponent }
}

function fromRatio(sign: string, numerator: bigint, denominator: bigint): Parsed {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 }
  const found = nearest(numerator, denominator)
  // Out of range either way is no number to strtold.
  if (found === 'infinite' || found.mantissa === 0n) return null
  return sign === '-' ? { ...found, mantissa: -found.mantissa } : found
}

/** A number as C's strtold reads it, all of `text` and nothing before it. */
export function parseLongDouble(text: string): Parsed {
  if (text.length === 0 || text.length > TEXT_BYTES_MAX) return null
  if (INFINITE.test(text)) return 'infinite'
  const hexadecimal = HEXADECIMAL.exec(text)
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    hexadecimal ?? DECIMAL.exec(text) ?? []
  if (whole === '' && fraction === '') return null
  const digits = BigInt((hexadecimal === null ? '' : '0x') + whole + fraction)
  const given = Math.max(-POWER_MAX, Math.min(POWER_MAX, Number(power)))
  const base = hexadecimal === null ? 10n : 2n
  const exponent = given - fraction.length * (hexadecimal === null ? 1 : 4)
  return exponent >= 0
    ? fromRatio(sign, digits * base ** BigInt(exponent), 1n)
    : fromRatio(sign, digits, base ** BigInt(-exponent))
}

/** The sum, rounded as the hardware rounds it. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | 'infinite' {
  const exponent = Math.min(a.exponent, b.exponent)
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent))
  if (sum === 0n) return { mantissa: 0n, exponent: 0 }
  const size = sum < 0n ? -sum : sum
  const found =
    exponent >= 0 ? nearest(size << BigInt(exponent), 1n) : nearest(size, 1n << BigInt(-exponent))
  if (found === 'infinite' || sum > 0n) return found
  return { ...found, mantissa: -found.mantissa }
}

/** As %.17Lf prints it, without zeros behind the point. */
export function printLongDouble({ mantissa, exponent }: LongDouble): string {
  const size = (mantissa < 0n ? -mantissa : mantissa) * 10n ** BigInt(PRINTED_DIGITS)
  const scaled =
    exponent >= 0 ? size << BigInt(exponent) : divideRounded(size, 1n << BigInt(-exponent))
  const digits = scaled.toString().padStart(PRINTED_DIGITS + 1, '0')
  const point = digits.length - PRINTED_DIGITS
  const fraction = digits.slice(point).replace(/0+$/, '')
  const text = fraction === '' ? digits.slice(0, point) : `${digits.slice(0, point)}.${fraction}`
  return mantissa < 0n && scaled !== 0n ? `-${text}` : text
}
