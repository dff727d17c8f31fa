// Replies as bytes, for those that must outlive what they point into: the first
// reply to a producer's command is kept, and goes into snapshots, for a repetition.
//
//   u8 kind, then what the kind needs; text and bytes with their length before them

import { assert } from '../base/assert.ts'
import type { Reader, Writer } from '../base/bytes.ts'
import type { Reply } from './reply.ts'

const ERROR = 0
const SIMPLE = 1
const INTEGER = 2
const BULK = 3
const TEXT = 4
const ID = 5
const NULL_BULK = 6
const NULL_LIST = 7
const ARRAY = 8
const MAP = 9
const PAIRS = 10
const SET = 11
const VERBATIM = 12
const BULKS = 13

function writeText(writer: Writer, kind: number, text: string): void {
  writer.u8(kind)
  writer.bytes(Buffer.from(text, 'utf8'))
}

function writeItems(writer: Writer, kind: number, items: readonly Reply[]): void {
  writer.u8(kind)
  writer.varint(items.length)
  for (const item of items) writeReply(writer, item)
}

function writeBulks(writer: Writer, bytes: Uint8Array, bounds: ArrayLike<number>): void {
  writer.u8(BULKS)
  writer.varint(bounds.length / 2)
  for (let i = 0; i < bounds.length; i += 2)
    writer.bytes(bytes.subarray(bounds[i] as number, bounds[i + 1] as number))
}

export function writeReply(writer: Writer, reply: Reply): void {
  switch (reply.kind) {
    case 'error':
      writeText(writer, ERROR, reply.text)
      return
    case 'simple':
      writeText(writer, SIMPLE, reply.text)
      return
    case 'text':
      writeText(writer, TEXT, reply.text)
      return
    case 'verbatim':
      writeText(writer, VERBATIM, reply.text)
      return
    case 'integer':
      writer.u8(INTEGER)
      writer.signed(reply.value)
      return
    case 'bulk':
      writer.u8(BULK)
      writer.bytes(reply.bytes)
      return
    case 'id':
      writer.u8(ID)
      writer.varint(reply.id.ms)
      writer.varint(reply.id.seq)
      return
    case 'null':
      writer.u8(NULL_BULK)
      return
    case 'null-array':
      writer.u8(NULL_LIST)
      return
    case 'array':
      writeItems(writer, ARRAY, reply.items)
      return
    case 'map':
      writeItems(writer, MAP, reply.items)
      return
    case 'pairs':
      writeItems(writer, PAIRS, reply.items)
      return
    case 'set':
      writeItems(writer, SET, reply.items)
      return
    case 'pushes':
      assert(false, 'a replica answers without pushes')
      return
    case 'bulks':
      writeBulks(writer, reply.bytes, reply.bounds)
      return
  }
}

function readItems(reader: Reader): Reply[] {
  const items: Reply[] = []
  for (let left = reader.count(); left > 0; left -= 1) items.push(readReply(reader))
  return items
}

function readBulks(reader: Reader): Reply {
  const parts: Buffer[] = []
  const bounds: number[] = []
  let at = 0
  for (let left = reader.count(); left > 0; left -= 1) {
    const part = reader.bytes()
    parts.push(part)
    bounds.push(at, at + part.length)
    at += part.length
  }
  return { kind: 'bulks', bytes: Buffer.concat(parts), bounds }
}

export function readReply(reader: Reader): Reply {
  const kind = reader.u8()
  switch (kind) {
    case ERROR:
      return { kind: 'error', text: reader.bytes().toString('utf8') }
    case SIMPLE:
      return { kind: 'simple', text: reader.bytes().toString('utf8') }
    case TEXT:
      return { kind: 'text', text: reader.bytes().toString('utf8') }
    case VERBATIM:
      return { kind: 'verbatim', text: reader.bytes().toString('utf8') }
    case INTEGER:
      return { kind: 'integer', value: reader.signed() }
    case BULK:
      return { kind: 'bulk', bytes: reader.bytes() }
    case ID: {
      const ms = reader.varint()
      return { kind: 'id', id: { ms, seq: reader.varint() } }
    }
    case NULL_BULK:
      return { kind: 'null' }
    case NULL_LIST:
      return { kind: 'null-array' }
    case ARRAY:
      return { kind: 'array', items: readItems(reader) }
    case MAP:
      return { kind: 'map', items: readItems(reader) }
    case PAIRS:
      return { kind: 'pairs', items: readItems(reader) }
    case SET:
      return { kind: 'set', items: readItems(reader) }
    case BULKS:
      return readBulks(reader)
  }
  assert(false, `reply kind ${kind} is unknown`)
}
