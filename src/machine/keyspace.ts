// The keys of one shard: key to value, keys by slot, and which keys may end a wait.

import type { Stream } from './types/stream.ts'

export class Keyspace {
  readonly #streams = new Map<string, Stream>()
  readonly #ready = new Set<string>()

  /** The stream at `key` (latin1), or null. */
  stream(key: string): Stream | null | 'wrong-type' {
    return this.#streams.get(key) ?? null
  }

  /** Marks `key` as changed in a way that may serve or end a wait. */
  touch(key: string): void {
    this.#ready.add(key)
  }
}
