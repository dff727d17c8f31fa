// The invariants of Raft, checked after every event on the nodes, their logs and their messages.
//
// A node is looked at after each of its own events, and only what changed is
// checked, so that the cost of an event stays small. What a ShardLog shows is
// what its node believes to be durable; whether that is true shows at the next
// restart, when the recovered log is compared with what was believed. Numbers in
// comments are those of RAFT section 9. Configurations do not change here yet,
// so 12 and 13 have nothing to look at; 15 to 17 are the checkers' part.

import { crc32c } from '../../src/base/crc32c.ts'
import type { Index, NodeId, ShardId, Term } from '../../src/base/types.ts'
import { Machine } from '../../src/machine/machine.ts'
import type { Node } from '../../src/node.ts'
import type { Message } from '../../src/raft/message.ts'
import type { RaftStatus } from '../../src/raft/raft.ts'
import type { Envelope } from '../../src/replica/ports.ts'
import type { Replica } from '../../src/replica/replica.ts'
import type { ShardLog } from '../../src/storage/shard-log.ts'
import { Ledger } from './ledger.ts'

/** States are compared behind each so manieth entry: it takes time that grows with the state. */
const STATES_EVERY = 32

/** A broken invariant. Ends the run. */
export class InvariantFailure extends Error {
  override readonly name = 'InvariantFailure'
}

/** What was last seen of one replica in one life of its node. */
class View {
  readonly replica: Replica<unknown>
  readonly log: ShardLog
  commit: Index = 0
  /** Up to where the log was compared with what others committed. */
  checked: Index
  applied: Index
  term: Term = 0
  role = 'follower'
  durable: Index = 0
  /** A leader whose log could not be compared yet up to this index: it is not on its disk. */
  completeness: Index = 0
  /** Of a leader: what it knew of each peer. Only grows within a term. */
  readonly matches = new Map<NodeId, Index>()
  /** Of a leader: its commit index when it was elected. */
  commitAtElection: Index = 0

  constructor(replica: Replica<unknown>, log: ShardLog) {
    this.replica = replica
    this.log = log
    this.applied = replica.applied
    this.checked = log.firstIndex() - 1
  }
}

/** What one node's disk promises for one shard, over its lives. */
class Promise_ {
  /** The committed entries it holds durably: it must hold them for ever. */
  held: Index = 0
  term: Term = 0
  vote: NodeId = 0
  /** Its log; of a node that is down, as it was when it died. */
  log: ShardLog | null = null
}

export class Invariants {
  readonly #ledgers = new Map<ShardId, Ledger>()
  readonly #views = new Map<NodeId, Map<ShardId, View>>()
  readonly #promises = new Map<string, Promise_>()
  readonly #voters = new Map<ShardId, readonly NodeId[]>()
  readonly #nodes = new Map<NodeId, Node>()
  /** Nodes whose disks were damaged or emptied. They may lack what they acknowledged, and must know it. */
  readonly #worn = new Set<NodeId>()
  /** How often each kind of thing was really compared: a checker that saw nothing proves nothing. */
  readonly counts = new Map<string, number>()

