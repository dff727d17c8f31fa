// Looking for a leader without waiting for an election timeout, when there is reason to.
//
// Two reasons: the leader's process is known to be dead, or this node has just
// started and hears of no leader. Campaigning early is safe at any time: it begins
// with a pre-vote, and who still hears a leader refuses it. It is tried again and
// again until there is a leader, since others may have learned of the death later.

import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { type Ms, NO_NODE, type NodeId } from '../base/types.ts'
import type { Raft } from '../raft/raft.ts'

export class Succession {
  readonly #clock: Clock
  readonly #random: Random
  readonly #raft: Raft
  readonly #within: Ms
  readonly #schedule: () => void
  #timer: Timer | null = null
  /** The node whose process died last, or NO_NODE: no candidacy waits for its vote. */
  #dead: NodeId = NO_NODE
  #stopped = false

  /** @param within attempts are spread over this time, so that two seldom meet */
  constructor(
    ports: { readonly clock: Clock; readonly random: Random; schedule(): void },
    raft: Raft,
    within: Ms,
  ) {
    this.#clock = ports.clock
    this.#random = ports.random
    this.#schedule = () => ports.schedule()
    this.#raft = raft
    this.#within = within
  }

  /**
   * Campaigns after `delay` and a random part of the spread, unless there is a leader by then.
   *
   * @param dead the leader whose process died, if that is the reason
   */
  begin(delay: Ms, dead: NodeId = this.#dead): void {
    this.#dead = dead
    if (this.#timer !== null || this.#stopped) return
    this.#timer = this.#clock.after(delay + this.#random.below(this.#within), () => {
      this.#timer = null
      if (this.#raft.leader !== NO_NODE) return
      // An election that is under way is left to end, for a slow disk is no reason to
      // begin another; unless two candidates refused each other and the third is dead.
      const isOver = this.#raft.role !== 'candidate' || this.#raft.isLostWithout(this.#dead)
      if (isOver) this.#raft.campaign()
      this.#schedule()
      this.begin(this.#within)
    })
  }

  /** There is a leader. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  stop(): void {
    this.#stopped = true
    this.end()
  }
}
