// The adapter that lets interaction traces of etcd's raft library run against our core.
//
// It translates words, nothing else: what the core did is what is compared. Messages
// carry their original along, since a few fields (contexts) are not part of a trace.

import { confChangeOf, decodeConfChange } from '../../src/raft/conf-change.ts'
import { type Changed, changeSimply, enterJoint, leaveJoint } from '../../src/raft/membership.ts'
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfChangeStep,
  type ConfState,
  type Entry,
  type EntryKind,
  type Message,
  type MessageType,
  type Role,
  type SnapshotMeta,
} from '../../src/raft/message.ts'
import type { ProgressState } from '../../src/raft/progress.ts'
import { committedIndex, voteResult } from '../../src/raft/quorum.ts'
import { Raft } from '../../src/raft/raft.ts'
import { Tracker } from '../../src/raft/tracker.ts'
import { MemoryLog } from './memory-log.ts'
import type * as trace from './tool/adapter.d.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const NO_BYTES = new Uint8Array(0)

function inverse<K extends string, V extends string>(map: Record<K, V>): Record<V, K> {
  return Object.fromEntries(Object.entries(map).map(([k, v]) => [v, k])) as Record<V, K>
}

const TYPES: Record<MessageType, trace.MessageType | 'MsgTransferLeader'> = {
  propose: 'MsgProp',
  append: 'MsgApp',
  'append-response': 'MsgAppResp',
  vote: 'MsgVote',
  'vote-response': 'MsgVoteResp',
  'pre-vote': 'MsgPreVote',
  'pre-vote-response': 'MsgPreVoteResp',
  snapshot: 'MsgSnap',
  heartbeat: 'MsgHeartbeat',
  'heartbeat-response': 'MsgHeartbeatResp',
  'timeout-now': 'MsgTimeoutNow',
  'transfer-leader': 'MsgTransferLeader',
  'read-index': 'MsgReadIndex',
  'read-index-response': 'MsgReadIndexResp',
  'storage-append': 'MsgStorageAppend',
  'storage-append-response': 'MsgStorageAppendResp',
  'storage-apply': 'MsgStorageApply',
  'storage-apply-response': 'MsgStorageApplyResp',
}
const TYPES_BACK = inverse(TYPES)
const ROLES: Record<Role, trace.Role> = {
  follower: 'Follower',
  'pre-candidate': 'PreCandidate',
  candidate: 'Candidate',
  leader: 'Leader',
}
const STATES: Record<ProgressState, trace.ProgressState> = {
  probe: 'Probe',
  replicate: 'Replicate',
  snapshot: 'Snapshot',
}
const KINDS: Record<EntryKind, trace.Entry['type']> = {
  normal: 'Normal',
  'conf-change': 'ConfChange',
  'conf-change-v2': 'ConfChangeV2',
}
const KINDS_BACK = inverse(KINDS)
const STEPS: Record<ConfChangeStep['kind'], trace.ConfChangeSingle['type']> = {
  'add-voter': 'addVoter',
  'add-learner': 'addLearner',
  remove: 'remove',
  update: 'update',
}
const STEPS_BACK = inverse(STEPS)

type Carried<T, O> = T & { original?: O }

function stepsIn(changes: readonly trace.ConfChangeSingle[]): ConfChangeStep[] {
  return changes.map(c => ({ kind: STEPS_BACK[c.type], node: Number(c.nodeId) }))
}

function bytesIn(data: string | Uint8Array | null | undefined): Uint8Array {
  if (!data) return NO_BYTES
  return typeof data === 'string' ? encoder.encode(data) : data
}

function entryOut(entry: Entry): Carried<trace.Entry, Entry> {
  const change = confChangeOf(entry)
  const type = KINDS[entry.kind]
  const { term, index } = entry
  const original = entry
  if (!change) return { term, index, type, data: decoder.decode(entry.data), original }
  const changes = change.steps.map(s => ({ type: STEPS[s.kind], nodeId: s.node }))
  return { term, index, type, changes, original }
}

function entryIn(entry: Carried<trace.Entry, Entry>): Entry {
  if (entry.original) return entry.original
  const kind = KINDS_BACK[entry.type]
  if (kind !== 'normal') throw new Error('a forged configuration change')
  return { term: Number(entry.term), index: Number(entry.index), kind, data: bytesIn(entry.data) }
}

function confOut(conf: ConfState): trace.ConfState {
  return {
    voters: [...conf.voters],
    votersOutgoing: [...conf.votersOutgoing],
    learners: [...conf.learners],
    learnersNext: [...conf.learnersNext],
    autoLeave: conf.autoLeave,
  }
}

