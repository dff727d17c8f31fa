// Writes frames of CommandService.Session by hand: a call's words go from where the application has them straight into
// the frame.
//
// The length of a call stands before it and is known only behind it, so it is written as a varint of fixed width.

import { bytesAtMost, type Call, type Word } from './call.ts'

// Tags (number << 3 | wire type) of SessionRequest, Call and Producer.
const FRAME_CALLS = 0x0a
const CALL_TAG = 0x08
const CALL_ARGV = 0x12
const CALL_PRODUCER = 0x1a
const PRODUCER_ID = 0x0a
const PRODUCER_EPOCH = 0x10
const PRODUCER_SEQUENCE = 0x18

const CHUNK_BYTES = 64 * 1024
/** Four bytes of seven bits: a call is at most 32 MiB. */
const LENGTH_BYTES = 4
/** Everything about a call but its words: tags, lengths, the numbers and the mark. */
const AROUND_CALL_BYTES = 320
const AROUND_WORD_BYTES = 8
/** Below this many units a loop is faster than a call into the runtime. */
const LOOP_MAX = 32
const ONE_BYTE_MAX = 0x7f
const TWO_31 = 0x8000_0000

export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #start = 0
  #at = 0
  #mark: Buffer = Buffer.alloc(0)
  #markOf = ''

  /** Bytes since the last `take`. */
  get length(): number {
    return this.#at - this.#start
  }

  /** @param producerId of the call's mark, if it has one */
  add(call: Call, tag: number, producerId: string, epoch: number): void {
    let bytes = AROUND_CALL_BYTES
    for (const word of call.words) bytes += AROUND_WORD_BYTES + bytesAtMost(word)
    this.#reserve(bytes)
    const buffer = this.#buffer
    buffer[this.#at] = FRAME_CALLS
    const lengthAt = this.#at + 1
    this.#at = lengthAt + LENGTH_BYTES
    buffer[this.#at] = CALL_TAG
    this.#at += 1
    this.#varint(tag)
    for (const word of call.words) this.#word(word)
    if (call.sequence > 0) this.#producer(producerId, epoch, call.sequence)
    const length = this.#at - lengthAt - LENGTH_BYTES
    buffer[lengthAt] = (length & 0x7f) | 0x80
    buffer[lengthAt + 1] = ((length >>> 7) & 0x7f) | 0x80
    buffer[lengthAt + 2] = ((length >>> 14) & 0x7f) | 0x80
    buffer[lengthAt + 3] = length >>> 21
  }

  /** What was written since the last call; its bytes are not touched again. */
  take(): Buffer {
    const taken = this.#buffer.subarray(this.#start, this.#at)
    this.#start = this.#at
    return taken
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const begun = this.length
    const grown = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (begun + bytes) * 2))
    this.#buffer.copy(grown, 0, this.#start, this.#at)
    this.#buffer = grown
    this.#start = 0
    this.#at = begun
  }

  #word(word: Word): void {
    const buffer = this.#buffer
    buffer[this.#at] = CALL_ARGV
    this.#at += 1
    if (typeof word === 'object') {
      this.#varint(word.length)
      buffer.set(word, this.#at)
      this.#at += word.length
      return
    }
    const text = typeof word === 'string' ? word : String(word)
    if (text.length <= LOOP_MAX) this.#shortText(text)
    else {
      this.#varint(Buffer.byteLength(text))
      this.#at += buffer.write(text, this.#at, 'utf8')
    }
  }

  #shortText(text: string): void {
    const buffer = this.#buffer
    const from = this.#at + 1
    for (let i = 0; i < text.length; i += 1) {
      const unit = text.charCodeAt(i)
      if (unit > ONE_BYTE_MAX) {
        // At most 3 * LOOP_MAX bytes: the length is one byte all the same.
        const bytes = buffer.write(text, from, 'utf8')
        buffer[this.#at] = bytes
        this.#at = from + bytes
        return
      }
      buffer[from + i] = unit
    }
    buffer[this.#at] = text.length
    this.#at = from + text.length
  }

  #producer(producerId: string, epoch: number, sequence: number): void {
    if (this.#markOf !== producerId) this.#prepareMark(producerId, epoch)
    const buffer = this.#buffer
    buffer[this.#at] = CALL_PRODUCER
    const lengthAt = this.#at + 1
    this.#at += 3
    this.#mark.copy(buffer, this.#at)
    this.#at += this.#mark.length
    buffer[this.#at] = PRODUCER_SEQUENCE
    this.#at += 1
    this.#varint(sequence)
    const length = this.#at - lengthAt - 2
    buffer[lengthAt] = (length & 0x7f) | 0x80
    buffer[lengthAt + 1] = length >>> 7
  }

  /** The part of a mark that is alike in nearly all calls. */
  #prepareMark(producerId: string, epoch: number): void {
    const scratch = Buffer.alloc(producerId.length + 16)
    const own = { buffer: this.#buffer, at: this.#at }
    this.#buffer = scratch
    this.#at = 0
    scratch[0] = PRODUCER_ID
    this.#at = 1
    this.#varint(producerId.length)
    this.#at += scratch.write(producerId, this.#at, 'latin1')
    scratch[this.#at] = PRODUCER_EPOCH
    this.#at += 1
    this.#varint(epoch)
    this.#mark = scratch.subarray(0, this.#at)
    this.#markOf = producerId
    this.#buffer = own.buffer
    this.#at = own.at
  }

  /** A whole number from 0 to 2^53 - 1. */
  #varint(value: number): void {
    const buffer = this.#buffer
    let rest = value
    let at = this.#at
    while (rest >= TWO_31) {
      buffer[at] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
      at += 1
    }
    while (rest >= 0x80) {
      buffer[at] = (rest & 0x7f) | 0x80
      rest >>>= 7
      at += 1
    }
    buffer[at] = rest
    this.#at = at + 1
  }
}
