// The road of commands that concern all keys of this node: every shard that it leads is asked, and the session
// waits for all of them (DBSIZE), or one after the other, as the cursor says (SCAN).

import type { Argv } from '../base/argv.ts'
import { isError } from '../machine/command.ts'
import { array, EMPTY_ARRAY, fail, type Reply, text } from '../machine/reply.ts'
import type { Entry } from './command-index.ts'
import type { Desk } from './desk.ts'
import {
  Gatherer,
  type Gathering,
  merge,
  parseScanCursor,
  ScanRelay,
  shardScan,
} from './gathering.ts'
import type { Shard } from './ports.ts'
import { ReadQuery, type ReadWatch } from './read-query.ts'
import * as refusals from './refusals.ts'
import type { Session } from './session.ts'

/** SCAN's answer behind the last shard. */
const SCAN_END = array([text('0'), EMPTY_ARRAY])
const invalidCursor = fail('ERR invalid cursor')

export class GatheringRoad {
  readonly #desk: Desk

  constructor(desk: Desk) {
    this.#desk = desk
  }

  /** @returns the reply, or null: it is on its way */
  take(
    session: Session,
    argv: Argv,
    entry: Entry,
    gathering: Gathering,
    place: number,
  ): Reply | null {
    return gathering === 'scan'
      ? this.#scan(session, argv, entry, place)
      : this.#gather(session, argv, entry, gathering, place)
  }

  #led(): readonly Shard[] {
    return this.#desk.shards().filter(shard => shard.replica.isLeader)
  }

  #gather(
    session: Session,
    argv: Argv,
    entry: Entry,
    gathering: Gathering,
    place: number,
  ): Reply | null {
    const { spec } = entry
    const parsed = spec.parse?.(argv)
    if (isError(parsed)) return parsed
    const shards = this.#led()
    if (shards.length === 0) return entry.writes ? refusals.readOnlyReplica : merge(gathering, [])
    session.markWait(place, null)
    const gatherer = new Gatherer(session, place, gathering, shards.length)
    let watch: ReadWatch | null = this.#desk
    for (const { replica, machine } of shards) {
      const query = new ReadQuery(spec, machine, parsed, watch, session, argv)
      // One call, however many shards answer it.
      watch = null
      const refusal =
        spec.query !== undefined
          ? replica.read(gatherer, 0, query, false)
          : replica.propose(gatherer, 0, argv, null, entry.grows)
      if (refusal !== null) gatherer.answer(0, refusals.overloaded)
    }
    return null
  }

  /** One step of SCAN, at the shard that the cursor names or the next that is led here. */
  #scan(session: Session, argv: Argv, entry: Entry, place: number): Reply | null {
    const { spec } = entry
    const cursor = parseScanCursor(argv.latin1(1))
    if (cursor === null || spec.query === undefined) return invalidCursor
    const shards = this.#led()
    const at = shards.findIndex(({ replica }) => replica.shard >= cursor.shard)
    const shard = shards[at]
    const inner = shard?.replica.shard === cursor.shard ? cursor.inner : 0n
    const parsed = spec.parse?.(shardScan(argv, inner))
    if (isError(parsed)) return parsed
    if (shard === undefined) return SCAN_END
    const next = shards[at + 1]?.replica.shard ?? 0
    const relay = new ScanRelay(session, place, shard.replica.shard, next)
    session.markWait(place, null)
    const query = new ReadQuery(spec, shard.machine, parsed, this.#desk, session, argv)
    const refusal = shard.replica.read(relay, 0, query, false)
    return refusal === null ? null : refusals.overloaded
  }
}
