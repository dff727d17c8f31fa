// Who is owed an answer for which entry: (index, term) to the batch that asked.
//
// The term matters. An entry of another term at the index means that ours was
// overwritten and can never commit, since a committed entry at an index is one
// for all time (Raft 5.4.3).

import type { Index, Term } from '../base/types.ts'
import type { SealedBatch } from './batch.ts'
import type { Lost } from './ports.ts'

type Proposal<R> = { readonly term: Term; readonly batch: SealedBatch<R> }

export class Proposals<R> {
  /** Indexes rise in insertion order within a term; a new term begins above or overwrites. */
  readonly #byIndex = new Map<Index, Proposal<R>>()
  #bytes = 0

  /** Payload bytes whose fate is open. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#byIndex.size
  }

  add(index: Index, term: Term, batch: SealedBatch<R>): void {
    const old = this.#byIndex.get(index)
    if (old !== undefined) this.#end(index, old, 'moved')
    this.#byIndex.set(index, { term, batch })
    this.#bytes += batch.payload.length
  }

  /**
   * The batch that asked for the entry that is being applied, if this node has
   * one. A batch of another term at this index is told that it is lost.
   */
  take(index: Index, term: Term): SealedBatch<R> | null {
    const found = this.#byIndex.get(index)
    if (found === undefined) return null
    if (found.term !== term) {
      this.#end(index, found, 'moved')
      return null
    }
    this.#byIndex.delete(index)
    this.#bytes -= found.batch.payload.length
    return found.batch
  }

  /** Ends all that are left, or only those up to `index` (a snapshot jumped over them). */
  loseAll(why: Lost, upTo: Index = Number.MAX_SAFE_INTEGER): void {
    for (const [index, proposal] of this.#byIndex)
      if (index <= upTo) this.#end(index, proposal, why)
  }

  /** Ends those of terms before `term`: their leader was deposed and their fate stayed open. */
  loseBefore(term: Term): void {
    for (const [index, proposal] of this.#byIndex)
      if (proposal.term < term) this.#end(index, proposal, 'in-doubt')
  }

  #end(index: Index, proposal: Proposal<R>, why: Lost): void {
    this.#byIndex.delete(index)
    this.#bytes -= proposal.batch.payload.length
    loseBatch(proposal.batch, why)
  }
}

/** Tells everyone who asked in `batch` that no reply comes. */
export function loseBatch<R>(batch: SealedBatch<R>, why: Lost): void {
  for (const [i, asker] of batch.askers.entries()) asker.lose(batch.tickets[i] as number, why)
}
