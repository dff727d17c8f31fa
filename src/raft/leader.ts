// What a leader does: takes proposals and reads, counts answers, hands over.

import { assert } from '../base/assert.ts'
import { type Index, NO_NODE, type NodeId } from '../base/types.ts'
import { confChangeOf } from './conf-change.ts'
import type { Core } from './core.ts'
import { payloadBytes } from './entry-size.ts'
import { changeConf, isJoint } from './membership.ts'
import type { ConfChange, Entry, Message } from './message.ts'
import type { Progress } from './progress.ts'
import type { Read } from './reads.ts'
import {
  acknowledge,
  broadcastAppend,
  broadcastHeartbeat,
  continueAppends,
  handleRejection,
  maybeCommit,
  sendAppend,
  sendTimeoutNow,
} from './replication.ts'

/** An entry before it has its place in the log. */
export type Proposal = Pick<Entry, 'kind' | 'data'>

const NO_DATA = new Uint8Array(0)
const EMPTY_PROPOSAL: Proposal = { kind: 'normal', data: NO_DATA }
/** Without data, so that no size limit can refuse it. */
const LEAVE_JOINT_PROPOSAL: Proposal = { kind: 'conf-change-v2', data: NO_DATA }

/**
 * The candidate has won. Its first act is an empty entry of its own term: with it
 * its predecessors' entries commit, and reads may be served. Raft §8.
 */
export function becomeLeader(core: Core): void {
  assert(core.role !== 'follower', 'a follower became leader without a campaign')
  core.reset(core.term)
  core.leader = core.id
  core.role = 'leader'
  const self = core.tracker.get(core.id)
  assert(self !== undefined, 'who is no member cannot lead')
  self.becomeReplicate()
  self.recentActive = true
  // Any entry of the log may be a configuration change that is not applied yet.
  core.pendingConfIndex = core.log.lastIndex
  const taken = appendOwn(core, [EMPTY_PROPOSAL])
  assert(taken, 'the empty entry of a term is never refused')
}

export function propose(core: Core, proposals: readonly Proposal[]): 'dropped' | null {
  assert(proposals.length > 0, 'a proposal of nothing')
  // Removed while leading, or handing over: who takes a proposal now would likely lose it.
  if (!core.tracker.get(core.id) || core.transferee !== NO_NODE) return 'dropped'
  const checked = proposals.some(p => p.kind !== 'normal')
    ? proposals.map((proposal, i) => checkConfChange(core, proposal, i))
    : proposals
  if (!appendOwn(core, checked)) return 'dropped'
  broadcastAppend(core)
  return null
}

/** Takes a read of `from`, which is ourselves or a follower that forwarded it. */
export function takeRead(core: Core, from: NodeId, context: Uint8Array): void {
  // Before the first commit of the term our commit index may be behind what was answered before.
  if (!core.committedInTerm) core.reads.wait({ from, context, index: 0 })
  else serveRead(core, { from, context, index: core.log.committed })
}

/** Ticks of a leader: heartbeats, the check of the quorum, the end of a transfer's patience. */
export function tickLeader(core: Core): void {
  core.heartbeatElapsed += 1
  core.electionElapsed += 1
  if (core.electionElapsed >= core.options.electionTicks) {
    core.electionElapsed = 0
    if (core.options.checkQuorum && !checkQuorum(core)) return
    core.transferee = NO_NODE
  }
  if (core.heartbeatElapsed >= core.options.heartbeatTicks) {
    core.heartbeatElapsed = 0
    broadcastHeartbeat(core)
  }
}

export function transferLeader(core: Core, target: Progress): void {
  if (target.learner || core.transferee === target.id) return
  core.transferee = NO_NODE
  if (target.id === core.id) return
  // It must be done within an election timeout, so that counts from here.
  core.electionElapsed = 0
  core.transferee = target.id
  if (target.match === core.log.lastIndex) sendTimeoutNow(core, target.id)
  else sendAppend(core, target)
}

/** The state machine, or a snapshot, has come to `index`. Also on followers. */
export function appliedTo(core: Core, index: Index, bytes: number): void {
  const applied = Math.max(index, core.log.applied)
  core.log.appliedTo(applied, bytes)
  if (core.role === 'leader' && core.tracker.conf.autoLeave && applied >= core.pendingConfIndex) {
    // May be dropped by a transfer of leadership. Then the next apply tries again, or the next leader.
    propose(core, [LEAVE_JOINT_PROPOSAL])
  }
}

/** What was applied no longer counts as uncommitted. */
export function releaseUncommitted(core: Core, bytes: number): void {
  core.uncommittedBytes = Math.max(0, core.uncommittedBytes - bytes)
}

