// One shard's copy on this node: its Raft, its machine, and who is owed an answer.
//
// A replica acts only when the turn calls it, in the turn's order: receive and
// tick, submit, gather, apply. What clients ask for in between is left in the
// proposal buffer, the reads and the waiters.

import type { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import type { Timer } from '../base/clock.ts'
import {
  type Index,
  type Ms,
  NO_NODE,
  type NodeId,
  type ShardId,
  type Term,
} from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import { confChangeOf } from '../raft/conf-change.ts'
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Entry,
  type LogStorage,
  type Message,
  type SnapshotMeta,
} from '../raft/message.ts'
import type { RaftOptions } from '../raft/options.ts'
import { Raft } from '../raft/raft.ts'
import type { ShardWrite } from '../storage/storage.ts'
import type { Producer, SealedBatch } from './batch.ts'
import { blockedWrite } from './blocked-write.ts'
import { Chores } from './chores.ts'
import { Convalescence, provesLoss } from './convalescence.ts'
import { Digests } from './digests.ts'
import type { Host } from './host.ts'
import { Lines } from './lines.ts'
import { Persistence } from './persistence.ts'
import { type Asker, type Query, REPAIR_CONTEXT, type Refusal, type StateMachine } from './ports.ts'
import { ProposalBuffer } from './proposal-buffer.ts'
import { Proposals } from './proposals.ts'
import { Reads } from './reads.ts'
import { Succession } from './succession.ts'
import { Waiter, Waiters } from './waiters.ts'

export type ReplicaOptions = {
  readonly self: NodeId
  readonly raft: Omit<RaftOptions, 'id' | 'applied'>
  /** Bytes of proposals whose fate is open, above which new ones are refused. */
  readonly openBytesMax: number
  /** Reads and waits at one replica, above which new ones are refused. */
  readonly openReadsMax: number
  /** How long a deposed leader waits to learn the fate of its proposals before it says INDOUBT. */
  readonly inDoubtAfter: Ms
  /** After the death of the leader's process, campaign within this time. */
  readonly campaignWithin: Ms
  /** Hears who asked for the commands of an entry, once it is applied and before they are answered. */
  readonly settling?: (askers: readonly unknown[]) => void
}

export class Replica<R> {
  readonly shard: ShardId
  readonly machine: StateMachine<R>
  readonly raft: Raft
  readonly #host: Host
  readonly #options: ReplicaOptions
  /** What Raft has not taken yet; then it goes to the proposals. */
  readonly #buffer: ProposalBuffer<R>
  readonly #proposals = new Proposals<R>()
  readonly #reads = new Reads<R>()
  readonly #waiters: Waiters<R>
  readonly #chores: Chores<R>
  readonly #lines: Lines<R>
  readonly #applyWork: Message[] = []
  readonly #persistence: Persistence
  #leader: NodeId = NO_NODE
  #term: Term = 0
  #leads = false
  #applied: Index
  /** Payload bytes applied since the state was last written as a snapshot. */
  #bytesSinceSnapshot = 0
  #installed: Index = 0
  readonly #digests = new Digests()
  #deposed: Timer | null = null
  readonly #succession: Succession
  readonly #convalescence: Convalescence
  /** Takes over the machine's state when Raft accepts the snapshot that is waiting. */
  #restore: { readonly meta: SnapshotMeta; finish(): void } | null = null
  #stopped = false

  constructor(
    host: Host,
    options: ReplicaOptions,
    shard: ShardId,
    machine: StateMachine<R>,
    log: LogStorage,
    applied: Index,
    amnesiac: boolean,
  ) {
    this.#convalescence = new Convalescence(amnesiac)
    this.#host = host
    this.#options = options
    this.shard = shard
    this.machine = machine
    this.#buffer = new ProposalBuffer(host.clock)
    this.#waiters = new Waiters(host.clock, waiter => this.#serveDue(waiter))
    this.#chores = new Chores(host)
    this.#lines = new Lines(this.#waiters, machine, this.#buffer)
    this.#applied = applied
    const { hardState } = log.initialState()
    this.#persistence = new Persistence(host, shard, hardState, messages => this.#release(messages))
    this.raft = new Raft({ ...options.raft, id: options.self, applied }, log, host.random)
    this.#term = this.raft.term
    this.#succession = new Succession(host, this.raft, options.campaignWithin)
  }

  /** Whether this replica waits for repair by its leader's snapshot (repairs.ts). */
  get amnesiac(): boolean {
    return this.#convalescence.amnesiac
  }

  get leader(): NodeId {
    return this.#leader
  }

  get isLeader(): boolean {
    return this.#leads
  }

  get term(): Term {
    return this.#term
  }

