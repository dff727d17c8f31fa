// What a consumer allowed the node to send, and how those who read share it.
//
// A reader takes its share before it asks, so that what all of them bring together is
// never more than was allowed. An idle one keeps its share as long as it waits: shares are
// small beside what is free, and one entry at least.

/** Entries and bytes that a reader may bring. */
export type Share = { readonly entries: number; readonly bytes: number }

export const NO_SHARE: Share = { entries: 0, bytes: 0 }

/** Entries of one answer: a larger one delays those behind it. */
const SHARE_ENTRIES_MAX = 256
/** Bytes of one answer, about: many clients take messages of at most 4 MiB. */
const SHARE_BYTES_MAX = 1024 * 1024

export class Credit {
  #entries = 0
  /** May fall below zero by what crossed the line. */
  #bytes = 0
  /** Bytes count only once some were allowed. */
  #countsBytes = false

  /** Both whole numbers, not negative. */
  add(entries: number, bytes: number): void {
    this.#entries = Math.min(this.#entries + entries, Number.MAX_SAFE_INTEGER)
    if (bytes === 0) return
    this.#countsBytes = true
    this.#bytes = Math.min(this.#bytes + bytes, Number.MAX_SAFE_INTEGER)
  }

  get entries(): number {
    return this.#entries
  }

  /** The share of one of `readers`, or null while nothing is free. */
  take(readers: number): Share | null {
    if (this.#entries === 0 || (this.#countsBytes && this.#bytes <= 0)) return null
    const entries = shareOf(this.#entries, readers, SHARE_ENTRIES_MAX)
    const bytes = this.#countsBytes
      ? shareOf(this.#bytes, readers, SHARE_BYTES_MAX)
      : SHARE_BYTES_MAX
    this.#entries -= entries
    if (this.#countsBytes) this.#bytes -= bytes
    return { entries, bytes }
  }

  /** Gives back what of `share` was not needed. */
  settle(share: Share, entries: number, bytes: number): void {
    this.#entries += share.entries - entries
    if (this.#countsBytes) this.#bytes += share.bytes - bytes
  }
}

/** Half of an even share, so that whoever has most to bring finds something free. */
function shareOf(free: number, readers: number, most: number): number {
  return Math.max(1, Math.min(Math.floor(free / (2 * readers)), most, free))
}
