// A desk over shards that apply at once: real machines, no Raft, no disk.
//
// By default a shard answers within the call; `manual` shards keep what they were
// given until `run`, so that tests choose when and how a command is settled.

import { Argv } from '../../../src/base/argv.ts'
import type { Clock, Timer } from '../../../src/base/clock.ts'
import type { Logger } from '../../../src/base/log.ts'
import { Metrics } from '../../../src/base/metrics.ts'
import { PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../../../src/base/payload.ts'
import type { NodeId, ShardId } from '../../../src/base/types.ts'
import { Wait } from '../../../src/base/wait.ts'
import { Broker } from '../../../src/broker/broker.ts'
import type {
  BrokerOptions,
  Producer,
  ReplicaPort,
  SnapshotsPort,
} from '../../../src/broker/ports.ts'
import type { Client, Session } from '../../../src/broker/session.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import type { Asker, Lost, Query, Refusal } from '../../../src/replica/ports.ts'
import { type NodeFacts, type ShardFacts, SlotMap } from '../../../src/topology/slot-map.ts'
import { idleProcess } from '../../idle-process.ts'

export const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quiet,
}

type Work = {
  readonly asker: Asker<Reply>
  readonly ticket: number
  readonly query: Query<Reply> | null
  readonly payload: Buffer | null
  readonly afterWrites: boolean
  timer?: Timer
}

export class RigShard implements ReplicaPort {
  readonly shard: ShardId
  readonly machine = new Machine()
  readonly clock: Clock
  isLeader = true
  amnesiac = false
  leader: NodeId = 1
  manual = false
  refusal: Refusal | null = null
  applied = 0
  /** What was given and is not settled. */
  queue: Work[] = []
  waiting: Work[] = []
  forgotten: Asker<Reply>[] = []
  /** Other voters that have everything. */
  followers = 1
  settling: (askers: readonly unknown[]) => void = () => {}

  constructor(shard: ShardId, clock: Clock) {
    this.shard = shard
    this.clock = clock
  }

  get commit(): number {
    return this.applied
  }

  followersAt(): number {
    return this.followers
  }

  propose(
    asker: Asker<Reply>,
    ticket: number,
    argv: Argv,
    _producer: Producer | null,
    _grows: boolean,
  ): Refusal | null {
    if (this.refusal !== null) return this.refusal
    const payload = Buffer.alloc(PAYLOAD_HEADER_BYTES + argv.end - argv.start)
    writePayloadHeader(payload, this.clock.now(), 1)
    argv.buffer.copy(payload, PAYLOAD_HEADER_BYTES, argv.start, argv.end)
    return this.#take({ asker, ticket, query: null, payload, afterWrites: false })
  }

  read(
    asker: Asker<Reply>,
    ticket: number,
    query: Query<Reply>,
    afterWrites: boolean,
  ): Refusal | null {
    if (this.refusal !== null) return this.refusal
    return this.#take({ asker, ticket, query, payload: null, afterWrites })
  }

  forget(asker: Asker<Reply>): void {
    this.forgotten.push(asker)
    this.waiting = this.waiting.filter(work => work.asker !== asker)
  }

  unblock(asker: Asker<Reply>, ticket: number): boolean {
    const work = this.waiting.find(other => other.asker === asker && other.ticket === ticket)
    if (work === undefined) return false
    this.#end(work, 'timeout')
    return true
  }

  /** Settles the first `count` of what waits in the queue. */
  run(count = this.queue.length): void {
    for (const work of this.queue.splice(0, count)) this.#settle(work)
  }

  /** Loses the first of the queue. */
  lose(why: Lost): void {
    const work = this.queue.shift()
    work?.asker.lose(work.ticket, why)
  }

