// A cluster of whole nodes on simulated machines: what production starts by main.ts, started here with fakes.
//
// A machine has a disk and clocks that outlive its process. A process ends by a
// kill (what it wrote stays), by a power cut (unsynced sectors go), or by its own
// exit; whoever watches over it starts it again.

import { AssertionFailure } from '../../src/base/assert.ts'
import { OperationalError } from '../../src/base/errors.ts'
import type { LogFields, Logger } from '../../src/base/log.ts'
import { Metrics } from '../../src/base/metrics.ts'
import type { NodeId } from '../../src/base/types.ts'
import type { NodeConfig } from '../../src/config.ts'
import { type Node, type NodePorts, startNode } from '../../src/node.ts'
import { idleProcess } from '../idle-process.ts'
import type { World } from './client.ts'
import type { Front, Words } from './connection.ts'
import { FakeDisk } from './fake-disk.ts'
import { MachineClock, Process } from './host.ts'
import { type InvariantFailure, Invariants } from './invariants.ts'
import type { Knobs } from './knobs.ts'
import { Links } from './links.ts'
import { SimNetwork } from './network.ts'
import { formatPlain, type Plain } from './plain.ts'
import type { Prng } from './prng.ts'
import type { Scheduler } from './scheduler.ts'

export const DATA_DIR = '/data'
const RESTART_AFTER_US = 1_000_000
/** What a disk takes for a write and its sync when nothing is wrong with it, in ms. */
const DISK_MS_MEAN = 0.4

/** What a node did that no node should do. */
export class NodeFault extends Error {
  override readonly name = 'NodeFault'
}

/** Thrown to leave a process that called exit. */
class Exit extends Error {
  readonly code: number
  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

/** A machine and what runs on it. */
export class SimNode {
  readonly id: NodeId
  readonly clock = new MachineClock()
  readonly disk: FakeDisk
  readonly #prng: Prng
  process: Process | null = null
  node: Node | null = null
  lives = 0
  /** Its disk was made to fail or to fill up: it may refuse to run. */
  diskTroubled = false
  /** Its disk was damaged at rest: it may find itself corrupt. */
  damaged = false
  /** It lost its data directory: the others do not speak with it any more. */
  wiped = false
  /** Nobody starts it again. */
  abandoned = false

  constructor(id: NodeId, prng: Prng) {
    this.id = id
    this.#prng = prng
    this.disk = this.#makeDisk()
  }

  get up(): boolean {
    return this.node !== null
  }

  /** An empty disk in place of the old one. */
  wipe(): void {
    this.disk.kill()
    for (const path of this.disk.paths()) this.disk.lose(path)
    this.wiped = true
  }

  /** The disk works at its usual pace. */
  mendDisk(): void {
    const prng = this.#prng.fork(`latency${this.lives}`)
    this.disk.faults.latency = () => 0.02 + prng.exponential(DISK_MS_MEAN)
    this.disk.faults.fails = null
    this.disk.faults.quotaBytes = Number.MAX_SAFE_INTEGER
  }

  #makeDisk(): FakeDisk {
    return new FakeDisk({
      soon: callback => this.process?.deliver(0, 'disk', callback),
      after: (ms, callback) => this.process?.deliver(ms * 1000, 'disk', callback),
      random: this.#prng.fork('sectors'),
    })
  }
}

export class Cluster implements World {
  readonly scheduler: Scheduler
  readonly links: Links
  readonly network: SimNetwork
  readonly invariants = new Invariants()
  readonly knobs: Knobs
  readonly nodes: readonly NodeId[]
  readonly machines: readonly SimNode[]
  readonly #prng: Prng
  /** Files of which power cuts left some unsynced sectors and took others. */
  tornFiles = 0
  /** Clients that must hear of a node's death. */
  readonly onDeath: ((node: NodeId) => void)[] = []

