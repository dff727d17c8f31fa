// What desks say to each other of pub/sub, as bytes: the message PubSub of peer.proto.
//
// A parcel gathers what one turn has for one peer. Messages are written into it as
// they are published, so that they cost no objects on the way; the peer door carries
// the bytes in its envelope without looking at them. Numbers are varints, nested
// messages have their lengths before them, as Protocol Buffers have it.

import { varintBytes, writeVarint } from '../../base/bytes.ts'

/** Fields of PubSub: number * 8 + wire type 2 (bytes). */
const INTEREST = (1 << 3) | 2
const PUBLICATION = (2 << 3) | 2
const ASK = (3 << 3) | 0
/** Fields of Interest. */
const ANEW = (1 << 3) | 0
const CHANNELS = (2 << 3) | 2
const LEFT_CHANNELS = (3 << 3) | 2
const PATTERNS = (4 << 3) | 2
const LEFT_PATTERNS = (5 << 3) | 2
const VERSION = (6 << 3) | 0
const BASE = (7 << 3) | 0
/** Fields of Publication. */
const CHANNEL = (1 << 3) | 2
const PAYLOAD = (2 << 3) | 2
const SEQUENCE = (3 << 3) | 0

const CAPACITY_MIN = 1024
/** Larger buffers are not written to again. */
const KEPT_BYTES_MAX = 1024 * 1024
/** A loop beats a call that copies. */
const COPY_LOOP_BYTES = 32
const HASH_BYTES = 8
const HIGH_SCALE = 0x1_0000_0000
const EMPTY = Buffer.alloc(0)

/** A change of what a node wants to hear. */
export type Interest = {
  /** What it said before is void: this is all. */
  readonly anew: boolean
  /** Hashes of channels (channel-hash.ts) that somebody began to listen to, or nobody listens to any more. */
  readonly channels: readonly number[]
  readonly leftChannels: readonly number[]
  /** Patterns, as latin1 text. */
  readonly patterns: readonly string[]
  readonly leftPatterns: readonly string[]
  /** Counts changes; the one that this was made to is `base`, which means nothing where it is anew. */
  readonly version: number
  readonly base: number
}

export class Parcel {
  #bytes = EMPTY
  #length = 0
  /** The messages in it. */
  publications = 0
  /** What was taken last and may still be read, and what may be written to again. */
  #taken = EMPTY
  #spare = EMPTY

  get length(): number {
    return this.#length
  }

  /** Adds the message whose channel and payload stand in `source`. */
  publish(
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
    sequence: number,
  ): void {
    const channel = channelTo - channelFrom
    const payload = payloadTo - payloadFrom
    const inner =
      3 + varintBytes(channel) + channel + varintBytes(payload) + payload + varintBytes(sequence)
    this.#reserve(1 + varintBytes(inner) + inner)
    const bytes = this.#bytes
    let at = this.#length
    bytes[at++] = PUBLICATION
    at = writeVarint(bytes, at, inner)
    bytes[at++] = CHANNEL
    at = writeVarint(bytes, at, channel)
    at = copy(source, channelFrom, channelTo, bytes, at)
    bytes[at++] = PAYLOAD
    at = writeVarint(bytes, at, payload)
    at = copy(source, payloadFrom, payloadTo, bytes, at)
    bytes[at++] = SEQUENCE
    this.#length = writeVarint(bytes, at, sequence)
    this.publications += 1
  }

