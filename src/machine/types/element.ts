// One element of a list as bytes: read from either end, and equal only if the words are equal.
//
//   element := head, payload, length of head and payload read from behind
//
//   head     0ddddddd            the number d, 0..127; no payload
//            10llllll            a word of l bytes, l < 64
//            110lllll, u8        a word of 64 + l bytes, l of 13 bits, high bits first
//            111swwww            a number: w bytes of its size, little-endian; s: below zero
//            111s1001            as above, in two parts: five bytes of thousand millions, four of the rest
//            11101111, u32       a word of that many bytes, little-endian
//
// After Redis' listpacks: words that are whole decimal numbers, as `12` and `-7` are
// but `012` and `+7` are not, take less than their digits. A number has only one
// form, so elements are compared as bytes. The length at the end has seven bits a
// byte, the lowest in the last byte; a byte with its high bit set has more before it.

const ZERO = 0x30
const NINE = 0x39
const DASH = 0x2d
const WORD = 0x80
const LONG_WORD = 0xc0
const NUMBER = 0xe0
const NEGATIVE = 0x10
const HUGE_WORD = 0xef
const WIDTH = 0x0f
/** Width of a number in two parts. */
const TWO_PARTS = 9
const SHORT_MAX = 63
const LONG_MAX = SHORT_MAX + 8192
/** Digits that a JS number holds exactly, whatever they are. */
const SAFE_DIGITS = 15
/** More digits are a word: 64-bit numbers have at most 19. */
const DIGITS_MAX = 19
const REST_DIGITS = 9
const HIGH_BYTES = 5
/** Below this many bytes a loop beats the call into native code. */
const LOOP_BYTES_MAX = 24
const DOLLAR = 0x24
const CR = 0x0d
const LF = 0x0a

// What `measure` found: the element that `put` writes.
let measuredSize = 0
/** -1: a word. */
let measuredWidth = -1
let measuredValue = 0
let measuredRest = 0
let measuredNegative = false

/** Bytes of the length behind an element of `size`. */
function backBytes(size: number): number {
  if (size < 0x80) return 1
  if (size < 0x4000) return 2
  if (size < 0x20_0000) return 3
  return size < 0x1000_0000 ? 4 : 5
}

function widthOf(value: number): number {
  let width = 1
  for (let rest = value; rest > 0xff; rest = Math.floor(rest / 0x100)) width += 1
  return width
}

/** Whether the word is a number as it would be printed; then `measured*` say which. */
function isNumber(bytes: Uint8Array, from: number, to: number): boolean {
  const negative = bytes[from] === DASH
  const first = negative ? from + 1 : from
  const digits = to - first
  if (digits < 1 || digits > DIGITS_MAX) return false
  const lead = bytes[first] as number
  if (lead <= ZERO || lead > NINE) {
    if (lead !== ZERO || digits > 1 || negative) return false
  }
  const split = digits > SAFE_DIGITS ? to - REST_DIGITS : to
  let value = 0
  for (let k = first; k < split; k += 1) {
    const digit = (bytes[k] as number) - ZERO
    if (digit < 0 || digit > 9) return false
    value = value * 10 + digit
  }
  let rest = 0
  for (let k = split; k < to; k += 1) {
    const digit = (bytes[k] as number) - ZERO
    if (digit < 0 || digit > 9) return false
    rest = rest * 10 + digit
  }
  measuredNegative = negative
  measuredValue = value
  measuredRest = rest
  if (split < to) measuredWidth = TWO_PARTS
  else measuredWidth = value < 0x80 && !negative ? 0 : widthOf(value)
  return true
}

/** How many bytes the word from `from` to `to` takes as an element. The next `put` writes that word. */
export function measure(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from
  let size: number
  if (isNumber(bytes, from, to)) {
    size = 1 + measuredWidth
  } else {
    measuredWidth = -1
    if (length <= SHORT_MAX) size = 1 + length
    else size = (length <= LONG_MAX ? 2 : 5) + length
  }
  measuredSize = size
  return size + backBytes(size)
}

