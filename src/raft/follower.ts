// What a follower does with what its leader sends, and with what belongs to its leader.

import { NO_NODE } from '../base/types.ts'
import { type Core, makeMessage } from './core.ts'
import { isMember } from './membership.ts'
import type { Message, SnapshotMeta } from './message.ts'

/** Messages of our own term, elections apart. */
export function stepFollower(core: Core, message: Message): 'dropped' | null {
  switch (message.type) {
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      core.electionElapsed = 0
      core.leader = message.from
      handleLeader(core, message)
      return null
    case 'propose':
      if (core.leader === NO_NODE || core.options.disableProposalForwarding) return 'dropped'
      forward(core, message)
      return null
    case 'read-index':
    case 'transfer-leader':
      if (core.leader !== NO_NODE) forward(core, message)
      return null
    case 'read-index-response':
      if (message.context) {
        core.readStates.push({ index: message.index, context: message.context })
      }
      return null
    default:
      return null
  }
}

/** An append, a heartbeat or a snapshot of the leader of our term. */
export function handleLeader(core: Core, message: Message): void {
  if (message.type === 'append') handleAppend(core, message)
  else if (message.type === 'heartbeat') handleHeartbeat(core, message)
  else handleSnapshot(core, message)
}

/** Proposals, reads and transfers carry no term: they are the asker's, whoever leads. */
function forward(core: Core, message: Message): void {
  const { type, entries, context } = message
  const term = type === 'transfer-leader' ? core.term : 0
  const from = message.from || core.id
  core.messages.push(makeMessage(type, from, core.leader, { term, entries, context }))
}

function handleAppend(core: Core, message: Message): void {
  const { log } = core
  const { from, index, logTerm, entries } = message
  if (index < log.committed) {
    // What it brings is committed here, hence equal. Looking could only do harm.
    core.sendAfterAppend('append-response', from, { index: log.committed })
    return
  }
  if (log.append(index, logTerm, entries, message.commit)) {
    core.sendAfterAppend('append-response', from, { index: index + entries.length })
    return
  }
  // Where the logs may match at most: the leader's has no term above logTerm up to `index`.
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex), logTerm)
  core.sendAfterAppend('append-response', from, {
    index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term,
  })
}

function handleHeartbeat(core: Core, message: Message): void {
  core.log.commitTo(message.commit)
  core.send('heartbeat-response', message.from, { context: message.context })
}

function handleSnapshot(core: Core, message: Message): void {
  const restored = message.snapshot !== null && restore(core, message.snapshot)
  const index = restored ? core.log.lastIndex : core.log.committed
  core.sendAfterAppend('append-response', message.from, { index })
}

/** @returns false: the snapshot has nothing that we lack, or is not for us */
function restore(core: Core, snapshot: SnapshotMeta): boolean {
  const { log, tracker } = core
  if (snapshot.index <= log.committed || !isMember(snapshot.conf, core.id)) return false
  if (log.matches(snapshot.index, snapshot.term)) {
    // The log has it all. What lies behind may have been acknowledged and must stay.
    log.commitTo(snapshot.index)
    return false
  }
  core.confBeforeSnapshot ??= tracker.conf
  log.restore(snapshot)
  tracker.restore(snapshot.conf, log.lastIndex)
  return true
}
