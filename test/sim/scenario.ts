// A cluster under a script: for regressions that have a name and a story (TESTING section 9).
//
// Nothing is random but what the seed gives to timeouts and wires; the script says
// what breaks and when. The invariants watch as in every run, and `finish` makes
// the same last reads and checks.

import assert from 'node:assert/strict'
import { slotOf } from '../../src/base/slot.ts'
import type { NodeId } from '../../src/base/types.ts'
import type { Producer } from '../../src/broker/ports.ts'
import type { LogOp, Operation } from '../checkers/history.ts'
import { checkLog } from '../checkers/log-checker.ts'
import { checkOwnership } from '../checkers/ownership-checker.ts'
import { entriesOf } from './actor.ts'
import { CLIENTS_FROM, Client, type Ending, type Task } from './client.ts'
import { Cluster } from './cluster.ts'
import { readAll } from './final-reads.ts'
import type { Knobs } from './knobs.ts'
import { CALM } from './links.ts'
import { textOf } from './plain.ts'
import { Prng } from './prng.ts'
import { formatTrace, Scheduler } from './scheduler.ts'

const MiB = 1024 * 1024

export const PLAIN_KNOBS: Knobs = {
  nodes: 3,
  shards: 1,
  replicas: 3,
  raft: {
    tickMs: 50,
    heartbeatTicks: 2,
    electionTicks: 20,
    inflightMessagesMax: 256,
    inflightBytesMax: 16 * MiB,
    appendBytesMax: MiB,
    uncommittedBytesMax: 64 * MiB,
    applyBytesMax: 4 * MiB,
  },
  storage: {
    segmentBytes: 64 * 1024,
    snapshotLogBytes: 16 * MiB,
    logTailBytes: 16 * MiB,
    cacheBytes: MiB,
    diskReserveBytes: 64 * 1024,
  },
  links: CALM,
  network: { ghosts: 0.5, reconnect: 20_000, refusal: 2_000 },
  actors: { think: 10_000, depth: 1 },
  cast: new Set(),
  writers: 1,
  consumers: 1,
  padding: 0,
  eventCost: 1,
  drift: 0,
  faults: new Map(),
  duration: 0,
  minorityStaysBroken: false,
}

/** The one key that most scenarios need. */
export const KEY = 'story'

export class Scenario {
  readonly cluster: Cluster
  readonly scheduler = new Scheduler()
  readonly history: Operation[] = []
  readonly #prng: Prng
  readonly #clients: Client[] = []
  #values = 0

