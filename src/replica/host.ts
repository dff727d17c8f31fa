// What a replica needs of the turn that drives it, and what the turn does for it.

import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Index, NodeId, ShardId, Term } from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import type { ShardWrite } from '../storage/storage.ts'

/** What a replica needs of the turn that drives it. */
export interface Host {
  readonly clock: Clock
  readonly random: Random
  /** Little space is left: what grows the state is refused. */
  readonly diskFull: boolean
  /** A batch of the log is being written. */
  readonly diskBusy: boolean
  /** There is work: run a turn soon. */
  schedule(): void
  /** Queues a write for this turn's batch, or the next one's if the disk is busy. */
  persist(work: PersistWork): void
  /** Puts a message into this turn's envelope. */
  send(shard: ShardId, message: Message): void
  /** Streams the state that `message` (a snapshot) speaks of, then delivers it. */
  sendSnapshot(shard: ShardId, message: Message): void
  /** The log lacks what was acknowledged: the shard takes no part until it is repaired. */
  damaged(shard: ShardId, reason: string): void
  /** The leader's snapshot made good what the disk had lost. */
  repaired(shard: ShardId): void
  /** A received snapshot is durable and recorded: older files may go. */
  snapshotKept(shard: ShardId, index: Index): void
  /** The leader, the role or the term of `replica` changed. */
  leaderChanged(shard: ShardId, leader: NodeId, term: Term): void
}

export type PersistWork = {
  /** Null: nothing to write, only an order to keep. */
  readonly write: ShardWrite | null
  /** Runs when this and all before it are durable: sends what rests on it. */
  readonly done: () => void
}
