// What goes into and comes out of the Raft core: entries, messages, Ready.
//
// The names are those of the paper and of etcd's raft library, whose scenarios
// run against this core. All of these are values: nobody changes one after it
// was handed over, so they travel by reference inside a process.

import type { Index, NodeId, Term } from '../base/types.ts'

export type EntryKind = 'normal' | 'conf-change' | 'conf-change-v2'

/** An item of the Raft log. */
export type Entry = {
  readonly term: Term
  readonly index: Index
  readonly kind: EntryKind
  /** Normal: a payload; empty for the entry that opens a leader's term. Otherwise an encoded ConfChange. */
  readonly data: Uint8Array
}

/** What a replica must never forget. `commit` alone may be forgotten. */
export type HardState = { readonly term: Term; readonly vote: NodeId; readonly commit: Index }

/** Leader and role: worth telling, not worth keeping. */
export type SoftState = { readonly leader: NodeId; readonly role: Role }

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** Members of a shard at an index. Sorted lists; outgoing is empty unless the configuration is joint. */
export type ConfState = {
  readonly voters: readonly NodeId[]
  readonly votersOutgoing: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly learnersNext: readonly NodeId[]
  readonly autoLeave: boolean
}

export type ConfChangeStep = {
  readonly kind: 'add-voter' | 'add-learner' | 'remove' | 'update'
  readonly node: NodeId
}

export type ConfChange = {
  /** The old single-step kind; false: the kind that may go through a joint configuration. */
  readonly v1: boolean
  readonly transition: 'auto' | 'implicit' | 'explicit'
  /** Empty: leave the joint configuration. */
  readonly steps: readonly ConfChangeStep[]
}

/** A snapshot as Raft sees it. The state itself travels by other means (RAFT section 5). */
export type SnapshotMeta = {
  readonly index: Index
  readonly term: Term
  readonly conf: ConfState
  /** Opaque to the core: carried along for tests that compare state machines. */
  readonly data?: Uint8Array
}

/** Where a message of a node to its own storage goes, in the asynchronous interface. */
export const APPEND_THREAD: NodeId = -1
export const APPLY_THREAD: NodeId = -2

export type MessageType =
  | 'propose'
  | 'append'
  | 'append-response'
  | 'vote'
  | 'vote-response'
  | 'pre-vote'
  | 'pre-vote-response'
  | 'snapshot'
  | 'heartbeat'
  | 'heartbeat-response'
  | 'timeout-now'
  | 'transfer-leader'
  | 'read-index'
  | 'read-index-response'
  | 'storage-append'
  | 'storage-append-response'
  | 'storage-apply'
  | 'storage-apply-response'

/** One message; fields that a type does not use are 0, false, empty or null. */
export type Message = {
  readonly type: MessageType
  readonly from: NodeId
  readonly to: NodeId
  readonly term: Term
  /** append: term of the entry at `index`. Rejected append-response: term at `rejectHint`. vote: last term. */
  readonly logTerm: Term
  /** append: the entry before the first. append-response: acknowledged or rejected. vote: last index. */
  readonly index: Index
  readonly entries: readonly Entry[]
  readonly commit: Index
  /** storage-append only: with `term` and `commit` the hard state; all zero means unchanged. */
  readonly vote: NodeId
  readonly reject: boolean
  readonly rejectHint: Index
  readonly snapshot: SnapshotMeta | null
  /**
   * Heartbeats: the leader's own counter. read-index: the asker's. vote: TRANSFER overrides the lease.
   * A transfer-leader that a follower forwards is `from` the node that is to lead.
   */
  readonly context: Uint8Array | null
  /** storage-append, storage-apply: what to deliver once the work is done. */
  readonly responses: readonly Message[]
}

/** A read that may be served once `index` is applied. */
export type ReadState = { readonly index: Index; readonly context: Uint8Array }

/** What there is to do. In asynchronous mode the storage work is among the messages. */
export type Ready = {
  /** Null: unchanged since the last Ready. */
  readonly softState: SoftState | null
  /** Null: unchanged. To be durable before `messages` leave, if term or vote changed (RAFT 3.8). */
  readonly hardState: HardState | null
  readonly readStates: readonly ReadState[]
  /** To append to stable storage; an entry at an index that exists replaces it and all behind it. */
  readonly entries: readonly Entry[]
  readonly snapshot: SnapshotMeta | null
  readonly committedEntries: readonly Entry[]
  readonly messages: readonly Message[]
  readonly mustSync: boolean
}

/** Why stable storage has no answer: dropped behind a snapshot, not there, or only on disk just now. */
export type Missing = 'compacted' | 'unavailable' | 'not-now'

/**
 * The core's view of stable storage, all synchronous, all durable.
 *
 * `not-now` makes the core leave that peer alone; the host fetches and steps again.
 */
export interface LogStorage {
  initialState(): { readonly hardState: HardState; readonly conf: ConfState }
  /** Entries in [low, high), at least one, then as many as fit `bytesMax`. */
  entries(low: Index, high: Index, bytesMax: number): readonly Entry[] | Missing
  /** Term of the entry at `index`; also for firstIndex - 1. */
  term(index: Index): Term | Missing
  lastIndex(): Index
  /** lastIndex + 1 when the log is empty. */
  firstIndex(): Index
  /** The newest durable snapshot, or `not-now`. */
  snapshot(): SnapshotMeta | Missing
}
