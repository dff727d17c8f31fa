// What a Raft entry carries: a header and the commands that one turn gathered for one shard.
//
//   u8 version | u8 reserved | u16 reserved | u32 count | f64 now     (little-endian, 16 bytes)
//   count x command
//
// `now` is the leader's wall clock in Unix ms: time enters the state machine here
// and nowhere else. A command is its wire form (multibulk.ts), so that a client's
// bytes are copied once, whole runs at a time. A command of a producer session is
// preceded by its session (DECISIONS, "Retries that do not duplicate"):
//
//   '=' | u8 length of the producer id | producer id | u32 epoch | u64 sequence | command
//
// A transaction stands in the place of one command (transaction.ts).
//
// A command that waited and is run again, because what it waits for may be there, is
// preceded by `~`. It then waits on where a first call would be refused for a key
// of another type.
//
// The meta shard's machine reads the same header and has commands of its own.

import { assert } from './assert.ts'
import type { Ms } from './types.ts'

export const PAYLOAD_VERSION = 1
export const PAYLOAD_HEADER_BYTES = 16
/** First byte of a command that belongs to a producer session. */
export const PRODUCER_MARK = 0x3d
/** First byte of a command that waited and is run again. */
export const AGAIN_MARK = 0x7e

/** Writes the header into the first PAYLOAD_HEADER_BYTES of `target`. */
export function writePayloadHeader(target: Buffer, now: Ms, count: number): void {
  target[0] = PAYLOAD_VERSION
  target[1] = 0
  target[2] = 0
  target[3] = 0
  target.writeUInt32LE(count, 4)
  target.writeDoubleLE(now, 8)
}

/** Number of commands in `payload`; refuses a version this build does not know. */
export function payloadCount(payload: Buffer): number {
  assert(payload[0] === PAYLOAD_VERSION, () => `payload version ${payload[0]} is unknown`)
  return payload.readUInt32LE(4)
}

/** The leader's wall clock when it sealed `payload`. */
export function payloadNow(payload: Buffer): Ms {
  return payload.readDoubleLE(8)
}

/** Where a command's producer session stands, and what it says. One object, filled again by each call. */
export type ProducerMark = {
  /** The producer's id, one character a byte. */
  id: string
  epoch: number
  /** -1: beyond 2^53 - 1, which no producer of ours sends. */
  sequence: number
  /** Where the command begins. */
  end: number
}

const mark: ProducerMark = { id: '', epoch: 0, sequence: 0, end: 0 }
const EPOCH_BYTES = 4
const SEQUENCE_BYTES = 8
const TWO_32 = 0x1_0000_0000
const HIGH_MAX = 0x1f_ffff

/** Reads the producer session whose mark stands at `from`. What it returns is valid until the next call. */
export function readProducerMark(payload: Buffer, from: number): ProducerMark {
  const idFrom = from + 2
  const idTo = idFrom + (payload[from + 1] as number)
  const sequenceAt = idTo + EPOCH_BYTES
  assert(sequenceAt + SEQUENCE_BYTES <= payload.length, 'a producer session is whole')
  const low = payload.readUInt32LE(sequenceAt)
  const high = payload.readUInt32LE(sequenceAt + 4)
  mark.id = payload.latin1Slice(idFrom, idTo)
  mark.epoch = payload.readUInt32LE(idTo)
  mark.sequence = high > HIGH_MAX ? -1 : high * TWO_32 + low
  mark.end = sequenceAt + SEQUENCE_BYTES
  return mark
}
