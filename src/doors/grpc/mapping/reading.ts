// Takes replies apart for typed responses.
//
// The machine's replies have known shapes (COMMANDS 7), so a shape that is not
// there is our fault and asserts; what may be missing is asked for by name.

import { assert } from '../../../base/assert.ts'
import type { Duration } from '../../../gen/google/protobuf/duration.ts'
import type { Timestamp } from '../../../gen/google/protobuf/timestamp.ts'
import {
  DeleteOutcome,
  type Field,
  type StreamEntries,
  type StreamEntry,
} from '../../../gen/slotcast/v1/stream.ts'
import type { Reply } from '../../../machine/reply.ts'
import { formatId } from '../../../machine/types/stream-id.ts'
import { SCAN_END } from './writing.ts'

const MS_PER_SECOND = 1000n
const NANOS_PER_MS = 1_000_000
const MICROS_PER_SECOND = 1_000_000n
const NANOS_PER_MICRO = 1000

function unexpected(wanted: string, reply: Reply | undefined): string {
  return `expected ${wanted} in a reply, got ${reply?.kind}`
}

export function isNull(reply: Reply | undefined): boolean {
  return reply === undefined || reply.kind === 'null' || reply.kind === 'null-array'
}

/** The items of an array; none of a missing one. */
export function items(reply: Reply | undefined): readonly Reply[] {
  if (reply === undefined || isNull(reply)) return []
  if (reply.kind === 'bulks') return bulks(reply).map(bytes => ({ kind: 'bulk', bytes }))
  const known = reply.kind === 'array' || reply.kind === 'set' || reply.kind === 'map'
  assert(known || reply.kind === 'pairs', () => unexpected('an array', reply))
  return reply.items
}

function bulks(reply: Reply & { kind: 'bulks' }): Buffer[] {
  const found: Buffer[] = []
  const { bytes, bounds } = reply
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let i = 0; i + 1 < bounds.length; i += 2)
    found.push(whole.subarray(bounds[i], bounds[i + 1]))
  return found
}

/** The bytes of a string; none of a missing one. */
export function bytes(reply: Reply | undefined): Buffer {
  if (reply === undefined || isNull(reply)) return EMPTY
  switch (reply.kind) {
    case 'bulk':
      return Buffer.from(reply.bytes.buffer, reply.bytes.byteOffset, reply.bytes.length)
    case 'text':
    case 'simple':
    case 'verbatim':
      return Buffer.from(reply.text, 'utf8')
    case 'id':
      return Buffer.from(formatId(reply.id), 'latin1')
    default:
      assert(false, unexpected('a string', reply))
      return EMPTY
  }
}

/** The text of a string; empty of a missing one. */
export function text(reply: Reply | undefined): string {
  if (reply?.kind === 'id') return formatId(reply.id)
  if (reply?.kind === 'text' || reply?.kind === 'simple') return reply.text
  return bytes(reply).toString('utf8')
}

/** A whole number, also one that stands in a string. */
export function integer(reply: Reply | undefined): bigint {
  if (reply?.kind === 'integer') return BigInt(reply.value)
  const digits = text(reply)
  assert(/^-?\d+$/.test(digits), () => unexpected('a number', reply))
  return BigInt(digits)
}

/** A count. */
export function count(reply: Reply | undefined): bigint {
  return BigInt.asUintN(64, integer(reply))
}

/** A count that may be unknown. */
export function countIfKnown(reply: Reply | undefined): bigint | undefined {
  return isNull(reply) ? undefined : count(reply)
}

/** The bytes of a string that may be missing. */
export function bytesIfAny(reply: Reply | undefined): Buffer | undefined {
  return isNull(reply) ? undefined : bytes(reply)
}

/** The strings of an array; none of a missing one. */
export function bytesOfAll(reply: Reply | undefined): Buffer[] {
  return reply?.kind === 'bulks' ? bulks(reply) : items(reply).map(bytes)
}

/** A yes or no that is told as 1 or 0. */
export function flag(reply: Reply | undefined): boolean {
  return integer(reply) !== 0n
}

