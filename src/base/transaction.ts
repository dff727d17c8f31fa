// A transaction as an entry carries it: one command to the batch, many to the machine.
//
//   '&' | u8 version | u16 watches | u32 commands | u32 bytes of what follows   (little-endian)
//   watches  x ( u8 whether the key was there | f64 index | u32 length | key )
//   commands x command in its wire form
//
// A watch says what was known of a key once entry `index` was applied; whether it
// changed since is judged where the transaction is applied, alike on every replica.
// In a payload a transaction stands where a command may stand, behind the mark of a
// producer session if it has one.

import { assert } from './assert.ts'
import type { Index } from './types.ts'

/** First byte of a transaction. */
export const TRANSACTION_MARK = 0x26
const VERSION = 1
const HEAD_BYTES = 12
/** Of one watch, beside its key. */
export const WATCH_FIXED_BYTES = 13

/** What a session knows of a key that it watches. */
export type Watched = {
  /** As latin1. */
  readonly key: string
  /** The last entry that was applied when this was known. */
  readonly index: Index
  readonly existed: boolean
}

export function writeTransaction(
  watches: readonly Watched[],
  count: number,
  commands: Uint8Array,
): Buffer {
  let watchBytes = 0
  for (const { key } of watches) watchBytes += WATCH_FIXED_BYTES + key.length
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + watchBytes + commands.length)
  bytes[0] = TRANSACTION_MARK
  bytes[1] = VERSION
  bytes.writeUInt16LE(watches.length, 2)
  bytes.writeUInt32LE(count, 4)
  bytes.writeUInt32LE(watchBytes + commands.length, 8)
  let at = HEAD_BYTES
  for (const { key, index, existed } of watches) {
    bytes[at] = existed ? 1 : 0
    bytes.writeDoubleLE(index, at + 1)
    bytes.writeUInt32LE(key.length, at + 9)
    bytes.write(key, at + WATCH_FIXED_BYTES, 'latin1')
    at += WATCH_FIXED_BYTES + key.length
  }
  bytes.set(commands, at)
  return bytes
}

export type TransactionHead = {
  readonly watches: readonly Watched[]
  readonly count: number
  /** Where the first command begins. */
  readonly start: number
  /** Where the last one ends. */
  readonly end: number
}

/** Reads a transaction up to its first command. */
export function readTransaction(payload: Buffer, from: number): TransactionHead {
  assert(payload[from + 1] === VERSION, () => `transaction version ${payload[from + 1]} is unknown`)
  const end = from + HEAD_BYTES + payload.readUInt32LE(from + 8)
  assert(end <= payload.length, 'a transaction is whole')
  const watches: Watched[] = []
  let at = from + HEAD_BYTES
  for (let left = payload.readUInt16LE(from + 2); left > 0; left -= 1) {
    const keyAt = at + WATCH_FIXED_BYTES
    const keyEnd = keyAt + payload.readUInt32LE(at + 9)
    watches.push({
      key: payload.latin1Slice(keyAt, keyEnd),
      index: payload.readDoubleLE(at + 1),
      existed: payload[at] === 1,
    })
    at = keyEnd
  }
  return { watches, count: payload.readUInt32LE(from + 4), start: at, end }
}
