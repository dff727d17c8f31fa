// A machine's state as bytes: cut at once, written in slices while it changes, and read back.
//
//   frame    := u8 type, u32 length, payload          (little-endian)
//   HEAD     u8 version, u32 digest, varint index, varint number of the next key, removals,
//            from version 5 on varint entries of a stream's block
//   KEY      varint number, key, u8 type, varint expiry, varint index of its last change
//            (keys in the order of their numbers)
//   PART     a part of the value of the key before    (types/value.ts)
//   PRODUCER a producer's session                     (the one silent for the longest first)
//   END      varint count of keys, u32 CRC-32C of all frames before this one
//
// Version 1 had streams only: its KEY ends with the key. Version 2 knew nothing of
// changes and removals: all it holds is older than any watch there may be. Version 3 did not
// say which commands of a producer wait.
//
// Equal states give equal bytes, whatever the sizes asked for: parts have a size of
// their own. A value is cut when the reader comes to it or when a command reaches
// for its key, whichever is first, so it is always the value of the moment of the
// cut; a cut shares what does not change any more, and costs microseconds.

import { assert } from '../base/assert.ts'
import { Reader, Writer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Index, Ms } from '../base/types.ts'
import type { Guard, Holder } from './holder.ts'
import { Keyspace } from './keyspace.ts'
import { Removals } from './removals.ts'
import {
  type Producer,
  type ProducerGuard,
  readProducer,
  Sessions,
  writeProducer,
} from './sessions.ts'
import type { Builder, Cut } from './types/part.ts'
import { BLOCK_ENTRIES } from './types/stream.ts'
import { builderOf, VALUE_TYPES, type Value, type ValueType } from './types/value.ts'

/** Written where a setting is not the default, so that a node before it reads the others. */
const VERSION = 5
const VERSION_WITHOUT_SETTINGS = 4
const VERSION_OF_STREAMS = 1
const VERSION_WITHOUT_CHANGES = 2
const VERSION_WITHOUT_WAITS = 3
const HEAD = 1
const KEY = 2
const PART = 3
const PRODUCER = 4
const END = 5
const FRAME_HEAD_BYTES = 5
/** A frame's size where the content can be divided. Fixed, so that bytes do not depend on who reads. */
const PART_BYTES = 64 * 1024

/** All that a machine is. */
export type State = {
  readonly keyspace: Keyspace
  readonly sessions: Sessions
  readonly digest: number
  readonly index: Index
}

/** A key as it was when it was cut. */
type KeyCut = {
  readonly type: ValueType
  readonly expiry: Ms
  readonly changed: Index
  readonly cut: Cut
}

function cutOf({ value, expiry, changed }: Holder): KeyCut {
  return { type: value.type, expiry, changed, cut: value.cut() }
}

/** Reads a state as it was when the cut was made. */
export class SnapshotCut {
  readonly #state: State
  readonly #row: readonly Holder[]
  readonly #count: number
  readonly #nextNumber: number
  readonly #cutNumber: number
  readonly #removals: Removals
  readonly #blockEntries: number
  /** Keys that were about to change before their turn. */
  readonly #early = new Map<Holder, KeyCut>()
  readonly #guard: Guard & ProducerGuard
  #next = 0
  /** Holders below this number were written, or are being. */
  #begun = 0
  #current: Cut | null = null
  #keys = 0
  readonly #producers: readonly Producer[]
  readonly #pending: Set<Producer>
  readonly #earlyProducers = new Map<Producer, Buffer>()
  #nextProducer = 0
  #headWritten = false
  /** The same memory for every slice: a large state must not leave its size in garbage. */
  #writer: Writer | null = null
  #ended = false
  #checksum = 0

  constructor(state: State) {
    this.#state = state
    this.#row = state.keyspace.row
    this.#count = this.#row.length
    this.#nextNumber = state.keyspace.nextNumber
    this.#removals = state.keyspace.removals.copy()
    this.#blockEntries = state.keyspace.blockEntries
    this.#producers = state.sessions.producers()
    this.#pending = new Set(this.#producers)
    this.#guard = {
      beforeChange: holder => this.#beforeKey(holder),
      beforeProducer: producer => this.#beforeProducer(producer),
    }
    this.#cutNumber = state.keyspace.guard(this.#guard)
    state.sessions.guard(this.#guard)
  }

