// Writes replies as slotcast.v1.Reply, straight into a frame.
//
// A nested message needs its length before its bytes, so a tree is walked twice:
// once to measure, which leaves the lengths in a row, once to write, which takes
// them from it in the same order. The flat replies of writes need no walk at all.

import { unreachable } from '../../base/assert.ts'
import type { Reply } from '../../machine/reply.ts'
import { formatId, type StreamId } from '../../machine/types/stream-id.ts'
import { errorWord } from './status.ts'
import { decimalDigits, type Frame, int64Bytes, varintBytes } from './wire.ts'

// Tags (number << 3 | wire type) of slotcast.v1.Reply and what it holds.
const REPLY_NULL = 0x0a
const REPLY_SIMPLE = 0x12
const REPLY_INTEGER = 0x18
const REPLY_BULK = 0x22
const REPLY_ARRAY = 0x2a
const REPLY_MAP = 0x32
const REPLY_SET = 0x3a
const REPLY_VERBATIM = 0x42
const REPLY_ERROR = 0x4a
const ARRAY_ITEMS = 0x0a
const MAP_PAIRS = 0x0a
const PAIR_KEY = 0x0a
const PAIR_VALUE = 0x12
const ERROR_CODE = 0x0a
const ERROR_TEXT = 0x12

const MINUS = 0x2d

/** A length-delimited field of `bytes` bytes: tag, length and content. */
function delimited(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes
}

function idBytes(id: StreamId): number {
  if (typeof id.ms === 'number' && typeof id.seq === 'number') {
    return decimalDigits(id.ms) + 1 + decimalDigits(id.seq)
  }
  return formatId(id).length
}

export class ReplyWriter {
  /** Lengths of nested messages in the order of writing. */
  #lengths: number[] = []
  #next = 0

  /** Bytes of `reply` as a message. Call `write` with the same reply next. */
  measure(reply: Reply): number {
    this.#lengths.length = 0
    this.#next = 0
    return this.#measure(reply)
  }

  /** Writes the reply that was measured last; the frame has room for it. */
  write(frame: Frame, reply: Reply): void {
    switch (reply.kind) {
      // Who subscribes has a RESP session.
      case 'pushes':
      case 'null':
      case 'null-array':
        frame.byte(REPLY_NULL)
        frame.byte(0)
        break
      case 'simple':
        this.#text(frame, REPLY_SIMPLE, reply.text)
        break
      case 'text':
        this.#text(frame, REPLY_BULK, reply.text)
        break
      case 'verbatim':
        this.#text(frame, REPLY_VERBATIM, reply.text)
        break
      case 'integer':
        frame.byte(REPLY_INTEGER)
        frame.int64(reply.value)
        break
      case 'bulk':
        bulk(frame, reply.bytes, 0, reply.bytes.length)
        break
      case 'id':
        writeId(frame, reply.id)
        break
      case 'array':
        this.#items(frame, REPLY_ARRAY, reply.items)
        break
      case 'set':
        this.#items(frame, REPLY_SET, reply.items)
        break
      case 'bulks':
        this.#bulks(frame, reply.bytes, reply.bounds)
        break
      case 'map':
      case 'pairs':
        this.#pairs(frame, reply.items)
        break
      case 'error':
        frame.byte(REPLY_ERROR)
        frame.varint(this.#take())
        this.#text(frame, ERROR_CODE, errorWord(reply.text))
        this.#text(frame, ERROR_TEXT, reply.text)
        break
      default:
        unreachable(reply)
    }
  }

  #measure(reply: Reply): number {
    switch (reply.kind) {
      case 'pushes':
      case 'null':
      case 'null-array':
        return 2
      case 'simple':
      case 'text':
      case 'verbatim':
        return this.#measureText(reply.text)
      case 'integer':
        return 1 + int64Bytes(reply.value)
      case 'bulk':
        return delimited(reply.bytes.length)
      case 'id':
        return delimited(idBytes(reply.id))
      case 'array':
      case 'set':
        return this.#measureItems(reply.items)
      case 'bulks':
        return this.#measureBulks(reply.bounds)
      case 'map':
      case 'pairs':
        return this.#measurePairs(reply.items)
      case 'error': {
        const at = this.#hold()
        const bytes = this.#measureText(errorWord(reply.text)) + this.#measureText(reply.text)
        return this.#settle(at, bytes)
      }
      default:
        return unreachable(reply)
    }
  }

