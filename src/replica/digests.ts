// The digests of the entries that were applied last, to compare with the leader's.
//
// Equal logs must make equal states. If they do not, a command is not
// deterministic, and every further entry spreads the difference; so leaders tell
// the digest of their state, and a replica that has another one at the same index stops.

import type { Index } from '../base/types.ts'

/** A leader tells of an entry that its followers have applied, or will, within this many. */
const KEPT = 1024

export class Digests {
  readonly #indexes = new Float64Array(KEPT)
  readonly #digests = new Float64Array(KEPT)

  note(index: Index, digest: number): void {
    const at = index % KEPT
    this.#indexes[at] = index
    this.#digests[at] = digest
  }

  /** The digest behind `index`, or null when it is not kept (any more). */
  at(index: Index): number | null {
    const at = index % KEPT
    return index > 0 && this.#indexes[at] === index ? (this.#digests[at] as number) : null
  }
}
