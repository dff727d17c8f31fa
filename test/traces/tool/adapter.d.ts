/**
 * What a Raft core must offer for the traces to be run against it.
 *
 * Every method may return a value or a promise of it. Indexes and terms may be numbers or bigints.
 * Optional fields that are missing count as zero, false or empty. Objects that the runner passes
 * back (messages, entries, snapshots) are the very objects that the adapter handed out, so an
 * adapter may hang extra properties on them; but see TraceNode.step.
 */

type Maybe<T> = T | Promise<T>
type Uint = number | bigint

export type Role = 'Follower' | 'Candidate' | 'Leader' | 'PreCandidate'
export type ProgressState = 'Probe' | 'Replicate' | 'Snapshot'

/** Node ids are 1, 2, 3, ...; 0 is "nobody". The two strings are the local storage threads. */
export type Target = Uint | 'AppendThread' | 'ApplyThread'

export type MessageType =
  | 'MsgProp'
  | 'MsgApp'
  | 'MsgAppResp'
  | 'MsgVote'
  | 'MsgVoteResp'
  | 'MsgPreVote'
  | 'MsgPreVoteResp'
  | 'MsgSnap'
  | 'MsgHeartbeat'
  | 'MsgHeartbeatResp'
  | 'MsgTimeoutNow'
  | 'MsgReadIndex'
  | 'MsgReadIndexResp'
  | 'MsgStorageAppend'
  | 'MsgStorageAppendResp'
  | 'MsgStorageApply'
  | 'MsgStorageApplyResp'

export interface ConfChangeSingle {
  type: 'addVoter' | 'addLearner' | 'remove' | 'update'
  nodeId: Uint
}

export interface ConfChange {
  /** The old single-step kind. False: the kind that can go through a joint configuration. */
  v1: boolean
  /** auto: joint only if there is more than one change; implicit: joint, left automatically;
   *  explicit: joint, left by proposing a change that is empty. */
  transition: 'auto' | 'implicit' | 'explicit'
  /** Empty: leave the joint configuration. */
  changes: ConfChangeSingle[]
}

export interface Entry {
  term: Uint
  index: Uint
  type: 'Normal' | 'ConfChange' | 'ConfChangeV2'
  /** Normal: the payload; the empty entry of a new leader has none. */
  data?: string | Uint8Array | null
  /** Configuration change: the decoded changes ([] for leaving a joint configuration). */
  changes?: ConfChangeSingle[]
}

export interface ConfState {
  voters: Uint[]
  votersOutgoing?: Uint[]
  learners?: Uint[]
  learnersNext?: Uint[]
  autoLeave?: boolean
}

export interface Snapshot {
  index: Uint
  term: Uint
  confState: ConfState
  /** Opaque to the core. Carry it along if you can: it lets the runner compare state machines. */
  data?: string
}

export interface HardState {
  term: Uint
  vote: Uint
  commit: Uint
}

export interface Message {
  from: Target
  to: Target
  type: MessageType
  term?: Uint
  /** MsgApp: term of the entry at `index`. Rejected MsgAppResp: term at `rejectHint`. */
  logTerm?: Uint
  /** MsgApp: index before the first entry. MsgAppResp: index acknowledged or rejected. MsgVote: last index. */
  index?: Uint
  commit?: Uint
  /** MsgStorageAppend only. */
  vote?: Uint
  reject?: boolean
  rejectHint?: Uint
  entries?: Entry[]
  snapshot?: Snapshot
  /** MsgStorageAppend and MsgStorageApply only: what to deliver once the storage work is done. */
  responses?: Message[]
}

export interface Ready {
  /** Present when leader or role changed since the last Ready. */
  softState?: { lead: Uint; role: Role }
  /** Present when term, vote or commit changed since the last Ready. */
  hardState?: HardState
  /** Whether entries and hard state must be on disk before messages go out. Undefined: not compared. */
  mustSync?: boolean
  entries?: Entry[]
  snapshot?: Snapshot
  committedEntries?: Entry[]
  /** Messages to other nodes. With asynchronous storage also those to the two threads; without it,
   *  messages of a node to itself stay inside the core. Order counts per destination. */
  messages?: Message[]
  readStates?: { index: Uint; ctx: string | Uint8Array }[]
}

export interface Progress {
  state: ProgressState
  match: Uint
  next: Uint
  isLearner?: boolean
  /** Whether the leader would send no append now. */
  paused?: boolean
  /** Zero outside the Snapshot state. */
  pendingSnapshot?: Uint
  recentActive: boolean
  /** Number of appends under way. */
  inflight?: Uint
  inflightFull?: boolean
}

export interface Status {
  role: Role
  term: Uint
  lead: Uint
  config: ConfState
  /** By node id, on a leader; empty elsewhere. */
  progress?: Record<string, Progress>
}

export interface NodeConfig {
  id: number
  electionTick: number // 3
  heartbeatTick: number // 1
  /** Bytes of entries in one append; 0 means one entry, Infinity means no limit. */
  maxSizePerMsg: number
  maxInflightMsgs: number
  maxInflightBytes: number
  maxUncommittedEntriesSize: number
  /** Bytes of entries handed out for applying and not yet applied; 1 means one entry at a time. */
  maxCommittedSizePerReady: number
  asyncStorageWrites: boolean
  preVote: boolean
  checkQuorum: boolean
  readOnly: 'safe' | 'lease-based'
  disableConfChangeValidation: boolean
  disableProposalForwarding: boolean
  stepDownOnRemoval: boolean
  /** The applied index at the start: that of the snapshot, or 0. */
  applied: number
  /** The state to start from: stable storage holds this snapshot, no entries and no hard state, so
   *  that term is 0 and the commit index is the snapshot's. Null: nothing at all, not even members. */
  snapshot: (Snapshot & { index: number; term: number }) | null
  /** The newest snapshot of this node's state machine. The core's source of snapshots to send. */
  latestSnapshot(): Snapshot
}