  #ledger(shard: ShardId): Ledger {
    let ledger = this.#ledgers.get(shard)
    if (ledger === undefined) {
      ledger = new Ledger()
      this.#ledgers.set(shard, ledger)
    }
    return ledger
  }

  #promise(node: NodeId, shard: ShardId): Promise_ {
    const key = `${node}/${shard}`
    let promise = this.#promises.get(key)
    if (promise === undefined) {
      promise = new Promise_()
      this.#promises.set(key, promise)
    }
    return promise
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  #fail(node: NodeId, shard: ShardId, what: string): never {
    throw new InvariantFailure(`n${node} shard ${shard}: ${what}`)
  }

  #expect(fault: string | null, node: NodeId, shard: ShardId): void {
    if (fault !== null) this.#fail(node, shard, fault)
  }

  /** A node was started. */
  began(id: NodeId, node: Node): void {
    this.#nodes.set(id, node)
    this.#views.set(id, new Map())
    this.look(id)
  }

  ended(id: NodeId): void {
    this.#nodes.delete(id)
    this.#views.delete(id)
  }

  /** A node's disk was damaged or emptied: it is released from what it promised. */
  damaged(id: NodeId): void {
    this.#worn.add(id)
    for (const [key, promise] of this.#promises) {
      if (!key.startsWith(`${id}/`)) continue
      promise.held = 0
      promise.log = null
    }
  }

  /** Looks at everything that an event of node `id` may have changed. */
  look(id: NodeId): void {
    const node = this.#nodes.get(id)
    const views = this.#views.get(id)
    if (node === undefined || views === undefined) return
    for (const replica of node.replicas()) {
      let view = views.get(replica.shard)
      if (view === undefined) {
        view = new View(replica, node.storage.shard(replica.shard))
        views.set(replica.shard, view)
        this.#watchApply(id, view)
        this.#recovered(id, view)
      }
      this.#lookAt(id, view)
    }
  }

  #lookAt(id: NodeId, view: View): void {
    const { replica, log } = view
    const { raft, shard } = replica
    const { term, role, committed, applied } = raft
    const ledger = this.#ledger(shard)
    if (term < view.term) this.#fail(id, shard, `term ${view.term} went back to ${term}`)
    if (committed < view.commit)
      this.#fail(id, shard, `commit ${view.commit} went back to ${committed}`)
    if (applied > committed || committed > raft.lastIndex)
      this.#fail(id, shard, `applied ${applied}, commit ${committed}, last ${raft.lastIndex}`)
    const durable = log.lastIndex()
    const changed =
      committed !== view.commit || durable !== view.durable || replica.applied !== view.applied
    if (role === 'leader' && (view.role !== 'leader' || view.term !== term))
      this.#elected(id, view, term)
    view.term = term
    view.role = role
    view.commit = committed
    view.durable = durable
    if (!changed) return
    this.#checkCounting(id, view, committed)
    this.#learnCommitted(id, view, ledger)
    this.#checkApplied(id, view, ledger)
    this.#checkCompleteness(id, view)
    if (role === 'leader') this.#checkProgress(id, view, raft.status())
  }

  /** 1 and 4: one leader a term, and it has everything that was committed before. */
  #elected(id: NodeId, view: View, term: Term): void {
    const { shard, raft } = view.replica
    const ledger = this.#ledger(shard)
    this.#count('elections')
    this.#expect(ledger.lead(term, id), id, shard)
    this.#voters.set(shard, raft.status().conf.voters)
    let last = ledger.last
    while (last > 0 && ledger.committedIn(last) >= term) last -= 1
    if (raft.lastIndex < last)
      this.#fail(
        id,
        shard,
        `leads term ${term} with ${raft.lastIndex} of ${last} committed entries`,
      )
    view.completeness = last
    view.matches.clear()
    view.commitAtElection = raft.committed
  }

  /** Only entries of the leader's own term commit by counting (figure 8). */
  #checkCounting(id: NodeId, view: View, committed: Index): void {
    if (view.role !== 'leader' || committed <= view.commitAtElection) return
    const term = view.log.term(committed)
    if (typeof term !== 'number') return
    this.#count('own term')
    if (term !== view.term)
      this.#fail(id, view.replica.shard, `commits ${committed} of term ${term} in ${view.term}`)
  }

  #checkCompleteness(id: NodeId, view: View): void {
    const { shard } = view.replica
    const index = view.completeness
    if (index === 0 || view.role !== 'leader') return
    const expected = this.#ledger(shard).termAt(index)
    if (view.log.term(index) === expected) {
      this.#count('completeness')
      view.completeness = 0
    } else if (view.replica.applied >= index && view.log.firstIndex() <= index) {
      this.#fail(id, shard, `leads without committed ${index} of term ${expected}`)
    }
  }

  /** 3, 5, 9: what this node takes for committed is what all others do, and a majority has it. */
  #learnCommitted(id: NodeId, view: View, ledger: Ledger): void {
    const { shard } = view.replica
    const { log } = view
    const promise = this.#promise(id, shard)
    promise.log = log
    const hard = log.initialState().hardState
    promise.term = hard.term
    promise.vote = hard.vote
    // The log may still show what an entry or a snapshot that is being written replaces;
    // what is applied, and fits the newest snapshot, is settled.
    const upTo = view.replica.applied
    if (!this.#isSettled(id, shard, log)) return
    if (view.checked < log.firstIndex() - 1) view.checked = log.firstIndex() - 1
    while (view.checked < upTo) {
      const index = view.checked + 1
      const term = log.term(index)
      if (typeof term !== 'number') break
      const isNew = index > ledger.last
      // A commit that this node learned before a snapshot was installed elsewhere shows first here.
      if (index > ledger.last + 1) break
      this.#expect(ledger.commit(index, term, view.term, id), id, shard)
      this.#checkChain(id, shard, log, index, term, ledger)
      if (isNew) this.#checkQuorum(id, shard, index, term)
      view.checked = index
    }
    if (promise.held < view.checked) promise.held = view.checked
  }

  /** Whether the log has taken note of the newest snapshot: one that was received is a file first. */
  #isSettled(id: NodeId, shard: ShardId, log: ShardLog): boolean {
    const newest = this.#nodes.get(id)?.storage.snapshots.newest(shard) ?? null
    return newest === null || log.term(newest.index) === newest.term
  }

  /** 3: the entry below is the one that its leader had below. */
  #checkChain(
    id: NodeId,
    shard: ShardId,
    log: ShardLog,
    index: Index,
    term: Term,
    ledger: Ledger,
  ): void {
    const expected = ledger.previousTermOf(index, term)
    const below = log.term(index - 1)
    if (expected === null || typeof below !== 'number') return
    this.#count('log matching')
    if (below !== expected)
      this.#fail(id, shard, `has term ${below} below ${index}:${term}, its leader had ${expected}`)
  }

  /** 9: what is committed is on the disks of a majority. */
  #checkQuorum(id: NodeId, shard: ShardId, index: Index, term: Term): void {
    const voters = this.#voters.get(shard)
    if (voters === undefined) return
    let holders = 0
    for (const voter of voters) {
      if (this.#worn.has(voter)) {
        holders += 1
        continue
      }
      const { log } = this.#promise(voter, shard)
      if (log === null) continue
      const own = log.term(index)
      if (own === term || own === 'compacted') holders += 1
    }
    this.#count('quorum durability')
    if (holders * 2 <= voters.length)
      this.#fail(id, shard, `took ${index} for committed, which ${holders} of ${voters} hold`)
  }

  /** 5 and 14: equal states at equal indexes, from durable entries only. */
  #checkApplied(id: NodeId, view: View, ledger: Ledger): void {
    const { replica } = view
    if (replica.applied === view.applied) return
    if (replica.applied < view.applied)
      this.#fail(id, replica.shard, `applied ${view.applied} went back to ${replica.applied}`)
    view.applied = replica.applied
    // A received snapshot is on disk as a file before the log says so.
    const installed = this.#nodes.get(id)?.storage.snapshots.newest(replica.shard)?.index ?? 0
    if (replica.applied > Math.max(view.log.lastIndex(), installed))
      this.#fail(id, replica.shard, `applied ${replica.applied}, durable ${view.log.lastIndex()}`)
    this.#count('digests')
    this.#expect(ledger.digest(replica.applied, replica.machine.digest(), id), id, replica.shard)
  }

  /** 10 and 11: what a leader believes of its followers. */
  #checkProgress(id: NodeId, view: View, status: RaftStatus): void {
    const { shard } = view.replica
    for (const [peer, progress] of status.progress) {
      const { match, next, state, pendingSnapshot } = progress
      const before = view.matches.get(peer) ?? 0
      if (match < before) this.#fail(id, shard, `match of n${peer} went from ${before} to ${match}`)
      view.matches.set(peer, match)
      if (match >= next) this.#fail(id, shard, `n${peer} has match ${match}, next ${next}`)
      if (state === 'snapshot' && pendingSnapshot === 0)
        this.#fail(id, shard, `n${peer} waits for no snapshot`)
      const other = this.#promise(peer, shard)
      if (other.log === null || this.#worn.has(peer) || other.term > status.term) continue
      if (!this.#isSettled(peer, shard, other.log)) continue
      this.#count('match')
      if (match > other.log.lastIndex() && match >= other.log.firstIndex())
        this.#fail(id, shard, `match ${match} of n${peer}, who has ${other.log.lastIndex()}`)
    }
  }

  /** 5: the same commands at the same indexes. */
  #watchApply(id: NodeId, view: View): void {
    const { machine, shard } = view.replica
    const ledger = this.#ledger(shard)
    const apply = machine.apply.bind(machine)
    let last = view.replica.applied
    machine.apply = (payload, index, outcomes) => {
      // 14: in order, once.
      if (index <= last) this.#fail(id, shard, `applies ${index} after ${last}`)
      last = index
      this.#count('applied')
      this.#expect(ledger.payload(index, crc32c(payload), id), id, shard)
      apply(payload, index, outcomes)
      if (index % STATES_EVERY === 0) this.#compareState(id, shard, machine, index)
    }
  }

  /** 5: the digest is of what was applied; this is of what it came to, all keys and all producers. */
  #compareState(id: NodeId, shard: ShardId, machine: unknown, index: Index): void {
    if (!(machine instanceof Machine)) return
    this.#count('states')
    this.#expect(this.#ledger(shard).state(index, machine.checksum(), id), id, shard)
  }

  /** The states of `nodes`, wherever they are. */
  compareStates(nodes: readonly NodeId[]): void {
    for (const id of nodes)
      for (const { replica } of this.#views.get(id)?.values() ?? [])
        this.#compareState(id, replica.shard, replica.machine, replica.applied)
  }

  /** 7 and 8: what a node's disk held when it died is there when it comes back. */
  #recovered(id: NodeId, view: View): void {
    const { shard } = view.replica
    const { log } = view
    const promise = this.#promise(id, shard)
    const ledger = this.#ledger(shard)
    const hard = log.initialState().hardState
    if (promise.log !== null && log.damaged === null) {
      this.#count('recoveries')
      if (hard.term < promise.term)
        this.#fail(id, shard, `came back in term ${hard.term}, was in ${promise.term}`)
      if (log.lastIndex() < promise.held)
        this.#fail(id, shard, `came back with ${log.lastIndex()} of ${promise.held} entries`)
      const term = log.term(promise.held)
      const expected = ledger.termAt(promise.held)
      if (typeof term === 'number' && expected !== null && term !== expected)
        this.#fail(id, shard, `came back with term ${term} at ${promise.held}, not ${expected}`)
      const voted = ledger.votedFor(id, hard.term)
      if (voted !== null && hard.vote !== voted)
        this.#fail(id, shard, `came back with a vote for n${hard.vote}, had voted for n${voted}`)
    }
    if (log.damaged !== null) promise.held = 0
    promise.log = log
    promise.term = hard.term
    promise.vote = hard.vote
  }

  /** Looks at what a node says to another. */
  sent(from: NodeId, to: NodeId, envelope: Envelope): void {
    for (const { shard, message } of envelope.messages) this.#sentMessage(from, to, shard, message)
  }

  #sentMessage(from: NodeId, to: NodeId, shard: ShardId, message: Message): void {
    const ledger = this.#ledger(shard)
    switch (message.type) {
      case 'append': {
        let previousTerm = message.logTerm
        for (const entry of message.entries) {
          const { index, term, data } = entry
          this.#expect(ledger.send(index, term, previousTerm, crc32c(data)), from, shard)
          previousTerm = term
        }
        return
      }
      case 'vote':
        // 7: a candidate has voted for itself, durably, before it asks.
        this.#expect(ledger.vote(from, message.term, from), from, shard)
        this.#checkVote(from, shard, message.term, from)
        return
      case 'vote-response':
        if (message.reject) return
        this.#expect(ledger.vote(from, message.term, to), from, shard)
        this.#checkVote(from, shard, message.term, to)
        return
      case 'append-response':
        if (!message.reject) this.#checkAck(from, shard, message)
        return
    }
  }

  /** 8: a vote is on disk before it is told. */
  #checkVote(from: NodeId, shard: ShardId, term: Term, candidate: NodeId): void {
    const log = this.#views.get(from)?.get(shard)?.log
    if (log === undefined) return
    const { hardState } = log.initialState()
    this.#count('votes')
    if (hardState.term < term || (hardState.term === term && hardState.vote !== candidate))
      this.#fail(from, shard, `tells a vote in term ${term} that is not on its disk`)
  }

  /** 8: what is acknowledged is on disk. */
  #checkAck(from: NodeId, shard: ShardId, message: Message): void {
    const view = this.#views.get(from)?.get(shard)
    if (view === undefined) return
    const { hardState } = view.log.initialState()
    // Late: a leader of a later term has replaced what this speaks of, and with it the one it speaks to.
    if (hardState.term > message.term) return
    this.#count('acks')
    const durable = view.log.lastIndex()
    if (message.index > durable)
      this.#fail(from, shard, `acknowledges ${message.index}, its disk has ${durable}`)
    if (view.log.damaged !== null)
      this.#fail(from, shard, `acknowledges ${message.index} with a damaged log`)
    if (hardState.term < message.term)
      this.#fail(from, shard, `acknowledges in term ${message.term}, which is not on its disk`)
  }
}
