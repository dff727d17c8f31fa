// A leader's view of one peer: what it has, what to send next, and whether to.
//
//   probe      one append, then paused until an answer or a heartbeat's response
//   replicate  appends in a row, next advances on sending, limited by the window
//   snapshot   nothing but heartbeats until the peer connects to the log again
//
// See RAFT.md section 3.7 for how the states are left.

import type { Index, NodeId } from '../base/types.ts'
import type { Inflights } from './inflights.ts'

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

export class Progress {
  readonly id: NodeId
  readonly inflights: Inflights
  state: ProgressState = 'probe'
  /** The peer's log is known to equal ours up to here, durably. Only grows within a term. */
  match: Index
  /** The next entry to send. Invariant: match < next. */
  next: Index
  /** The highest commit index sent that may have reached the peer. */
  sentCommit: Index = 0
  /** In `snapshot`: the index of the one on its way. Else 0. */
  pendingSnapshot: Index = 0
  /** Heard from since the last check of the quorum. */
  recentActive = false
  /** No append may go until an answer, or a heartbeat's response, lifts this. */
  flowPaused = false
  learner: boolean

  constructor(id: NodeId, match: Index, next: Index, learner: boolean, inflights: Inflights) {
    this.id = id
    this.match = match
    this.next = next
    this.learner = learner
    this.inflights = inflights
  }

  /** A new term of ours, or of another: everything known about the peer is void. */
  restart(match: Index, next: Index): void {
    this.#enter('probe')
    this.match = match
    this.next = next
    this.sentCommit = 0
    this.recentActive = false
  }

  becomeProbe(): void {
    // A snapshot that was pending is thought to have arrived: probe behind it. Whoever knows that
    // it failed clears pendingSnapshot first.
    const pending = this.state === 'snapshot' ? this.pendingSnapshot : 0
    this.#enter('probe')
    this.next = Math.max(this.match, pending) + 1
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
  }

  becomeReplicate(): void {
    this.#enter('replicate')
    this.next = this.match + 1
  }

  becomeSnapshot(index: Index): void {
    this.#enter('snapshot')
    this.pendingSnapshot = index
    this.next = index + 1
    this.sentCommit = index
  }

  /** Accounts for an append of `count` entries that has just been sent from `next` on. */
  sent(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count
        this.inflights.add(this.next - 1, bytes)
      }
      // A full window makes this append a probe: the next goes when something is heard.
      this.flowPaused = this.inflights.full
    } else if (count > 0) {
      this.flowPaused = true
    }
  }

  /** Whether sending `commit` may move the peer's commit index beyond what was sent before. */
  canBumpCommit(commit: Index): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1
  }

  /** @returns whether the acknowledgement of `index` is news */
  acknowledge(index: Index): boolean {
    if (index <= this.match) return false
    this.match = index
    this.next = Math.max(this.next, index + 1)
    this.flowPaused = false
    return true
  }

  /**
   * Takes a rejection of the append that followed `rejected`.
   *
   * @param hint where the logs may match at most
   * @returns false if the rejection is a stale one, which changes nothing
   */
  reject(rejected: Index, hint: Index): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.next = this.match + 1
    } else {
      // Probes go one at a time, so only the answer to the last one counts.
      if (rejected !== this.next - 1) return false
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
      this.flowPaused = false
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
    return true
  }

  get paused(): boolean {
    return this.state === 'snapshot' || this.flowPaused
  }

  #enter(state: ProgressState): void {
    this.flowPaused = false
    this.pendingSnapshot = 0
    this.state = state
    this.inflights.reset()
  }
}
