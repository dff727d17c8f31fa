// Who the members are and how far each has come: a configuration with its progress.

import type { Index, NodeId } from '../base/types.ts'
import { Inflights } from './inflights.ts'
import { type Changed, checkConf, EMPTY_CONF, membersOf } from './membership.ts'
import type { ConfState } from './message.ts'
import { Progress } from './progress.ts'
import { committedIndex, type VoteResult, voteResult } from './quorum.ts'

export class Tracker {
  readonly #inflightMessagesMax: number
  readonly #inflightBytesMax: number
  readonly #byId = new Map<NodeId, Progress>()
  #conf: ConfState = EMPTY_CONF
  #sorted: readonly Progress[] = []
  // Made once: these run on every acknowledgement.
  readonly #matchOf = (voter: NodeId): Index => this.#byId.get(voter)?.match ?? 0
  readonly #activeOf = (voter: NodeId): boolean | undefined => this.#byId.get(voter)?.recentActive

  constructor(inflightMessagesMax: number, inflightBytesMax: number) {
    this.#inflightMessagesMax = inflightMessagesMax
    this.#inflightBytesMax = inflightBytesMax
  }

  get conf(): ConfState {
    return this.#conf
  }

  /** Everybody, ourselves included, in order of id: the order in which messages go out. */
  get all(): readonly Progress[] {
    return this.#sorted
  }

  get(node: NodeId): Progress | undefined {
    return this.#byId.get(node)
  }

  /** One voter in all: what it has on disk is committed. */
  get isSingleton(): boolean {
    return this.#conf.voters.length === 1 && this.#conf.votersOutgoing.length === 0
  }

  /** The highest index that a quorum has. */
  committed(): Index {
    return committedIndex(this.#conf.voters, this.#conf.votersOutgoing, this.#matchOf)
  }

  /** Whether a quorum was heard from since the last time somebody cleared `recentActive`. */
  quorumActive(): boolean {
    return this.tally(this.#activeOf) === 'won'
  }

  tally(voteOf: (voter: NodeId) => boolean | undefined): VoteResult {
    return voteResult(this.#conf.voters, this.#conf.votersOutgoing, voteOf)
  }

  /** Takes the configuration of a snapshot or of a start; nothing is known of anybody. */
  restore(conf: ConfState, lastIndex: Index): void {
    checkConf(conf)
    this.#byId.clear()
    this.adopt({ conf, fresh: new Set() }, lastIndex)
  }

  /**
   * Takes the configuration that a change led to.
   *
   * Who stays keeps its progress: a `match` that went down would take back an
   * acknowledgement that was counted.
   */
  adopt(changed: Changed, lastIndex: Index): void {
    const { conf, fresh } = changed
    const members = membersOf(conf)
    for (const id of this.#byId.keys()) if (!members.includes(id)) this.#byId.delete(id)
    const list: Progress[] = []
    for (const id of members) {
      const learner = conf.learners.includes(id)
      let progress = this.#byId.get(id)
      if (!progress || fresh.has(id)) {
        const inflights = new Inflights(this.#inflightMessagesMax, this.#inflightBytesMax)
        progress = new Progress(id, 0, Math.max(lastIndex, 1), learner, inflights)
        // Else the next check of the quorum deposes the leader that has just added it.
        progress.recentActive = true
        this.#byId.set(id, progress)
      }
      progress.learner = learner
      list.push(progress)
    }
    this.#conf = conf
    this.#sorted = list
  }
}