  interest(interest: Interest): void {
    const { anew, channels, leftChannels, patterns, leftPatterns, version, base } = interest
    const inner =
      2 +
      varintBytes(version) +
      varintBytes(base) +
      (anew ? 2 : 0) +
      hashesBytes(channels) +
      hashesBytes(leftChannels) +
      textsBytes(patterns) +
      textsBytes(leftPatterns)
    this.#reserve(1 + varintBytes(inner) + inner)
    this.#bytes[this.#length++] = INTEREST
    this.#number(inner)
    if (anew) {
      this.#bytes[this.#length++] = ANEW
      this.#bytes[this.#length++] = 1
    }
    this.#hashes(CHANNELS, channels)
    this.#hashes(LEFT_CHANNELS, leftChannels)
    this.#texts(PATTERNS, patterns)
    this.#texts(LEFT_PATTERNS, leftPatterns)
    this.#bytes[this.#length++] = VERSION
    this.#number(version)
    this.#bytes[this.#length++] = BASE
    this.#number(base)
  }

  /** Asks the peer for all that it wants to hear. */
  ask(): void {
    this.#reserve(2)
    this.#bytes[this.#length++] = ASK
    this.#bytes[this.#length++] = 1
  }

  /** The bytes so far, good until `reclaim` and the take behind it; the parcel is empty again. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#taken = this.#bytes.length > KEPT_BYTES_MAX ? EMPTY : this.#bytes
    this.#bytes = this.#spare
    this.#spare = EMPTY
    this.clear()
    return taken
  }

  /** Nobody reads any more what was taken. */
  reclaim(): void {
    if (this.#taken.length === 0) return
    this.#spare = this.#taken
    this.#taken = EMPTY
  }

  clear(): void {
    this.#length = 0
    this.publications = 0
  }

  #number(value: number): void {
    this.#length = writeVarint(this.#bytes, this.#length, value)
  }

  #hashes(tag: number, hashes: readonly number[]): void {
    if (hashes.length === 0) return
    this.#bytes[this.#length++] = tag
    this.#number(hashes.length * HASH_BYTES)
    for (const hash of hashes) {
      this.#bytes.writeUInt32LE(hash % HIGH_SCALE, this.#length)
      this.#bytes.writeUInt32LE(Math.floor(hash / HIGH_SCALE), this.#length + 4)
      this.#length += HASH_BYTES
    }
  }

  #texts(tag: number, texts: readonly string[]): void {
    for (const text of texts) {
      this.#bytes[this.#length++] = tag
      this.#number(text.length)
      this.#length += this.#bytes.latin1Write(text, this.#length, text.length)
    }
  }

  #reserve(count: number): void {
    const need = this.#length + count
    if (need <= this.#bytes.length) return
    let capacity = Math.max(this.#bytes.length * 2, CAPACITY_MIN)
    while (capacity < need) capacity *= 2
    const grown = Buffer.allocUnsafe(capacity)
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

declare global {
  interface Buffer {
    /** Node's own encoder behind write(text, 'latin1'), without its argument checks. */
    latin1Write(text: string, offset?: number, length?: number): number
  }
}

function copy(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  if (to - from > COPY_LOOP_BYTES) return at + source.copy(target, at, from, to)
  let position = at
  for (let i = from; i < to; i += 1) target[position++] = source[i] as number
  return position
}

function hashesBytes(hashes: readonly number[]): number {
  const bytes = hashes.length * HASH_BYTES
  return bytes === 0 ? 0 : 1 + varintBytes(bytes) + bytes
}

function textsBytes(texts: readonly string[]): number {
  let bytes = 0
  for (const text of texts) bytes += 1 + varintBytes(text.length) + text.length
  return bytes
}

/** What a parcel tells. */
export interface ParcelReader {
  publication(
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
    sequence: number,
  ): void
  interest(interest: Interest): void
  /** The sender asks for all that this node wants to hear. */
  asked(): void
}

/** Reads fields in a range of bytes. What is cut off or too long makes `bad`, and then reads as the end. */
class Fields {
  readonly #bytes: Buffer
  at: number
  end: number
  bad = false

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes
    this.at = at
    this.end = end
  }

  /** The next tag, or 0 at the end. */
  tag(): number {
    return this.at < this.end ? this.number() : 0
  }

  number(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8 && this.at < this.end; i += 1) {
      const byte = this.#bytes[this.at] as number
      this.at += 1
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
    return this.#fail()
  }

  /** Goes past a field's bytes. @returns where they begin; they end at `at` */
  skipBytes(): number {
    const length = this.number()
    const from = this.at
    if (length > this.end - from) return this.#fail()
    this.at = from + length
    return from
  }

  /** Goes past a field of a newer build. */
  skip(tag: number): void {
    const type = tag & 7
    if (type === 0) this.number()
    else if (type === 2) this.skipBytes()
    else if (type === 1) this.#skipFixed(8)
    else if (type === 5) this.#skipFixed(4)
    else this.#fail()
  }

  #skipFixed(count: number): void {
    if (count > this.end - this.at) this.#fail()
    else this.at += count
  }

  #fail(): number {
    this.bad = true
    this.at = this.end
    return 0
  }
}

