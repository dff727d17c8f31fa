// How far a group has read: its entries-read counter and its lag (COMMANDS 7.0).
//
// A stream knows how many entries it ever got, not which number each had. Where
// entries were deleted in between, a group's number can only be told at the ends of
// the stream; elsewhere it is unknown (null) until the group comes to an end again.
// Redis answers an unknown lag with null. Here it is counted.

import { compareIds, equalIds, type Half, half, MIN_ID, type StreamId } from './stream-id.ts'

/** What of a stream tells how far a group is. */
export type Countable = {
  readonly length: number
  readonly lastId: StreamId
  readonly maxDeletedId: StreamId
  readonly entriesAdded: Half
  firstId(): StreamId
  countAfter(id: StreamId): number
}

export type ReadPosition = {
  /** The last ID delivered to the group. */
  readonly lastId: StreamId
  /** How many entries of the stream's history the group has read; null: unknown. */
  readonly entriesRead: Half | null
}

function minus(a: Half, b: Half): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const value = BigInt(a) - BigInt(b)
  return value < 0n ? value : half(value)
}

/** What is counted here, as Redis counts it, is a signed number of 64 bits. */
export const COUNT_MAX = (1n << 63n) - 1n

/** One more than `value`, up to the most there may be. */
export function increment(value: Half): Half {
  if (typeof value === 'number' && value < Number.MAX_SAFE_INTEGER) return value + 1
  return value < COUNT_MAX ? half(BigInt(value) + 1n) : COUNT_MAX
}

/** Whether an entry at or behind `id` was deleted. */
export function hasTombstoneFrom(stream: Countable, id: StreamId): boolean {
  return (
    stream.length > 0 &&
    !equalIds(stream.maxDeletedId, MIN_ID) &&
    compareIds(stream.maxDeletedId, id) >= 0
  )
}

/** How many entries there ever were up to `id`, as far as that can be told. */
function countUpTo(stream: Countable, id: StreamId): number | bigint | null {
  if (stream.entriesAdded === 0) return 0
  const toLast = compareIds(id, stream.lastId)
  if (stream.length === 0 && toLast <= 0) return stream.entriesAdded
  if (!equalIds(id, MIN_ID) && compareIds(id, stream.maxDeletedId) < 0) return null
  if (toLast === 0) return stream.entriesAdded
  if (toLast > 0) return null
  const first = stream.firstId()
  if (hasTombstoneFrom(stream, first)) return null
  const toFirst = compareIds(id, first)
  if (toFirst > 0) return null
  return minus(stream.entriesAdded, toFirst < 0 ? stream.length : stream.length - 1)
}

/** The group's entries-read once the entry `id`, behind its last, is delivered. */
export function entriesReadAt(stream: Countable, group: ReadPosition, id: StreamId): Half | null {
  if (
    group.entriesRead !== null &&
    compareIds(group.lastId, stream.firstId()) >= 0 &&
    !hasTombstoneFrom(stream, group.lastId)
  )
    return increment(group.entriesRead)
  return countUpTo(stream, id)
}

/** How many entries the group has yet to read. */
export function lagOf(stream: Countable, group: ReadPosition): number | bigint {
  if (stream.entriesAdded === 0 || stream.length === 0) return 0
  const first = stream.firstId()
  if (compareIds(group.lastId, first) < 0 && compareIds(stream.maxDeletedId, first) < 0)
    return stream.length
  if (group.entriesRead !== null && !hasTombstoneFrom(stream, group.lastId))
    return minus(stream.entriesAdded, group.entriesRead)
  const read = countUpTo(stream, group.lastId)
  return read === null ? stream.countAfter(group.lastId) : minus(stream.entriesAdded, read)
}