  get applied(): Index {
    return this.#applied
  }

  get commit(): Index {
    return this.raft.committed
  }

  /** The digest of the state behind the entry at `index`, if that was applied lately. */
  digestAt(index: Index): number | null {
    return this.#digests.at(index)
  }

  /** How much log a restart would replay, in bytes of payload. */
  get bytesSinceSnapshot(): number {
    return this.#bytesSinceSnapshot
  }

  /** Index of the last snapshot that was installed from a leader; 0: none since the start. */
  get installed(): Index {
    return this.#installed
  }

  /** A snapshot of the state as of now begins to be written. */
  snapshotBegun(): void {
    this.#bytesSinceSnapshot = 0
  }

  /** Commands whose fate is open, reads and waits: what a graceful stop waits for. */
  get open(): number {
    return this.#buffer.size + this.#proposals.size + this.#reads.size
  }

  /**
   * Takes a command for the next entry. Its bytes are copied at once.
   *
   * @param grows whether it may enlarge the state (refused when the disk is nearly full)
   * @returns null when taken: then `asker` hears of `ticket` exactly once
   */
  propose(
    asker: Asker<R>,
    ticket: number,
    argv: Argv,
    producer: Producer | null,
    grows: boolean,
  ): Refusal | null {
    if (!this.#leads || this.#stopped) return 'not-leader'
    if (grows && this.#host.diskFull) return 'disk-full'
    if (this.#proposals.bytes + this.#buffer.bytes > this.#options.openBytesMax) return 'overloaded'
    this.#buffer.add(asker, ticket, argv, producer)
    if (this.#waiters.count > 0) this.#lines.accompany(argv)
    this.#host.schedule()
    return null
  }

  /**
   * Takes a linearizable read.
   *
   * @param afterWrites whether the asker has writes on the way that it must see
   */
  read(asker: Asker<R>, ticket: number, query: Query<R>, afterWrites: boolean): Refusal | null {
    if (!this.#leads || this.#stopped) return 'not-leader'
    if (this.#reads.size + this.#waiters.count >= this.#options.openReadsMax) return 'overloaded'
    this.#reads.add({ asker, ticket, query }, afterWrites)
    this.#host.schedule()
    return null
  }

  /** Keys that commands wait on, and those of them whose end also ends a wait. */
  blockingKeys(): { readonly all: number; readonly onNoKey: number } {
    return this.#waiters.keys()
  }

  /** The client is gone: its waits end without an answer. */
  forget(asker: Asker<R>): void {
    this.#waiters.forget(asker)
  }

  /** Ends a wait as if its time were over. */
  unblock(asker: Asker<R>, ticket: number): boolean {
    return this.#waiters.unblock(asker, ticket)
  }

  /** Entries that `peer` lacks, as its leader knows; null when it does not follow closely. */
  lagOf(peer: NodeId): number | null {
    const progress = this.raft.status().progress.get(peer)
    if (progress === undefined || progress.state !== 'replicate' || !progress.recentActive)
      return null
    return this.raft.lastIndex - progress.match
  }

  /** How many other voters have all entries up to `index`. For leaders. */
  followersAt(index: Index): number {
    const { progress } = this.raft.status()
    let count = 0
    for (const [peer, { match, learner }] of progress)
      if (peer !== this.#options.self && !learner && match >= index) count += 1
    return count
  }

  /** Begins to look for a leader, once the replica is in its place. `delay` orders who tries first. */
  seekLeader(delay: Ms): void {
    if (!this.amnesiac) this.#succession.begin(delay)
  }

  transferLeader(to: NodeId): void {
    this.raft.transferLeader(to)
    this.#host.schedule()
  }

  // ── called by the turn ──────────────────────────────────────────────────────

  /** A write that no other carried yet and that need not be durable, or null. */
  unwritten(): ShardWrite | null {
    return this.#persistence.unwritten()
  }

  /** The disk brought entries that Raft had to do without. */
  entriesFetched(): void {
    this.raft.entriesFetched()
    this.#host.schedule()
  }

  tick(): void {
    if (this.amnesiac) return
    this.#convalescence.tick()
    this.raft.tick()
    this.#chores.tick()
  }

  receive(message: Message): void {
    if (this.#convalescence.refuses(message)) return
    const { term, lastIndex } = this.raft
    if (provesLoss(message, term, lastIndex)) {
      this.#convalescence.begin()
      this.#succession.end()
      const reason = `its leader counts entry ${message.commit}, the log ends at ${lastIndex}`
      this.#host.damaged(this.shard, reason)
      return
    }
    this.raft.step(message)
  }

  /** The process of `peer` is gone: whoever followed it looks for a new leader now. */
  peerDown(peer: NodeId): void {
    this.raft.reportUnreachable(peer)
    if (this.raft.leader !== peer || this.#stopped || this.amnesiac) return
    this.raft.forgetLeader()
    this.#succession.begin(0, peer)
  }

  /** Hands what clients left to Raft: first the writes, then one round for the reads. */
  submit(): void {
    this.#noteLeader()
    if (this.#leads && this.#chores.mayAsk && !this.#stopped) this.#doChores()
    // While the disk has the batch before, commands gather for the next: an entry and
    // its messages cost the same for one command as for a thousand.
    if (!this.#host.diskBusy) this.#buffer.seal()
    this.#proposeSealed()
    const gathering = this.#leads && this.#buffer.size > 0
    if (this.#reads.mayBegin(gathering)) {
      if (this.#leads) this.raft.readIndex(this.#reads.begin(this.raft.lastIndex, gathering))
      else if (!this.#buffer.isOrphaned) this.#reads.loseAll('moved')
    }
  }

  #doChores(): void {
    const argv = this.machine.chore(this.#host.clock.now())
    if (argv === null) {
      this.#chores.rest()
      return
    }
    this.#buffer.add(this.#chores.begin(), 0, argv, null)
  }

  /** Takes one Ready apart. @returns whether there was one */
  gather(): boolean {
    if (!this.raft.hasReady()) return false
    const ready = this.raft.ready()
    this.#noteLeader()
    for (const state of ready.readStates) this.#reads.confirm(state.context, state.index)
    if (ready.hardState !== null) this.#persistence.note(ready.hardState)
    const { holds } = this.#persistence
    const held: Message[] = []
    for (const message of ready.messages) {
      if (message.to === APPEND_THREAD) held.push(...message.responses)
      else if (message.to === APPLY_THREAD) this.#applyWork.push(message)
      else if (holds) held.push(message)
      else this.#send(message)
    }
    if (ready.snapshot !== null) this.#install(ready.snapshot)
    this.#persistence.persist(ready, held)
    return true
  }

  /** Applies what is committed and durable here. @returns whether anything was applied */
  apply(): boolean {
    if (this.#applyWork.length === 0) return false
    for (const work of this.#applyWork) {
      for (const entry of work.entries) {
        this.#applyEntry(entry)
        this.#digests.note(entry.index, this.machine.digest())
      }
      for (const response of work.responses) this.raft.step(response)
    }
    this.#applyWork.length = 0
    this.#wake()
    return true
  }

  /** Answers the reads whose index is confirmed and applied. */
  serveReads(): void {
    const reads = this.#reads.takeServable(this.#applied)
    if (reads === null) return
    const now = this.#host.clock.now()
    for (const { asker, ticket, query } of reads) {
      if (asker.closed) continue
      const outcome = query.run(now)
      if (outcome instanceof Wait) this.#waiters.add(asker, ticket, outcome, query)
      else asker.answer(ticket, outcome)
    }
  }

  /**
   * A snapshot was received whole and is on disk: offers it to Raft. If Raft
   * takes it, `finish` swaps the machine's state in the same turn.
   */
  offerSnapshot(message: Message, finish: () => void): void {
    assert(message.snapshot !== null, 'a snapshot message without snapshot')
    // Only what was sent for repair is known to cover all that was acknowledged here.
    if (this.amnesiac && !REPAIR_CONTEXT.equals(message.context ?? NO_CONTEXT)) return
    this.#restore = { meta: message.snapshot, finish }
    this.raft.step(message)
    this.#host.schedule()
    if (!this.amnesiac || this.raft.committed < message.snapshot.index) return
    // The state is beyond everything that was acknowledged here.
    this.#convalescence.end(this.raft.term, 2 * this.#options.raft.electionTicks)
    this.#host.repaired(this.shard)
  }

  /** Ends everything that waits; nothing is taken any more. */
  stop(): void {
    this.#stopped = true
    this.#deposed?.cancel()
    this.#succession.stop()
    this.#buffer.loseAll()
    this.#reads.loseAll('moved')
    this.#waiters.loseAll('unblocked')
    this.#proposals.loseAll('in-doubt')
  }

  #send(message: Message): void {
    if (message.type === 'snapshot') this.#host.sendSnapshot(this.shard, message)
    else this.#host.send(this.shard, message)
  }

  /** What they rest on is durable: to this node itself, or into the next envelope. */
  #release(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === this.#options.self) this.raft.step(message)
      else this.#send(message)
    }
  }

  #install(snapshot: SnapshotMeta): void {
    const restore = this.#restore
    assert(
      restore !== null &&
        restore.meta.index === snapshot.index &&
        restore.meta.term === snapshot.term,
      () => `shard ${this.shard} took a snapshot at ${snapshot.index} that it was not offered`,
    )
    this.#restore = null
    restore.finish()
    this.#applied = snapshot.index
    this.#installed = snapshot.index
    this.#bytesSinceSnapshot = 0
    this.#proposals.loseAll('in-doubt', snapshot.index)
    this.machine.takeReadyKeys()
  }

  #proposeSealed(): void {
    const buffer = this.#buffer
    for (let sealed = buffer.next(); sealed !== null; sealed = buffer.next()) {
      if (!this.#leads) {
        if (!buffer.isOrphaned) buffer.loseAll()
        return
      }
      // Dropped while leading: a transfer is under way. It ends in this leader's
      // favour or in a MOVED for those who asked.
      if (this.raft.propose([sealed.payload]) !== null) return
      buffer.proposed()
      this.#proposals.add(this.raft.lastIndex, this.raft.term, sealed)
    }
  }

  #applyEntry(entry: Entry): void {
    assert(
      entry.index === this.#applied + 1,
      () => `shard ${this.shard}: ${entry.index} applied after ${this.#applied}`,
    )
    this.#applied = entry.index
    const batch = this.#proposals.take(entry.index, entry.term)
    const change = confChangeOf(entry)
    if (change !== null) {
      this.raft.applyConfChange(change)
      return
    }
    if (entry.data.length === 0) return
    const data = entry.data
    this.#bytesSinceSnapshot += data.length
    const payload = Buffer.isBuffer(data)
      ? data
      : Buffer.from(data.buffer, data.byteOffset, data.length)
    if (batch === null) {
      this.machine.apply(payload, entry.index, null)
      return
    }
    const outcomes: (R | Wait)[] = []
    this.machine.apply(payload, entry.index, outcomes)
    this.#settle(batch, outcomes)
  }

  #settle(batch: SealedBatch<R>, outcomes: readonly (R | Wait)[]): void {
    const { askers, tickets } = batch
    assert(
      outcomes.length === askers.length,
      () => `${outcomes.length} outcomes for ${askers.length} commands`,
    )
    this.#options.settling?.(askers)
    for (let i = 0; i < askers.length; i += 1) {
      const asker = askers[i] as Asker<R>
      const outcome = outcomes[i] as R | Wait
      if (!(outcome instanceof Wait)) asker.answer(tickets[i] as number, outcome)
      else if (!this.#leads) asker.lose(tickets[i] as number, 'unblocked')
      else if (asker instanceof Waiter) asker.stillWaits(outcome)
      else this.#waiters.add(asker, tickets[i] as number, outcome, blockedWrite(batch, i))
    }
  }

  /** Serves who waited for the keys that just changed. */
  #wake(): void {
    if (this.#lines.move(this.#host.clock.now(), this.#leads)) this.#host.schedule()
  }

  /** The time has come that may serve a blocked write. */
  #serveDue(waiter: Waiter<R>): void {
    if (this.#leads && this.#lines.proposeDue(waiter)) this.#host.schedule()
  }

  #noteLeader(): void {
    const { leader, term } = this.raft
    const leads = this.raft.role === 'leader'
    if (leader === this.#leader && term === this.#term && leads === this.#leads) return
    const led = this.#leads
    const before = this.#term
    this.#leader = leader
    this.#term = term
    this.#leads = leads
    if (leader !== NO_NODE) this.#succession.end()
    this.#host.leaderChanged(this.shard, leader, term)
    if (led && !leads) this.#stepDown(before)
    // Raft drops the reads of an older term, also of a leader that was elected again at once.
    else if (led) this.#reads.loseAll('moved')
    if (leader !== NO_NODE && this.#buffer.isOrphaned) this.#adoptOrphans()
  }

  /** @param term in which it led: who is deposed by silence stays in it */
  #stepDown(term: Term): void {
    this.#waiters.loseAll('unblocked')
    this.#buffer.orphan()
    this.#deposed?.cancel()
    this.#deposed = this.#host.clock.after(this.#options.inDoubtAfter, () => {
      this.#deposed = null
      if (this.#buffer.isOrphaned) this.#adoptOrphans()
      this.#proposals.loseBefore(term + 1)
    })
  }

  /**
   * Tells those who asked a deposed leader where to ask instead, now that it is
   * known or has been unknown for too long. When leadership changes hands in
   * order this is how its clients see a redirect and nothing else.
   */
  #adoptOrphans(): void {
    this.#reads.loseAll('moved')
    this.#buffer.adopt(this.#leads)
  }
}

const NO_CONTEXT = new Uint8Array(0)
