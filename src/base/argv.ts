// The words of one command, in place: offsets into the buffer they arrived in.
//
// A decoder fills one Argv again and again, so that a pipelined command costs no
// object. Whoever keeps words beyond the call copies them (`bytes` makes a view
// that keeps the whole buffer alive; `copy` owns its memory).

declare global {
  interface Buffer {
    /** Node's own decoder behind toString('latin1'), without its argument checks. */
    latin1Slice(start?: number, end?: number): string
  }
}

const CASE_BIT = 0x20
const UPPER_A = 0x41
const UPPER_Z = 0x5a
const LOWER_A = 0x61
const LOWER_Z = 0x7a
/** Remembered keys: a power of two. */
const KEYS_KEPT = 256
/** Longer keys are decoded each time. */
const KEY_BYTES_KEPT = 64

export class Argv {
  /** What the offsets point into. */
  buffer: Buffer = EMPTY
  /** Number of words. */
  count = 0
  /** Word i stands from bounds[2i] to bounds[2i + 1]. */
  bounds = new Int32Array(32)
  /** Where the command, as a RESP array of bulk strings, begins and ends in `buffer`. */
  start = 0
  end = 0
  /** Keys seen before, by hash: finding one again costs less than decoding it, and its hash is known to maps. */
  #keys: (string | undefined)[] | null = null

  /** Makes an Argv that owns its bytes, in the wire form that entries carry. */
  static of(...words: readonly (string | Uint8Array)[]): Argv {
    const argv = new Argv()
    argv.assign(words)
    return argv
  }

  /** Replaces the words by `words`, encoded anew. */
  assign(words: readonly (string | Uint8Array)[]): void {
    const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`, 'latin1')]
    let position = (parts[0] as Uint8Array).length
    this.reset(words.length)
    for (const word of words) {
      const bytes = typeof word === 'string' ? Buffer.from(word, 'utf8') : word
      const head = Buffer.from(`$${bytes.length}\r\n`, 'latin1')
      parts.push(head, bytes, CRLF)
      position += head.length
      this.push(position, position + bytes.length)
      position += bytes.length + CRLF.length
    }
    this.buffer = Buffer.concat(parts, position)
    this.start = 0
    this.end = position
  }

  /** Forgets the words and makes room for `capacity` of them. */
  reset(capacity: number): void {
    this.count = 0
    if (this.bounds.length < capacity * 2) this.bounds = new Int32Array(capacity * 2)
  }

  /** Adds a word; there must be room (see `reset`). */
  push(from: number, to: number): void {
    this.bounds[this.count * 2] = from
    this.bounds[this.count * 2 + 1] = to
    this.count += 1
  }

  from(i: number): number {
    return this.bounds[i * 2] as number
  }

  to(i: number): number {
    return this.bounds[i * 2 + 1] as number
  }

  length(i: number): number {
    return this.to(i) - this.from(i)
  }

  /** Word i as a view into the buffer. */
  bytes(i: number): Buffer {
    return this.buffer.subarray(this.from(i), this.to(i))
  }

  /** Word i as a string of one character a byte: the form in which keys and names are map keys. */
  latin1(i: number): string {
    return this.buffer.latin1Slice(this.from(i), this.to(i))
  }

  /** Word i as `latin1` gives it, for words that come again and again. For Argvs that are filled again and again. */
  key(i: number): string {
    const from = this.from(i)
    const to = this.to(i)
    const length = to - from
    if (length > KEY_BYTES_KEPT) return this.buffer.latin1Slice(from, to)
    const bytes = this.buffer
    let hash = length
    for (let k = from; k < to; k += 1) hash = (Math.imul(hash, 31) + (bytes[k] as number)) | 0
    if (this.#keys === null) this.#keys = new Array<string | undefined>(KEYS_KEPT).fill(undefined)
    const place = (hash ^ (hash >>> 15)) & (KEYS_KEPT - 1)
    const kept = this.#keys[place]
    if (kept !== undefined && kept.length === length) {
      let k = 0
      while (k < length && kept.charCodeAt(k) === bytes[from + k]) k += 1
      if (k === length) return kept
    }
    const key = bytes.latin1Slice(from, to)
    this.#keys[place] = key
    return key
  }

  /** Whether word i is `upper` (ASCII capitals, digits and signs) in any case. */
  is(i: number, upper: string): boolean {
    const from = this.from(i)
    if (this.to(i) - from !== upper.length) return false
    for (let k = 0; k < upper.length; k += 1) {
      let byte = this.buffer[from + k] as number
      if (byte >= LOWER_A && byte <= LOWER_Z) byte -= CASE_BIT
      if (byte !== upper.charCodeAt(k)) return false
    }
    return true
  }

  /** Word i in capitals, as text. For names of commands and options, not for data. */
  upper(i: number): string {
    return this.latin1(i).toUpperCase()
  }

  /** A copy with offsets and bytes of its own, for a command that has to wait. */
  copy(): Argv {
    const copy = new Argv()
    copy.reset(this.count)
    for (let i = 0; i < this.count; i += 1)
      copy.push(this.from(i) - this.start, this.to(i) - this.start)
    copy.buffer = Buffer.from(this.buffer.subarray(this.start, this.end))
    copy.start = 0
    copy.end = this.end - this.start
    return copy
  }
}

const EMPTY = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n', 'latin1')

/** Folds ASCII capitals of a byte to lower case. */
export function lowerByte(byte: number): number {
  return byte >= UPPER_A && byte <= UPPER_Z ? byte + CASE_BIT : byte
}
