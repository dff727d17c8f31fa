// A place in a buffer that writes or reads the fields of our own formats, little-endian.
//
// Whoever reads has checked a checksum first, so a field that does not fit is a
// broken invariant here and not damage. 64-bit fields carry numbers below 2^53.

import { assert } from '../base/assert.ts'
import type { NodeId } from '../base/types.ts'
import type { ConfState } from '../raft/message.ts'

const TWO_32 = 0x1_0000_0000

export class Cursor {
  readonly buffer: Buffer
  at: number

  constructor(buffer: Buffer, at: number) {
    this.buffer = buffer
    this.at = at
  }

  putU8(value: number): void {
    this.buffer[this.at] = value
    this.at += 1
  }

  putU16(value: number): void {
    this.at = this.buffer.writeUInt16LE(value, this.at)
  }

  putU32(value: number): void {
    this.at = this.buffer.writeUInt32LE(value, this.at)
  }

  putU64(value: number): void {
    assert(
      Number.isSafeInteger(value) && value >= 0,
      () => `${value} is no index, term or position`,
    )
    this.at = this.buffer.writeUInt32LE(value % TWO_32, this.at)
    this.at = this.buffer.writeUInt32LE(Math.floor(value / TWO_32), this.at)
  }

  putBytes(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.at)
    this.at += bytes.length
  }

  /** Zeros up to the next multiple of 8. */
  pad(): void {
    const end = padded(this.at)
    this.buffer.fill(0, this.at, end)
    this.at = end
  }

  takeU8(): number {
    const value = this.buffer.readUInt8(this.at)
    this.at += 1
    return value
  }

  takeU16(): number {
    const value = this.buffer.readUInt16LE(this.at)
    this.at += 2
    return value
  }

  takeU32(): number {
    const value = this.buffer.readUInt32LE(this.at)
    this.at += 4
    return value
  }

  takeU64(): number {
    const value = readU64(this.buffer, this.at)
    assert(Number.isSafeInteger(value), () => `64-bit field ${value} is above 2^53`)
    this.at += 8
    return value
  }

  takeBytes(length: number): Buffer {
    assert(this.at + length <= this.buffer.length, () => `field of ${length} bytes does not fit`)
    const bytes = this.buffer.subarray(this.at, this.at + length)
    this.at += length
    return bytes
  }
}

/** A 64-bit field as a number; exact below 2^53, and above it whatever is nearest. */
export function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * TWO_32
}

/** `bytes` rounded up to a multiple of 8. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

// ConfState: u8 auto-leave | u8 0 | 4 x u16 count | u32 ids (voters, outgoing, learners, next).

export function confBytes(conf: ConfState): number {
  const members =
    conf.voters.length +
    conf.votersOutgoing.length +
    conf.learners.length +
    conf.learnersNext.length
  return 10 + 4 * members
}

export function putConf(cursor: Cursor, conf: ConfState): void {
  const lists = [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext]
  cursor.putU8(conf.autoLeave ? 1 : 0)
  cursor.putU8(0)
  for (const list of lists) cursor.putU16(list.length)
  for (const list of lists) for (const node of list) cursor.putU32(node)
}

export function takeConf(cursor: Cursor): ConfState {
  const autoLeave = cursor.takeU8() === 1
  cursor.takeU8()
  const counts = [cursor.takeU16(), cursor.takeU16(), cursor.takeU16(), cursor.takeU16()]
  const [voters, votersOutgoing, learners, learnersNext] = counts.map(count => {
    const list: NodeId[] = []
    for (let i = 0; i < count; i += 1) list.push(cursor.takeU32())
    return list
  })
  return {
    voters: voters ?? [],
    votersOutgoing: votersOutgoing ?? [],
    learners: learners ?? [],
    learnersNext: learnersNext ?? [],
    autoLeave,
  }
}

export const NO_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}