function putNumber(target: Uint8Array, at: number): void {
  if (measuredWidth === 0) {
    target[at] = measuredValue
    return
  }
  target[at] = NUMBER | (measuredNegative ? NEGATIVE : 0) | measuredWidth
  const width = measuredWidth === TWO_PARTS ? HIGH_BYTES : measuredWidth
  let rest = measuredValue
  for (let k = 1; k <= width; k += 1) {
    target[at + k] = rest % 0x100
    rest = Math.floor(rest / 0x100)
  }
  if (measuredWidth !== TWO_PARTS) return
  let low = measuredRest
  for (let k = 1 + HIGH_BYTES; k <= TWO_PARTS; k += 1) {
    target[at + k] = low & 0xff
    low >>>= 8
  }
}

function putWord(target: Buffer, at: number, source: Buffer, from: number, to: number): void {
  const length = to - from
  let position = at
  if (length <= SHORT_MAX) {
    target[position] = WORD | length
    position += 1
  } else if (length <= LONG_MAX) {
    const over = length - SHORT_MAX - 1
    target[position] = LONG_WORD | (over >> 8)
    target[position + 1] = over & 0xff
    position += 2
  } else {
    target[position] = HUGE_WORD
    target.writeUInt32LE(length, position + 1)
    position += 5
  }
  if (length > LOOP_BYTES_MAX) source.copy(target, position, from, to)
  else for (let k = 0; k < length; k += 1) target[position + k] = source[from + k] as number
}

/** Writes the word that was measured last at `at`. */
export function put(target: Buffer, at: number, source: Buffer, from: number, to: number): void {
  if (measuredWidth >= 0) putNumber(target, at)
  else putWord(target, at, source, from, to)
  const size = measuredSize
  const back = backBytes(size)
  let rest = size
  for (let k = at + size + back - 1; k >= at + size; k -= 1) {
    target[k] = (rest & 0x7f) | (k > at + size ? 0x80 : 0)
    rest >>>= 7
  }
}

/** The word from `from` to `to` as an element, in memory of its own. */
export function encoded(source: Buffer, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe(measure(source, from, to))
  put(bytes, 0, source, from, to)
  return bytes
}

/** Size of head and payload of the element at `at`. */
function sizeAt(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number
  if (head < WORD) return 1
  if (head < LONG_WORD) return 1 + head - WORD
  if (head < NUMBER)
    return 2 + SHORT_MAX + 1 + ((head - LONG_WORD) << 8) + (bytes[at + 1] as number)
  if (head !== HUGE_WORD) return 1 + (head & WIDTH)
  return 5 + lengthAt(bytes, at + 1)
}

/** A u32 below 2^31. */
function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** Where the element at `at` ends. */
export function endOf(bytes: Uint8Array, at: number): number {
  const size = sizeAt(bytes, at)
  return at + size + backBytes(size)
}

/** How many elements `bytes` is, or -1 if it is anything else. For bytes that may be broken. */
export function countElements(bytes: Uint8Array): number {
  let count = 0
  for (let at = 0; at < bytes.length; count += 1) {
    const head = bytes[at] as number
    const width = head & WIDTH
    if (head >= NUMBER && head !== HUGE_WORD && (width === 0 || width > TWO_PARTS)) return -1
    // Of a head that is cut off the size is no number.
    const size = sizeAt(bytes, at)
    const end = at + size + backBytes(size)
    if (!(size > 0 && end <= bytes.length) || beginOf(bytes, end) !== at) return -1
    at = end
  }
  return count
}

/** Where the element that ends at `end` begins. */
export function beginOf(bytes: Uint8Array, end: number): number {
  let k = end - 1
  let size = (bytes[k] as number) & 0x7f
  for (let shift = 7; (bytes[k] as number) >= 0x80; shift += 7) {
    k -= 1
    size |= ((bytes[k] as number) & 0x7f) << shift
  }
  return k - size
}

/** Whether the element at `at` is the one that `encoded` made. */
export function isElement(bytes: Buffer, at: number, element: Buffer): boolean {
  const length = element.length
  if (length > LOOP_BYTES_MAX) {
    // Head and length differ for most that are not equal.
    if (bytes[at] !== element[0] || at + length > bytes.length) return false
    return element.compare(bytes, at, at + length) === 0
  }
  // Reading beyond the element is harmless: it has ended differently by then.
  for (let k = 0; k < length; k += 1) if (bytes[at + k] !== element[k]) return false
  return true
}

function valueAt(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let k = width; k > 0; k -= 1) value = value * 0x100 + (bytes[at + k - 1] as number)
  return value
}

