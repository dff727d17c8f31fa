// Who of a stream's groups still needs an entry: what DELREF removes and ACKED minds.
//
// An entry is referenced while a group has it pending, or has not come to it yet.
// Whole ranges are told by where each group stands and by counting rows between two
// places, so that trimming does not ask every group for every entry. Made for one
// command, in which no group moves on.

import { isBefore } from './block.ts'
import type { Group } from './group.ts'
import { compareIds, type StreamId } from './stream-id.ts'

/** What becomes of the references to an entry that is removed. */
export type RefPolicy = 'keep' | 'drop' | 'mind'

type Referenced = {
  readonly maxDeletedId: StreamId
  readonly groups: ReadonlyMap<string, Group>
}

type Span = {
  readonly count: number
  readonly first: StreamId
  readonly last: StreamId
}

export class References {
  readonly #stream: Referenced
  readonly #groups: readonly Group[]
  /** How far the group has come that is the farthest behind; null: there is no group. */
  readonly #lowest: StreamId | null

  constructor(stream: Referenced) {
    this.#stream = stream
    this.#groups = [...stream.groups.values()]
    let lowest: StreamId | null = null
    for (const { lastId } of this.#groups)
      if (lowest === null || compareIds(lastId, lowest) < 0) lowest = lastId
    this.#lowest = lowest
  }

  /** Whether some group has not come to `id`, nor then to anything behind it. */
  isAhead(id: StreamId): boolean {
    return this.#lowest !== null && isBefore(this.#lowest.ms, this.#lowest.seq, id.ms, id.seq)
  }

  /** Groups that have something pending within the span. Others need no question about its entries. */
  pendingIn(span: Span): readonly Group[] {
    return this.#groups.filter(({ pending }) => pending.countBetween(span.first, span.last) > 0)
  }

  /** Whether one group has all entries of the span pending. False where that would take a walk to tell. */
  holdsAll(span: Span): boolean {
    const { ms, seq } = this.#stream.maxDeletedId
    // What is pending may be gone from the stream, but not where nothing was ever deleted.
    if (!isBefore(ms, seq, span.first.ms, span.first.seq)) return false
    return this.#groups.some(
      ({ pending }) => pending.countBetween(span.first, span.last) === span.count,
    )
  }

  /** Whether a group needs the entry `id`, be it in the stream or not. @param among asked for what is pending */
  has(id: StreamId, among: readonly Group[] = this.#groups): boolean {
    if (this.isAhead(id)) return true
    for (const group of among) if (group.pending.seek(id)) return true
    return false
  }

  /** Takes `id` off what is pending in every group. */
  drop(id: StreamId, among: readonly Group[] = this.#groups): void {
    for (const group of among) group.acknowledge(id)
  }
}
