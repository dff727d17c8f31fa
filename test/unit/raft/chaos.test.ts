// Five cores, a bad network, slow disks and crashes: no invariant of Raft breaks,
// and when the faults end everybody agrees. The same seed gives the same run.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Index, NodeId } from '../../../src/base/types.ts'
import { changeConf } from '../../../src/raft/membership.ts'
import type { ConfChangeStep, ConfState, Message } from '../../../src/raft/message.ts'
import { Chance } from './chance.ts'
import { Host } from './host.ts'
import { Invariants } from './invariants.ts'

const SEEDS = 40
const STEPS = 3000
const HEALING_ROUNDS_MAX = 3000
const NODES: readonly NodeId[] = [1, 2, 3, 4, 5]

const START: ConfState = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

class Chaos {
  readonly chance: Chance
  readonly invariants = new Invariants()
  readonly hosts: readonly Host[]
  readonly counts = { committed: 0, reads: 0, snapshots: 0, joint: 0, leaders: new Set<string>() }
  #network: Message[] = []
  #cut = new Set<NodeId>()
  #readFloors = new Map<string, Index>()
  #serial = 0

  constructor(seed: number) {
    this.chance = new Chance(seed)
    const start = { index: 10, term: 0, conf: START }
    // The same on all nodes: who neither answers old terms nor is let win them would be stuck.
    const options = { checkQuorum: !this.chance.oneIn(4), preVote: !this.chance.oneIn(4) }
    this.hosts = NODES.map(id => new Host(id, start, this.chance, m => this.#send(id, m), options))
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i += 1) {
      const host = this.chance.pick(this.hosts)
      this.#act(host, this.chance.below(100))
      host.drain()
      this.#look(host)
    }
  }

  /** No more faults: everything is delivered, written and applied until all agree. */
  heal(): void {
    this.#cut.clear()
    for (let round = 0; round < HEALING_ROUNDS_MAX && this.#disagreement() !== null; round += 1) {
      for (const host of this.hosts) {
        if (round % 4 === 0) host.raft.tick()
        // A snapshot from before somebody joined is of no use to it.
        if (round % 32 === 0) host.compact(2)
        host.settle()
      }
      const arriving = this.#network
      this.#network = []
      for (const message of arriving) {
        const host = this.#at(message.to)
        host.raft.step(message)
        this.#reportSnapshot(message, true)
        host.settle()
        this.#look(host)
      }
    }
    assert.equal(this.#disagreement(), null)
  }

  /** Null: one leads, and all its members have applied all it has. */
  #disagreement(): string | null {
    const leader = this.hosts.find(h => h.raft.role === 'leader')
    if (!leader) return 'nobody leads'
    const { conf } = leader
    for (const id of [...conf.voters, ...conf.votersOutgoing, ...conf.learners]) {
      const { applied, term } = this.#at(id).raft
      if (applied !== leader.raft.lastIndex || term !== leader.raft.term) return `${id} lags behind`
    }
    return null
  }

  #at(id: NodeId): Host {
    const host = this.hosts[id - 1]
    assert.ok(host)
    return host
  }