function digitsOf(value: number): number {
  let digits = 1
  for (let bound = 10; bound <= value; bound *= 10) digits += 1
  return digits
}

/** Writes `value` as exactly `digits` digits. */
function writeDigits(target: Uint8Array, at: number, value: number, digits: number): void {
  let rest = value
  for (let k = at + digits - 1; k >= at; k -= 1) {
    const next = Math.floor(rest / 10)
    target[k] = ZERO + (rest - next * 10)
    rest = next
  }
}

/** Length of the word at `at`. */
export function wordLength(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number
  if (head < WORD) return digitsOf(head)
  if (head < LONG_WORD) return head - WORD
  if (head < NUMBER) return SHORT_MAX + 1 + ((head - LONG_WORD) << 8) + (bytes[at + 1] as number)
  if (head === HUGE_WORD) return lengthAt(bytes, at + 1)
  const sign = (head & NEGATIVE) >> 4
  const width = head & WIDTH
  if (width !== TWO_PARTS) return sign + digitsOf(valueAt(bytes, at + 1, width))
  return sign + digitsOf(valueAt(bytes, at + 1, HIGH_BYTES)) + REST_DIGITS
}

/** Writes the word at `at` of `bytes`, which has `length` bytes, to `target`. */
export function writeWord(
  bytes: Buffer,
  at: number,
  length: number,
  target: Buffer,
  position: number,
): void {
  const head = bytes[at] as number
  if (head < WORD) {
    writeDigits(target, position, head, length)
    return
  }
  if (head < NUMBER || head === HUGE_WORD) {
    const from = at + (head < LONG_WORD ? 1 : head < NUMBER ? 2 : 5)
    if (length > LOOP_BYTES_MAX) bytes.copy(target, position, from, from + length)
    else for (let k = 0; k < length; k += 1) target[position + k] = bytes[from + k] as number
    return
  }
  const negative = (head & NEGATIVE) !== 0
  if (negative) target[position] = DASH
  const first = negative ? position + 1 : position
  const digits = negative ? length - 1 : length
  const width = head & WIDTH
  if (width !== TWO_PARTS) {
    writeDigits(target, first, valueAt(bytes, at + 1, width), digits)
    return
  }
  const high = digits - REST_DIGITS
  writeDigits(target, first, valueAt(bytes, at + 1, HIGH_BYTES), high)
  const rest = valueAt(bytes, at + 1 + HIGH_BYTES, TWO_PARTS - HIGH_BYTES)
  writeDigits(target, first + high, rest, REST_DIGITS)
}

/** The word at `at`, in memory of its own. */
export function wordAt(bytes: Buffer, at: number): Buffer {
  const length = wordLength(bytes, at)
  const word = Buffer.allocUnsafe(length)
  writeWord(bytes, at, length, word, 0)
  return word
}

/** `$`, the length, and two line ends around a word. */
const FRAME_BYTES_MAX = 1 + 10 + 2 + 2

/**
 * Words of elements in memory of their own, side by side as RESP has them in a
 * reply, `$5\r\nhello\r\n`: a door that speaks RESP copies all of them at once.
 */
export class Words {
  #bytes: Buffer
  #used = 0
  readonly #bounds: number[] = []

  /** @param bytes expected */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafe(bytes)
  }

  get count(): number {
    return this.#bounds.length / 2
  }

  add(bytes: Buffer, at: number): void {
    const length = wordLength(bytes, at)
    const most = this.#used + length + FRAME_BYTES_MAX
    if (most > this.#bytes.length) this.#grow(most)
    const target = this.#bytes
    const digits = digitsOf(length)
    let end = this.#used
    target[end] = DOLLAR
    writeDigits(target, end + 1, length, digits)
    end += 1 + digits
    target[end] = CR
    target[end + 1] = LF
    const from = end + 2
    end = from + length
    writeWord(bytes, at, length, target, from)
    target[end] = CR
    target[end + 1] = LF
    this.#bounds.push(from, end)
    this.#used = end + 2
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(bytes, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#used)
    this.#bytes = larger
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  /** Where the words stand, without what is around them: from bounds[2i] to bounds[2i + 1]. */
  get bounds(): readonly number[] {
    return this.#bounds
  }

  /** Bytes of all words with what is around them. */
  get framedBytes(): number {
    return this.#used
  }
}
