// Elections: who may campaign, who gets a vote, and who has won.
//
// With pre-vote a candidate first asks whether it could win, and raises its term
// only then (Thesis §9.6). A transfer of leadership skips that, and is marked so
// that voters do not hold it off for the sake of the leader they still hear.

import { NO_NODE } from '../base/types.ts'
import type { Core } from './core.ts'
import { handleLeader } from './follower.ts'
import { becomeLeader } from './leader.ts'
import type { Message } from './message.ts'
import { broadcastAppend } from './replication.ts'

type Campaign = 'pre-election' | 'election' | 'transfer'

/** The context of a vote request that comes from a transfer of leadership: the word "transfer". */
const TRANSFER = Uint8Array.from([0x74, 0x72, 0x61, 0x6e, 0x73, 0x66, 0x65, 0x72])

/** Campaigns if that is allowed; else nothing happens. */
export function hup(core: Core, isTransfer: boolean): void {
  if (core.role === 'leader' || !core.promotable) return
  // It would campaign by the rules of a configuration that is past.
  if (hasUnappliedConfChange(core)) return
  if (isTransfer) campaign(core, 'transfer')
  else campaign(core, core.options.preVote ? 'pre-election' : 'election')
}

/** Ticks of everybody but a leader. */
export function tickElection(core: Core): void {
  core.electionElapsed += 1
  if (core.electionElapsed < core.electionTimeout || !core.promotable) return
  core.electionElapsed = 0
  hup(core, false)
}

/**
 * Whether a request for a vote is to be ignored, since a leader was heard of
 * within the shortest election timeout: else a node that hears nobody but is
 * heard would depose one leader after another.
 */
export function isHeldOff(core: Core, message: Message): boolean {
  return (
    core.options.checkQuorum &&
    core.leader !== NO_NODE &&
    core.electionElapsed < core.options.electionTicks &&
    !isTransfer(message)
  )
}

/** A vote or pre-vote request of our term, or a pre-vote of a later one. Learners vote too. */
export function handleVoteRequest(core: Core, message: Message): void {
  const { type, from, term } = message
  const isPreVote = type === 'pre-vote'
  const free =
    core.vote === from ||
    (core.vote === NO_NODE && core.leader === NO_NODE) ||
    (isPreVote && term > core.term)
  const response = isPreVote ? 'pre-vote-response' : 'vote-response'
  // Its log must have all that ours has: what was committed is in some voter's log. Raft §5.4.1.
  if (!free || !core.log.isUpToDate(message.index, message.logTerm)) {
    core.sendAfterAppend(response, from, { term: core.term, reject: true })
    return
  }
  // The request's term: the candidate takes no answer of an older one, and before a pre-vote ours is.
  core.sendAfterAppend(response, from, { term })
  if (isPreVote) return
  core.electionElapsed = 0
  core.vote = from
}

/** Messages of our own term to a candidate or pre-candidate. */
export function stepCandidate(core: Core, message: Message): 'dropped' | null {
  const isPre = core.role === 'pre-candidate'
  switch (message.type) {
    case 'propose':
      return 'dropped'
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      // Somebody else has won this term.
      core.becomeFollower(message.term, message.from)
      handleLeader(core, message)
      return null
    case 'pre-vote-response':
      if (isPre) count(core, message)
      return null
    case 'vote-response':
      if (!isPre) count(core, message)
      return null
    default:
      return null
  }
}

function count(core: Core, message: Message): void {
  if (!core.votes.has(message.from)) core.votes.set(message.from, !message.reject)
  const result = core.tracker.tally(voter => core.votes.get(voter))
  if (result === 'lost') {
    core.becomeFollower(core.term, NO_NODE)
  } else if (result === 'won') {
    if (core.role === 'pre-candidate') {
      campaign(core, 'election')
    } else {
      becomeLeader(core)
      broadcastAppend(core)
    }
  }
}

function campaign(core: Core, kind: Campaign): void {
  const isPre = kind === 'pre-election'
  if (isPre) {
    // Neither term nor vote nor timer: a pre-vote leaves no trace.
    core.votes.clear()
    core.leader = NO_NODE
    core.role = 'pre-candidate'
  } else {
    core.reset(core.term + 1)
    core.vote = core.id
    core.role = 'candidate'
  }
  const term = isPre ? core.term + 1 : core.term
  const request = { term, index: core.log.lastIndex, logTerm: core.log.lastTerm }
  const context = kind === 'transfer' ? TRANSFER : null
  const { conf } = core.tracker
  for (const { id } of core.tracker.all) {
    if (!conf.voters.includes(id) && !conf.votersOutgoing.includes(id)) continue
    if (id === core.id) {
      // Our own vote counts when it is durable, like any other.
      core.sendAfterAppend(isPre ? 'pre-vote-response' : 'vote-response', id, { term })
    } else {
      core.send(isPre ? 'pre-vote' : 'vote', id, { ...request, context })
    }
  }
}

function isTransfer(message: Message): boolean {
  const { context } = message
  return context?.length === TRANSFER.length && TRANSFER.every((byte, i) => byte === context[i])
}

function hasUnappliedConfChange(core: Core): boolean {
  const { log } = core
  const end = log.committed + 1
  let low = log.applied + 1
  while (low < end) {
    const page = log.slice(low, end, core.options.maxCommittedBytesPerReady)
    // Storage cannot say just now: assume the worst, and try again at the next timeout.
    if (typeof page === 'string') return true
    for (const entry of page) if (entry.kind !== 'normal') return true
    low += page.length
  }
  return false
}
