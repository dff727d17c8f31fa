// Raft as a host sees it: a pure state machine. Calls go in, a Ready comes out.
//
// No clock, no timers, no I/O, no chance but the port. The host calls tick() at a
// steady pace, step() for each message, and when hasReady() says so takes a Ready
// and does what it says. In the asynchronous way, which is the product's, storage
// work leaves as messages to APPEND_THREAD and APPLY_THREAD whose responses are
// stepped (or sent) when it is done, and many Readys may be under way. In the
// synchronous way the host persists, applies and sends, then calls advance().

import { assert } from '../base/assert.ts'
import type { Random } from '../base/random.ts'
import { type Index, NO_NODE, type NodeId, type Term } from '../base/types.ts'
import { encodeConfChange } from './conf-change.ts'
import { Core, makeMessage } from './core.ts'
import { handleVoteRequest, hup, isHeldOff, stepCandidate, tickElection } from './election.ts'
import { entriesBytes, payloadBytes } from './entry-size.ts'
import { stepFollower } from './follower.ts'
import {
  appliedTo,
  type Proposal,
  propose,
  releaseUncommitted,
  stepLeader,
  takeRead,
  tickLeader,
} from './leader.ts'
import type {
  ConfChange,
  ConfState,
  Entry,
  HardState,
  LogStorage,
  Message,
  Ready,
  Role,
  SoftState,
} from './message.ts'
import type { RaftOptions } from './options.ts'
import type { ProgressState } from './progress.ts'
import {
  storageAppend,
  storageAppendResponse,
  storageApply,
  storageApplyResponse,
} from './ready.ts'
import { applyConfChange } from './reconfigure.ts'
import { handleSnapshotStatus, handleUnreachable, resumeAppends } from './replication.ts'

export type ProgressStatus = {
  readonly state: ProgressState
  readonly match: Index
  readonly next: Index
  readonly learner: boolean
  /** Whether no append would be sent now. */
  readonly paused: boolean
  readonly pendingSnapshot: Index
  readonly recentActive: boolean
  /** Appends with entries under way. */
  readonly inflight: number
  readonly inflightFull: boolean
}

export type RaftStatus = {
  readonly id: NodeId
  readonly role: Role
  readonly term: Term
  readonly vote: NodeId
  readonly leader: NodeId
  readonly commit: Index
  readonly applied: Index
  readonly conf: ConfState
  /** Whom leadership is being handed to, or NO_NODE. */
  readonly transferee: NodeId
  /** By node, ourselves included; empty but on a leader. */
  readonly progress: ReadonlyMap<NodeId, ProgressStatus>
}

const NOTHING: readonly never[] = []

export class Raft {
  readonly #core: Core
  #softState: SoftState
  #hardState: HardState
  /** Synchronous mode: what the storage threads and we ourselves answer, taken by advance(). */
  #stepsOnAdvance: Message[] = []

  /** Starts as a follower from what storage holds: nothing, a snapshot, or all of an earlier life. */
  constructor(options: RaftOptions, storage: LogStorage, random: Random) {
    this.#core = new Core(options, storage, random)
    this.#softState = this.#currentSoftState()
    this.#hardState = this.#currentHardState()
  }

  get id(): NodeId {
    return this.#core.id
  }

  get term(): Term {
    return this.#core.term
  }

  /** NO_NODE: not known. */
  get leader(): NodeId {
    return this.#core.leader
  }

  get role(): Role {
    return this.#core.role
  }

  get committed(): Index {
    return this.#core.log.committed
  }

  get applied(): Index {
    return this.#core.log.applied
  }

  get lastIndex(): Index {
    return this.#core.log.lastIndex
  }

  /** The only time there is. After a pause of the process call it once or twice, not for every tick missed. */
  tick(): void {
    const core = this.#core
    core.log.retryFetch()
    if (core.role === 'leader') tickLeader(core)
    else tickElection(core)
  }