/**
 * The errors that traces speak of. Throw an Error with one of these as its `code`, or return the
 * code. Anything else that is thrown counts as a crash of the core.
 */
export type TraceError = 'PEER_NOT_FOUND' | 'LOCAL_MESSAGE' | 'PROPOSAL_DROPPED'

/** One node: the core, and the stable storage under it. */
export interface TraceNode {
  // The core's inputs.
  tick(): Maybe<void>
  campaign(): Maybe<undefined | TraceError>
  propose(data: string): Maybe<undefined | TraceError>
  proposeConfChange(change: ConfChange): Maybe<undefined | TraceError>
  /** A message arrives. Usually one that some node's Ready held; but the runner also builds some by
   *  itself, as plain objects (send-snapshot, step), so do not rely on extra properties alone. */
  step(message: Message): Maybe<undefined | TraceError>
  transferLeader(to: number): Maybe<void>
  forgetLeader(): Maybe<void>
  reportUnreachable(id: number): Maybe<void>
  setRandomizedElectionTimeout(ticks: number): Maybe<void>

  // Its outputs. ready() hands work out and marks it as handed out; without asynchronous storage
  // the runner then persists and applies it, and calls advance() before it does anything else.
  hasReady(): Maybe<boolean>
  ready(): Maybe<Ready>
  advance(): Maybe<void>
  /** A committed configuration change is being applied; returns the configuration it leads to. */
  applyConfChange(entry: Entry): Maybe<ConfState>
  status(): Maybe<Status>

  // Stable storage.
  /** Make this durable. Entries replace everything from the first one's index on; a snapshot
   *  replaces the whole log. Never both. */
  persist(write: { hardState?: HardState; entries: Entry[]; snapshot?: Snapshot }): Maybe<void>
  /** Drop the entries up to and including `index`. */
  compact(index: number): Maybe<void>
  /** What stable storage holds. lastIndex = firstIndex - 1 when it holds no entries. */
  log(): Maybe<{ firstIndex: Uint; lastIndex: Uint; entries: Entry[] }>

  // Only for ../scenarios, which go beyond the upstream traces.
  readIndex?(ctx: string): Maybe<void>
  reportSnapshot?(id: number, ok: boolean): Maybe<void>
  /** The process died: forget everything but stable storage, and start again with this applied
   *  index. Returns the new node (or itself). */
  restart?(applied: number): Maybe<TraceNode>
}

/** Features that are on unless set to false; a trace that needs one that is off is skipped. */
export interface Capabilities {
  asyncStorageWrites?: boolean
  preVote?: boolean
  checkQuorum?: boolean
  leaseRead?: boolean
  confChangeV1?: boolean
  disableConfChangeValidation?: boolean
  stepDownOnRemoval?: boolean
  readIndex?: boolean
  restart?: boolean
}

export interface RaftTraceAdapter {
  name: string
  capabilities?: Capabilities
  createNode(config: NodeConfig): Maybe<TraceNode>
  /** For `run.mjs quorum`. */
  quorum?: {
    /** Highest index that majorities of both halves have; an empty half has every index. */
    committedIndex(
      voters: number[],
      votersOutgoing: number[],
      acked: Map<number, number>,
    ): Maybe<Uint>
    voteResult(
      voters: number[],
      votersOutgoing: number[],
      votes: Map<number, boolean>,
    ): Maybe<'won' | 'lost' | 'pending'>
  }
  /** For `run.mjs confchange`: starts from no members at all. */
  confChange?: { newConfChanger(): Maybe<ConfChanger> }
}

type ConfChangeOutcome = {
  config: ConfState
  progress: Record<string, { state: ProgressState; match: Uint; next: Uint; isLearner?: boolean }>
}
/** Methods throw when the change is refused, and then change nothing. A new member's `next` is
 *  max(lastIndex, 1) and its `match` is 0. */
export interface ConfChanger {
  simple(lastIndex: number, changes: ConfChangeSingle[]): Maybe<ConfChangeOutcome>
  enterJoint(
    lastIndex: number,
    autoLeave: boolean,
    changes: ConfChangeSingle[],
  ): Maybe<ConfChangeOutcome>
  leaveJoint(lastIndex: number): Maybe<ConfChangeOutcome>
}

export interface Waiver {
  file: string
  line: number
  kind?: string
  reason: string
}

export interface CheckOptions {
  /** per-destination (default): messages to different nodes may come in any order. */
  messageOrder?: 'per-destination' | 'strict'
  /** Compare what log lines say about roles and configurations after the directive (default true). */
  logFacts?: boolean
  /** Check Raft's invariants after each directive (default true). */
  invariants?: boolean
  mustSync?: boolean
  stopAtFirst?: boolean
  only?: string
  waivers?: Waiver[]
}

export interface Mismatch {
  line: number
  directive: string
  kind: string
  where: string
  expected?: string
  actual?: string
}

export interface TraceResult {
  file: string
  status: 'pass' | 'fail' | 'crash' | 'skip'
  reason?: string
  directives: number
  ran: number
  /** Number of facts compared, by kind. */
  facts: Record<string, number>
  mismatches: Mismatch[]
  waived: (Mismatch & { reason: string })[]
  invariantViolations: { line: number; text: string }[]
}

// The runner itself (index.mjs).
export function checkTrace(
  path: string,
  adapter: RaftTraceAdapter,
  options?: CheckOptions,
): Promise<TraceResult>
export function checkAll(
  dir: string,
  adapter: RaftTraceAdapter,
  options?: CheckOptions,
): Promise<TraceResult[]>
export function listTraces(path: string): string[]