function numbers(list: readonly (number | bigint)[] | undefined): number[] {
  return (list ?? []).map(Number).sort((a, b) => a - b)
}

function snapshotIn(snapshot: trace.Snapshot): SnapshotMeta {
  const { confState } = snapshot
  return {
    index: Number(snapshot.index),
    term: Number(snapshot.term),
    conf: {
      voters: numbers(confState.voters),
      votersOutgoing: numbers(confState.votersOutgoing),
      learners: numbers(confState.learners),
      learnersNext: numbers(confState.learnersNext),
      autoLeave: confState.autoLeave ?? false,
    },
    data: bytesIn(snapshot.data),
  }
}

function snapshotOut(snapshot: SnapshotMeta): trace.Snapshot {
  const { index, term, conf, data } = snapshot
  return { index, term, confState: confOut(conf), data: decoder.decode(data) }
}

function targetOut(node: number): trace.Target {
  if (node === APPEND_THREAD) return 'AppendThread'
  return node === APPLY_THREAD ? 'ApplyThread' : node
}

function targetIn(target: trace.Target): number {
  if (target === 'AppendThread') return APPEND_THREAD
  return target === 'ApplyThread' ? APPLY_THREAD : Number(target)
}

/** Reads carry the asker's context as a bare entry in the notation of traces. */
function isRead(type: MessageType): boolean {
  return type === 'read-index' || type === 'read-index-response'
}

function messageOut(message: Message): Carried<trace.Message, Message> {
  const { term, logTerm, index, commit, vote, reject, rejectHint, context } = message
  const read: trace.Entry[] = isRead(message.type)
    ? [{ term: 0, index: 0, type: 'Normal', data: decoder.decode(context ?? NO_BYTES) }]
    : []
  return {
    from: targetOut(message.from),
    to: targetOut(message.to),
    type: TYPES[message.type] as trace.MessageType,
    term,
    logTerm,
    index,
    commit,
    vote,
    reject,
    rejectHint,
    entries: [...read, ...message.entries.map(entryOut)],
    ...(message.snapshot ? { snapshot: snapshotOut(message.snapshot) } : {}),
    responses: message.responses.map(messageOut),
    original: message,
  }
}

function messageIn(message: Carried<trace.Message, Message>): Message {
  if (message.original) return message.original
  const type = TYPES_BACK[message.type]
  const entries = (message.entries ?? []).map(entryIn)
  return {
    type,
    from: targetIn(message.from),
    to: targetIn(message.to),
    term: Number(message.term ?? 0),
    logTerm: Number(message.logTerm ?? 0),
    index: Number(message.index ?? 0),
    entries: isRead(type) ? [] : entries,
    commit: Number(message.commit ?? 0),
    vote: Number(message.vote ?? 0),
    reject: message.reject ?? false,
    rejectHint: Number(message.rejectHint ?? 0),
    snapshot: message.snapshot ? snapshotIn(message.snapshot) : null,
    context: isRead(type) ? (entries[0]?.data ?? null) : null,
    responses: (message.responses ?? []).map(messageIn),
  }
}

/** A trace sets the timeouts that matter; the rest only has to be the same each time. */
function fixedRandom(seed: number) {
  let state = seed
  return {
    below(bound: number): number {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return (state >>> 8) % bound
    },
    bytes: (count: number) => new Uint8Array(count),
  }
}

function createCore(config: trace.NodeConfig, applied: number, log: MemoryLog): Raft {
  return new Raft(
    {
      id: config.id,
      electionTicks: config.electionTick,
      heartbeatTicks: config.heartbeatTick,
      maxBytesPerMessage: config.maxSizePerMsg,
      maxInflightMessages: config.maxInflightMsgs,
      maxInflightBytes: config.maxInflightBytes,
      maxUncommittedBytes: config.maxUncommittedEntriesSize,
      maxCommittedBytesPerReady: config.maxCommittedSizePerReady,
      asyncStorageWrites: config.asyncStorageWrites,
      preVote: config.preVote,
      checkQuorum: config.checkQuorum,
      readOnly: config.readOnly,
      disableConfChangeValidation: config.disableConfChangeValidation,
      disableProposalForwarding: config.disableProposalForwarding,
      stepDownOnRemoval: config.stepDownOnRemoval,
      applied,
    },
    log,
    fixedRandom(config.id),
  )
}