  /** Campaigns now, if this node may. */
  campaign(): void {
    hup(this.#core, false)
  }

  /**
   * Whether this candidacy cannot be won without the vote of `gone`. Two candidates
   * that refused each other would wait for their election timeouts; a host that
   * knows the third to be dead need not.
   */
  isLostWithout(gone: NodeId): boolean {
    const { role, tracker, votes } = this.#core
    if (role !== 'candidate') return false
    return tracker.tally(id => votes.get(id) ?? (id === gone ? false : undefined)) === 'lost'
  }

  /**
   * Proposes one entry for each payload, all or none. The core keeps the bytes.
   *
   * @returns null: taken; on a leader the entries end at lastIndex. Taken is not
   *          committed: a leader that loses its office may lose them, or not.
   *          'dropped': surely never in any log.
   */
  propose(data: readonly Uint8Array[]): 'dropped' | null {
    return this.#propose(data.map(bytes => ({ kind: 'normal', data: bytes })))
  }

  /**
   * Proposes a change of the configuration. One that cannot be made now enters the
   * log as an empty entry, so the answer null does not mean that it was acceptable.
   *
   * Configurations count from when they are applied. So a voter that stays may need
   * the votes of those who go once more, and they refuse it if their logs are longer.
   * Let a majority of the old voters stay voters, and hand over leadership before its
   * holder is removed; else the loss of one node, or none, can leave nobody electable.
   */
  proposeConfChange(change: ConfChange): 'dropped' | null {
    const kind = change.v1 ? 'conf-change' : 'conf-change-v2'
    return this.#propose([{ kind, data: encodeConfChange(change) }])
  }

  /**
   * To be called when a committed change is applied, before its apply response is
   * stepped. A host may skip one it has taken back since (a step for node 0 changes nothing).
   */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#core, change)
  }

