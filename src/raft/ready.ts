// From what the core has to do to a Ready, and to the work of the two storage threads.

import { type Core, makeMessage } from './core.ts'
import type { SnapshotMeta } from './message.ts'
import { APPEND_THREAD, APPLY_THREAD, type Entry, type HardState, type Message } from './message.ts'

const NOTHING: readonly never[] = []

/**
 * What the append thread answers once a write, and every one before it, is durable.
 *
 * The answer lets the core drop entries from memory, and carries the term of its
 * request for a reason. Of several writes under way a later one may replace an
 * entry and a still later one bring it back: then the answer to the first matches
 * what is in memory while the disk will hold the other for a while (ABA). Such a
 * change takes a change of term, so an answer of an older term frees nothing. So
 * that memory is freed in the end, every write names the last entry, also one
 * without entries: each new term comes with a write of its own.
 *
 * @returns null if the core has nothing to learn from it
 */
export function storageAppendResponse(core: Core, snapshot: SnapshotMeta | null): Message | null {
  const { log, id, term } = core
  if (!log.hasUnstableEntries) {
    if (!snapshot) return null
    return makeMessage('storage-append-response', APPEND_THREAD, id, { term, snapshot })
  }
  return makeMessage('storage-append-response', APPEND_THREAD, id, {
    term,
    index: log.lastIndex,
    logTerm: log.lastTerm,
    snapshot,
  })
}

/** The write of a Ready, with the messages that wait for it. Null: nothing to write, nothing waits. */
export function storageAppend(
  core: Core,
  entries: readonly Entry[],
  hardState: HardState | null,
  snapshot: SnapshotMeta | null,
): Message | null {
  const waiting = core.messagesAfterAppend
  if (entries.length === 0 && !hardState && !snapshot && waiting.length === 0) return null
  const done = storageAppendResponse(core, snapshot)
  // Ours last: acknowledgements to ourselves find their terms while the entries are in memory.
  if (done) waiting.push(done)
  return makeMessage('storage-append', core.id, APPEND_THREAD, {
    term: hardState?.term ?? 0,
    vote: hardState?.vote ?? 0,
    commit: hardState?.commit ?? 0,
    entries,
    snapshot,
    // The core goes on with an empty list of its own: it must not be the one handed out.
    responses: waiting.length > 0 ? waiting : NOTHING,
  })
}

/** Committed entries are no term's, so neither is the answer. */
export function storageApplyResponse(core: Core, entries: readonly Entry[]): Message {
  return makeMessage('storage-apply-response', APPLY_THREAD, core.id, { entries })
}

export function storageApply(core: Core, entries: readonly Entry[]): Message {
  const responses = [storageApplyResponse(core, entries)]
  return makeMessage('storage-apply', core.id, APPLY_THREAD, { entries, responses })
}
