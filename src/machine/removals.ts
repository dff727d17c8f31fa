// When keys were last removed, for transactions that watch a key which is not there.
//
// Redis fails such a transaction when the key was made and removed again meanwhile.
// To keep every key that ever was is no way, so this keeps one entry's index for
// each of 4096 hashes: bounded, and never too young. The price: a key removed
// between WATCH and EXEC fails a transaction that watches another, missing key with
// the same hash, 1 time in 4096. Part of the replicated state: what a transaction
// answers must not depend on which replica restarted.

import type { Reader, Writer } from '../base/bytes.ts'
import type { Index } from '../base/types.ts'

/** A power of two. */
const HASHES = 4096
/** FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

function hashOf(key: string): number {
  let hash = FNV_OFFSET
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), FNV_PRIME)
  return (hash ^ (hash >>> 16)) & (HASHES - 1)
}

export class Removals {
  /** By hash; 0: none. Made at the first removal. */
  #indexes: Float64Array | null = null

  /** @param index the entry that removed it, or changed it last before it expired */
  note(key: string, index: Index): void {
    this.#indexes ??= new Float64Array(HASHES)
    const hash = hashOf(key)
    this.#indexes[hash] = Math.max(index, this.#indexes[hash] as Index)
  }

  /** Whether `key` may have been removed by an entry behind `index`. False is certain. */
  mayHave(key: string, index: Index): boolean {
    return this.#indexes !== null && (this.#indexes[hashOf(key)] as Index) > index
  }

  copy(): Removals {
    const copy = new Removals()
    copy.#indexes = this.#indexes?.slice() ?? null
    return copy
  }

  /** varint count, then for each hash that saw a removal: varint hash, varint index. */
  write(writer: Writer): void {
    const indexes = this.#indexes ?? []
    let count = 0
    for (const index of indexes) if (index > 0) count += 1
    writer.varint(count)
    for (const [hash, index] of indexes.entries()) {
      if (index === 0) continue
      writer.varint(hash)
      writer.varint(index)
    }
  }

  static read(reader: Reader): Removals {
    const removals = new Removals()
    let left = reader.count()
    if (left > 0) removals.#indexes = new Float64Array(HASHES)
    for (; left > 0; left -= 1) {
      const hash = reader.count() & (HASHES - 1)
      if (removals.#indexes !== null) removals.#indexes[hash] = reader.count()
    }
    return removals
  }
}