  #beforeKey(holder: Holder): void {
    if (holder.number < this.#begun || holder.number >= this.#nextNumber) return
    if (!this.#early.has(holder)) this.#early.set(holder, cutOf(holder))
  }

  #beforeProducer(producer: Producer): void {
    if (!this.#pending.delete(producer)) return
    const writer = new Writer()
    writeProducer(writer, producer)
    this.#earlyProducers.set(producer, writer.take())
  }

  /** The next `bytesMax` bytes or somewhat more, or null at the end. Overwritten by the next call. */
  next(bytesMax: number): Uint8Array | null {
    if (this.#ended) return null
    this.#writer ??= new Writer(bytesMax + PART_BYTES)
    const writer = this.#writer
    writer.clear()
    while (!this.#ended && writer.length < bytesMax) this.#writeFrame(writer)
    return writer.view(0, writer.length)
  }

  close(): void {
    this.#ended = true
    this.#early.clear()
    this.#earlyProducers.clear()
    this.#state.keyspace.unguard(this.#guard)
    this.#state.sessions.unguard(this.#guard)
  }

  #writeFrame(writer: Writer): void {
    const from = writer.length
    const type = this.#nextType()
    writer.u8(type)
    writer.u32(0)
    this.#writePayload(writer, type)
    writer.patchU32(from + 1, writer.length - from - FRAME_HEAD_BYTES)
    this.#checksum = crc32c(writer.view(from, writer.length), this.#checksum)
  }

  #nextType(): number {
    if (!this.#headWritten) return HEAD
    if (this.#current !== null) return PART
    // The dead of before the cut are not of this state.
    while (this.#next < this.#count) {
      const died = (this.#row[this.#next] as Holder).died
      if (died === 0 || died > this.#cutNumber) return KEY
      this.#next += 1
    }
    this.#begun = this.#nextNumber
    return this.#nextProducer < this.#producers.length ? PRODUCER : END
  }

  #writePayload(writer: Writer, type: number): void {
    if (type === HEAD) this.#writeHead(writer)
    else if (type === KEY) this.#writeKey(writer, this.#row[this.#next] as Holder)
    else if (type === PART) this.#writePart(writer)
    else if (type === PRODUCER) this.#writeProducer(writer)
    else this.#writeEnd(writer)
  }

  #writeHead(writer: Writer): void {
    writer.u8(this.#blockEntries === BLOCK_ENTRIES ? VERSION_WITHOUT_SETTINGS : VERSION)
    writer.u32(this.#state.digest)
    writer.varint(this.#state.index)
    writer.varint(this.#nextNumber)
    this.#removals.write(writer)
    if (this.#blockEntries !== BLOCK_ENTRIES) writer.varint(this.#blockEntries)
    this.#headWritten = true
  }

  #writeKey(writer: Writer, holder: Holder): void {
    writer.varint(holder.number)
    writer.latin1(holder.key)
    const { type, expiry, changed, cut } = this.#early.get(holder) ?? cutOf(holder)
    writer.u8(VALUE_TYPES.indexOf(type))
    writer.varint(expiry)
    writer.varint(changed)
    this.#current = cut
    this.#early.delete(holder)
    this.#next += 1
    this.#begun = holder.number + 1
    this.#keys += 1
  }

  #writePart(writer: Writer): void {
    if (this.#current?.write(writer, PART_BYTES) === true) this.#current = null
  }

  #writeProducer(writer: Writer): void {
    const producer = this.#producers[this.#nextProducer] as Producer
    const early = this.#earlyProducers.get(producer)
    if (early === undefined) writeProducer(writer, producer)
    else writer.raw(early)
    this.#pending.delete(producer)
    this.#earlyProducers.delete(producer)
    this.#nextProducer += 1
  }

  #writeEnd(writer: Writer): void {
    writer.varint(this.#keys)
    writer.u32(this.#checksum)
    this.close()
  }
}

type KeyHead = {
  readonly key: string
  readonly number: number
  readonly expiry: Ms
  readonly changed: Index
  readonly builder: Builder<Value>
}

/** Makes a state from the bytes of a snapshot, which come in chunks of any size. */
export class SnapshotBuilder {
  readonly #install: (state: State) => void
  readonly #keyspace = new Keyspace()
  readonly #sessions = new Sessions()
  #digest = 0
  #index: Index = 0
  #nextNumber = 0
  /** What came of the frame that is not whole yet. */
  #parts: Buffer[] = []
  #bytes = 0
  /** How many bytes it takes before another try. */
  #needed = FRAME_HEAD_BYTES
  #version = VERSION
  #key: KeyHead | null = null
  #keys = 0
  #checksum = 0
  #ended = false

  /** @param install gets the state when it is whole */
  constructor(install: (state: State) => void) {
    this.#install = install
  }

  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    if (this.#bytes + bytes.length < this.#needed) {
      // The caller keeps the chunk.
      this.#parts.push(Buffer.from(bytes))
      this.#bytes += bytes.length
      return
    }
    const whole = this.#parts.length === 0 ? bytes : Buffer.concat([...this.#parts, bytes])
    const rest = this.#readFrames(whole)
    this.#parts = rest < whole.length ? [Buffer.from(whole.subarray(rest))] : []
    this.#bytes = whole.length - rest
  }

  /** Reads the whole frames of `bytes`. @returns where the first one begins that is not whole */
  #readFrames(bytes: Buffer): number {
    let at = 0
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + bytes.readUInt32LE(at + 1)
      if (end > bytes.length) {
        this.#needed = end - at
        return at
      }
      this.#readFrame(bytes[at] as number, new Reader(bytes, at + FRAME_HEAD_BYTES, end))
      this.#checksum = crc32c(bytes.subarray(at, end), this.#checksum)
      at = end
    }
    this.#needed = FRAME_HEAD_BYTES
    return at
  }

  #readFrame(type: number, reader: Reader): void {
    assert(!this.#ended, 'nothing comes behind the end of a snapshot')
    if (type === PART) {
      assert(this.#key !== null, 'a part has a key')
      const flaw = this.#key.builder.read(reader)
      assert(flaw === null, () => `a snapshot holds values as they were: ${flaw}`)
      return
    }
    this.#endKey()
    if (type === HEAD) this.#readHead(reader)
    else if (type === KEY) this.#readKey(reader)
    else if (type === PRODUCER) this.#readProducer(reader)
    else if (type === END) this.#readEnd(reader)
    else assert(false, `snapshot frame ${type} is unknown`)
    assert(reader.left === 0, 'a frame is read whole')
  }

  #readHead(reader: Reader): void {
    this.#version = reader.u8()
    assert(
      this.#version >= VERSION_OF_STREAMS && this.#version <= VERSION,
      `snapshot version ${this.#version} is unknown`,
    )
    this.#digest = reader.u32()
    this.#index = reader.count()
    this.#nextNumber = reader.count()
    if (this.#version > VERSION_WITHOUT_CHANGES) this.#keyspace.adoptRemovals(Removals.read(reader))
    if (this.#version > VERSION_WITHOUT_SETTINGS) this.#keyspace.blockEntries = reader.count()
  }

  #readProducer(reader: Reader): void {
    this.#sessions.adopt(readProducer(reader, this.#version > VERSION_WITHOUT_WAITS))
  }

  #readKey(reader: Reader): void {
    const number = reader.count()
    const key = reader.latin1()
    const type = this.#version === VERSION_OF_STREAMS ? 0 : reader.u8()
    const expiry = this.#version === VERSION_OF_STREAMS ? 0 : reader.count()
    const changed = this.#version > VERSION_WITHOUT_CHANGES ? reader.count() : 0
    const builder = builderOf(type)
    assert(builder !== null, `value type ${type} is unknown`)
    this.#key = { key, number, expiry, changed, builder }
    this.#keys += 1
  }

  #endKey(): void {
    if (this.#key === null) return
    const { key, number, expiry, changed, builder } = this.#key
    const value = builder.finish()
    assert(typeof value !== 'string', () => `a snapshot holds values as they were: ${value}`)
    this.#keyspace.adopt(key, value, number, expiry, changed)
    this.#key = null
  }

  #readEnd(reader: Reader): void {
    assert(reader.count() === this.#keys, 'a snapshot has all its keys')
    assert(reader.u32() === this.#checksum, 'the checksum of a snapshot fits')
    this.#keyspace.skipTo(this.#nextNumber)
    this.#ended = true
  }

  /** The state takes the place of the old one. */
  finish(): void {
    assert(this.#ended, 'a snapshot has an end')
    this.#install({
      keyspace: this.#keyspace,
      sessions: this.#sessions,
      digest: this.#digest,
      index: this.#index,
    })
  }
}
