// A host of one core in asynchronous mode, as careless as the rules allow: its
// disk is slow, a crash loses what was not synced, and its state machine is a list.
//
// It keeps the host's rule of RAFT.md 3.8: messages of a Ready that changes term or
// vote wait until that is durable, and so do those after it. `holdsBack: false`
// breaks the rule, for the test that shows what it is for.

import assert from 'node:assert/strict'
import type { Index, NodeId, Term } from '../../../src/base/types.ts'
import { confChangeOf } from '../../../src/raft/conf-change.ts'
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfState,
  type Entry,
  type Message,
  type ReadState,
  type SnapshotMeta,
} from '../../../src/raft/message.ts'
import type { RaftOptions } from '../../../src/raft/options.ts'
import { Raft } from '../../../src/raft/raft.ts'
import { MemoryLog } from '../../traces/memory-log.ts'
import type { Chance } from './chance.ts'

export const OPTIONS: Omit<RaftOptions, 'id' | 'applied'> = {
  electionTicks: 5,
  heartbeatTicks: 1,
  maxBytesPerMessage: 64,
  maxInflightMessages: 3,
  maxInflightBytes: 128,
  maxUncommittedBytes: 4096,
  maxCommittedBytesPerReady: 64,
  asyncStorageWrites: true,
  preVote: true,
  checkQuorum: true,
  readOnly: 'safe',
  disableConfChangeValidation: false,
  disableProposalForwarding: true,
  stepDownOnRemoval: true,
}

export type Applied = { readonly index: Index; readonly term: Term; readonly data: string }
/** Everything applied so far, as bytes, is what a snapshot carries. */
const encode = (applied: readonly Applied[]) => Buffer.from(JSON.stringify(applied))
const decode = (bytes: Uint8Array | undefined): Applied[] =>
  bytes && bytes.length > 0 ? JSON.parse(Buffer.from(bytes).toString()) : []

export class Host {
  readonly id: NodeId
  readonly log: MemoryLog
  readonly #options: Omit<RaftOptions, 'id' | 'applied'>
  readonly #chance: Chance
  readonly #holdsBack: boolean
  readonly #send: (message: Message) => void
  raft: Raft
  /** What the state machine has applied, from the first entry on. */
  applied: Applied[] = []
  conf: ConfState
  reads: ReadState[] = []
  #writes: Message[] = []
  #applies: Message[] = []
  /** Messages behind a term or vote that is not durable, each after so many writes. */
  #held: { readonly message: Message; readonly after: number }[] = []
  #writesQueued = 0
  #writesDone = 0
  #gate = 0

  constructor(
    id: NodeId,
    start: SnapshotMeta,
    chance: Chance,
    send: (message: Message) => void,
    options: Partial<RaftOptions> & { holdsBack?: boolean } = {},
  ) {
    const { holdsBack = true, ...rest } = options
    this.id = id
    this.#chance = chance
    this.#send = send
    this.#holdsBack = holdsBack
    this.#options = { ...OPTIONS, ...rest }
    this.log = new MemoryLog()
    if (start.index > 0) this.log.install(start)
    this.conf = start.conf
    this.raft = this.#start()
  }

  /** Handles Readys until there is none; storage work is queued. */
  drain(): void {
    while (this.raft.hasReady()) {
      const before = this.raft.status()
      const ready = this.raft.ready()
      this.reads.push(...ready.readStates)
      const durable = this.log.initialState().hardState
      const hard = ready.hardState
      const writes = ready.messages.filter(m => m.to === APPEND_THREAD)
      this.#writes.push(...writes)
      this.#writesQueued += writes.length
      if (hard && (hard.term !== durable.term || hard.vote !== durable.vote)) {
        this.#gate = this.#writesQueued
      }
      for (const message of ready.messages) {
        if (message.to === APPLY_THREAD) this.#applies.push(message)
        else if (message.to !== APPEND_THREAD) this.#sendWhenAllowed(message)
      }
      assert.equal(this.raft.term, before.term)
    }
  }

  get hasWrites(): boolean {
    return this.#writes.length > 0
  }

  get hasApplies(): boolean {
    return this.#applies.length > 0
  }

  /** The disk finishes the oldest write. */
  write(): void {
    const work = this.#writes.shift()
    if (!work) return
    this.#persist(work)
    this.#writesDone += 1
    for (const response of work.responses) {
      if (response.to === this.id) this.raft.step(response)
      else this.#send(response)
    }
    while (this.#held[0] && this.#held[0].after <= this.#writesDone) {
      const held = this.#held.shift()
      if (held) this.#send(held.message)
    }
    this.drain()
  }

  /** The state machine finishes the oldest page. */
  apply(): void {
    const work = this.#applies.shift()
    if (!work) return
    for (const entry of work.entries) this.#applyEntry(entry)
    for (const response of work.responses) this.raft.step(response)
    this.drain()
  }

  /** All storage work there is. */
  settle(): void {
    this.drain()
    while (this.hasWrites || this.hasApplies) {
      this.write()
      this.apply()
    }
  }

  /** The process dies; of the writes under way the disk got a prefix. Starts again at once. */
  crash(writesKept = this.#chance.below(this.#writes.length + 1)): void {
    for (const work of this.#writes.slice(0, writesKept)) this.#persist(work)
    this.#writes = []
    this.#applies = []
    this.#held = []
    this.#writesQueued = 0
    this.#writesDone = 0
    this.#gate = 0
    this.reads = []
    this.raft = this.#start()
  }

  /** Writes a snapshot of what is applied, and drops the log behind it but for `keep` entries. */
  compact(keep: number): void {
    const last = this.applied.at(-1)
    if (!last || this.#writes.some(w => w.snapshot !== null)) return
    if (last.index >= this.log.lastIndex() + 1 || last.index < this.log.firstIndex()) return
    this.log.checkpoint(this.#snapshotAt(last))
    const to = last.index - keep
    if (to >= this.log.firstIndex()) this.log.compact(to)
  }

  #snapshotAt({ index, term }: Applied): SnapshotMeta {
    return { index, term, conf: this.conf, data: encode(this.applied) }
  }

  #sendWhenAllowed(message: Message): void {
    if (this.#holdsBack && this.#gate > this.#writesDone) {
      this.#held.push({ message, after: this.#gate })
    } else {
      this.#send(message)
    }
  }

  #persist(work: Message): void {
    if (work.snapshot) {
      this.log.install(work.snapshot)
      this.applied = decode(work.snapshot.data)
      this.conf = work.snapshot.conf
      this.#applies = []
    }
    this.log.append(work.entries)
    const { term, vote, commit } = work
    if (term !== 0) this.log.setHardState({ term, vote, commit })
  }

  #applyEntry(entry: Entry): void {
    const last = this.applied.at(-1)?.index
    if (last !== undefined) {
      assert.equal(entry.index, last + 1, `node ${this.id} applies out of order`)
    }
    assert.ok(entry.index <= this.log.lastIndex(), `node ${this.id} applies what is not durable`)
    const change = confChangeOf(entry)
    if (change) this.conf = this.raft.applyConfChange(change)
    const data = change ? 'change' : Buffer.from(entry.data).toString('latin1')
    this.applied.push({ index: entry.index, term: entry.term, data })
  }

  #start(): Raft {
    const snapshot = this.log.snapshot()
    assert.ok(typeof snapshot !== 'string')
    this.applied = decode(snapshot.data)
    this.conf = snapshot.conf
    const options = { ...this.#options, id: this.id, applied: snapshot.index }
    return new Raft(options, this.log, this.#chance)
  }
}
