// How a value that changes in place goes into a snapshot in slices.
//
// Before a stream changes for the first time after a cut, `cut` is called on it
// and on its groups (keyspace.ts). A cut costs little (below a millisecond even
// with 100,000 pending entries: share what is packed, copy on write) and from then
// on gives the state as of that moment, whatever changes later. Each call of
// `write` makes one part; the parts go to a builder's `read`, in order and whole.

import type { Reader, Writer } from '../../base/bytes.ts'

export interface Cut {
  /**
   * Writes the next part: about `bytesMax` bytes, always some progress. Equal states
   * write equal bytes when they are cut into equal parts.
   *
   * @returns whether this was the last part
   */
  write(writer: Writer, bytesMax: number): boolean
}

/**
 * Makes a value from its parts. It takes what fits and says what does not: bytes may come
 * from anybody (payload.ts), and then the reader is a wary one.
 */
export interface Builder<T> {
  /** Takes one part, all of it. @returns what is wrong with it; nothing may follow then */
  read(reader: Reader): string | null
  /** The value, after the last part, or what is wrong with it. */
  finish(): T | string
}

/** What is wrong with a part that was read and should hold nothing more. */
export function flawAtEnd(reader: Reader): string | null {
  if (reader.flaw !== null) return reader.flaw
  return reader.left === 0 ? null : 'a part is read whole'
}
