// Hash slots: which of the 16,384 slots a key belongs to.
//
// Our own over bytes, because the hot path must not decode keys as text; tests
// check it against cluster-key-slot, which every Redis client uses.

import type { Slot } from './types.ts'

export const SLOT_COUNT = 16_384

const OPEN = 0x7b // {
const CLOSE = 0x7d // }

// CRC16/XMODEM: polynomial 0x1021, initial 0, nothing reflected.
const TABLE = new Uint16Array(256)
for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  TABLE[byte] = crc & 0xffff
}

/**
 * The slot of the key that stands in `bytes` from `start` to `end`: CRC16/XMODEM
 * of the key, or of its hash tag, modulo SLOT_COUNT.
 *
 * The tag is what stands between the first `{` and the next `}`, and counts only
 * if not empty: `{user:7}:cart` and `{user:7}:log` share a slot, `{}:a` has no tag.
 *
 * @param bytes raw bytes; never decoded as text
 * @returns 0..16383
 * @see Redis Cluster specification, "Hash tags"
 */
export function slotOf(bytes: Uint8Array, start = 0, end = bytes.length): Slot {
  let from = start
  let to = end
  for (let open = start; open < end; open += 1) {
    if (bytes[open] !== OPEN) continue
    let close = open + 1
    while (close < end && bytes[close] !== CLOSE) close += 1
    if (close < end && close > open + 1) {
      from = open + 1
      to = close
    }
    break
  }
  let crc = 0
  for (let i = from; i < to; i += 1) {
    crc = ((crc << 8) ^ (TABLE[((crc >>> 8) ^ (bytes[i] as number)) & 0xff] as number)) & 0xffff
  }
  return crc & (SLOT_COUNT - 1)
}