  #take(work: Work): null {
    if (this.manual) this.queue.push(work)
    else this.#settle(work)
    return null
  }

  #settle(work: Work): void {
    let outcome: Reply | Wait | undefined
    if (work.payload !== null) {
      const outcomes: (Reply | Wait)[] = []
      this.applied += 1
      this.machine.apply(work.payload, this.applied, outcomes)
      this.settling([work.asker])
      outcome = outcomes[0]
    } else outcome = work.query?.run(this.clock.now())
    if (outcome instanceof Wait) {
      this.waiting.push(work)
      work.asker.blocks?.(work.ticket)
      if (outcome.timeout > 0 && work.timer === undefined)
        work.timer = this.clock.after(outcome.timeout, () => this.#end(work, 'timeout'))
    } else if (outcome !== undefined) {
      work.timer?.cancel()
      work.asker.answer(work.ticket, outcome)
    }
    if (work.payload === null || this.machine.takeReadyKeys().length === 0) return
    for (const other of this.waiting.splice(0)) this.#settle(other)
  }

  #end(work: Work, why: Lost): void {
    this.waiting = this.waiting.filter(other => other !== work)
    work.timer?.cancel()
    work.asker.lose(work.ticket, why)
  }
}

/** Snapshots that are on disk when the test says so; at once, unless it holds them. */
export class RigSnapshots implements SnapshotsPort {
  held = false
  #done: ((ok: boolean) => void) | null = null
  lastAt = 1_700_000_000_000
  taken = 0
  lastOk = true
  bytesSince = 0

  get running(): boolean {
    return this.#done !== null
  }

  take(done: (ok: boolean) => void): boolean {
    if (this.#done !== null) return false
    this.#done = done
    if (!this.held) this.end(true)
    return true
  }

  end(ok: boolean): void {
    const done = this.#done
    this.#done = null
    this.lastOk = ok
    done?.(ok)
  }
}

/** Time stands still until `advance`; `soon` runs in `turn`. */
export class RigClock implements Clock {
  time = 1_700_000_000_000
  #soon: (() => void)[] = []
  #timers: { at: number; callback: () => void }[] = []

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time
  }

  after(delay: number, callback: () => void): Timer {
    const timer = { at: this.time + delay, callback }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter(other => other !== timer)
      },
    }
  }

  soon(callback: () => void): void {
    this.#soon.push(callback)
  }

  /** Runs all that was put off, until there is nothing more. */
  turn(): void {
    while (this.#soon.length > 0) for (const callback of this.#soon.splice(0)) callback()
  }

  advance(ms: number): void {
    this.time += ms
    const due = this.#timers.filter(timer => timer.at <= this.time)
    this.#timers = this.#timers.filter(timer => timer.at > this.time)
    for (const timer of due) timer.callback()
    this.turn()
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delay, callback) => {
    const timer = setTimeout(callback, delay)
    return { cancel: () => clearTimeout(timer) }
  },
  soon: callback => setImmediate(callback),
}

export function nodeFacts(id: NodeId): NodeFacts {
  const at = (port: number) => ({ host: '127.0.0.1', port: port + id })
  return {
    id,
    name: `n${id}`,
    incarnation: String(id).repeat(32),
    hostLabel: `h${id}`,
    resp: at(7000),
    grpc: at(7100),
    peer: at(7200),
    admin: at(7300),
  }
}

/** Three shards of a third of the slots each, on three nodes; shard i belongs to node i. */
export function threeShards(homes: readonly NodeId[] = [1, 2, 3]): SlotMap {
  const bounds = [0, 5461, 10_923, 16_384]
  const shards: ShardFacts[] = [1, 2, 3].map(id => ({
    id,
    voters: [homes[id - 1] ?? id, ...[1, 2, 3].filter(other => other !== (homes[id - 1] ?? id))],
    ranges: [{ first: bounds[id - 1] ?? 0, last: (bounds[id] ?? 0) - 1 }],
  }))
  return new SlotMap(7, 'c'.repeat(32), [1, 2, 3].map(nodeFacts), shards)
}

export type RigSettings = Partial<BrokerOptions> & {
  readonly clock?: Clock
  /** The first voters of the three shards. */
  readonly homes?: readonly NodeId[]
}

