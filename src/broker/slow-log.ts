// The slow log: the last commands whose own work took too long, newest first.
//
// Bounded as Redis bounds it: so many entries, of so many words, of so many bytes.

import type { Ms } from '../base/types.ts'

/** Words of one entry, the last of which says how many are left out. */
const WORDS_MAX = 32
const WORD_BYTES_MAX = 128

export type SlowEntry = {
  readonly id: number
  /** Unix seconds. */
  readonly at: number
  readonly micros: number
  /** One character a byte. */
  readonly words: readonly string[]
  client: string
  clientName: string
}

/** Words as the log keeps them. `count`: how many the command has; fewer than that may be given. */
export function loggedWords(words: readonly string[], count: number): readonly string[] {
  const shown = count > WORDS_MAX ? WORDS_MAX - 1 : Math.min(count, words.length)
  const kept = words.slice(0, shown).map(word => {
    const more = word.length - WORD_BYTES_MAX
    return more > 0 ? `${word.slice(0, WORD_BYTES_MAX)}... (${more} more bytes)` : word
  })
  if (count > kept.length) kept.push(`... (${count - kept.length} more arguments)`)
  return kept
}

export class SlowLog {
  /** Oldest first. */
  #entries: SlowEntry[] = []
  #nextId = 0
  #lengthMax: number

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax
  }

  get length(): number {
    return this.#entries.length
  }

  set lengthMax(value: number) {
    this.#lengthMax = value
    this.#trim()
  }

  add(now: Ms, micros: number, words: readonly string[]): SlowEntry {
    const entry: SlowEntry = {
      id: this.#nextId,
      at: Math.floor(now / 1000),
      micros: Math.floor(micros),
      words,
      client: '',
      clientName: '',
    }
    this.#nextId += 1
    this.#entries.push(entry)
    this.#trim()
    return entry
  }

  /** The newest `count`, newest first. */
  newest(count: number): SlowEntry[] {
    return count === 0 ? [] : this.#entries.slice(-count).reverse()
  }

  /** Numbers go on. */
  reset(): void {
    this.#entries = []
  }

  #trim(): void {
    const over = this.#entries.length - this.#lengthMax
    if (over > 0) this.#entries.splice(0, over)
  }
}
