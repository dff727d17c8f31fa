// The log as a shard's Raft sees it: what storage holds, and where to begin when it holds nothing.
//
// A shard's first members are known before its log has an entry: the meta
// shard's from the configuration, the others' from the meta shard. They count
// until a snapshot carries a configuration of its own.

import type { Index, Term } from '../base/types.ts'
import type {
  ConfState,
  Entry,
  HardState,
  LogStorage,
  Missing,
  SnapshotMeta,
} from '../raft/message.ts'
import type { DiskError } from '../storage/disk.ts'
import type { ShardLog } from '../storage/shard-log.ts'

export class LogView implements LogStorage {
  readonly #log: ShardLog
  readonly #first: ConfState
  readonly #fetched: (error: DiskError | null) => void
  /** One fetch at a time: Raft asks again and again until it is there. */
  #fetching = false

  /**
   * @param first   members before there is a snapshot
   * @param fetched runs when entries that only the disk had can be asked for again
   */
  constructor(log: ShardLog, first: ConfState, fetched: (error: DiskError | null) => void) {
    this.#log = log
    this.#first = first
    this.#fetched = fetched
  }

  initialState(): { hardState: HardState; conf: ConfState } {
    const hardState = this.#vouchedFor(this.#log.initialState().hardState)
    const snapshot = this.#log.snapshot()
    return { hardState, conf: typeof snapshot === 'string' ? this.#first : snapshot.conf }
  }

  entries(low: Index, high: Index, bytesMax: number): readonly Entry[] | Missing {
    const found = this.#log.entries(low, high, bytesMax)
    if (found === 'not-now') this.#fetch(low, high, bytesMax)
    return found
  }

  term(index: Index): Term | Missing {
    return this.#log.term(index)
  }

  lastIndex(): Index {
    return this.#log.lastIndex()
  }

  firstIndex(): Index {
    return this.#log.firstIndex()
  }

  snapshot(): SnapshotMeta | Missing {
    return this.#log.snapshot()
  }

  /** A damaged log may lack what was known to be committed: that is for the leader's snapshot to bring. */
  #vouchedFor(hardState: HardState): HardState {
    if (this.#log.damaged === null) return hardState
    const last = this.#log.lastIndex()
    const commit = Math.max(Math.min(hardState.commit, last), this.#log.firstIndex() - 1)
    return { ...hardState, commit }
  }

  #fetch(low: Index, high: Index, bytesMax: number): void {
    if (this.#fetching) return
    this.#fetching = true
    this.#log.fetch(low, high, bytesMax, error => {
      this.#fetching = false
      this.#fetched(error)
    })
  }
}

/** A configuration of plain voters and learners. */
export function plainConf(voters: readonly number[], learners: readonly number[] = []): ConfState {
  return { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false }
}