/** @returns false: the bytes are no parcel, or not to their end */
export function readParcel(bytes: Buffer, reader: ParcelReader): boolean {
  const outer = new Fields(bytes, 0, bytes.length)
  const inner = new Fields(bytes, 0, 0)
  for (let tag = outer.tag(); tag !== 0; tag = outer.tag()) {
    if (tag === ASK) {
      if (outer.number() !== 0) reader.asked()
      continue
    }
    if (tag !== PUBLICATION && tag !== INTEREST) {
      outer.skip(tag)
      continue
    }
    inner.at = outer.skipBytes()
    inner.end = outer.at
    if (outer.bad) return false
    if (tag === PUBLICATION) readPublication(bytes, inner, reader)
    else readInterest(bytes, inner, reader)
    if (inner.bad) return false
  }
  return !outer.bad
}

function readPublication(bytes: Buffer, fields: Fields, reader: ParcelReader): void {
  let channelFrom = 0
  let channelTo = 0
  let payloadFrom = 0
  let payloadTo = 0
  let sequence = 0
  for (let tag = fields.tag(); tag !== 0; tag = fields.tag()) {
    if (tag === CHANNEL) {
      channelFrom = fields.skipBytes()
      channelTo = fields.at
    } else if (tag === PAYLOAD) {
      payloadFrom = fields.skipBytes()
      payloadTo = fields.at
    } else if (tag === SEQUENCE) sequence = fields.number()
    else fields.skip(tag)
  }
  if (!fields.bad)
    reader.publication(bytes, channelFrom, channelTo, payloadFrom, payloadTo, sequence)
}

function readInterest(bytes: Buffer, fields: Fields, reader: ParcelReader): void {
  let anew = false
  let version = 0
  let base = 0
  const channels: number[] = []
  const leftChannels: number[] = []
  const patterns: string[] = []
  const leftPatterns: string[] = []
  for (let tag = fields.tag(); tag !== 0; tag = fields.tag()) {
    if (tag === ANEW) anew = fields.number() !== 0
    else if (tag === CHANNELS) readHashes(bytes, fields, channels)
    else if (tag === LEFT_CHANNELS) readHashes(bytes, fields, leftChannels)
    else if (tag === PATTERNS) patterns.push(readText(bytes, fields))
    else if (tag === LEFT_PATTERNS) leftPatterns.push(readText(bytes, fields))
    else if (tag === VERSION) version = fields.number()
    else if (tag === BASE) base = fields.number()
    else fields.skip(tag)
  }
  if (fields.bad) return
  reader.interest({ anew, channels, leftChannels, patterns, leftPatterns, version, base })
}

function readHashes(bytes: Buffer, fields: Fields, hashes: number[]): void {
  for (let at = fields.skipBytes(); at + HASH_BYTES <= fields.at; at += HASH_BYTES)
    hashes.push(bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * HIGH_SCALE)
}

function readText(bytes: Buffer, fields: Fields): string {
  const from = fields.skipBytes()
  return bytes.latin1Slice(from, fields.at)
}
