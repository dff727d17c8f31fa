// Reads frames of CommandService.Session by hand: answers become values without messages in between.
//
// Redirects and errors are rare, and left to the generated code.

import { CallResult } from '../../gen/slotcast/v1/command_service.ts'
import type { Error as ErrorMessage, Redirect } from '../../gen/slotcast/v1/reply.ts'
import type { As } from './call.ts'
import { ErrorValue, Pairs, type Value } from './value.ts'

// Tags (number << 3 | wire type) of SessionResponse, CallResult and Reply.
const FRAME_RESULTS = 0x0a
const FRAME_CONFIG_EPOCH = 0x10
const RESULT_TAG = 0x08
const RESULT_REPLY = 0x12
const REPLY_NULL = 0x0a
const REPLY_SIMPLE = 0x12
const REPLY_INTEGER = 0x18
const REPLY_BULK = 0x22
const REPLY_ARRAY = 0x2a
const REPLY_MAP = 0x32
const REPLY_SET = 0x3a
const REPLY_VERBATIM = 0x42
const REPLY_ERROR = 0x4a
const ITEM = 0x0a
const PAIR_VALUE = 0x12
const ERROR_TEXT = 0x12

const WIRE_VARINT = 0
const WIRE_FIXED64 = 1
const WIRE_DELIMITED = 2
const WIRE_FIXED32 = 5
const LOOP_MAX = 32

export interface AnswerListener {
  /** How the answer under `tag` is to be given; null: nobody waits for it any more. */
  formOf(tag: number): As | null
  answered(tag: number, value: Value): void
  redirected(tag: number, redirect: Redirect): void
  failed(tag: number, error: ErrorMessage): void
}

/** A frame is no SessionResponse. */
export class BrokenFrame extends Error {
  override readonly name = 'BrokenFrame'
}

export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  /**
   * Tells the listener what stands in `frame`.
   *
   * @returns the config epoch of the node's map; 0: it was not told
   * @throws BrokenFrame
   */
  read(frame: Buffer, listener: AnswerListener): number {
    this.#bytes = frame
    this.#at = 0
    let epoch = 0
    while (this.#at < frame.length) {
      const tag = this.#varint()
      if (tag === FRAME_RESULTS) this.#result(this.#end(), listener)
      else if (tag === FRAME_CONFIG_EPOCH) epoch = this.#varint()
      else this.#skip(tag)
    }
    return epoch
  }

  #result(end: number, listener: AnswerListener): void {
    const from = this.#at
    if (this.#bytes[from] === RESULT_TAG) {
      this.#at += 1
      const tag = this.#varint()
      if (this.#bytes[this.#at] === RESULT_REPLY) {
        this.#at += 1
        const to = this.#end()
        if (to === end) {
          const form = listener.formOf(tag)
          if (form !== null) listener.answered(tag, this.#value(to, form === 'text'))
          this.#at = end
          return
        }
      }
    }
    this.#rare(CallResult.decode(this.#bytes.subarray(from, end)), listener)
    this.#at = end
  }

  #rare({ tag, outcome }: CallResult, listener: AnswerListener): void {
    const number = Number(tag)
    if (outcome?.$case === 'redirect') listener.redirected(number, outcome.value)
    else if (outcome?.$case === 'error') listener.failed(number, outcome.value)
    else throw new BrokenFrame('an answer without an outcome')
  }

  /** The Reply up to `end`. */
  #value(end: number, asText: boolean): Value {
    if (this.#at === end) return null
    const tag = this.#varint()
    if (tag === REPLY_INTEGER) return this.#int64()
    const to = this.#end()
    switch (tag) {
      case REPLY_NULL:
        this.#at = to
        return null
      case REPLY_SIMPLE:
      case REPLY_VERBATIM:
        return this.#text(to)
      case REPLY_BULK:
        return asText ? this.#text(to) : this.#copy(to)
      case REPLY_ARRAY:
      case REPLY_SET:
        return this.#items(to, asText)
      case REPLY_MAP:
        return new Pairs(this.#pairs(to, asText))
      case REPLY_ERROR:
        return this.#error(to)
      default:
        throw new BrokenFrame(`a reply of kind ${tag >>> 3}`)
    }
  }

  #items(end: number, asText: boolean): Value[] {
    const items: Value[] = []
    while (this.#at < end) {
      if (this.#varint() !== ITEM) throw new BrokenFrame('no item')
      items.push(this.#value(this.#end(), asText))
    }
    return items
  }

  #pairs(end: number, asText: boolean): Value[] {
    const items: Value[] = []
    while (this.#at < end) {
      if (this.#varint() !== ITEM) throw new BrokenFrame('no pair')
      const to = this.#end()
      let key: Value = null
      let value: Value = null
      while (this.#at < to) {
        const isValue = this.#varint() === PAIR_VALUE
        const side = this.#value(this.#end(), asText)
        if (isValue) value = side
        else key = side
      }
      items.push(key, value)
    }
    return items
  }

  #error(end: number): ErrorValue {
    let text = ''
    while (this.#at < end) {
      const tag = this.#varint()
      if (tag === ERROR_TEXT) text = this.#text(this.#end())
      else this.#skip(tag)
    }
    return new ErrorValue(text)
  }

  #text(end: number): string {
    const from = this.#at
    this.#at = end
    const bytes = this.#bytes
    if (end - from <= LOOP_MAX) {
      let isAscii = true
      for (let i = from; i < end; i += 1) if ((bytes[i] as number) > 0x7f) isAscii = false
      if (isAscii) return bytes.latin1Slice(from, end)
    }
    return bytes.toString('utf8', from, end)
  }

  /** A copy: a small value must not keep a large frame alive. */
  #copy(end: number): Buffer {
    const from = this.#at
    this.#at = end
    const copy = Buffer.allocUnsafe(end - from)
    this.#bytes.copy(copy, 0, from, end)
    return copy
  }

  #int64(): number | bigint {
    const from = this.#at
    const value = this.#varint()
    if (Number.isSafeInteger(value)) return value
    let wide = 0n
    for (let i = this.#at - 1; i >= from; i -= 1)
      wide = (wide << 7n) | BigInt((this.#bytes[i] as number) & 0x7f)
    wide = BigInt.asIntN(64, wide)
    const narrow = Number(wide)
    return Number.isSafeInteger(narrow) ? narrow : wide
  }

  #end(): number {
    const length = this.#varint()
    const end = this.#at + length
    if (end > this.#bytes.length) throw new BrokenFrame('a length passes the end')
    return end
  }

  #varint(): number {
    const bytes = this.#bytes
    let at = this.#at
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i += 1) {
      const byte = bytes[at]
      if (byte === undefined) break
      at += 1
      if (byte < 0x80) {
        this.#at = at
        return value + byte * scale
      }
      value += (byte & 0x7f) * scale
      scale *= 0x80
    }
    throw new BrokenFrame('a number that does not end')
  }

  #skip(tag: number): void {
    const wire = tag & 7
    if (wire === WIRE_VARINT) this.#varint()
    else if (wire === WIRE_DELIMITED) this.#at = this.#end()
    else if (wire === WIRE_FIXED64) this.#at += 8
    else if (wire === WIRE_FIXED32) this.#at += 4
    else throw new BrokenFrame(`a field of wire type ${wire}`)
  }
}
