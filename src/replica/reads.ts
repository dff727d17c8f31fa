// Reads that wait to be linearizable: one read-index round serves all reads of a turn.
//
// A round's context is this replica's own counter, never anything of a client:
// an acknowledgement that comes late must not confirm another round (etcd#20418).
// A round is served when its index is confirmed and applied. A read that must see its
// session's own writes joins a round once these stand in the log: until then it has
// no index to wait for.

import type { Index } from '../base/types.ts'
import type { Asker, Lost, Query } from './ports.ts'

export type Read<R> = {
  readonly asker: Asker<R>
  readonly ticket: number
  readonly query: Query<R>
}

type Round<R> = {
  readonly id: number
  readonly reads: Read<R>[]
  /** Applied must reach this: the session's own writes, and once confirmed the read index. */
  index: Index
  confirmed: boolean
}

const CONTEXT_BYTES = 8

export class Reads<R> {
  /** In the order of their ids. */
  #rounds: Round<R>[] = []
  #fresh: Read<R>[] = []
  /** Likewise, of sessions with writes on their way. */
  #afterWrites: Read<R>[] = []
  #lastId = 0

  /**
   * Whether reads wait for a round, and the one before was confirmed: one at a time serves them all.
   *
   * @param gathering writes wait that are not in the log yet
   */
  mayBegin(gathering: boolean): boolean {
    const isAny = this.#fresh.length > 0 || (!gathering && this.#afterWrites.length > 0)
    return isAny && this.#rounds.at(-1)?.confirmed !== false
  }

  get size(): number {
    let size = this.#fresh.length + this.#afterWrites.length
    for (const round of this.#rounds) size += round.reads.length
    return size
  }

  add(read: Read<R>, afterWrites: boolean): void {
    const list = afterWrites ? this.#afterWrites : this.#fresh
    list.push(read)
  }

  /**
   * Begins a round for the fresh reads.
   *
   * @param lastIndex last entry of the log now: what a session's own writes need at most
   * @param gathering writes wait that are not in it: reads that must see theirs stay for another round
   * @returns the context to hand to Raft
   */
  begin(lastIndex: Index, gathering: boolean): Uint8Array {
    this.#lastId += 1
    const round = { id: this.#lastId, reads: this.#fresh, index: 0, confirmed: false }
    if (!gathering && this.#afterWrites.length > 0) {
      round.reads = round.reads.concat(this.#afterWrites)
      round.index = lastIndex
      this.#afterWrites = []
    }
    this.#rounds.push(round)
    this.#fresh = []
    const context = Buffer.alloc(CONTEXT_BYTES)
    context.writeDoubleLE(this.#lastId)
    return context
  }

  /** Raft confirmed the round of `context` at `index`; rounds begun before it are confirmed with it. */
  confirm(context: Uint8Array, index: Index): void {
    const id = Buffer.from(context.buffer, context.byteOffset, CONTEXT_BYTES).readDoubleLE()
    for (const round of this.#rounds) {
      if (round.id > id) return
      if (round.confirmed) continue
      round.confirmed = true
      if (index > round.index) round.index = index
    }
  }

  /** The reads that may be served now that `applied` is applied, in the order in which they came. */
  takeServable(applied: Index): readonly Read<R>[] | null {
    let first = this.#rounds[0]
    if (first === undefined || !first.confirmed || first.index > applied) return null
    const servable: Read<R>[] = []
    while (first?.confirmed && first.index <= applied) {
      for (const read of first.reads) servable.push(read)
      this.#rounds.shift()
      first = this.#rounds[0]
    }
    return servable
  }

  /** Leadership went: nothing can be confirmed any more. */
  loseAll(why: Lost): void {
    const rounds = this.#rounds
    const fresh = this.#fresh.concat(this.#afterWrites)
    this.#rounds = []
    this.#fresh = []
    this.#afterWrites = []
    for (const round of rounds) for (const read of round.reads) read.asker.lose(read.ticket, why)
    for (const read of fresh) read.asker.lose(read.ticket, why)
  }
}