  #act(host: Host, dice: number): void {
    if (dice < 50) this.#deliver()
    else if (dice < 65) host.write()
    else if (dice < 73) host.apply()
    else if (dice < 78) host.raft.tick()
    else if (dice < 86) this.#propose(host)
    else if (dice < 89) this.#read(host)
    else if (dice < 91) host.compact(this.chance.below(3))
    else if (dice === 91) host.crash()
    else if (dice === 92) this.#act(host, 50)
    else if (dice === 93) this.#changeMembers(host)
    else if (dice === 94) host.raft.transferLeader(this.chance.pick(NODES))
    else if (dice === 95) host.raft.campaign()
    else if (dice === 96) host.raft.reportUnreachable(this.chance.pick(NODES))
    else if (dice === 97) host.raft.forgetLeader()
    else if (dice === 98) this.#cut.add(host.id)
    else this.#cut.clear()
  }

  #send(from: NodeId, message: Message): void {
    this.invariants.checkSent(this.#at(from), message)
    if (message.type === 'snapshot') this.counts.snapshots += 1
    this.#network.push(message)
  }

  /** Mostly in order, sometimes not; now and then lost or twice. */
  #deliver(): void {
    if (this.#network.length === 0) return
    const at = this.chance.oneIn(4) ? this.chance.below(this.#network.length) : 0
    const message = this.#network[at]
    assert.ok(message)
    if (!this.chance.oneIn(20)) this.#network.splice(at, 1)
    const isLost = this.chance.oneIn(12)
    const isCut = this.#cut.has(message.from) || this.#cut.has(message.to)
    this.#reportSnapshot(message, !isLost && !isCut)
    if (isLost || isCut) return
    const host = this.#at(message.to)
    host.raft.step(message)
    host.drain()
    this.#look(host)
  }

  #reportSnapshot(message: Message, ok: boolean): void {
    if (message.type === 'snapshot') this.#at(message.from).raft.reportSnapshot(message.to, ok)
  }

  #propose(host: Host): void {
    this.#serial += 1
    const data = Buffer.from(`${this.#serial}`.padEnd(this.chance.below(40), '.'))
    host.raft.propose([data])
  }

  #read(host: Host): void {
    this.#serial += 1
    const context = `r${this.#serial}`
    this.#readFloors.set(context, this.invariants.commitMax)
    host.raft.readIndex(Buffer.from(context))
  }

  #changeMembers(host: Host): void {
    const kinds = ['add-voter', 'add-learner', 'remove'] as const
    const steps: ConfChangeStep[] = []
    for (let count = this.chance.below(4); count > 0; count -= 1) {
      steps.push({ kind: this.chance.pick(kinds), node: this.chance.pick(NODES) })
    }
    const transition = this.chance.pick(['auto', 'implicit', 'explicit'] as const)
    const change = { v1: false, transition, steps }
    const before = host.raft.status().conf.voters
    const changed = changeConf(host.raft.status().conf, change)
    if (typeof changed === 'string') return
    // A majority of the old voters must stay. Else those who go may be needed for an election that
    // they, with longer logs, refuse, and they may not campaign: configurations count when applied.
    const staying = before.filter(voter => changed.conf.voters.includes(voter))
    if (staying.length > before.length / 2) host.raft.proposeConfChange(change)
  }

  #look(host: Host): void {
    this.invariants.check(host)
    for (const read of host.reads.splice(0)) {
      const context = Buffer.from(read.context).toString()
      const floor = this.#readFloors.get(context)
      assert.ok(floor !== undefined, `a read state for ${context}, which nobody asked for`)
      assert.ok(read.index >= floor, `read ${context} at ${read.index}, but ${floor} was committed`)
      this.counts.reads += 1
    }
    if (host.conf.votersOutgoing.length > 0) this.counts.joint += 1
    if (host.raft.role === 'leader') this.counts.leaders.add(`${host.id}/${host.raft.term}`)
  }
}

test('no invariant breaks under faults, and agreement comes when they end', () => {
  const seen = { committed: 0, reads: 0, snapshots: 0, joint: 0, leaders: 0 }
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    try {
      const chaos = new Chaos(seed)
      chaos.run(STEPS)
      chaos.heal()
      seen.committed += chaos.invariants.appliedCount
      seen.reads += chaos.counts.reads
      seen.snapshots += chaos.counts.snapshots
      seen.joint += chaos.counts.joint
      seen.leaders += chaos.counts.leaders.size
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      })
    }
  }
  // A run that does nothing breaks no invariant either.
  for (const [what, count] of Object.entries(seen)) {
    assert.ok(count > SEEDS, `too little to be seen: ${what} ${count}`)
  }
})
