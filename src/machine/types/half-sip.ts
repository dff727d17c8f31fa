// HalfSipHash-1-3: a keyed hash of 32 bits (Aumasson and Bernstein; Linux' include/linux/siphash.h).
//
// Keyed, so that nobody who does not know the key can choose members that all fall into
// one place. Every replica has the same key: it is a part of the value.

const C2 = 0x6c796765
const C3 = 0x74656462

/** The hash of the bytes [from, to) of `bytes`, unsigned. */
export function halfSip(
  key0: number,
  key1: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let v0 = key0 | 0
  let v1 = key1 | 0
  let v2 = C2 ^ key0
  let v3 = C3 ^ key1
  const length = to - from
  const whole = to - (length & 3)
  // Words, then the last word with the length on top, then 0xff and three rounds more.
  for (let at = from, left = ((whole - from) >> 2) + 4; left > 0; left -= 1) {
    let word = 0
    if (left > 4) {
      word =
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)
      at += 4
    } else if (left === 4) {
      word = length << 24
      const rest = length & 3
      if (rest > 2) word |= (bytes[whole + 2] as number) << 16
      if (rest > 1) word |= (bytes[whole + 1] as number) << 8
      if (rest > 0) word |= bytes[whole] as number
    } else if (left === 3) {
      v2 ^= 0xff
    }
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return (v1 ^ v3) >>> 0
}