  constructor(scheduler: Scheduler, prng: Prng, knobs: Knobs) {
    this.scheduler = scheduler
    this.#prng = prng
    this.knobs = knobs
    this.nodes = Array.from({ length: knobs.nodes }, (_, i) => i + 1)
    this.links = new Links(scheduler, prng.fork('links'))
    this.network = new SimNetwork(scheduler, this.links, prng.fork('network'), this.nodes)
    this.network.onSend = (from, to, envelope) => this.invariants.sent(from, to, envelope)
    this.machines = this.nodes.map(id => new SimNode(id, prng.fork(`machine${id}`)))
    for (const machine of this.machines) {
      machine.mendDisk()
      const drift = prng.fork(`drift${machine.id}`).float() * 2 - 1
      machine.clock.rate = 1 + drift * knobs.drift
    }
    scheduler.afterEvent = node => {
      if (node > 0 && node <= knobs.nodes) this.invariants.look(node)
    }
  }

  machine(id: NodeId): SimNode {
    const machine = this.machines[id - 1]
    if (machine === undefined) throw new Error(`there is no node ${id}`)
    return machine
  }

  /** The clients' connections and the faults of the network are drawn from now on. */
  useLinks(): void {
    this.links.knobs = this.knobs.links
    this.network.knobs = this.knobs.network
  }

  start(id: NodeId): void {
    const machine = this.machine(id)
    if (machine.process !== null) return
    machine.lives += 1
    const process = new Process(this.scheduler, id, machine.clock)
    process.eventCost = this.knobs.eventCost
    process.onCrash = error => this.#crashed(machine, process, error)
    machine.process = process
    this.scheduler.tell(id, `starts, life ${machine.lives}`)
    process.run(() => {
      machine.node = startNode(this.#portsOf(machine, process), this.#configOf(id))
    })
    if (machine.node !== null) this.invariants.began(id, machine.node)
  }

  /** `kill`: the page cache stays. `power`: unsynced sectors go, and nobody is there to refuse connections. */
  crash(id: NodeId, how: 'kill' | 'power' | 'power-hard'): void {
    const machine = this.machine(id)
    if (machine.process === null) return
    this.scheduler.tell(id, `dies: ${how}`)
    this.#bury(machine, how !== 'kill')
    if (how === 'kill') machine.disk.kill()
    else if (how === 'power') this.tornFiles += machine.disk.crash()
    else machine.disk.crashHard()
  }

  /** Asks a node to stop as SIGTERM does. */
  stopGracefully(id: NodeId): void {
    const machine = this.machine(id)
    const { process, node } = machine
    if (process === null || node === null) return
    this.scheduler.tell(id, 'is asked to stop')
    process.deliver(0, 'sigterm', () => {
      node.stop(() => {
        if (machine.process !== process) return
        this.scheduler.tell(id, 'stopped')
        this.#bury(machine, false)
        machine.disk.kill()
        this.#startLater(machine)
      })
    })
  }

  front(id: NodeId): Front | null {
    const { process, node } = this.machine(id)
    return process === null || node === null ? null : { process, broker: node.broker }
  }

  unexpected(words: Words, reply: Plain): void {
    throw new NodeFault(`${words.join(' ')} was answered ${formatPlain(reply)}`)
  }

  #bury(machine: SimNode, dark: boolean): void {
    machine.process?.kill()
    machine.process = null
    machine.node = null
    this.invariants.ended(machine.id)
    this.network.detach(machine.id, dark)
    for (const tell of this.onDeath) tell(machine.id)
  }

  /** A process ended by itself. */
  #crashed(machine: SimNode, process: Process, error: unknown): void {
    if (machine.process !== process) return
    const excused =
      (error instanceof Exit && machine.diskTroubled) ||
      (error instanceof OperationalError && this.#isExcused(machine, error))
    if (!excused) throw this.#nameOf(error, machine.id)
    this.scheduler.tell(machine.id, `ends: ${(error as Error).message}`)
    this.#bury(machine, false)
    machine.disk.kill()
    this.#startLater(machine)
  }

