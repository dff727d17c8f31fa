// Snapshots because somebody asked: every shard of this node that has something new.
//
// A round asks the taker for each of them and ends when the last is on disk. It
// fails with the first that could not be written; the taker goes on trying.

import type { Clock } from '../base/clock.ts'
import type { Ms, ShardId } from '../base/types.ts'
import type { Replica } from './replica.ts'
import type { SnapshotTaker } from './snapshot-taker.ts'

type Held = Pick<Replica<unknown>, 'shard' | 'amnesiac' | 'bytesSinceSnapshot'>
type Done = (ok: boolean) => void

export class SnapshotRounds {
  readonly #clock: Clock
  readonly #taker: SnapshotTaker
  readonly #replicas: ReadonlyMap<ShardId, Held>
  readonly #missing = new Set<ShardId>()
  #done: Done | null = null
  /** When a round last ended well, or the start of the process. Unix ms. */
  lastAt: Ms
  lastOk = true
  /** Snapshots written since the start, whoever wanted them. */
  taken = 0

  constructor(clock: Clock, taker: SnapshotTaker, replicas: ReadonlyMap<ShardId, Held>) {
    this.#clock = clock
    this.#taker = taker
    this.#replicas = replicas
    this.lastAt = clock.now()
    taker.onEnd((shard, ok) => this.#ended(shard, ok))
  }

  get running(): boolean {
    return this.#done !== null
  }

  /** Bytes of log that a restart would have to apply. */
  get bytesSince(): number {
    let bytes = 0
    for (const { bytesSinceSnapshot } of this.#replicas.values()) bytes += bytesSinceSnapshot
    return bytes
  }

  /** @returns false: a round is under way, and `done` is not called */
  take(done: Done): boolean {
    if (this.#done !== null) return false
    this.#done = done
    for (const { shard, amnesiac, bytesSinceSnapshot } of this.#replicas.values())
      if (!amnesiac && bytesSinceSnapshot > 0) this.#missing.add(shard)
    for (const shard of this.#missing) this.#taker.want(shard)
    if (this.#missing.size === 0) this.#end(true)
    return true
  }

  #ended(shard: ShardId, ok: boolean): void {
    if (ok) this.taken += 1
    if (!this.#missing.delete(shard)) return
    if (!ok || this.#missing.size === 0) this.#end(ok)
  }

  #end(ok: boolean): void {
    const done = this.#done
    this.#done = null
    this.#missing.clear()
    this.lastOk = ok
    if (ok) this.lastAt = this.#clock.now()
    done?.(ok)
  }
}
