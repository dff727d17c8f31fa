// Who makes things go wrong: each fault of the seed at its own pace, each with its own chance and its own end.
//
// Anything may be broken at once while faults go on; only damage at rest is kept
// to the fragile machines, so few that every entry keeps a majority of good
// copies (the atlas of TESTING section 4).

import type { NodeId } from '../../src/base/types.ts'
import type { Client } from './client.ts'
import type { Cluster } from './cluster.ts'
import type { FaultName } from './knobs.ts'
import type { Prng } from './prng.ts'
import type { Us } from './scheduler.ts'
import { Wear } from './wear.ts'

const SECOND: Us = 1_000_000
const HOUR_MS = 3_600_000
const SAMPLE_EVERY: Us = 20_000
/** How long power waits for a write; if none comes it goes all the same. */
const WRITE_WITHIN: Us = SECOND

/** A client whose process may die. */
export interface Crashing {
  crash(): void
}

export class Nemesis {
  readonly #cluster: Cluster
  readonly #prng: Prng
  readonly #clients: readonly Client[]
  readonly #consumers: readonly Crashing[]
  /** Machines whose data may be damaged: a minority of every shard's voters. */
  readonly fragile: readonly NodeId[]
  readonly #wear = new Wear()
  #over = false
  /** How often each fault struck. */
  readonly counts = new Map<FaultName, number>()

  constructor(
    cluster: Cluster,
    prng: Prng,
    clients: readonly Client[],
    consumers: readonly Crashing[],
  ) {
    this.#cluster = cluster
    this.#prng = prng
    this.#clients = clients
    this.#consumers = consumers
    const few = Math.floor((cluster.knobs.replicas - 1) / 2)
    this.fragile = prng.fork('fragile').shuffle(cluster.nodes).slice(0, few)
  }