function readyOut(core: Raft): trace.Ready {
  const ready = core.ready()
  const { softState, hardState, snapshot } = ready
  return {
    mustSync: ready.mustSync,
    entries: ready.entries.map(entryOut),
    committedEntries: ready.committedEntries.map(entryOut),
    messages: ready.messages.map(messageOut),
    readStates: ready.readStates.map(r => ({ index: r.index, ctx: r.context })),
    ...(softState ? { softState: { lead: softState.leader, role: ROLES[softState.role] } } : {}),
    ...(hardState ? { hardState } : {}),
    ...(snapshot ? { snapshot: snapshotOut(snapshot) } : {}),
  }
}

function statusOut(core: Raft): trace.Status {
  const status = core.status()
  const progress: Record<string, trace.Progress> = {}
  for (const [id, { state, learner, ...rest }] of status.progress) {
    progress[id] = { ...rest, state: STATES[state], isLearner: learner }
  }
  const { term, leader, role, conf } = status
  return { term, lead: leader, role: ROLES[role], config: confOut(conf), progress }
}

function persist(log: MemoryLog, write: Parameters<trace.TraceNode['persist']>[0]): void {
  if (write.snapshot) log.install(snapshotIn(write.snapshot))
  log.append(write.entries.map(entryIn))
  if (write.hardState) {
    const { term, vote, commit } = write.hardState
    log.setHardState({ term: Number(term), vote: Number(vote), commit: Number(commit) })
  }
}

function stepIn(core: Raft, message: trace.Message): trace.TraceError | undefined {
  const result = core.step(messageIn(message))
  if (result === 'unknown-peer') return 'PEER_NOT_FOUND'
  if (result === null) return undefined
  return message.type === 'MsgProp' ? 'PROPOSAL_DROPPED' : 'LOCAL_MESSAGE'
}

function createNode(config: trace.NodeConfig): trace.TraceNode {
  const log = new MemoryLog(() => snapshotIn(config.latestSnapshot()))
  if (config.snapshot) log.install(snapshotIn(config.snapshot))
  let core = createCore(config, config.applied, log)
  const dropped = (result: 'dropped' | null) => (result ? 'PROPOSAL_DROPPED' : undefined)
  const node: trace.TraceNode = {
    tick: () => core.tick(),
    campaign: () => {
      core.campaign()
      return undefined
    },
    propose: data => dropped(core.propose([encoder.encode(data)])),
    proposeConfChange: change => {
      const { v1, transition } = change
      return dropped(core.proposeConfChange({ v1, transition, steps: stepsIn(change.changes) }))
    },
    step: message => stepIn(core, message),
    transferLeader: to => core.transferLeader(to),
    forgetLeader: () => core.forgetLeader(),
    reportUnreachable: id => core.reportUnreachable(id),
    reportSnapshot: (id, ok) => core.reportSnapshot(id, ok),
    readIndex: ctx => core.readIndex(encoder.encode(ctx)),
    setRandomizedElectionTimeout: ticks => core.setRandomizedElectionTimeout(ticks),
    hasReady: () => core.hasReady(),
    ready: () => readyOut(core),
    advance: () => core.advance(),
    status: () => statusOut(core),
    applyConfChange: entry => confOut(core.applyConfChange(decodeConfChange(entryIn(entry).data))),
    persist: write => persist(log, write),
    compact: index => log.compact(index),
    log: () => ({
      firstIndex: log.firstIndex(),
      lastIndex: log.lastIndex(),
      entries: log.all().map(entryOut),
    }),
    restart: applied => {
      core = createCore(config, applied, log)
      return node
    },
  }
  return node
}

function newConfChanger(): trace.ConfChanger {
  const tracker = new Tracker(1, Infinity)
  const take = (lastIndex: number, changed: Changed | string) => {
    if (typeof changed === 'string') throw new Error(changed)
    tracker.adopt(changed, lastIndex)
    const progress = Object.fromEntries(
      tracker.all.map(p => [
        p.id,
        { state: STATES[p.state], match: p.match, next: p.next, isLearner: p.learner },
      ]),
    )
    return { config: confOut(tracker.conf), progress }
  }
  return {
    simple: (last, changes) => take(last, changeSimply(tracker.conf, stepsIn(changes))),
    enterJoint: (last, autoLeave, changes) =>
      take(last, enterJoint(tracker.conf, autoLeave, stepsIn(changes))),
    leaveJoint: last => take(last, leaveJoint(tracker.conf)),
  }
}

export const adapter: trace.RaftTraceAdapter = {
  name: 'slotcast',
  createNode,
  quorum: {
    committedIndex: (voters, outgoing, acked) =>
      committedIndex(voters, outgoing, voter => acked.get(voter) ?? 0),
    voteResult: (voters, outgoing, votes) =>
      voteResult(voters, outgoing, voter => votes.get(voter)),
  },
  confChange: { newConfChanger },
}
