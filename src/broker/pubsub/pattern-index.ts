// Patterns by how they begin, so that a channel is matched with few of thousands.
//
// What stands before the first wildcard must be how the channel's name begins: for
// each length of such beginnings that occurs, one lookup finds the patterns that come
// into question. Patterns that begin with a wildcard are all tried.

import { globMatch } from '../../machine/glob.ts'

const WILDCARDS = /[*?[\\]/
/** Longer beginnings are told apart by matching. Bounds the lookups of one match. */
const PREFIX_MAX = 32

function prefixOf(pattern: string): string {
  const wildcard = pattern.search(WILDCARDS)
  return pattern.slice(0, Math.min(wildcard < 0 ? pattern.length : wildcard, PREFIX_MAX))
}

export class PatternIndex<T> {
  /** By length of the beginning, by beginning, by pattern. */
  readonly #byLength = new Map<number, Map<string, Map<string, T>>>()
  size = 0

  get(pattern: string): T | undefined {
    const prefix = prefixOf(pattern)
    return this.#byLength.get(prefix.length)?.get(prefix)?.get(pattern)
  }

  set(pattern: string, value: T): void {
    const prefix = prefixOf(pattern)
    let byPrefix = this.#byLength.get(prefix.length)
    if (byPrefix === undefined) {
      byPrefix = new Map()
      this.#byLength.set(prefix.length, byPrefix)
    }
    let patterns = byPrefix.get(prefix)
    if (patterns === undefined) {
      patterns = new Map()
      byPrefix.set(prefix, patterns)
    }
    if (!patterns.has(pattern)) this.size += 1
    patterns.set(pattern, value)
  }

  delete(pattern: string): void {
    const prefix = prefixOf(pattern)
    const byPrefix = this.#byLength.get(prefix.length)
    const patterns = byPrefix?.get(prefix)
    if (byPrefix === undefined || patterns?.delete(pattern) !== true) return
    this.size -= 1
    if (patterns.size === 0) byPrefix.delete(prefix)
    if (byPrefix.size === 0) this.#byLength.delete(prefix.length)
  }

  clear(): void {
    this.#byLength.clear()
    this.size = 0
  }

  /** What belongs to the patterns that match `name`. */
  matching(name: string): T[] {
    const found: T[] = []
    if (this.size === 0) return found
    for (const [length, byPrefix] of this.#byLength) {
      if (length > name.length) continue
      const patterns = byPrefix.get(name.slice(0, length))
      if (patterns === undefined) continue
      for (const [pattern, value] of patterns) if (globMatch(pattern, name)) found.push(value)
    }
    return found
  }

  matchesAny(name: string): boolean {
    if (this.size === 0) return false
    for (const [length, byPrefix] of this.#byLength) {
      if (length > name.length) continue
      const patterns = byPrefix.get(name.slice(0, length))
      if (patterns === undefined) continue
      for (const pattern of patterns.keys()) if (globMatch(pattern, name)) return true
    }
    return false
  }

  *patterns(): IterableIterator<string> {
    for (const byPrefix of this.#byLength.values())
      for (const patterns of byPrefix.values()) yield* patterns.keys()
  }
}
