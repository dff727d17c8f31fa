// The iid that XADD IDMPAUTO makes of an entry's fields: 16 bytes, whatever the order of the pairs.

import type { Argv } from '../../base/argv.ts'
import { hash128, hashWords } from '../../base/hash128.ts'

const WORDS = 4

/** Sums and exclusive ors of the pairs' hashes, and the number of pairs. */
const mixed = new Uint32Array(2 * WORDS + 1)
const mixedBytes = new Uint8Array(mixed.buffer)
const hashBytes = Buffer.from(hashWords.buffer, hashWords.byteOffset, hashWords.byteLength)

/** The hash of the pairs from word `first` on. Valid until the next call. */
export function hashFields(argv: Argv, first: number): Buffer {
  mixed.fill(0)
  for (let i = first; i + 1 < argv.count; i += 2) {
    hash128(argv.buffer, argv.from(i), argv.to(i), false)
    // The hash of the field knows its length, so field and value cannot trade bytes.
    hash128(argv.buffer, argv.from(i + 1), argv.to(i + 1), true)
    for (let k = 0; k < WORDS; k += 1) {
      const word = hashWords[k] as number
      mixed[k] = (mixed[k] as number) + word
      mixed[WORDS + k] = (mixed[WORDS + k] as number) ^ word
    }
    mixed[2 * WORDS] = (mixed[2 * WORDS] as number) + 1
  }
  hash128(mixedBytes, 0, mixedBytes.length, false)
  return hashBytes
}
