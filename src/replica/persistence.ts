// What of one shard's log storage was handed, what of it the disk has, and which messages wait for it.
//
// Term and vote first, also for the candidate: whatever is said after either changed waits
// until that is on disk (RAFT 3.8).

import type { ShardId } from '../base/types.ts'
import type { HardState, Message, Ready } from '../raft/message.ts'
import type { ShardWrite } from '../storage/storage.ts'
import type { Host } from './host.ts'

export class Persistence {
  readonly #host: Host
  readonly #shard: ShardId
  /** Sends what rests on what is now durable. */
  readonly #release: (messages: readonly Message[]) => void
  /** As Raft has it. */
  #hard: HardState
  /** What was last handed to storage; a commit index alone waits for the next write. */
  #written: HardState
  /** What of it the disk has. */
  #durable: HardState

  constructor(
    host: Host,
    shard: ShardId,
    hard: HardState,
    release: (messages: readonly Message[]) => void,
  ) {
    this.#host = host
    this.#shard = shard
    this.#release = release
    this.#hard = hard
    this.#written = hard
    this.#durable = hard
  }

  /** Raft's term, vote or commit index changed. */
  note(hard: HardState): void {
    this.#hard = hard
  }

  /** Whether nothing may be said yet, since the term or the vote is not durable. */
  get holds(): boolean {
    const { term, vote } = this.#hard
    return term !== this.#durable.term || vote !== this.#durable.vote
  }

  /**
   * A commit index that no write carried yet, or null. It need not be durable, but
   * a restart with it applies its log at once, without waiting for a leader.
   */
  unwritten(): ShardWrite | null {
    const hard = this.#hard
    if (hard.commit === this.#written.commit || hard.term !== this.#durable.term) return null
    this.#written = hard
    return { shard: this.#shard, hardState: hard, entries: [], snapshot: null }
  }

  /** Hands what is new to storage; `messages` leave once it is durable. */
  persist({ entries, snapshot }: Ready, messages: readonly Message[]): void {
    const hard = this.#hard
    const written = this.#written
    const binding = hard.term !== written.term || hard.vote !== written.vote
    if (entries.length === 0 && snapshot === null && !binding) {
      // A commit index alone needs no disk: a restart with an older one is safe.
      if (messages.length > 0)
        this.#host.persist({ write: null, done: () => this.#release(messages) })
      return
    }
    const changed = binding || hard.commit !== written.commit
    this.#written = hard
    this.#host.persist({
      write: { shard: this.#shard, hardState: changed ? hard : null, entries, snapshot },
      done: () => {
        this.#durable = hard
        if (snapshot !== null) this.#host.snapshotKept(this.#shard, snapshot.index)
        this.#release(messages)
      },
    })
  }
}