/** The desk of node 1, which leads shard 1 and follows the others. */
export class Rig {
  readonly clock = new RigClock()
  readonly map: SlotMap
  readonly leaders = new Map<ShardId, NodeId>([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
  /** Nodes that are not up. */
  readonly down = new Set<NodeId>()
  readonly shards = new Map<ShardId, RigShard>()
  readonly metrics = new Metrics()
  readonly broker: Broker
  memoryFull = false
  stopped = false
  readonly snapshots = new RigSnapshots()

  constructor(settings: RigSettings = {}) {
    const clock = settings.clock ?? this.clock
    const clusterEnabled = settings.clusterEnabled ?? true
    this.map = clusterEnabled
      ? threeShards(settings.homes)
      : new SlotMap(
          1,
          'c'.repeat(32),
          [nodeFacts(1)],
          [{ id: 1, voters: [1], ranges: [{ first: 0, last: 16_383 }] }],
        )
    for (const id of this.map.shards.keys()) {
      const shard = new RigShard(id, clock)
      shard.isLeader = id === 1
      this.shards.set(id, shard)
    }
    this.broker = new Broker({
      clock,
      random: { below: bound => bound - 1, bytes: count => new Uint8Array(count) },
      logger: quiet,
      metrics: this.metrics,
      self: 1,
      directory: {
        map: () => this.map,
        leaderOf: id => this.leaders.get(id) ?? 0,
        isDown: id => this.down.has(id),
      },
      options: {
        clusterEnabled,
        version: '0.0.0',
        sessionInFlightMax: settings.sessionInFlightMax ?? 1000,
        nodeInFlightMax: settings.nodeInFlightMax ?? 10_000,
        debugCommands: settings.debugCommands ?? 'no',
      },
      shard: id => {
        const shard = this.shards.get(id)
        return shard === undefined ? undefined : { replica: shard, machine: shard.machine }
      },
      health: () => null,
      memoryFull: () => this.memoryFull,
      snapshots: this.snapshots,
      shutdown: () => {
        this.stopped = true
      },
      process: idleProcess,
    })
    for (const shard of this.shards.values()) this.#watch(shard)
  }

  #watch(shard: RigShard): void {
    shard.machine.observer = this.broker.meter
    this.broker.keyspaceEvents.attach({ replica: shard, machine: shard.machine })
    shard.settling = askers => this.broker.meter.settling(askers)
  }

  shard(id: ShardId = 1): RigShard {
    return this.shards.get(id) as RigShard
  }

  client(ordered = true, door: 'resp' | 'grpc' = 'resp'): RigClient {
    return new RigClient(this.broker, ordered, door)
  }
}

export class RigClient implements Client {
  readonly #broker: Broker
  readonly session: Session
  readonly answers: { readonly ticket: number; readonly reply: Reply }[] = []
  closed: string | null = null
  resumed = 0
  #ticket = 0

  constructor(broker: Broker, ordered: boolean, door: 'resp' | 'grpc') {
    this.#broker = broker
    this.session = broker.connect(this, {
      door,
      ordered,
      address: '10.0.0.1:5000',
      localAddress: '10.0.0.2:7001',
    })
  }

  answer(ticket: number, reply: Reply): void {
    this.answers.push({ ticket, reply })
  }

  resume(): void {
    this.resumed += 1
  }

  close(reason: string): void {
    this.closed = reason
    this.#broker.disconnect(this.session)
  }

  /** @returns whether the session takes more */
  send(...words: readonly (string | Uint8Array)[]): boolean {
    this.#ticket += 1
    return this.#broker.execute(this.session, Argv.of(...words), this.#ticket, null)
  }

  /** Sends and takes the answer, which must be there at once. */
  ask(...words: readonly (string | Uint8Array)[]): Reply {
    const before = this.answers.length
    this.send(...words)
    const answer = this.answers[before]
    if (answer === undefined) throw new Error(`no answer to ${words.join(' ')}`)
    return answer.reply
  }

  /** Texts of error replies, kinds of others. */
  get heard(): string[] {
    return this.answers.map(({ reply }) => ('text' in reply ? reply.text : reply.kind))
  }
}