/** What SCAN and its kin answer: a cursor and a page. */
export function page(reply: Reply): { found: Buffer[]; nextPageToken: string } {
  const [cursor, rows] = items(reply)
  const next = text(cursor)
  return { found: bytesOfAll(rows), nextPageToken: next === SCAN_END ? '' : next }
}

/** Fields of text of the form `name:value`, a line each. */
export function fieldLines(lines: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) found[line.slice(0, colon)] = line.slice(colon + 1)
  }
  return found
}

/** Milliseconds as a Duration. */
export function durationOf(ms: bigint): Duration {
  return { seconds: ms / MS_PER_SECOND, nanos: Number(ms % MS_PER_SECOND) * NANOS_PER_MS }
}

/** Milliseconds of Unix time as a Timestamp. */
export function timestampOf(ms: bigint): Timestamp {
  return durationOf(ms)
}

/** Microseconds as a Duration. */
export function durationOfMicros(micros: bigint): Duration {
  const seconds = micros / MICROS_PER_SECOND
  return { seconds, nanos: Number(micros % MICROS_PER_SECOND) * NANOS_PER_MICRO }
}

/** What a delete with regard to references says of each entry. */
export function outcomes(reply: Reply): DeleteOutcome[] {
  return items(reply).map(item => {
    const outcome = integer(item)
    if (outcome === 1n) return DeleteOutcome.DELETE_OUTCOME_DELETED
    return outcome === 2n
      ? DeleteOutcome.DELETE_OUTCOME_REFERENCED
      : DeleteOutcome.DELETE_OUTCOME_MISSING
  })
}

/** The values of a map by the names of their keys. */
export function named(reply: Reply | undefined): ReadonlyMap<string, Reply> {
  const found = new Map<string, Reply>()
  const row = items(reply)
  for (let i = 0; i + 1 < row.length; i += 2) found.set(text(row[i]), row[i + 1] as Reply)
  return found
}

/**
 * `[id, [name, value, ...]]`; the fields are missing if the entry is gone. XREADGROUP with
 * CLAIM adds how long the entry was idle and how often it was delivered.
 */
export function entry(reply: Reply): StreamEntry {
  const [id, body, idle, times] = items(reply)
  const history =
    idle === undefined
      ? undefined
      : { idle: durationOf(integer(idle)), deliveryCount: count(times) }
  return { id: text(id), fields: fields(body), deleted: isNull(body), history }
}

function fields(body: Reply | undefined): Field[] {
  const words = bytesOfAll(body)
  const found: Field[] = []
  for (let i = 0; i + 1 < words.length; i += 2) {
    found.push({ name: words[i] as Buffer, value: words[i + 1] as Buffer })
  }
  return found
}

export function entries(reply: Reply | undefined): StreamEntry[] {
  return items(reply).map(entry)
}

/** An entry that may be missing. */
export function entryIfAny(reply: Reply | undefined): StreamEntry | undefined {
  return reply === undefined || isNull(reply) ? undefined : entry(reply)
}

/** What XCLAIM answers: entries, or with JUSTID their IDs. */
export function entriesOrIds(reply: Reply | undefined): StreamEntry[] {
  return items(reply).map(item => (item.kind === 'array' ? entry(item) : bareEntry(item)))
}

function bareEntry(id: Reply): StreamEntry {
  return { id: text(id), fields: [], deleted: false, history: undefined }
}

/** What XREAD and XREADGROUP answer: keys with their entries, or nothing. */
export function streams(reply: Reply): StreamEntries[] {
  const found: StreamEntries[] = []
  if (reply.kind === 'array') {
    for (const pair of reply.items) {
      const [key, list] = items(pair)
      found.push({ key: bytes(key), entries: entries(list) })
    }
    return found
  }
  const row = items(reply)
  for (let i = 0; i + 1 < row.length; i += 2) {
    found.push({ key: bytes(row[i]), entries: entries(row[i + 1]) })
  }
  return found
}

const EMPTY = Buffer.alloc(0)
