// Error replies by their first word, for INFO errorstats.

import type { ErrorReply } from '../machine/reply.ts'

/** Kinds that are told apart: scripts and modules could invent words, we have a few dozen. */
const KINDS_MAX = 128
const REST = 'OTHER'

export class ErrorCounts {
  readonly #counts = new Map<string, number>()

  add({ text }: ErrorReply): void {
    const blank = text.indexOf(' ')
    const word = blank < 0 ? text : text.slice(0, blank)
    const known = this.#counts.has(word) || this.#counts.size < KINDS_MAX
    const kind = known ? word : REST
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  /** Word and count, by word. */
  all(): readonly (readonly [string, number])[] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  reset(): void {
    this.#counts.clear()
  }
}