  constructor(name: string, knobs: Partial<Knobs> = {}) {
    this.#prng = new Prng(`scenario ${name}`)
    const all = { ...PLAIN_KNOBS, ...knobs }
    this.cluster = new Cluster(this.scheduler, this.#prng.fork('cluster'), all)
    this.cluster.onDeath.push(node => {
      for (const client of this.#clients) client.lost(node)
    })
    for (const node of this.cluster.nodes) this.cluster.start(node)
    this.until('the cluster is ready', () =>
      this.cluster.machines.every(machine => machine.node?.ready() === null),
    )
  }

  /** A client that knows where the leader is, if there is one. */
  client(): Client {
    const id = CLIENTS_FROM + this.#clients.length
    const client = new Client(this.cluster, this.#prng.fork(`client${id}`), id)
    client.patience = Infinity
    const leader = this.#leaderNow(KEY)
    if (leader !== 0) client.prefer(KEY, leader)
    this.#clients.push(client)
    return client
  }

  /** Lets `ms` of virtual time pass. */
  pass(ms: number): void {
    this.scheduler.runUntil(this.scheduler.now + ms * 1_000)
  }

  /** Lets time pass until `holds`, at most `ms`. */
  until(what: string, holds: () => boolean, ms = 30_000): void {
    const done = this.scheduler.runWhile(() => !holds(), this.scheduler.now + ms * 1_000)
    const story = (): string => this.scheduler.story(25).map(formatTrace).join('\n')
    assert.ok(done, `${what}: not within ${ms} ms\n${done ? '' : story()}`)
  }

  /** Who leads the shard of `key`, as the nodes that are up see it; waits for one. */
  leader(key = KEY): NodeId {
    let leader = 0
    this.until('there is a leader', () => {
      leader = this.#leaderNow(key)
      return leader !== 0
    })
    return leader
  }

  /** A running node that says it leads, in the highest term. */
  #leaderNow(key: string): NodeId {
    let leader = 0
    let term = 0
    for (const machine of this.cluster.machines) {
      const shard = machine.node?.map().ownerOf(slotOf(Buffer.from(key)))
      for (const replica of machine.node?.replicas() ?? []) {
        if (replica.shard !== shard || !replica.isLeader || replica.term <= term) continue
        leader = machine.id
        term = replica.term
      }
    }
    return leader
  }

  followers(key = KEY): NodeId[] {
    const leader = this.leader(key)
    return this.cluster.nodes.filter(node => node !== leader)
  }

  /** Waits for the outcome of one command. */
  ask(client: Client, words: readonly string[], more: Partial<Task> = {}): Ending {
    let ending: Ending | null = null
    const key = words[1] ?? ''
    const task: Task = { words, key, producer: null, repeatable: false, block: 0, ...more }
    client.begin(task, end => {
      ending = end
    })
    this.until(words.join(' '), () => ending !== null, 60_000)
    assert.ok(ending !== null)
    return ending
  }

  /** Appends one value of its own and notes what came of it. */
  add(client: Client, key = KEY, producer: Producer | null = null): Ending {
    this.#values += 1
    const value = `${client.id}:${this.#values}`
    const ending = this.ask(client, ['XADD', key, '*', 'v', value], { key, producer })
    const { t0, t1, outcome, attempts } = ending
    const id = outcome === 'ok' ? textOf(ending.reply) : null
    const facts = { process: client.id, key, t0, t1, outcome, value, attempts, maxlen: null, id }
    this.history.push({ op: 'add', ...facts })
    return ending
  }

  /** Begins an append and does not wait. */
  addLater(client: Client, key = KEY, producer: Producer | null = null): void {
    this.#values += 1
    const value = `${client.id}:${this.#values}`
    const words = ['XADD', key, '*', 'v', value]
    client.begin({ words, key, producer, repeatable: false, block: 0 }, ending => {
      const { t0, t1, outcome, attempts } = ending
      const id = outcome === 'ok' ? textOf(ending.reply) : null
      const facts = { process: client.id, key, t0, t1, outcome, value, attempts, maxlen: null, id }
      this.history.push({ op: 'add', ...facts })
    })
  }

  /** Reads the whole stream, linearizably. */
  read(client: Client, key = KEY): string[] {
    const ending = this.ask(client, ['XRANGE', key, '-', '+'], { key, repeatable: true })
    const { t0, t1, outcome } = ending
    const entries = entriesOf(ending.reply)
    this.history.push({ op: 'range', process: client.id, key, t0, t1, outcome, entries })
    return entries.map(entry => entry.value)
  }

  /** All that is up becomes equal; then the last reads and both checkers. */
  finish(keys: readonly string[] = [KEY], groups: readonly string[] = []): void {
    this.until('all replicas are equal', () => this.#isLevel(), 60_000)
    const up = this.cluster.machines.filter(machine => machine.up).map(machine => machine.id)
    const everyone = (): readonly NodeId[] => up
    const logs = keys.filter(key => !groups.includes(key))
    this.history.push(...readAll(this.cluster, up, { logs, transacted: [], groups }, everyone))
    const anomalies = [
      ...checkLog(this.history.filter(isLogOp)),
      ...checkOwnership(this.history.filter(op => groups.includes(op.key))),
    ]
    assert.deepEqual(anomalies, [])
  }

  #isLevel(): boolean {
    const states = new Map<number, string>()
    for (const machine of this.cluster.machines) {
      for (const replica of machine.node?.replicas() ?? []) {
        const state = `${replica.applied}/${replica.commit}/${replica.machine.digest()}`
        if (replica.applied !== replica.commit) return false
        if ((states.get(replica.shard) ?? state) !== state) return false
        states.set(replica.shard, state)
      }
    }
    return true
  }
}

const LOG_OPS: ReadonlySet<string> = new Set([
  'add',
  'range',
  'read',
  'trim',
  'delete',
  'final-log',
])

export function isLogOp(operation: Operation): operation is LogOp {
  return LOG_OPS.has(operation.op)
}