  /**
   * Takes a message from a peer, or the answer of a storage thread.
   *
   * @returns 'unknown-peer': an answer of a node that is no member, ignored;
   *          'dropped': a proposal that was refused, or storage's word from somebody else
   */
  step(message: Message): 'unknown-peer' | 'dropped' | null {
    const isLocal = message.from < NO_NODE
    switch (message.type) {
      case 'append-response':
      case 'vote-response':
      case 'pre-vote-response':
      case 'heartbeat-response':
      case 'read-index-response':
        if (!isLocal && !this.#core.tracker.get(message.from)) return 'unknown-peer'
        break
      case 'storage-append':
      case 'storage-append-response':
      case 'storage-apply':
      case 'storage-apply-response':
        if (!isLocal) return 'dropped'
        break
    }
    return this.#step(message)
  }

  /**
   * Asks for an index from which a read is linearizable. The answer is a ReadState
   * with `context`; there may be none, so ask again after a while, with another context.
   */
  readIndex(context: Uint8Array): void {
    const core = this.#core
    if (core.role === 'leader') takeRead(core, core.id, context)
    else this.#step(makeMessage('read-index', core.id, NO_NODE, { context }))
  }

  /** Hands leadership to `to`, or asks the leader to. Gives up after an election timeout. */
  transferLeader(to: NodeId): void {
    this.#step(makeMessage('transfer-leader', to, NO_NODE, {}))
  }

  /** The transport could not deliver to `peer`. */
  reportUnreachable(peer: NodeId): void {
    const progress = this.#core.tracker.get(peer)
    if (progress && this.#core.role === 'leader') handleUnreachable(progress)
  }

  /** How sending a snapshot to `peer` ended. Must follow every one that a Ready held. */
  reportSnapshot(peer: NodeId, ok: boolean): void {
    const progress = this.#core.tracker.get(peer)
    if (progress && this.#core.role === 'leader') handleSnapshotStatus(progress, ok)
  }

  /**
   * Storage now has in memory what it answered `not-now` for. Not needed for progress,
   * since every heartbeat's response asks again, but a peer that catches up from disk
   * would get one page a heartbeat without it.
   */
  entriesFetched(): void {
    this.#core.log.retryFetch()
    if (this.#core.role === 'leader') resumeAppends(this.#core)
  }

  /** For who knows that the leader is dead: votes again at once, without waiting out the lease. */
  forgetLeader(): void {
    const core = this.#core
    if (core.role !== 'follower' || core.options.readOnly === 'lease-based') return
    core.leader = NO_NODE
  }

  /** For tests that need to know when an election starts; holds until the next change of role. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#core.electionTimeout = ticks
  }

  /** Whether ready() would hold anything. */
  hasReady(): boolean {
    const core = this.#core
    const { log } = core
    return (
      core.messages.length > 0 ||
      core.messagesAfterAppend.length > 0 ||
      core.readStates.length > 0 ||
      log.hasNextUnstableEntries ||
      log.hasNextCommitted ||
      this.#softChanged() ||
      this.#hardChanged() ||
      log.nextSnapshot() !== null
    )
  }

  /**
   * Takes what there is to do, and marks it as being done.
   *
   * Order within: a snapshot is installed before entries are appended, both before
   * the hard state refers to them. The host must hold back *all* messages of a
   * Ready whose hard state changes term or vote, and of those after it, until that
   * is durable, requests for votes included. Else a candidate can win by the
   * others' votes, send an entry, crash, come back without having known its own
   * term, win it again, and send another entry at the same place (RAFT.md 3.8).
   * Appends and heartbeats of an unchanged term need not wait for the disk.
   */
  ready(): Ready {
    const core = this.#core
    const { log } = core
    assert(this.#stepsOnAdvance.length === 0, 'a Ready was taken before the last one was advanced')
    const entries = log.nextUnstableEntries()
    const committedEntries = log.nextCommitted()
    const snapshot = log.nextSnapshot()
    const mustSync =
      entries.length > 0 || core.term !== this.#hardState.term || core.vote !== this.#hardState.vote
    const softState = this.#softChanged() ? this.#currentSoftState() : null
    const hardState = this.#hardChanged() ? this.#currentHardState() : null
    if (softState) this.#softState = softState
    if (hardState) this.#hardState = hardState
    const messages = core.messages
    const readStates = core.readStates.length > 0 ? core.readStates : NOTHING
    if (readStates.length > 0) core.readStates = []

    if (core.options.asyncStorageWrites) {
      const append = storageAppend(core, entries, hardState, snapshot)
      if (append) messages.push(append)
      if (committedEntries.length > 0) messages.push(storageApply(core, committedEntries))
    } else {
      this.#deferSteps(messages, snapshot, committedEntries)
    }
    if (messages.length > 0) core.messages = []
    if (core.messagesAfterAppend.length > 0) core.messagesAfterAppend = []
    log.acceptUnstable()
    const last = committedEntries.at(-1)
    if (last) log.acceptApplying(last.index, entriesBytes(committedEntries))
    return {
      softState,
      hardState,
      readStates,
      entries,
      snapshot,
      committedEntries,
      messages,
      mustSync,
    }
  }

  /** Synchronous mode: the last Ready is persisted, applied and sent. */
  advance(): void {
    assert(!this.#core.options.asyncStorageWrites, 'advance() in asynchronous mode')
    const steps = this.#stepsOnAdvance
    this.#stepsOnAdvance = []
    for (const message of steps) this.#step(message)
  }

  status(): RaftStatus {
    const { id, role, term, vote, leader, log, tracker, transferee } = this.#core
    const progress = new Map<NodeId, ProgressStatus>()
    if (role === 'leader') {
      for (const peer of tracker.all) {
        const { state, match, next, learner, paused, pendingSnapshot, recentActive } = peer
        const { count, full } = peer.inflights
        progress.set(peer.id, {
          state,
          match,
          next,
          learner,
          paused,
          pendingSnapshot,
          recentActive,
          inflight: count,
          inflightFull: full,
        })
      }
    }
    return {
      id,
      role,
      term,
      vote,
      leader,
      commit: log.committed,
      applied: log.applied,
      conf: tracker.conf,
      transferee,
      progress,
    }
  }

  #propose(proposals: readonly Proposal[]): 'dropped' | null {
    const core = this.#core
    if (core.role === 'leader') return propose(core, proposals)
    const entries: Entry[] = proposals.map(({ kind, data }) => ({ term: 0, index: 0, kind, data }))
    return this.#step(makeMessage('propose', core.id, NO_NODE, { entries }))
  }

  /** Term first, then what the message means to our role. RAFT.md 3.1. */
  #step(message: Message): 'dropped' | null {
    const core = this.#core
    core.log.retryFetch()
    const { type, term } = message
    // Term 0: local, or without a term of its own.
    if (term > core.term) {
      const isRequest = type === 'vote' || type === 'pre-vote'
      if (isRequest && isHeldOff(core, message)) return null
      // A pre-vote, and a granted one's answer, speak of a term that is not there yet.
      const isFuture = type === 'pre-vote' || (type === 'pre-vote-response' && !message.reject)
      if (!isFuture) core.becomeFollower(term, isLeaders(message) ? message.from : NO_NODE)
    } else if (term !== 0 && term < core.term) {
      this.#stepStale(message)
      return null
    }
    switch (type) {
      case 'vote':
      case 'pre-vote':
        handleVoteRequest(core, message)
        return null
      case 'storage-append-response':
        if (message.index !== 0) core.log.stableTo(message.index, message.logTerm)
        this.#snapshotInstalled(message)
        return null
      case 'storage-apply-response':
        this.#applied(message.entries)
        return null
      case 'timeout-now':
        if (core.role === 'follower') hup(core, true)
        return null
    }
    if (core.role === 'leader') return stepLeader(core, message)
    return core.role === 'follower' ? stepFollower(core, message) : stepCandidate(core, message)
  }

  #stepStale(message: Message): void {
    const core = this.#core
    const { type, from } = message
    if (type === 'append' || type === 'heartbeat') {
      // A node that once raised its term can neither win nor follow unless it says so: its
      // requests are held off, and the leader's messages look old to it.
      if (core.options.checkQuorum || core.options.preVote) {
        core.sendAfterAppend('append-response', from, {})
      }
    } else if (type === 'pre-vote') {
      // Silence would let nodes of mixed terms wait for each other for ever.
      core.sendAfterAppend('pre-vote-response', from, { term: core.term, reject: true })
    } else if (type === 'storage-append-response') {
      // No word on entries, see ready.ts. But a snapshot is committed state, whatever the term.
      this.#snapshotInstalled(message)
    }
  }

  #snapshotInstalled(message: Message): void {
    if (!message.snapshot) return
    const core = this.#core
    core.log.stableSnapshotTo(message.snapshot.index)
    if (!core.log.hasSnapshot) core.confBeforeSnapshot = null
    appliedTo(core, message.snapshot.index, 0)
  }

  #applied(entries: readonly Entry[]): void {
    const last = entries.at(-1)
    if (!last) return
    appliedTo(this.#core, last.index, entriesBytes(entries))
    releaseUncommitted(this.#core, payloadBytes(entries))
  }

  /** Synchronous mode: what waits for the disk goes out with the rest, since the host persists first. */
  #deferSteps(
    messages: Message[],
    snapshot: Ready['snapshot'],
    committedEntries: readonly Entry[],
  ): void {
    const core = this.#core
    for (const message of core.messagesAfterAppend) {
      if (message.to === core.id) this.#stepsOnAdvance.push(message)
      else messages.push(message)
    }
    const stable = storageAppendResponse(core, snapshot)
    if (stable) this.#stepsOnAdvance.push(stable)
    if (committedEntries.length > 0) {
      this.#stepsOnAdvance.push(storageApplyResponse(core, committedEntries))
    }
  }

  #softChanged(): boolean {
    return this.#core.leader !== this.#softState.leader || this.#core.role !== this.#softState.role
  }

  #hardChanged(): boolean {
    const { term, vote, log } = this.#core
    const hard = this.#hardState
    return log.committed !== hard.commit || term !== hard.term || vote !== hard.vote
  }

  #currentSoftState(): SoftState {
    return { leader: this.#core.leader, role: this.#core.role }
  }

  #currentHardState(): HardState {
    const { term, vote, log } = this.#core
    return { term, vote, commit: log.committed }
  }
}

/** Only these say who leads their term. */
function isLeaders(message: Message): boolean {
  const { type } = message
  return type === 'append' || type === 'heartbeat' || type === 'snapshot'
}
