// How large an entry counts: the one measure behind every limit in bytes.

import type { Entry } from './message.ts'

/** What an entry costs beside its payload, about: kind, term, index, length. */
const ENTRY_OVERHEAD_BYTES = 8

/** Bytes of an entry in a message or on its way to the state machine. */
export function entryBytes(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + entry.data.length
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  return bytes
}

/** Bytes of the payloads alone: what in-flight and uncommitted limits count. */
export function payloadBytes(entries: readonly Pick<Entry, 'data'>[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.data.length
  return bytes
}

/** How many of `entries`, from the first on, fit `bytesMax`; at least one if there is one. */
export function countWithin(entries: readonly Entry[], bytesMax: number): number {
  let bytes = 0
  let count = 0
  for (const entry of entries) {
    bytes += entryBytes(entry)
    if (count > 0 && bytes > bytesMax) break
    count += 1
  }
  return count
}
