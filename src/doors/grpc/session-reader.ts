// Reads the frames of CommandService.Session in place: one call at a time, its
// words copied once, from the frame into the command's wire form.
//
// The generated decoder makes a message, an array and a Buffer a word: at 64 calls
// of 5 words that is more than everything else the door does (bench/grpc.ts).

import type { Producer } from './desk.ts'
import { producerFault } from './producer.ts'
import type { Words } from './words.ts'

// Tags (number << 3 | wire type) of SessionRequest, Call and Producer.
const FRAME_CALLS = 0x0a
const CALL_TAG = 0x08
const CALL_ARGV = 0x12
const CALL_PRODUCER = 0x1a
const PRODUCER_ID = 0x0a
const PRODUCER_EPOCH = 0x10
const PRODUCER_SEQUENCE = 0x18

const WIRE_VARINT = 0
const WIRE_FIXED64 = 1
const WIRE_LENGTH_DELIMITED = 2
const WIRE_FIXED32 = 5

/** The frame is no SessionRequest, or a tag is too large. The stream cannot go on. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault'
}

export class SessionReader {
  readonly #words: Words
  #frame: Buffer = Buffer.alloc(0)
  #position = 0
  #end = 0
  /** The id that calls named last; nearly always the same one, so its text is made once. */
  #producerId = ''

  /** The tag of the call that `next` read. */
  tag = 0
  /** Its producer mark. */
  producer: Producer | null = null
  /** What is wrong with the call, or null: its words are in `words.argv`. */
  fault: string | null = null

  constructor(words: Words) {
    this.#words = words
  }

  /** Begins a frame. The one before must be at its end. */
  begin(frame: Buffer): void {
    this.#frame = frame
    this.#position = 0
    this.#end = frame.length
  }

  /**
   * Reads the next call of the frame.
   *
   * @returns false at the end of the frame
   * @throws FrameFault
   */
  next(): boolean {
    while (this.#position < this.#end) {
      const tag = this.#varint(this.#end)
      if (tag !== FRAME_CALLS) {
        this.#skip(tag, this.#end)
        continue
      }
      this.#call(this.#limit(this.#end))
      return true
    }
    this.#frame = EMPTY
    return false
  }

  #call(end: number): void {
    const words = this.#words
    words.begin()
    this.tag = 0
    this.producer = null
    this.fault = null
    while (this.#position < end) {
      const tag = this.#varint(end)
      if (tag === CALL_ARGV) {
        const to = this.#limit(end)
        words.slice(this.#frame, this.#position, to)
        this.#position = to
      } else if (tag === CALL_TAG) {
        this.tag = this.#varint(end)
        if (!Number.isSafeInteger(this.tag)) throw new FrameFault('a tag is above 2^53 - 1')
      } else if (tag === CALL_PRODUCER) {
        this.#producer(this.#limit(end))
      } else {
        this.#skip(tag, end)
      }
    }
    const fault = words.finish() ?? (words.count === 0 ? 'argv is empty' : null)
    this.fault = fault ?? this.fault
  }

  #producer(end: number): void {
    let id = ''
    let epoch = 0
    let sequence = 0
    while (this.#position < end) {
      const tag = this.#varint(end)
      if (tag === PRODUCER_ID) {
        const to = this.#limit(end)
        id = this.#idText(to)
        this.#position = to
      } else if (tag === PRODUCER_EPOCH) {
        epoch = this.#varint(end)
      } else if (tag === PRODUCER_SEQUENCE) {
        sequence = this.#varint(end)
      } else {
        this.#skip(tag, end)
      }
    }
    this.producer = { id, epoch, sequence }
    this.fault ??= producerFault(this.producer)
  }

  #idText(to: number): string {
    const known = this.#producerId
    const from = this.#position
    let same = known.length === to - from
    for (let i = 0; same && i < known.length; i += 1) {
      same = this.#frame[from + i] === known.charCodeAt(i)
    }
    if (!same) this.#producerId = this.#frame.latin1Slice(from, to)
    return this.#producerId
  }

  /** Reads a length; the position behind that many bytes. */
  #limit(end: number): number {
    const length = this.#varint(end)
    if (length > end - this.#position)
      throw new FrameFault('a length passes the end of its message')
    return this.#position + length
  }

  #varint(end: number): number {
    const frame = this.#frame
    let position = this.#position
    let value = 0
    let scale = 1
    // Ten bytes at most (protobuf, "Base 128 Varints"); beyond 2^53 the value is only approximate.
    for (let i = 0; i < 10; i += 1) {
      if (position >= end) throw new FrameFault('a number passes the end of its message')
      const byte = frame[position] as number
      position += 1
      if (byte < 0x80) {
        this.#position = position
        return value + byte * scale
      }
      value += (byte & 0x7f) * scale
      scale *= 0x80
    }
    throw new FrameFault('a number is over ten bytes')
  }

  /** Passes over a field that this build does not know. */
  #skip(tag: number, end: number): void {
    const wire = tag & 7
    if (tag < 8) throw new FrameFault('a field has the number 0')
    let to: number
    if (wire === WIRE_VARINT) {
      this.#varint(end)
      return
    }
    if (wire === WIRE_LENGTH_DELIMITED) to = this.#limit(end)
    else if (wire === WIRE_FIXED64) to = this.#position + 8
    else if (wire === WIRE_FIXED32) to = this.#position + 4
    else throw new FrameFault(`a field has the wire type ${wire}`)
    if (to > end) throw new FrameFault('a field passes the end of its message')
    this.#position = to
  }
}

const EMPTY = Buffer.alloc(0)
