// A leader's side of replication: appends, heartbeats, snapshots, and the answers.

import { assert } from '../base/assert.ts'
import type { NodeId } from '../base/types.ts'
import type { Core } from './core.ts'
import { payloadBytes } from './entry-size.ts'
import { isMember } from './membership.ts'
import type { Entry, Message } from './message.ts'
import type { Progress } from './progress.ts'

const NO_ENTRIES: readonly Entry[] = []

/** Sends `peer` what it lacks and the commit index, unless its flow is paused. */
export function sendAppend(core: Core, peer: Progress): void {
  maybeSendAppend(core, peer, true)
}

/**
 * Sends one append if the peer's state allows.
 *
 * @param evenEmpty an append without entries still carries the commit index
 * @returns whether a message went out
 */
export function maybeSendAppend(core: Core, peer: Progress, evenEmpty: boolean): boolean {
  if (peer.paused) return false
  const prevIndex = peer.next - 1
  const prevTerm = core.log.term(prevIndex)
  if (prevTerm === 'not-now') return false
  if (typeof prevTerm === 'string') return maybeSendSnapshot(core, peer)

  let entries = NO_ENTRIES
  // With a full window still send empty appends. If everything in it was lost, only the answer
  // to such a one can free it.
  if (peer.state !== 'replicate' || !peer.inflights.full) {
    const found = core.log.entriesFrom(peer.next, core.options.maxBytesPerMessage)
    if (found === 'not-now') return false
    if (typeof found === 'string') return maybeSendSnapshot(core, peer)
    entries = found
  }
  if (entries.length === 0 && !evenEmpty) return false

  const commit = core.log.committed
  core.send('append', peer.id, { index: prevIndex, logTerm: prevTerm, entries, commit })
  peer.sent(entries.length, payloadBytes(entries))
  peer.sentCommit = commit
  return true
}

export function broadcastAppend(core: Core): void {
  for (const peer of core.tracker.all) if (peer.id !== core.id) sendAppend(core, peer)
}

export function broadcastHeartbeat(core: Core): void {
  const context = core.reads.heartbeatContext()
  for (const peer of core.tracker.all) {
    if (peer.id === core.id) continue
    // Never a commit index beyond what the peer is known to share with us.
    const commit = Math.min(peer.match, core.log.committed)
    core.send('heartbeat', peer.id, { commit, context })
    peer.sentCommit = commit
  }
}

/** @returns whether commit moved; then everybody is to be told */
export function maybeCommit(core: Core): boolean {
  return core.log.maybeCommit(core.tracker.committed(), core.term)
}

/**
 * An append was rejected: step back to where the logs may match.
 *
 * The follower said which term it has at its hint. Where our log has a higher
 * one it cannot match, so one round trip per term finds the place.
 */
export function handleRejection(core: Core, peer: Progress, message: Message): void {
  let hint = message.rejectHint
  if (message.logTerm > 0) hint = core.log.findConflictByTerm(hint, message.logTerm).index
  if (!peer.reject(message.index, hint)) return
  if (peer.state === 'replicate') peer.becomeProbe()
  sendAppend(core, peer)
}

/** Takes note of an acknowledgement. @returns whether it was of use */
export function acknowledge(core: Core, peer: Progress, message: Message): boolean {
  const isNews = peer.acknowledge(message.index)
  // One of exactly `match` brings a probing peer back: it was reported unreachable, but lacks nothing.
  if (!isNews && !(peer.match === message.index && peer.state === 'probe')) return false
  if (peer.state === 'probe') {
    peer.becomeReplicate()
  } else if (peer.state === 'snapshot') {
    // Whichever snapshot it was that it got, it connects to our log again.
    if (peer.match + 1 >= core.log.firstIndex) {
      peer.becomeProbe()
      peer.becomeReplicate()
    }
  } else {
    peer.inflights.freeTo(message.index)
  }
  return true
}

/** After an acknowledgement: the news of the commit index, and as much as now fits the window. */
export function continueAppends(core: Core, peer: Progress, commitMoved: boolean): void {
  if (commitMoved) broadcastAppend(core)
  else if (peer.id !== core.id && peer.canBumpCommit(core.log.committed)) sendAppend(core, peer)
  if (peer.id !== core.id) fillWindow(core, peer)
}

/** Storage has what it could not say before: whoever waited for it goes on. */
export function resumeAppends(core: Core): void {
  for (const peer of core.tracker.all) if (peer.id !== core.id) fillWindow(core, peer)
}

function fillWindow(core: Core, peer: Progress): void {
  while (maybeSendAppend(core, peer, false)) {
    // Each turn sends one append of limited size.
  }
}

export function handleUnreachable(peer: Progress): void {
  // What was sent in a row is probably lost.
  if (peer.state === 'replicate') peer.becomeProbe()
}

/** The transport's word on a snapshot. Either way the next answer decides what is sent. */
export function handleSnapshotStatus(peer: Progress, ok: boolean): void {
  if (peer.state !== 'snapshot') return
  if (!ok) peer.pendingSnapshot = 0
  peer.becomeProbe()
  peer.flowPaused = true
}

export function sendTimeoutNow(core: Core, to: NodeId): void {
  core.leaseVoid = true
  core.send('timeout-now', to, {})
}

function maybeSendSnapshot(core: Core, peer: Progress): boolean {
  // Nobody listens: a snapshot is too large to send on the off chance.
  if (!peer.recentActive) return false
  const snapshot = core.log.snapshot()
  if (snapshot === 'not-now') return false
  assert(typeof snapshot !== 'string', 'a log without its beginning has a snapshot')
  assert(snapshot.index > 0, 'an empty snapshot cannot be sent')
  // It is older than the change that brought this member in, which would refuse it. A newer one must
  // be taken first: that is the host's to see.
  if (!isMember(snapshot.conf, peer.id)) return false
  peer.becomeSnapshot(snapshot.index)
  core.send('snapshot', peer.id, { snapshot })
  return true
}
