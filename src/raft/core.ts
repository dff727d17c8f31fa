// The state of one replica's Raft, and the few moves that every role shares.
//
// Internal to src/raft: election.ts, replication.ts, leader.ts and follower.ts are
// the rules that act on it, raft.ts is what a host sees. The fields are open to
// those files and to nobody else.

import { assert } from '../base/assert.ts'
import type { Random } from '../base/random.ts'
import { type Index, NO_NODE, type NodeId, type Term } from '../base/types.ts'
import { RaftLog } from './log.ts'
import type { ConfState, LogStorage, Message, MessageType, ReadState, Role } from './message.ts'
import { checkOptions, type RaftOptions } from './options.ts'
import { ReadQueue } from './reads.ts'
import { Tracker } from './tracker.ts'

type Fields = {
  term?: Term
  logTerm?: Term
  index?: Index
  entries?: Message['entries']
  commit?: Index
  vote?: NodeId
  reject?: boolean
  rejectHint?: Index
  snapshot?: Message['snapshot']
  context?: Uint8Array | null
  responses?: readonly Message[]
}

const NOTHING: readonly never[] = []

/** A message with every field, always in the same order: one hidden class for all. */
export function makeMessage(type: MessageType, from: NodeId, to: NodeId, fields: Fields): Message {
  return {
    type,
    from,
    to,
    term: fields.term ?? 0,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? NOTHING,
    commit: fields.commit ?? 0,
    vote: fields.vote ?? NO_NODE,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    snapshot: fields.snapshot ?? null,
    context: fields.context ?? null,
    responses: fields.responses ?? NOTHING,
  }
}

export class Core {
  readonly id: NodeId
  readonly options: RaftOptions
  readonly log: RaftLog
  readonly tracker: Tracker
  readonly reads: ReadQueue
  readonly #random: Random

  term: Term = 0
  vote: NodeId = NO_NODE
  leader: NodeId = NO_NODE
  role: Role = 'follower'

  /** First answers of this campaign. */
  readonly votes = new Map<NodeId, boolean>()
  /** Whom we are handing leadership to, or nobody. */
  transferee: NodeId = NO_NODE
  /**
   * A timeout-now went out in this term. The election it starts does not wait for
   * leases, however late it comes, so from here on ours is void.
   */
  leaseVoid = false
  /**
   * No change of configuration is taken before this index is applied. On election the last
   * index of the log, any of whose entries may be one.
   */
  pendingConfIndex: Index = 0
  /**
   * While a snapshot waits to be installed the tracker has its configuration already, but the state
   * machine may still be applying what was handed out before: this is the configuration it has.
   */
  confBeforeSnapshot: ConfState | null = null
  /** Payload bytes a leader took and has not seen applied; an estimate from below. */
  uncommittedBytes = 0
  electionElapsed = 0
  heartbeatElapsed = 0
  electionTimeout = 0

  /** May leave at once. Never to ourselves. */
  messages: Message[] = []
  /** May leave when everything handed out before is durable. May be to ourselves. */
  messagesAfterAppend: Message[] = []
  readStates: ReadState[] = []

  constructor(options: RaftOptions, storage: LogStorage, random: Random) {
    checkOptions(options)
    this.id = options.id
    this.options = options
    this.#random = random
    this.log = new RaftLog(storage, options.maxCommittedBytesPerReady, !options.asyncStorageWrites)
    this.tracker = new Tracker(options.maxInflightMessages, options.maxInflightBytes)
    this.reads = new ReadQueue(options.id)
    const { hardState, conf } = storage.initialState()
    this.tracker.restore(conf, this.log.lastIndex)
    this.term = hardState.term
    this.vote = hardState.vote
    // The durable commit index may lag, since it alone needs no sync. What a durable snapshot holds
    // and what was applied is committed all the same.
    this.log.loadCommitted(Math.max(hardState.commit, this.log.committed, options.applied))
    if (options.applied > 0) this.log.appliedTo(options.applied, 0)
    this.becomeFollower(this.term, NO_NODE)
  }

  /** The vote survives within a term, whatever becomes of the leader. */
  reset(term: Term): void {
    if (term !== this.term) {
      assert(term > this.term, () => `term ${this.term} went back to ${term}`)
      this.term = term
      this.vote = NO_NODE
    }
    this.leader = NO_NODE
    this.electionElapsed = 0
    this.heartbeatElapsed = 0
    this.electionTimeout =
      this.options.electionTicks + this.#random.below(this.options.electionTicks)
    this.transferee = NO_NODE
    this.leaseVoid = false
    this.votes.clear()
    const last = this.log.lastIndex
    for (const peer of this.tracker.all) peer.restart(peer.id === this.id ? last : 0, last + 1)
    this.pendingConfIndex = 0
    this.uncommittedBytes = 0
    this.reads.clear()
  }

  becomeFollower(term: Term, leader: NodeId): void {
    this.reset(term)
    this.leader = leader
    this.role = 'follower'
  }

  /** Queues a message of our term that waits for no disk of ours. */
  send(type: MessageType, to: NodeId, fields: Fields): void {
    assert(to !== this.id, () => `a ${type} to ourselves`)
    if (fields.term === undefined) fields.term = this.term
    this.messages.push(makeMessage(type, this.id, to, fields))
  }

  /**
   * Queues an answer that vouches for our state: append and vote responses, also
   * the refusals, which may rest on what is not durable yet (RAFT.md 3.8).
   */
  sendAfterAppend(type: MessageType, to: NodeId, fields: Fields): void {
    if (fields.term === undefined) fields.term = this.term
    this.messagesAfterAppend.push(makeMessage(type, this.id, to, fields))
  }

  /** Only a voter of the applied configuration with no snapshot to install may campaign. */
  get promotable(): boolean {
    const self = this.tracker.get(this.id)
    return self !== undefined && !self.learner && !this.log.hasSnapshot
  }

  /** What the empty entry of a new leader is for: until then commit may be behind. Raft §8. */
  get committedInTerm(): boolean {
    return this.log.matches(this.log.committed, this.term)
  }
}