  #measureText(text: string): number {
    const bytes = Buffer.byteLength(text)
    this.#lengths.push(bytes)
    return delimited(bytes)
  }

  #measureItems(items: readonly Reply[]): number {
    const at = this.#hold()
    let bytes = 0
    for (const item of items) {
      const held = this.#hold()
      bytes += this.#settle(held, this.#measure(item))
    }
    return this.#settle(at, bytes)
  }

  #measureBulks(bounds: ArrayLike<number>): number {
    const at = this.#hold()
    let bytes = 0
    for (let i = 0; i + 1 < bounds.length; i += 2) {
      bytes += delimited(delimited((bounds[i + 1] as number) - (bounds[i] as number)))
    }
    return this.#settle(at, bytes)
  }

  #measurePairs(items: readonly Reply[]): number {
    const at = this.#hold()
    let bytes = 0
    for (let i = 0; i + 1 < items.length; i += 2) {
      const pair = this.#hold()
      const key = this.#hold()
      const keyBytes = this.#settle(key, this.#measure(items[i] as Reply))
      const value = this.#hold()
      const valueBytes = this.#settle(value, this.#measure(items[i + 1] as Reply))
      bytes += this.#settle(pair, keyBytes + valueBytes)
    }
    return this.#settle(at, bytes)
  }

  /** Keeps a place for a length that is known only after what is inside. */
  #hold(): number {
    return this.#lengths.push(0) - 1
  }

  /** Notes the length, and answers what the field takes with it. */
  #settle(at: number, bytes: number): number {
    this.#lengths[at] = bytes
    return delimited(bytes)
  }

  #take(): number {
    const length = this.#lengths[this.#next] as number
    this.#next += 1
    return length
  }

  #text(frame: Frame, tag: number, text: string): void {
    const bytes = this.#take()
    frame.byte(tag)
    frame.varint(bytes)
    frame.utf8(text, bytes)
  }

  #items(frame: Frame, tag: number, items: readonly Reply[]): void {
    frame.byte(tag)
    frame.varint(this.#take())
    for (const item of items) {
      frame.byte(ARRAY_ITEMS)
      frame.varint(this.#take())
      this.write(frame, item)
    }
  }

  #bulks(frame: Frame, bytes: Uint8Array, bounds: ArrayLike<number>): void {
    frame.byte(REPLY_ARRAY)
    frame.varint(this.#take())
    for (let i = 0; i + 1 < bounds.length; i += 2) {
      const from = bounds[i] as number
      const to = bounds[i + 1] as number
      frame.byte(ARRAY_ITEMS)
      frame.varint(delimited(to - from))
      bulk(frame, bytes, from, to)
    }
  }

  #pairs(frame: Frame, items: readonly Reply[]): void {
    frame.byte(REPLY_MAP)
    frame.varint(this.#take())
    for (let i = 0; i + 1 < items.length; i += 2) {
      frame.byte(MAP_PAIRS)
      frame.varint(this.#take())
      frame.byte(PAIR_KEY)
      frame.varint(this.#take())
      this.write(frame, items[i] as Reply)
      frame.byte(PAIR_VALUE)
      frame.varint(this.#take())
      this.write(frame, items[i + 1] as Reply)
    }
  }
}

function bulk(frame: Frame, bytes: Uint8Array, from: number, to: number): void {
  frame.byte(REPLY_BULK)
  frame.varint(to - from)
  frame.raw(bytes, from, to)
}

function writeId(frame: Frame, id: StreamId): void {
  const { ms, seq } = id
  frame.byte(REPLY_BULK)
  if (typeof ms === 'number' && typeof seq === 'number') {
    const msDigits = decimalDigits(ms)
    const seqDigits = decimalDigits(seq)
    frame.varint(msDigits + 1 + seqDigits)
    frame.decimal(ms, msDigits)
    frame.byte(MINUS)
    frame.decimal(seq, seqDigits)
    return
  }
  const text = formatId(id)
  frame.varint(text.length)
  frame.utf8(text, text.length)
}
