// A page of a set: the members of one range of hashes, side by side in one buffer.
//
//   member := u8 the low byte of its hash, varint length, bytes     (in the order in which they came)
//
// A page holds few members, so that looking for one reads some cache lines: the byte of
// the hash and the length tell nearly all others apart.

import { Reader, readVarint, varintBytes, varintEnd, writeVarint } from '../../base/bytes.ts'

/** Members above which a page is divided. */
export const PAGE_MEMBERS_MAX = 64
const GROWTH_BYTES_MIN = 16
/** An unused share of a buffer, 1 in so many, that a page may keep. */
const SLACK_SHARE = 4

export class Page {
  bytes: Buffer
  /** Bytes in use. */
  used = 0
  count = 0
  /** Its members have their topmost `depth` bits in common. */
  readonly depth: number
  /** The cut of the set before which it was made: older pages belong to a cut, too. */
  readonly epoch: number

  constructor(bytes: Buffer, depth: number, epoch: number) {
    this.bytes = bytes
    this.depth = depth
    this.epoch = epoch
  }

  /** The same members in memory of their own. */
  copy(epoch: number): Page {
    const page = new Page(Buffer.allocUnsafeSlow(this.bytes.length), this.depth, epoch)
    this.bytes.copy(page.bytes, 0, 0, this.used)
    page.used = this.used
    page.count = this.count
    return page
  }

  /** Where the member that is bytes [from, to) of `source` begins, or -1. */
  find(hash: number, source: Uint8Array, from: number, to: number): number {
    const { bytes, used } = this
    const print = hash & 0xff
    const length = to - from
    for (let at = 0; at < used; ) {
      let size = bytes[at + 1] as number
      let body = at + 2
      if (size >= 0x80) {
        size = readVarint(bytes, at + 1) as number
        body = varintEnd
      }
      if (bytes[at] === print && size === length) {
        let k = 0
        while (k < length && bytes[body + k] === source[from + k]) k += 1
        if (k === length) return at
      }
      at = body + size
    }
    return -1
  }

  /** Adds a member that is not here. */
  append(hash: number, source: Uint8Array, from: number, to: number): void {
    const length = to - from
    const need = this.used + 1 + varintBytes(length) + length
    if (need > this.bytes.length) this.#resize(need + Math.max(GROWTH_BYTES_MIN, need >> 2))
    const { bytes } = this
    bytes[this.used] = hash & 0xff
    const body = writeVarint(bytes, this.used + 1, length)
    for (let k = 0; k < length && length < 32; k += 1) bytes[body + k] = source[from + k] as number
    if (length >= 32) bytes.set(source.subarray(from, to), body)
    this.used = need
    this.count += 1
  }

  /** Takes out the member at `at`. */
  remove(at: number): void {
    const end = this.memberAt(at) + memberBytes
    this.bytes.copyWithin(at, end, this.used)
    this.used -= end - at
    this.count -= 1
    const { length } = this.bytes
    if (length - this.used > length / SLACK_SHARE + GROWTH_BYTES_MIN * 2)
      this.#resize(this.used + (this.used >> 3))
  }

  /** Where the bytes of the member at `at` begin; `memberBytes` then tells how many they are. */
  memberAt(at: number): number {
    memberBytes = readVarint(this.bytes, at + 1) as number
    return varintEnd
  }

  /** Where member `i` begins. */
  nth(i: number): number {
    let at = 0
    for (let left = i; left > 0; left -= 1) at = this.memberAt(at) + memberBytes
    return at
  }

  #resize(capacity: number): void {
    const bytes = Buffer.allocUnsafeSlow(capacity)
    this.bytes.copy(bytes, 0, 0, this.used)
    this.bytes = bytes
  }
}

/** How many members `bytes` is, or -1 if it is anything else. For bytes that may be broken. */
export function countMembers(bytes: Buffer): number {
  const reader = new Reader(bytes, 0, bytes.length, true)
  let count = 0
  for (; reader.left > 0; count += 1) {
    reader.u8()
    reader.skip(reader.count())
  }
  return reader.flaw === null ? count : -1
}

/** The size of the member that `memberAt` looked at last. */
export let memberBytes = 0
