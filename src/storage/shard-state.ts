// All of a shard that is not an entry, and how a state record holds it.
//
//   body: u64 term | u64 vote | u64 commit | u64 start index | u64 start term | u64 last index
//         u64 conf index | conf (cursor.ts) | u8 1 if a snapshot follows | snapshot (record.ts)
//         u8 1 if damaged | u32 length | text
//
// Every segment begins with one for each shard, so that older segments are
// needed for their entries only. `last index` tells a reader who begins here how
// many entries older segments hold, or held: what was compacted since is missing
// from the start, and a later state says so.

import type { Index, Term } from '../base/types.ts'
import type { ConfState, HardState } from '../raft/message.ts'
import { Cursor, confBytes, NO_CONF, putConf, takeConf } from './cursor.ts'
import {
  type CheckedRecord,
  putHardState,
  putSnapshot,
  RECORD_HEADER_BYTES,
  type SnapshotNote,
  snapshotBytes,
  takeSnapshot,
} from './record.ts'

export type ShardState = {
  readonly hardState: HardState
  /** The entry before the first: its term must outlive compaction (RAFT 4.4). */
  readonly start: { readonly index: Index; readonly term: Term }
  readonly last: Index
  /** The configuration after the entry at confIndex was applied. */
  readonly conf: ConfState
  readonly confIndex: Index
  /** The newest durable snapshot. */
  readonly snapshot: SnapshotNote | null
  /** Why this shard may have forgotten what it promised; null while it has not. */
  readonly damaged: string | null
}

export const EMPTY_STATE: ShardState = {
  hardState: { term: 0, vote: 0, commit: 0 },
  start: { index: 0, term: 0 },
  last: 0,
  conf: NO_CONF,
  confIndex: 0,
  snapshot: null,
  damaged: null,
}

/** Bytes of a state record, header included. */
export function stateBytes(state: ShardState): number {
  let bytes = RECORD_HEADER_BYTES + 56 + confBytes(state.conf) + 6
  if (state.snapshot !== null) bytes += snapshotBytes(state.snapshot)
  return bytes + Buffer.byteLength(state.damaged ?? '')
}

export function putState(cursor: Cursor, state: ShardState): void {
  putHardState(cursor, state.hardState)
  cursor.putU64(state.start.index)
  cursor.putU64(state.start.term)
  cursor.putU64(state.last)
  cursor.putU64(state.confIndex)
  putConf(cursor, state.conf)
  cursor.putU8(state.snapshot === null ? 0 : 1)
  if (state.snapshot !== null) putSnapshot(cursor, state.snapshot)
  cursor.putU8(state.damaged === null ? 0 : 1)
  putText(cursor, state.damaged ?? '')
}

export function readState(buffer: Buffer, record: CheckedRecord): ShardState {
  const cursor = new Cursor(buffer, record.bodyAt)
  const hardState = {
    term: cursor.takeU64(),
    vote: cursor.takeU64(),
    commit: cursor.takeU64(),
  }
  const start = { index: cursor.takeU64(), term: cursor.takeU64() }
  const last = cursor.takeU64()
  const confIndex = cursor.takeU64()
  const conf = takeConf(cursor)
  const snapshot = cursor.takeU8() === 1 ? takeSnapshot(cursor) : null
  const isDamaged = cursor.takeU8() === 1
  const text = takeText(cursor)
  return { hardState, start, last, conf, confIndex, snapshot, damaged: isDamaged ? text : null }
}

export function putText(cursor: Cursor, text: string): void {
  const bytes = Buffer.from(text)
  cursor.putU32(bytes.length)
  cursor.putBytes(bytes)
}

export function takeText(cursor: Cursor): string {
  return cursor.takeBytes(cursor.takeU32()).toString()
}
