// Stable storage in memory, for tests of the Raft core: what it holds is durable.

import assert from 'node:assert/strict'
import type { Index, Term } from '../../src/base/types.ts'
import { countWithin } from '../../src/raft/entry-size.ts'
import type {
  ConfState,
  Entry,
  HardState,
  LogStorage,
  Missing,
  SnapshotMeta,
} from '../../src/raft/message.ts'

const NO_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

export class MemoryLog implements LogStorage {
  readonly #latestSnapshot: (() => SnapshotMeta) | null
  #hardState: HardState = { term: 0, vote: 0, commit: 0 }
  #base: { index: Index; term: Term } = { index: 0, term: 0 }
  #entries: Entry[] = []
  #snapshot: SnapshotMeta = { index: 0, term: 0, conf: NO_CONF }

  /** @param latestSnapshot what snapshot() gives; by default the last one installed */
  constructor(latestSnapshot: (() => SnapshotMeta) | null = null) {
    this.#latestSnapshot = latestSnapshot
  }

  initialState(): { hardState: HardState; conf: ConfState } {
    return { hardState: this.#hardState, conf: this.#snapshot.conf }
  }

  firstIndex(): Index {
    return this.#base.index + 1
  }

  lastIndex(): Index {
    return this.#base.index + this.#entries.length
  }

  term(index: Index): Term | Missing {
    if (index < this.#base.index) return 'compacted'
    if (index === this.#base.index) return this.#base.term
    return this.#entries[index - this.#base.index - 1]?.term ?? 'unavailable'
  }

  entries(low: Index, high: Index, bytesMax: number): readonly Entry[] | Missing {
    if (low <= this.#base.index) return 'compacted'
    if (high > this.lastIndex() + 1) return 'unavailable'
    const all = this.#entries.slice(low - this.#base.index - 1, high - this.#base.index - 1)
    return all.slice(0, countWithin(all, bytesMax))
  }

  snapshot(): SnapshotMeta | Missing {
    return this.#latestSnapshot ? this.#latestSnapshot() : this.#snapshot
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState
  }

  /** Replaces everything. */
  install(snapshot: SnapshotMeta): void {
    assert.ok(
      this.#snapshot.index === 0 || snapshot.index > this.#snapshot.index,
      'a snapshot that is not newer was installed',
    )
    this.#snapshot = snapshot
    this.#base = { index: snapshot.index, term: snapshot.term }
    this.#entries = []
  }

  /** The state machine's own snapshot: what a restart begins from. The entries stay. */
  checkpoint(snapshot: SnapshotMeta): void {
    if (snapshot.index > this.#snapshot.index) this.#snapshot = snapshot
  }

  /** Replaces everything from the first of `entries` on. */
  append(entries: readonly Entry[]): void {
    const added = entries.filter(entry => entry.index > this.#base.index)
    const first = added[0]
    if (!first) return
    const at = first.index - this.#base.index - 1
    assert.ok(at <= this.#entries.length, `an append at ${first.index} leaves a gap`)
    this.#entries = [...this.#entries.slice(0, at), ...added]
  }

  /** Drops the entries up to and including `index`. */
  compact(index: Index): void {
    const term = this.term(index)
    assert.ok(typeof term === 'number' && index > this.#base.index, `cannot compact to ${index}`)
    this.#entries = this.#entries.slice(index - this.#base.index)
    this.#base = { index, term }
  }

  /** All entries held. */
  all(): readonly Entry[] {
    return this.#entries
  }
}
