// One core alone on the table: the test plays its network, its disk and its peers.

import assert from 'node:assert/strict'
import type { Index, NodeId, Term } from '../../../src/base/types.ts'
import { confChangeOf } from '../../../src/raft/conf-change.ts'
import type {
  ConfState,
  Entry,
  HardState,
  Message,
  MessageType,
  Ready,
} from '../../../src/raft/message.ts'
import type { RaftOptions } from '../../../src/raft/options.ts'
import { Raft } from '../../../src/raft/raft.ts'
import { MemoryLog } from '../../traces/memory-log.ts'
import { Chance } from './chance.ts'
import { OPTIONS } from './host.ts'

export const THREE: ConfState = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

export function entry(term: Term, index: Index, text = `${term}/${index}`): Entry {
  return { term, index, kind: 'normal', data: Buffer.from(text) }
}

/** Entries 1, 2, 3... with these terms. */
export function entriesOf(terms: readonly Term[]): Entry[] {
  return terms.map((term, i) => entry(term, i + 1))
}

export function message(
  type: MessageType,
  from: NodeId,
  fields: Partial<Omit<Message, 'type' | 'from'>>,
): Message {
  return {
    type,
    from,
    to: 1,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: null,
    responses: [],
    ...fields,
  }
}

export type LoneStart = {
  conf?: ConfState
  /** Terms of the entries from 1 on. */
  terms?: readonly Term[]
  hardState?: HardState
  options?: Partial<RaftOptions>
}

/** Node 1 in synchronous mode, without pre-vote and check-quorum unless asked for. */
export class Lone {
  readonly log = new MemoryLog()
  readonly #start: LoneStart
  raft: Raft

  constructor(start: LoneStart = {}) {
    this.#start = start
    this.log.install({ index: 0, term: 0, conf: start.conf ?? THREE })
    this.log.append(entriesOf(start.terms ?? []))
    if (start.hardState) this.log.setHardState(start.hardState)
    this.raft = this.#boot()
  }

  /** Crash and start: all that was persisted is there, nothing else. */
  restart(): void {
    this.raft = this.#boot()
  }

  /** Takes a Ready, persists and applies it, advances. */
  turn(): Ready {
    const ready = this.raft.ready()
    if (ready.snapshot) this.log.install(ready.snapshot)
    this.log.append(ready.entries)
    if (ready.hardState) this.log.setHardState(ready.hardState)
    for (const committed of ready.committedEntries) {
      const change = confChangeOf(committed)
      if (change) this.raft.applyConfChange(change)
    }
    this.raft.advance()
    return ready
  }

  /** Turns until there is nothing to do; all messages that came out, in order. */
  settle(): Message[] {
    const sent: Message[] = []
    while (this.raft.hasReady()) sent.push(...this.turn().messages)
    return sent
  }

  step(...messages: Message[]): void {
    for (const m of messages) this.raft.step(m)
  }

  /** Wins an election by the votes of `voters`, and drops what it sent. */
  lead(...voters: NodeId[]): void {
    this.raft.campaign()
    this.settle()
    const { term } = this.raft
    for (const from of voters) this.step(message('vote-response', from, { term }))
    assert.equal(this.raft.role, 'leader')
    this.settle()
  }

  /** `from` acknowledges everything up to `index`. */
  ack(from: NodeId, index: Index): void {
    this.step(message('append-response', from, { term: this.raft.term, index }))
  }

  /** The payloads or terms at each index, as the log has them. */
  get texts(): string[] {
    return this.log.all().map(e => Buffer.from(e.data).toString())
  }

  #boot(): Raft {
    const defaults = {
      ...OPTIONS,
      asyncStorageWrites: false,
      preVote: false,
      checkQuorum: false,
      maxBytesPerMessage: Infinity,
      maxInflightMessages: 256,
      maxInflightBytes: Infinity,
      maxUncommittedBytes: Infinity,
      maxCommittedBytesPerReady: Infinity,
    }
    const options = { ...defaults, ...this.#start.options, id: 1, applied: 0 }
    return new Raft(options, this.log, new Chance(1))
  }
}

export function ofType(messages: readonly Message[], type: MessageType): Message[] {
  return messages.filter(m => m.type === type)
}
