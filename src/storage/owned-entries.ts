// Which bytes an entry may keep alive once it is cached.

import type { Entry } from '../raft/message.ts'

const NO_DATA = Buffer.alloc(0)

/**
 * The entries with data that keeps no more memory alive than it needs.
 *
 * Entries from the network are views of a read buffer that may be many times
 * larger, and would hold it for as long as they are cached. Those are copied,
 * all of a batch into one buffer; data that fills its buffer stays where it is.
 */
export function ownedEntries(entries: readonly Entry[]): readonly Entry[] {
  let bytes = 0
  let isAnyLoose = false
  for (const entry of entries) {
    if (!isLoose(entry.data)) continue
    bytes += entry.data.length
    isAnyLoose = true
  }
  if (!isAnyLoose) return entries
  const owner = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  return entries.map(entry => {
    if (!isLoose(entry.data)) return entry
    if (entry.data.length === 0) return { ...entry, data: NO_DATA }
    owner.set(entry.data, at)
    const data = owner.subarray(at, at + entry.data.length)
    at += entry.data.length
    return { ...entry, data }
  })
}

function isLoose(data: Uint8Array): boolean {
  return data.buffer.byteLength > 2 * data.length && data !== NO_DATA
}
