// What a replica may do whose disk lost part of what it had promised.
//
// Damaged, it takes no part at all until its leader's snapshot covers everything it
// could ever have acknowledged (repairs.ts). Repaired, its log may be counted on
// again, but which votes it gave is not known: it gives none in the term of the
// repair, and none before every candidate of a lost vote has given up.

import type { Index, Term } from '../base/types.ts'
import type { Message } from '../raft/message.ts'

export class Convalescence {
  #amnesiac: boolean
  #abstainTicks = 0
  #abstainTerm: Term = 0

  constructor(amnesiac: boolean) {
    this.#amnesiac = amnesiac
  }

  /** Damaged and not repaired. */
  get amnesiac(): boolean {
    return this.#amnesiac
  }

  /** What was promised turns out to be gone. */
  begin(): void {
    this.#amnesiac = true
  }

  /** Repaired in `term`; votes are withheld for `ticks` more. */
  end(term: Term, ticks: number): void {
    this.#amnesiac = false
    this.#abstainTerm = term
    this.#abstainTicks = ticks
  }

  tick(): void {
    if (this.#abstainTicks > 0) this.#abstainTicks -= 1
  }

  /** Whether Raft must not hear `message`. */
  refuses(message: Message): boolean {
    if (this.#amnesiac) return true
    if (message.type !== 'vote' && message.type !== 'pre-vote') return false
    return this.#abstainTicks > 0 || (message.type === 'vote' && message.term <= this.#abstainTerm)
  }
}

/**
 * Whether the leader counts on entries that are not here. A heartbeat's commit is at
 * most what this replica acknowledged; if the log ends before it, the disk lost what
 * it had to keep, although the end of the log looked like a torn tail.
 */
export function provesLoss(message: Message, term: Term, lastIndex: Index): boolean {
  return message.type === 'heartbeat' && message.term >= term && message.commit > lastIndex
}
