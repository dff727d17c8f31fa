// What the mappings of all services write alike, with the checks that an argv cannot carry.
//
// A message cannot tell an empty key from a forgotten one, so an empty key is
// refused here, though RESP allows it: forgetting is the likelier case.

import { limits } from '../../../base/limits.ts'
import type { Duration } from '../../../gen/google/protobuf/duration.ts'
import type { StreamPosition, TrimPolicy } from '../../../gen/slotcast/v1/stream.ts'
import type { Words } from '../words.ts'

/** What is wrong with a request, or null. */
export type Fault = string | null

const MS_PER_SECOND = 1000n
const NANOS_PER_MS = 1_000_000

export function keyFault(key: Uint8Array): Fault {
  if (key.length === 0) return 'key is required'
  return key.length > limits.keyBytesMax ? `key is over ${limits.keyBytesMax} bytes` : null
}

/** Checks a key and a group, the address of most of GroupService. */
export function groupFault(request: { key: Uint8Array; group: Uint8Array }): Fault {
  return keyFault(request.key) ?? nameFault('group', request.group)
}

export function nameFault(field: 'group' | 'consumer', name: Uint8Array): Fault {
  if (name.length === 0) return `${field} is required`
  return name.length > limits.keyBytesMax ? `${field} is over ${limits.keyBytesMax} bytes` : null
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

/** Writes `MAXLEN | MINID [~] threshold [LIMIT n]`. */
export function writeTrim(words: Words, policy: TrimPolicy): Fault {
  const { strategy, approximate, limit } = policy
  if (strategy === undefined) return 'the trim policy has no strategy'
  words.text(strategy.$case === 'maxLength' ? 'MAXLEN' : 'MINID')
  words.text(approximate ? '~' : '=')
  words.text(String(strategy.value))
  if (limit !== undefined) {
    words.text('LIMIT')
    words.number(limit)
  }
  return null
}
