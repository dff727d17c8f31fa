// A hash of 128 bits for telling contents apart, not for secrets: MurmurHash3_x86_128.
//
// Part of replicated state (XADD IDMPAUTO), so what it gives never changes.

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93
const BLOCK_BYTES = 16

/** The state, and after `hash128` the hash: four words. Valid until the next call. */
export const hashWords = new Uint32Array(4)

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits))
}

function mixEnd(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Four bytes, little-endian, zeros beyond `to`. */
function wordAt(bytes: Uint8Array, at: number, to: number): number {
  if (at + 4 <= to)
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    )
  let word = 0
  for (let i = at; i < to; i += 1) word |= (bytes[i] as number) << ((i - at) * 8)
  return word
}

/**
 * Hashes bytes `from` to `to` into `hashWords`.
 *
 * @param chained begin with what `hashWords` holds, so that the hash is of all that was hashed before too
 */
export function hash128(bytes: Uint8Array, from: number, to: number, chained: boolean): void {
  let h1 = chained ? (hashWords[0] as number) : 0
  let h2 = chained ? (hashWords[1] as number) : 0
  let h3 = chained ? (hashWords[2] as number) : 0
  let h4 = chained ? (hashWords[3] as number) : 0
  const length = to - from
  let at = from
  for (; at + BLOCK_BYTES <= to; at += BLOCK_BYTES) {
    h1 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at, to), C1), 15), C2)
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at + 4, to), C2), 16), C3)
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
    h3 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at + 8, to), C3), 17), C4)
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
    h4 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at + 12, to), C4), 18), C1)
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  }
  if (at + 12 < to) h4 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at + 12, to), C4), 18), C1)
  if (at + 8 < to) h3 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at + 8, to), C3), 17), C4)
  if (at + 4 < to) h2 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at + 4, to), C2), 16), C3)
  if (at < to) h1 ^= Math.imul(rotate(Math.imul(wordAt(bytes, at, to), C1), 15), C2)
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = (h2 + h1) | 0
  h3 = (h3 + h1) | 0
  h4 = (h4 + h1) | 0
  h1 = mixEnd(h1)
  h2 = mixEnd(h2)
  h3 = mixEnd(h3)
  h4 = mixEnd(h4)
  h1 = (h1 + h2 + h3 + h4) | 0
  hashWords[0] = h1
  hashWords[1] = h2 + h1
  hashWords[2] = h3 + h1
  hashWords[3] = h4 + h1
}
