// What the mappings of all services write alike, with the checks that an argv cannot carry.
//
// A message cannot tell an empty key from a forgotten one, so an empty key is
// refused here, though RESP allows it: forgetting is the likelier case.

import { limits } from '../../../base/limits.ts'
import type { Duration } from '../../../gen/google/protobuf/duration.ts'
import {
  ReferencePolicy,
  type StreamPosition,
  type TrimPolicy,
} from '../../../gen/slotcast/v1/stream.ts'
import type { Words } from '../words.ts'

/** What is wrong with a request, or null. */
export type Fault = string | null

const MS_PER_SECOND = 1000n
const NANOS_PER_MS = 1_000_000

/** Checks a key or name in `field`. */
export function nameFault(field: string, name: Uint8Array): Fault {
  if (name.length === 0) return `${field} is required`
  return name.length > limits.keyBytesMax ? `${field} is over ${limits.keyBytesMax} bytes` : null
}

export function keyFault(key: Uint8Array): Fault {
  return nameFault('key', key)
}

/** Checks a key and a group, the address of most of GroupService. */
export function groupFault(request: { key: Uint8Array; group: Uint8Array }): Fault {
  return keyFault(request.key) ?? nameFault('group', request.group)
}

/** Writes a command and the one key that it is about. */
export function writeKeyed(words: Words, command: string, key: Uint8Array): Fault {
  words.text(command)
  words.bytes(key)
  return keyFault(key)
}

/** Writes keys, of which there is at least one. */
export function writeKeys(words: Words, keys: readonly Uint8Array[]): Fault {
  if (keys.length === 0) return 'keys is empty'
  for (const key of keys) {
    const fault = keyFault(key)
    if (fault !== null) return `keys: ${fault}`
    words.bytes(key)
  }
  return null
}

/** Writes values, of which there is at least one. */
export function writeAll(words: Words, field: string, values: readonly Uint8Array[]): Fault {
  for (const value of values) words.bytes(value)
  return values.length === 0 ? `${field} is empty` : null
}

export function idsFault(ids: readonly string[]): Fault {
  return ids.length === 0 ? 'ids is empty' : null
}

/** Whole milliseconds of a Duration, rounded up; null: below zero, or not a Duration. */
export function milliseconds(duration: Duration): bigint | null {
  const { seconds, nanos } = duration
  if (seconds < 0n || nanos < 0 || nanos > 999_999_999) return null
  return seconds * MS_PER_SECOND + BigInt(Math.ceil(nanos / NANOS_PER_MS))
}

/** Writes a Duration in milliseconds; zero if it is unset. */
export function writeDuration(words: Words, field: string, duration: Duration | undefined): Fault {
  const ms = duration === undefined ? 0n : milliseconds(duration)
  if (ms === null) return `${field} is negative or malformed`
  words.number(ms)
  return null
}

/** Writes `COUNT n`, unless there is no limit. */
export function writeCount(words: Words, count: bigint): void {
  if (count === 0n) return
  words.text('COUNT')
  words.number(count)
}

/** Writes `BLOCK ms` if the call may wait. */
export function writeBlock(words: Words, block: Duration | undefined): Fault {
  if (block === undefined) return null
  words.text('BLOCK')
  return writeDuration(words, 'block', block)
}

/** Writes a wait in seconds, to the millisecond, as list commands have it. */
export function writeSeconds(words: Words, block: Duration): Fault {
  const ms = milliseconds(block)
  if (ms === null) return 'block is negative or malformed'
  const rest = ms % MS_PER_SECOND
  const seconds = String(ms / MS_PER_SECOND)
  words.text(rest === 0n ? seconds : `${seconds}.${String(rest).padStart(3, '0')}`)
  return null
}

/** Writes `MAXCOUNT n` and `MAXSIZE bytes`, unless there is no limit. */
export function writeReadLimits(
  words: Words,
  { maxCount, maxBytes }: { maxCount: bigint; maxBytes: bigint },
): void {
  if (maxCount > 0n) {
    words.text('MAXCOUNT')
    words.number(maxCount)
  }
  if (maxBytes > 0n) {
    words.text('MAXSIZE')
    words.number(maxBytes)
  }
}

const POLICY_WORDS: Readonly<Record<number, string>> = {
  [ReferencePolicy.REFERENCE_POLICY_KEEP]: 'KEEPREF',
  [ReferencePolicy.REFERENCE_POLICY_DELETE]: 'DELREF',
  [ReferencePolicy.REFERENCE_POLICY_ACKED]: 'ACKED',
}

/** Writes what becomes of references, unless the default does. */
export function writeReferences(words: Words, policy: ReferencePolicy): Fault {
  if (policy === ReferencePolicy.REFERENCE_POLICY_UNSPECIFIED) return null
  const word = POLICY_WORDS[policy]
  if (word === undefined) return 'references is unknown'
  words.text(word)
  return null
}

/** Writes `IDS n id ...`. */
export function writeIds(words: Words, ids: readonly string[]): Fault {
  words.text('IDS')
  words.number(ids.length)
  for (const id of ids) words.text(id)
  return idsFault(ids)
}

/** Cursor of a scan before the first page and after the last. */
export const SCAN_END = '0'
const PAGE_TOKEN = /^[1-9]\d{0,19}$/

type Page = { readonly pageToken: string; readonly pageSize: number; readonly match: Uint8Array }

/** Writes `cursor [MATCH pattern] [COUNT n]`. */
export function writePage(words: Words, { pageToken, pageSize, match }: Page): Fault {
  if (pageToken !== '' && !PAGE_TOKEN.test(pageToken)) return 'page_token is not one of ours'
  words.text(pageToken === '' ? SCAN_END : pageToken)
  if (match.length > 0) {
    words.text('MATCH')
    words.bytes(match)
  }
  writeCount(words, BigInt(pageSize))
  return null
}

/** Writes `STREAMS key ... id ...`; an empty position is `newest`. */
export function writeStreams(
  words: Words,
  positions: readonly StreamPosition[],
  newest: '$' | '>',
): Fault {
  if (positions.length === 0) return 'streams is empty'
  words.text('STREAMS')
  for (const { key } of positions) {
    const fault = keyFault(key)
    if (fault !== null) return `streams: ${fault}`
    words.bytes(key)
  }
  for (const { after } of positions) words.text(after === '' ? newest : after)
  return null
}

/** Writes `MAXLEN | MINID [~] threshold [LIMIT n] [KEEPREF | DELREF | ACKED]`. */
export function writeTrim(words: Words, policy: TrimPolicy): Fault {
  const { strategy, approximate, limit, references } = policy
  if (strategy === undefined) return 'the trim policy has no strategy'
  words.text(strategy.$case === 'maxLength' ? 'MAXLEN' : 'MINID')
  words.text(approximate ? '~' : '=')
  words.text(String(strategy.value))
  if (limit !== undefined) {
    words.text('LIMIT')
    words.number(limit)
  }
  return writeReferences(words, references)
}
