// What happens to keys, for those who are told of it (notify-keyspace-events).
//
// Each event has a class, which is a bit, and a name; both are Redis' own. A command
// says what it did through `Keyspace.notify`; who listens, if anybody, is set from
// outside and is no part of the state.

/** By the letters of the setting. */
export const EVENT = {
  GENERIC: 1 << 2,
  STRING: 1 << 3,
  LIST: 1 << 4,
  SET: 1 << 5,
  EXPIRED: 1 << 8,
  STREAM: 1 << 10,
  /** A command that reads found no such key. */
  MISS: 1 << 11,
  /** A key was made. */
  NEW: 1 << 14,
} as const

export interface KeyListener {
  /** The bits of the classes it wants to hear of. */
  readonly classes: number
  /** @param key one character a byte (latin1) */
  heard(event: string, key: string): void
}