  start(): void {
    if (this.#cluster.knobs.faults.has('bit-flip')) this.#sampleDisks()
    for (const [name, mean] of this.#cluster.knobs.faults) {
      this.#again(name, mean, this.#prng.fork(name))
    }
  }

  stop(): void {
    this.#over = true
  }

  #again(name: FaultName, mean: Us, prng: Prng): void {
    this.#cluster.scheduler.after(prng.exponential(mean), 0, 'nemesis', () => {
      if (this.#over) return
      this.#strike(name, prng)
      this.#again(name, mean, prng)
    })
  }

  #sampleDisks(): void {
    for (const node of this.fragile) this.#wear.sample(this.#cluster.machine(node))
    this.#later(SAMPLE_EVERY, () => this.#sampleDisks())
  }

  /** Something that ends by itself; the healing ends everything else. */
  #later(delay: Us, run: () => void): void {
    this.#cluster.scheduler.after(delay, 0, 'mend', () => {
      if (!this.#over) run()
    })
  }

  #tell(text: string): void {
    this.#cluster.scheduler.tell(0, text)
  }

  #strike(name: FaultName, prng: Prng): void {
    const done = this.#strikes[name](prng)
    if (done) this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  /** Each fault; false: there was nothing to strike. */
  readonly #strikes: Readonly<Record<FaultName, (prng: Prng) => boolean>> = {
    kill: prng => this.#crash(prng, this.#victim(prng), 'kill'),
    'power-cut': prng => {
      const node = this.#victim(prng)
      if (node !== null && prng.chance(0.5)) return this.#crashInWrite(prng, node, [node])
      return this.#crash(prng, node, prng.chance(0.3) ? 'power-hard' : 'power')
    },
    'power-cut-all': prng => {
      const { nodes } = this.#cluster
      const node = this.#victim(prng)
      if (node !== null && prng.chance(0.5)) return this.#crashInWrite(prng, node, nodes)
      const how = prng.chance(0.3) ? 'power-hard' : 'power'
      for (const each of nodes) this.#crash(prng, each, how)
      return true
    },
    pause: prng => this.#pause(prng),
    partition: prng => this.#partition(prng),
    'one-way': prng => {
      const [a, b] = prng.shuffle(this.#cluster.nodes)
      if (a === undefined || b === undefined) return false
      this.#tell(`cuts n${a} > n${b}`)
      this.#cluster.network.cutOneWay(a, b)
      this.#healLater(prng)
      return true
    },
    clog: prng => this.#clog(prng),
    flap: prng => this.#flap(prng),
    'client-cut': prng => this.#cutClient(prng),
    'clock-jump': prng => {
      const machine = this.#cluster.machine(prng.pick(this.#cluster.nodes))
      const far = prng.logBetween(10, HOUR_MS) * (prng.chance(0.5) ? 1 : -1)
      machine.clock.offset = prng.chance(0.2) ? 0 : machine.clock.offset + far
      this.#tell(`clock of n${machine.id} is now off by ${machine.clock.offset} ms`)
      return true
    },
    'slow-disk': prng => this.#slowDisk(prng),
    'disk-full': prng => this.#fillDisk(prng),
    'sync-error': prng => this.#failSync(prng),
    'bit-flip': prng => this.#damage(prng),
    wipe: prng => this.#wipe(prng),
    transfer: prng => this.#transfer(prng),
    'graceful-stop': prng => {
      const node = this.#victim(prng)
      if (node === null) return false
      this.#cluster.stopGracefully(node)
      return true
    },
    'consumer-crash': prng => {
      if (this.#consumers.length === 0) return false
      prng.pick(this.#consumers).crash()
      return true
    },
  }

  /** A node that is up, or null. */
  #victim(prng: Prng): NodeId | null {
    const up = this.#cluster.machines.filter(machine => machine.up)
    return up.length === 0 ? null : prng.pick(up).id
  }

  #crash(prng: Prng, node: NodeId | null, how: 'kill' | 'power' | 'power-hard'): boolean {
    if (node === null) return false
    this.#cluster.crash(node, how)
    this.#later(prng.logBetween(20_000, 4 * SECOND), () => this.#cluster.start(node))
    return true
  }

  /** Power of `all` goes between a write of `node` to its log, or to the next segment, and the sync. */
  #crashInWrite(prng: Prng, node: NodeId, all: readonly NodeId[]): boolean {
    const { scheduler } = this.#cluster
    const { faults } = this.#cluster.machine(node).disk
    let isDone = false
    const cut = (): void => {
      if (isDone || this.#over) return
      isDone = true
      faults.before = null
      for (const each of all) this.#crash(prng, each, 'power')
    }
    faults.before = (operation, path) => {
      if (operation !== 'write' || !path.includes('/wal/')) return
      faults.before = null
      // The sync comes later than this event.
      scheduler.after(0, 0, 'power cut', cut)
    }
    this.#later(WRITE_WITHIN, cut)
    return true
  }

  #pause(prng: Prng): boolean {
    const node = this.#victim(prng)
    const process = node === null ? null : this.#cluster.machine(node).process
    if (process === null) return false
    this.#cluster.scheduler.tell(process.node, 'is paused')
    process.pause()
    this.#later(prng.logBetween(50_000, 5 * SECOND), () => {
      this.#cluster.scheduler.tell(process.node, 'goes on')
      process.resume()
    })
    return true
  }

  #partition(prng: Prng): boolean {
    const nodes = prng.shuffle(this.#cluster.nodes)
    const [first, second, ...others] = nodes
    if (first === undefined || second === undefined) return false
    const { network } = this.#cluster
    const shape = prng.pick(['halves', 'one-off', 'leader-off', 'bridge', 'ring'])
    if (shape === 'halves') {
      const middle = Math.ceil(nodes.length / 2)
      network.partition(nodes.slice(0, middle), nodes.slice(middle))
    } else if (shape === 'one-off' || shape === 'leader-off') {
      const off = shape === 'one-off' ? first : (this.#leader(prng) ?? first)
      network.partition(
        [off],
        nodes.filter(node => node !== off),
      )
    } else if (shape === 'bridge') {
      const middle = Math.ceil((others.length + 1) / 2)
      const rest = [second, ...others]
      network.partition(rest.slice(0, middle), rest.slice(middle))
    } else {
      // A ring: each sees its two neighbours only. With three nodes one link is enough to break it.
      for (const [i, a] of nodes.entries()) {
        for (const [k, b] of nodes.entries()) {
          const apart = Math.abs(i - k)
          if (apart > 1 && (apart < nodes.length - 1 || nodes.length === 3))
            network.partition([a], [b])
        }
      }
    }
    this.#tell(`partition: ${shape} of ${nodes}`)
    this.#healLater(prng)
    return true
  }

  #leader(prng: Prng): NodeId | null {
    const leaders = this.#cluster.machines.filter(machine =>
      [...(machine.node?.replicas() ?? [])].some(replica => replica.isLeader),
    )
    return leaders.length === 0 ? null : prng.pick(leaders).id
  }

  #healLater(prng: Prng): void {
    this.#later(prng.logBetween(100_000, 5 * SECOND), () => {
      this.#tell('the network is whole')
      this.#cluster.network.heal()
    })
  }

  #clog(prng: Prng): boolean {
    const [a, b] = prng.shuffle(this.#cluster.nodes)
    if (a === undefined || b === undefined) return false
    const until = this.#cluster.scheduler.now + prng.logBetween(50_000, 3 * SECOND)
    this.#tell(`clogs n${a} > n${b} until ${until / 1000}`)
    this.#cluster.links.clog(a, b, until)
    return true
  }

  #flap(prng: Prng): boolean {
    const [a, b] = prng.shuffle(this.#cluster.nodes)
    if (a === undefined || b === undefined) return false
    this.#tell(`n${a} - n${b} flaps`)
    const period = prng.logBetween(20_000, 1 * SECOND)
    const { network } = this.#cluster
    for (let i = 0; i < 6; i += 1) {
      this.#later(period * i, () => {
        if (i % 2 === 0) network.partition([a], [b])
        else network.heal([a, b])
      })
    }
    return true
  }

  #cutClient(prng: Prng): boolean {
    const { links, nodes } = this.#cluster
    const client = prng.pick(this.#clients).id
    const node = prng.pick(nodes)
    const [to, from] = prng.pick([
      [true, true],
      [true, false],
      [false, true],
    ])
    this.#tell(`cuts client ${client} ${from ? '<' : ''}-${to ? '>' : ''} n${node}`)
    if (to) links.setCut(client, node, true)
    if (from) links.setCut(node, client, true)
    this.#later(prng.logBetween(100_000, 5 * SECOND), () => {
      links.setCut(client, node, false)
      links.setCut(node, client, false)
    })
    return true
  }

  #slowDisk(prng: Prng): boolean {
    const machine = this.#cluster.machine(prng.pick(this.#cluster.nodes))
    const slow = prng.logBetween(5, 3_000)
    this.#tell(`disk of n${machine.id} takes ${slow} ms`)
    const own = prng.fork(`${this.#cluster.scheduler.now}`)
    machine.disk.faults.latency = () => slow * (0.5 + own.float())
    this.#later(prng.logBetween(200_000, 5 * SECOND), () => machine.mendDisk())
    return true
  }

  #fillDisk(prng: Prng): boolean {
    const machine = this.#cluster.machine(prng.pick(this.#cluster.nodes))
    const { disk } = machine
    // Mostly the reserve is reached; now and then even that is used up.
    const room = prng.chance(0.8) ? prng.between(20_000, 60_000) : prng.below(6_000)
    machine.diskTroubled = true
    disk.faults.quotaBytes = disk.usedBytes() + room
    this.#tell(`disk of n${machine.id} has ${room} bytes left`)
    this.#later(prng.logBetween(500_000, 5 * SECOND), () => machine.mendDisk())
    return true
  }

  #failSync(prng: Prng): boolean {
    const machine = this.#cluster.machine(prng.pick(this.#cluster.nodes))
    this.#tell(`the next sync of n${machine.id} fails`)
    machine.diskTroubled = true
    machine.disk.faults.fails = operation => {
      if (operation !== 'sync') return false
      machine.disk.faults.fails = null
      return true
    }
    return true
  }

  /** Flips a bit of a fragile machine's data while it is down, and starts it again. */
  #damage(prng: Prng): boolean {
    if (this.fragile.length === 0) return false
    const machine = this.#cluster.machine(prng.pick(this.fragile))
    const target = this.#wear.pick(prng, machine)
    if (target === null) return false
    this.#cluster.crash(machine.id, 'kill')
    machine.disk.flipBit(target.path, target.bit)
    machine.damaged = true
    this.#cluster.invariants.damaged(machine.id)
    this.#cluster.scheduler.tell(machine.id, `bit ${target.bit} of ${target.path} flips`)
    this.#later(prng.logBetween(20_000, 2 * SECOND), () => this.#cluster.start(machine.id))
    return true
  }

  #wipe(prng: Prng): boolean {
    if (this.fragile.length === 0) return false
    const machine = this.#cluster.machine(prng.pick(this.fragile))
    this.#cluster.crash(machine.id, 'kill')
    machine.wipe()
    this.#cluster.invariants.damaged(machine.id)
    this.#cluster.scheduler.tell(machine.id, 'loses its data directory')
    this.#later(prng.logBetween(20_000, 2 * SECOND), () => this.#cluster.start(machine.id))
    return true
  }

  #transfer(prng: Prng): boolean {
    const leader = this.#leader(prng)
    const machine = leader === null ? null : this.#cluster.machine(leader)
    const node = machine?.node ?? null
    if (machine === null || node === null) return false
    const led = [...node.replicas()].filter(replica => replica.isLeader)
    const replica = prng.pick(led)
    const to = prng.pick(replica.raft.status().conf.voters)
    if (to === machine.id) return false
    this.#cluster.scheduler.tell(machine.id, `hands shard ${replica.shard} to n${to}`)
    machine.process?.deliver(0, 'transfer', () => replica.transferLeader(to))
    return true
  }
}
