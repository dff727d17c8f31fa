// What a storage should hold, as plain arrays, and a random workload that drives both.

import assert from 'node:assert/strict'
import type { Random } from '../../src/base/random.ts'
import type { ShardId } from '../../src/base/types.ts'
import type { Entry, HardState, SnapshotMeta } from '../../src/raft/message.ts'
import type { ShardWrite } from '../../src/storage/storage.ts'
import { CONF, entry, type Rig } from '../unit/storage/rig.ts'

/** A shard as it should be. Entries are never compacted here: index i stands at i - base - 1. */
type ModelShard = {
  readonly hardState: HardState
  /** Index before the first entry: not 0 only once a snapshot replaced the log. */
  readonly base: number
  readonly entries: readonly Entry[]
  readonly snapshot: SnapshotMeta | null
}

const NEW: ModelShard = {
  hardState: { term: 0, vote: 0, commit: 0 },
  base: 0,
  entries: [],
  snapshot: null,
}

export type ModelState = ReadonlyMap<ShardId, ModelShard>

export class Model {
  /** What is acknowledged, and what will be when the batch in flight is. */
  acked: ModelState = new Map()
  pending: ModelState = new Map()

  /** Takes the state that recovery decided for. */
  adopt(rig: Rig): void {
    const adopted = new Map<ShardId, ModelShard>()
    for (const shard of new Set([...this.acked.keys(), ...this.pending.keys()])) {
      const isNew = differs(rig, shard, this.pending.get(shard) ?? NEW) === null
      adopted.set(shard, (isNew ? this.pending : this.acked).get(shard) ?? NEW)
    }
    this.acked = adopted
    this.pending = adopted
  }

  /** Each shard is as it was acknowledged, or as the batch in flight would have it. */
  check(rig: Rig): void {
    for (const shard of new Set([...this.acked.keys(), ...this.pending.keys()])) {
      const old = differs(rig, shard, this.acked.get(shard) ?? NEW)
      if (old === null) continue
      const young = differs(rig, shard, this.pending.get(shard) ?? NEW)
      assert.equal(
        young,
        null,
        `shard ${shard}: neither the old state (${old}) nor the new (${young})`,
      )
    }
  }
}

function differs(rig: Rig, shard: ShardId, wanted: ModelShard): string | null {
  const log = rig.storage.shard(shard)
  if (log.damaged !== null) return `damaged: ${log.damaged}`
  const { term, vote, commit } = log.initialState().hardState
  const last = wanted.base + wanted.entries.length
  if (term !== wanted.hardState.term || vote !== wanted.hardState.vote) return 'term or vote'
  if (commit > Math.max(wanted.hardState.commit, wanted.snapshot?.index ?? 0)) return 'commit'
  if (log.lastIndex() !== last) return `last index ${log.lastIndex()}, not ${last}`
  if (log.firstIndex() <= wanted.base) return 'first index'
  for (let index = log.firstIndex(); index <= last; index += 1) {
    const is = log.entries(index, index + 1, 1e9)
    const should = wanted.entries[index - wanted.base - 1]
    if (typeof is === 'string' || is[0] === undefined || should === undefined)
      return `entry ${index}`
    if (is[0].term !== should.term || !Buffer.from(is[0].data).equals(should.data)) {
      return `content of entry ${index}`
    }
  }
  const snapshot = log.state.snapshot?.meta ?? null
  if (snapshot?.index !== wanted.snapshot?.index) return `snapshot ${snapshot?.index}`
  if (log.firstIndex() > 1 && snapshot === null) return 'a start without a snapshot'
  if (snapshot !== null && snapshot.index < log.firstIndex() - 1) return 'a gap behind the snapshot'
  if (snapshot !== null && !rig.storage.snapshots.has(shard, snapshot)) return 'no snapshot file'
  return null
}

/** One random step: a batch, a snapshot, a compaction or a configuration. */
export function randomStep(rig: Rig, model: Model, random: Random): void {
  const kind = random.below(10)
  const shard = 1 + random.below(3)
  const state = model.acked.get(shard) ?? NEW
  const last = state.base + state.entries.length
  if (kind < 7) {
    const count = 1 + random.below(2)
    const writes: ShardWrite[] = []
    const next = new Map(model.acked)
    for (let i = 0; i < count; i += 1) addWrite(writes, next, 1 + ((shard + i) % 3), random)
    submit(rig, model, next, writes)
  } else if (kind === 7 && last > (state.snapshot?.index ?? 0)) {
    const index = Math.max(state.snapshot?.index ?? 0, state.base) + 1
    takeSnapshot(rig, model, shard, Math.min(last, index + random.below(4)), random)
  } else if (kind === 8 && state.snapshot !== null) {
    rig.storage.compact(shard, state.snapshot.index)
  } else {
    installSnapshot(rig, model, shard, last + 1 + random.below(5))
  }
}

function addWrite(
  writes: ShardWrite[],
  next: Map<ShardId, ModelShard>,
  shard: ShardId,
  random: Random,
): void {
  const state = next.get(shard) ?? NEW
  const last = state.base + state.entries.length
  const floor = Math.max(state.base, state.snapshot?.index ?? 0)
  const isCut = last > floor && random.below(5) === 0
  const first = isCut ? floor + 1 + random.below(last - floor) : last + 1
  const term = state.hardState.term + (isCut ? 1 : 0)
  const count = random.below(4)
  const size = random.below(8) === 0 ? 3000 : 10 + random.below(200)
  const entries = Array.from({ length: count }, (_, i) =>
    entry(first + i, term, Buffer.alloc(size, `${shard}.${first + i}.${term};`)),
  )
  const hardState = { term, vote: random.below(3), commit: state.hardState.commit }
  writes.push({ shard, hardState, entries, snapshot: null })
  const kept = count === 0 ? state.entries : state.entries.slice(0, first - state.base - 1)
  next.set(shard, { ...state, hardState, entries: [...kept, ...entries] })
}

function takeSnapshot(rig: Rig, model: Model, shard: ShardId, index: number, random: Random): void {
  const state = model.acked.get(shard) ?? NEW
  const term = state.entries[index - state.base - 1]?.term ?? 0
  const meta = { index, term, conf: CONF }
  rig.file(shard, meta, Buffer.alloc(random.below(3000), `state ${shard} ${index}`))
  const next = new Map(model.acked)
  next.set(shard, { ...state, snapshot: meta })
  submit(rig, model, next, [{ shard, hardState: null, entries: [], snapshot: meta }])
}

function installSnapshot(rig: Rig, model: Model, shard: ShardId, index: number): void {
  const state = model.acked.get(shard) ?? NEW
  const meta = { index, term: state.hardState.term, conf: CONF }
  const hardState = { ...state.hardState, commit: index }
  rig.file(shard, meta, Buffer.from(`installed ${index}`))
  const next = new Map(model.acked)
  next.set(shard, { hardState, base: index, entries: [], snapshot: meta })
  submit(rig, model, next, [{ shard, hardState, entries: [], snapshot: meta }])
}

function submit(rig: Rig, model: Model, next: ModelState, writes: readonly ShardWrite[]): void {
  model.pending = next
  rig.write(...writes)
  model.acked = next
}