  #isExcused(machine: SimNode, error: OperationalError): boolean {
    if (error.code === 'CORRUPT') return machine.damaged
    return machine.diskTroubled && (error.code === 'DISK' || error.code === 'DISK_FULL')
  }

  #nameOf(error: unknown, id: NodeId): unknown {
    const isOurs = (error as InvariantFailure).name === 'InvariantFailure'
    if (isOurs || error instanceof NodeFault) return error
    const kind = error instanceof AssertionFailure ? 'assertion' : (error as Error).name
    const fault = new NodeFault(`n${id} ${kind}: ${(error as Error).message}`)
    fault.stack = (error as Error).stack ?? ''
    return fault
  }

  #startLater(machine: SimNode): void {
    const { lives } = machine
    this.scheduler.after(RESTART_AFTER_US, 0, 'restart', () => {
      if (machine.lives === lives && !machine.abandoned) this.start(machine.id)
    })
  }

  #portsOf(machine: SimNode, process: Process): NodePorts {
    const pid = machine.id * 1_000 + machine.lives
    return {
      clock: process,
      random: this.#prng.fork(`node${machine.id}/${machine.lives}`),
      disk: machine.disk.view(),
      logger: new StoryLogger(this.scheduler, machine.id, {}),
      metrics: new Metrics(),
      network: (listener, identity) => this.network.attach(process, listener, identity),
      processes: { pid, alive: other => other === pid },
      process: idleProcess,
      exit: (code, reason) => {
        throw new Exit(code, reason)
      },
    }
  }

  #configOf(id: NodeId): NodeConfig {
    const { knobs } = this
    const door = (port: number) => {
      const address = { host: '127.0.0.1', port: port + id }
      return { listen: address, advertise: address }
    }
    const seeds = this.nodes.map(node => ({
      id: node,
      name: `n${node}`,
      host: '127.0.0.1',
      port: 7_200 + node,
    }))
    return {
      node: {
        id,
        name: `n${id}`,
        hostLabel: `n${id}`,
        dataDir: DATA_DIR,
        resp: door(7_000),
        grpc: door(7_100),
        peer: door(7_200),
        admin: { ...door(7_300), allowOrigins: [] },
        seeds,
        log: { level: 'info' },
        slowLog: { slowerThanMicros: 10_000, lengthMax: 128 },
        debugCommands: 'no',
      },
      cluster: {
        name: 'sim',
        enabled: true,
        shards: knobs.shards,
        replicasPerShard: knobs.replicas,
        raft: knobs.raft,
        limits: {
          connectionsMax: 10_000,
          sessionOutputBytesMax: 1 << 24,
          memoryBytesMax: 0,
        },
        storage: knobs.storage,
        // No doors here.
        grpc: { keepaliveMs: 0, keepaliveTimeoutMs: 1, streamsMax: 1, messageBytesMax: 1 },
        peers: { bufferBytesMax: knobs.links.bufferBytesMax },
      },
      fingerprint: 'f'.repeat(32),
    }
  }
}

/** What nodes log becomes part of the story. */
class StoryLogger implements Logger {
  readonly #scheduler: Scheduler
  readonly #node: NodeId
  readonly #fields: LogFields

  constructor(scheduler: Scheduler, node: NodeId, fields: LogFields) {
    this.#scheduler = scheduler
    this.#node = node
    this.#fields = fields
  }

  debug(): void {}

  info(fields: LogFields, message: string): void {
    this.#say(fields, message)
  }

  warn(fields: LogFields, message: string): void {
    this.#say(fields, `warns: ${message}`)
  }

  error(fields: LogFields, message: string): void {
    this.#say(fields, `errs: ${message}`)
  }

  child(fields: LogFields): Logger {
    return new StoryLogger(this.#scheduler, this.#node, { ...this.#fields, ...fields })
  }

  #say(fields: LogFields, message: string): void {
    const all = { ...this.#fields, ...fields }
    this.#scheduler.tell(this.#node, `${message} ${JSON.stringify(all)}`)
  }
}
