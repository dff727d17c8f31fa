// A value by itself, as bytes that a client keeps: what DUMP gives and RESTORE takes.
//
//   dump   := "SLD", u8 version, u8 type (VALUE_TYPES), value, u32 CRC-32C of all before
//   string := its bytes
//   list   := varint count, word x count
//   set    := varint count, word x count             (in no order that means anything)
//   stream := ( u32 length, part ) x n               (stream-cut.ts)
//   word   := varint length, bytes
//
// Anybody can make a checksum that fits, so nothing is believed: what is read back is
// checked or made anew. A set hashes with a key of its own again, which no dump tells.

import { Reader, Writer } from '../../base/bytes.ts'
import { crc32c } from '../../base/crc32c.ts'
import type { Chance } from '../chance.ts'
import { wordLength, writeWord } from './element.ts'
import { List } from './list.ts'
import { MemberSet } from './member-set.ts'
import type { Stream } from './stream.ts'
import { StreamBuilder } from './stream-builder.ts'
import { contentFrom, Text } from './text.ts'
import { VALUE_TYPES, type Value, type Values, type ValueType } from './value.ts'

const MAGIC = Buffer.from('SLD')
const VERSION = 1
const HEAD_BYTES = MAGIC.length + 2
const CHECKSUM_BYTES = 4
const PART_BYTES = 64 * 1024
const WORD_BYTES_MIN = 1
const PART_HEAD_BYTES = 4

/** A value of any type, told apart by its `type`. */
type AnyValue = Values[ValueType]

/** `value` as bytes, or null if that takes more than `bytesMax`. */
export function dump(value: Value, bytesMax: number): Buffer | null {
  const writer = new Writer()
  writer.raw(MAGIC)
  writer.u8(VERSION)
  writer.u8(VALUE_TYPES.indexOf(value.type))
  if (!writeValue(writer, value as AnyValue, bytesMax - CHECKSUM_BYTES)) return null
  writer.u32(crc32c(writer.view(0, writer.length)))
  return writer.take()
}

/** @returns false: it stopped beyond `end` */
function writeValue(writer: Writer, value: AnyValue, end: number): boolean {
  if (value.type === 'string') writer.raw(value.bytes())
  else if (value.type === 'list') writeList(writer, value, end)
  else if (value.type === 'set') writeSet(writer, value)
  else writeStream(writer, value, end)
  return writer.length <= end
}

function writeList(writer: Writer, list: List, end: number): void {
  writer.varint(list.length)
  let word = Buffer.allocUnsafe(0)
  list.forwards(0, list.length, (bytes, at) => {
    const length = wordLength(bytes, at)
    if (length > word.length) word = Buffer.allocUnsafe(length * 2)
    writeWord(bytes, at, length, word, 0)
    writer.varint(length)
    writer.raw(word, 0, length)
    return writer.length <= end
  })
}

function writeSet(writer: Writer, set: MemberSet): void {
  writer.varint(set.size)
  set.each((bytes, from, to) => {
    writer.varint(to - from)
    writer.raw(bytes, from, to)
  })
}

function writeStream(writer: Writer, stream: Stream, end: number): void {
  const cut = stream.cut()
  for (let last = false; !last && writer.length <= end; ) {
    const at = writer.length
    writer.u32(0)
    last = cut.write(writer, PART_BYTES)
    writer.patchU32(at, writer.length - at - PART_HEAD_BYTES)
  }
}

/** Whether `bytes` are a dump of a version that this build knows, and whole. */
export function isDump(bytes: Buffer): boolean {
  const end = bytes.length - CHECKSUM_BYTES
  if (end < HEAD_BYTES || bytes[MAGIC.length] !== VERSION) return false
  if (MAGIC.compare(bytes, 0, MAGIC.length) !== 0) return false
  return bytes.readUInt32LE(end) === crc32c(bytes.subarray(0, end))
}

/**
 * The value of a dump, which shares no memory with it; null where the bytes are no value.
 *
 * @param chance what a set draws the key of its hash from
 */
export function undump(bytes: Buffer, chance: Chance): Value | null {
  const reader = new Reader(bytes, MAGIC.length + 1, bytes.length - CHECKSUM_BYTES, true)
  const type = VALUE_TYPES[reader.u8()]
  if (type === undefined) return null
  const value = readValue(reader, type, bytes, chance)
  return reader.flaw === null && reader.left === 0 ? value : null
}

function readValue(
  reader: Reader,
  type: ValueType,
  bytes: Buffer,
  chance: Chance,
): AnyValue | null {
  if (type === 'string') {
    const from = reader.at
    reader.skip(reader.left)
    return new Text(contentFrom(bytes, from, reader.at))
  }
  if (type === 'list') return readList(reader, bytes)
  if (type === 'set') return readSet(reader, bytes, new MemberSet(chance.next(), chance.next()))
  return readStream(reader)
}

/** Goes over the words that are counted next. @returns whether `take` took them all, and there was one */
function readWords(reader: Reader, take: (from: number, to: number) => boolean): boolean {
  const count = reader.things(WORD_BYTES_MIN)
  for (let left = count; left > 0; left -= 1) {
    const length = reader.count()
    const from = reader.at
    reader.skip(length)
    if (reader.flaw !== null || !take(from, from + length)) return false
  }
  return count > 0
}

function readList(reader: Reader, bytes: Buffer): List | null {
  const list = new List()
  const isWhole = readWords(reader, (from, to) => {
    list.pushTail(bytes, from, to)
    return true
  })
  return isWhole ? list : null
}

function readSet(reader: Reader, bytes: Buffer, set: MemberSet): MemberSet | null {
  return readWords(reader, (from, to) => set.add(bytes, from, to)) ? set : null
}

function readStream(reader: Reader): Stream | null {
  const builder = new StreamBuilder()
  while (reader.left > 0) {
    const part = reader.inner(reader.u32())
    if (reader.flaw !== null || builder.read(part) !== null) return null
  }
  const stream = builder.finish()
  return typeof stream === 'string' ? null : stream
}