/** Messages of our own term to a leader. Requests of a second leader of the term cannot be. */
export function stepLeader(core: Core, message: Message): 'dropped' | null {
  if (message.type === 'propose') return propose(core, message.entries)
  if (message.type === 'read-index') {
    if (message.context) takeRead(core, message.from || core.id, message.context)
    return null
  }
  const peer = core.tracker.get(message.from)
  if (!peer) return null
  if (message.type === 'append-response') {
    peer.recentActive = true
    if (message.reject) handleRejection(core, peer, message)
    else handleAcknowledgement(core, peer, message)
  } else if (message.type === 'heartbeat-response') {
    handleHeartbeatResponse(core, peer, message)
  } else if (message.type === 'transfer-leader') {
    transferLeader(core, peer)
  }
  return null
}

function handleAcknowledgement(core: Core, peer: Progress, message: Message): void {
  if (!acknowledge(core, peer, message)) return
  const moved = maybeCommit(core)
  if (moved) serveWaitingReads(core)
  continueAppends(core, peer, moved)
  if (peer.id === core.transferee && peer.match === core.log.lastIndex) {
    sendTimeoutNow(core, peer.id)
  }
}

function handleHeartbeatResponse(core: Core, peer: Progress, message: Message): void {
  peer.recentActive = true
  peer.flowPaused = false
  // A full window gets an empty append, which alone can free it if all in it was lost; and so
  // does a peer that is probed though it has everything.
  if (peer.match < core.log.lastIndex || peer.state === 'probe') sendAppend(core, peer)
  if (!message.context) return
  core.reads.echo(peer.id, message.context)
  answerConfirmedReads(core)
}

/** After an echo, or a change of configuration that needs fewer of them. */
export function answerConfirmedReads(core: Core): void {
  for (const read of core.reads.takeConfirmed(core.tracker.conf)) answerRead(core, read)
}

/** @returns false: no quorum was heard from for an election timeout, and we lead no more */
function checkQuorum(core: Core): boolean {
  if (!core.tracker.quorumActive()) {
    core.becomeFollower(core.term, NO_NODE)
    return false
  }
  for (const peer of core.tracker.all) if (peer.id !== core.id) peer.recentActive = false
  return true
}

/** Appends to our own log, or refuses for its size. The acknowledgement to ourselves waits for our disk. */
function appendOwn(core: Core, proposals: readonly Proposal[]): boolean {
  const bytes = payloadBytes(proposals)
  const held = core.uncommittedBytes
  if (held > 0 && bytes > 0 && held + bytes > core.options.maxUncommittedBytes) return false
  core.uncommittedBytes = held + bytes
  const { log, term } = core
  let index = log.lastIndex
  for (const { kind, data } of proposals) {
    index += 1
    log.push({ term, index, kind, data })
  }
  core.sendAfterAppend('append-response', core.id, { index })
  return true
}

/**
 * Decides on the `i`th proposal of a batch. A configuration change that cannot be
 * taken becomes an empty entry, so that indexes and those who wait stay in order.
 */
function checkConfChange(core: Core, proposal: Proposal, i: number): Proposal {
  const change = confChangeOf(proposal)
  if (!change) return proposal
  if (!core.options.disableConfChangeValidation && !acceptable(core, change)) return EMPTY_PROPOSAL
  core.pendingConfIndex = core.log.lastIndex + i + 1
  return proposal
}

function acceptable(core: Core, change: ConfChange): boolean {
  if (core.pendingConfIndex > core.log.applied) return false
  const { conf } = core.tracker
  if (isJoint(conf) !== (change.steps.length === 0)) return false
  // Nothing is pending, so `conf` is what it will meet. One that cannot follow would stop every
  // replica when applied; better to refuse it here.
  return typeof changeConf(conf, change) !== 'string'
}

function serveWaitingReads(core: Core): void {
  if (!core.reads.hasWaiting || !core.committedInTerm) return
  const index = core.log.committed
  for (const read of core.reads.takeWaiting()) serveRead(core, { ...read, index })
}

function serveRead(core: Core, read: Read): void {
  const leased = core.options.readOnly === 'lease-based' && !core.leaseVoid
  if (core.tracker.isSingleton || leased) {
    answerRead(core, read)
    return
  }
  core.reads.add(read)
  broadcastHeartbeat(core)
}

function answerRead(core: Core, read: Read): void {
  const { from, context, index } = read
  if (from === core.id) core.readStates.push({ index, context })
  else core.send('read-index-response', from, { index, context })
}
