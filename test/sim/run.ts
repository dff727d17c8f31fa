// One run of one seed: start, faults, healing, liveness, last reads, checks.
//
//   start      all nodes come up on a calm network, groups are made
//   faults     actors act, the nemesis strikes
//   healing    everything works again; in a third of the seeds a minority stays broken
//   quiet      actors go on for a while: a cluster that only survives is not enough
//   liveness   within ten election timeouts every operation is answered and all replicas are equal
//   checks     last reads from every replica, and both checkers over the whole history
//
// A run is one synchronous call. Whatever goes wrong ends it with a line that
// says what, and the story of the last events.

import { slotOf } from '../../src/base/slot.ts'
import type { NodeId } from '../../src/base/types.ts'
import type { Operation } from '../checkers/history.ts'
import { checkLog } from '../checkers/log-checker.ts'
import { checkOwnership } from '../checkers/ownership-checker.ts'
import type { Actor } from './actor.ts'
import { Cast } from './cast.ts'
import { CLIENTS_FROM, Client } from './client.ts'
import { Cluster } from './cluster.ts'
import { askAll, readAll } from './final-reads.ts'
import { groupTask } from './group-actors.ts'
import { drawKnobs, formatKnobs, type Knobs } from './knobs.ts'
import { CALM } from './links.ts'
import { Nemesis } from './nemesis.ts'
import { Prng } from './prng.ts'
import { isLogOp } from './scenario.ts'
import { formatTrace, Scheduler, type TraceLine, type Us } from './scheduler.ts'

const SECOND: Us = 1_000_000
const START_WITHIN: Us = 30 * SECOND
const QUIET: Us = 2 * SECOND
const STORY_LINES = 60
/** Healed, leaders are soon elected. */
const CALM_AFTER: Us = SECOND / 2
/** Without faults a blocked read is answered this soon after its entry was acknowledged. */
const WAKE_WITHIN_MS = 400
/** Operations that must have ended well, or the run proves nothing. */
const SUCCESSES_MIN = 30

export type RunOptions = {
  /** Gets every line of the story. */
  readonly onTrace?: (line: TraceLine) => void
  /** Changes what the seed drew. */
  readonly adjust?: (knobs: Knobs) => Knobs
}

export type RunResult = {
  readonly seed: number
  /** Null: all is well. */
  readonly failure: string | null
  readonly knobs: string
  readonly story: readonly string[]
  readonly digest: string
  readonly events: number
  readonly virtualMs: number
  readonly operations: number
  readonly succeeded: number
  /** What happened how often: faults, and what the invariants compared. */
  readonly counts: ReadonlyMap<string, number>
}

export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  const run = new Run(seed, options)
  let failure: string | null = null
  try {
    run.play()
  } catch (error) {
    failure = describe(error)
  }
  return run.result(failure)
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const frames = (error.stack ?? '').split('\n').filter(line => line.includes(' at '))
  return [`${error.name}: ${error.message}`, ...frames.slice(0, 6)].join('\n')
}

class Run {
  readonly #seed: number
  readonly #prng: Prng
  readonly #knobs: Knobs
  readonly #scheduler = new Scheduler()
  readonly #cluster: Cluster
  readonly #history: Operation[] = []
  readonly #violations: string[] = []
  readonly #cast: Cast
  readonly #actors: readonly Actor[]
  /** How the families were judged. */
  readonly #verdicts = new Map<string, number>()
  /** From here on answers may take long, since a node ended or was cut off: ms. */
  #calmUntil = Infinity
  readonly #nemesis: Nemesis

  constructor(seed: number, options: RunOptions) {
    this.#seed = seed
    this.#prng = new Prng(`seed ${seed}`)
    const drawn = drawKnobs(this.#prng)
    this.#knobs = options.adjust?.(drawn) ?? drawn
    this.#scheduler.onTrace = options.onTrace ?? null
    this.#cluster = new Cluster(this.#scheduler, this.#prng.fork('cluster'), this.#knobs)
    this.#cast = new Cast(this.#cluster, this.#prng, this.#history, this.#violations)
    this.#actors = this.#cast.actors
    const clients = this.#actors.map(actor => actor.client)
    this.#cluster.onDeath.push(node => {
      for (const client of clients) client.lost(node)
    })
    this.#nemesis = new Nemesis(
      this.#cluster,
      this.#prng.fork('nemesis'),
      clients,
      this.#cast.crashing,
    )
  }

  play(): void {
    this.#start()
    this.#rage()
    this.#heal()
    this.#settle()
    this.#check()
  }

  result(failure: string | null): RunResult {
    const counts = new Map<string, number>(this.#nemesis.counts)
    for (const [what, count] of this.#cluster.invariants.counts) counts.set(what, count)
    for (const [verdict, count] of this.#verdicts) counts.set(verdict, count)
    counts.set('torn files', this.#cluster.tornFiles)
    return {
      seed: this.#seed,
      failure,
      knobs: formatKnobs(this.#knobs),
      story: this.#scheduler.story(STORY_LINES).map(formatTrace),
      digest: this.#scheduler.digest,
      events: this.#scheduler.executed,
      virtualMs: this.#scheduler.now / 1000,
      operations: this.#history.length + this.#cast.families.size,
      succeeded: this.#actors.reduce((sum, actor) => sum + actor.succeeded, 0),
      counts,
    }
  }

  #start(): void {
    const { scheduler, machines, nodes } = this.#cluster
    for (const node of nodes) this.#cluster.start(node)
    const isReady = (): boolean => machines.every(machine => machine.node?.ready() === null)
    if (!scheduler.runWhile(() => !isReady(), START_WITHIN)) {
      const why = machines.map(machine => `n${machine.id} ${machine.node?.ready()}`)
      throw new Error(`not ready after ${START_WITHIN / SECOND} s: ${why.join(', ')}`)
    }
    const setup = new Client(this.#cluster, this.#prng.fork('setup'), CLIENTS_FROM)
    const { groups } = this.#cast.keys
    let left = groups.length
    for (const key of groups) setup.begin(groupTask(key), () => (left -= 1))
    if (!scheduler.runWhile(() => left > 0, scheduler.now + START_WITHIN))
      throw new Error('the groups could not be made')
  }

  #rage(): void {
    const { scheduler } = this.#cluster
    scheduler.tell(0, 'faults begin')
    this.#cluster.useLinks()
    if (this.#isCalm()) this.#cast.stage.calmFrom = 0
    for (const actor of this.#actors) actor.start()
    this.#nemesis.start()
    scheduler.runUntil(scheduler.now + this.#knobs.duration)
    this.#nemesis.stop()
  }

  /** Nodes that nobody mends: those that lost their data, and in some seeds all fragile ones. */
  #broken(): NodeId[] {
    const { fragile } = this.#nemesis
    if (this.#knobs.minorityStaysBroken) return [...fragile]
    return fragile.filter(node => this.#cluster.machine(node).wiped)
  }

  #heal(): void {
    const { scheduler, machines, links, network } = this.#cluster
    const broken = this.#broken()
    scheduler.tell(0, `healing; stays broken: ${broken.join(', ') || 'nothing'}`)
    links.knobs = CALM
    links.heal()
    let isAnyCutOff = false
    for (const machine of machines) {
      machine.mendDisk()
      machine.process?.resume()
      if (!broken.includes(machine.id)) {
        this.#cluster.start(machine.id)
      } else if (this.#prng.fork(`broken${machine.id}`).chance(0.5)) {
        machine.abandoned = true
        this.#cluster.crash(machine.id, 'power')
      } else if (!machine.wiped) {
        machine.abandoned = true
        isAnyCutOff = true
        network.partition(
          [machine.id],
          this.#cluster.nodes.filter(node => node !== machine.id),
        )
      }
    }
    network.heal(this.#whole())
    const from = (scheduler.now + CALM_AFTER) / 1000
    const { stage } = this.#cast
    if (broken.length > 0) {
      this.#calmUntil = scheduler.now / 1000
      stage.calmFrom = Infinity
    }
    // Where a client sends many at once, an answer waits for those before it. Who asks a node
    // that is cut off waits until that one gives up.
    if (this.#knobs.actors.depth === 1 && !isAnyCutOff)
      stage.calmFrom = Math.min(stage.calmFrom, from)
  }

  /** Nodes that must work again. */
  #whole(): NodeId[] {
    const broken = this.#broken()
    return this.#cluster.nodes.filter(node => !broken.includes(node))
  }

  #settle(): void {
    const { scheduler } = this.#cluster
    const { electionTicks, tickMs } = this.#knobs.raft
    for (const actor of this.#actors) actor.client.patience = Infinity
    const before = this.#succeeded()
    scheduler.runUntil(scheduler.now + QUIET)
    for (const actor of this.#actors) actor.stop()
    scheduler.tell(0, 'quiet')
    const deadline = scheduler.now + 10 * electionTicks * tickMs * 1_000 + 5 * SECOND
    let why: string | null = 'nothing looked at'
    const going = (): boolean => {
      why = this.#unsettled()
      return why !== null
    }
    // Looking at everything after each event would be most of the run.
    while (going() && scheduler.now < deadline) scheduler.runUntil(scheduler.now + 20_000)
    if (why !== null) throw new Error(`no liveness: ${why}`)
    const succeeded = this.#succeeded()
    if (succeeded < SUCCESSES_MIN || succeeded === before)
      throw new Error(`only ${succeeded} operations succeeded, ${succeeded - before} after healing`)
  }

  #succeeded(): number {
    return this.#actors.reduce((sum, actor) => sum + actor.succeeded, 0)
  }

  /** What is not as it must be in the end, or null. */
  #unsettled(): string | null {
    const open = this.#actors.filter(actor => actor.client.open > 0)
    const shards = new Map<
      number,
      { index: number; digest: number; leaders: number; node: NodeId }
    >()
    for (const id of this.#whole()) {
      const { node } = this.#cluster.machine(id)
      if (node === null) return `n${id} is down`
      const why = node.ready()
      if (why !== null) return `n${id}: ${why}`
      for (const replica of node.replicas()) {
        const { shard, applied } = replica
        if (replica.commit !== applied) return `n${id} applied ${applied} of ${replica.commit}`
        const digest = replica.machine.digest()
        const known = shards.get(shard)
        const leads = replica.isLeader ? 1 : 0
        if (known === undefined) {
          shards.set(shard, { index: applied, digest, leaders: leads, node: id })
          continue
        }
        known.leaders += leads
        if (known.index !== applied)
          return `shard ${shard}: n${id} is at ${applied}, n${known.node} at ${known.index}`
        if (known.digest !== digest)
          return `shard ${shard}: n${id} and n${known.node} differ at ${applied}`
      }
    }
    for (const [shard, { leaders }] of shards)
      if (leaders !== 1) return `shard ${shard} has ${leaders} leaders`
    const [first] = open
    if (first !== undefined)
      return `${open.length} clients wait for answers: ${first.client.describeOpen()}`
    return null
  }

  /** Nothing can delay an answer, until `#calmUntil`: no faults, no losses, no command before it on its connection. */
  #isCalm(): boolean {
    const { faults, links, actors } = this.#knobs
    return faults.size === 0 && links.loss === 0 && links.spikeChance === 0 && actors.depth === 1
  }

  #check(): void {
    const map = this.#cluster.machine(this.#whole()[0] ?? 1).node?.map()
    if (map === undefined) throw new Error('nobody knows the map')
    const votersOf = (key: string): readonly NodeId[] =>
      map.shards.get(map.ownerOf(slotOf(Buffer.from(key))))?.voters ?? []
    const { keys, families } = this.#cast
    this.#history.push(...readAll(this.#cluster, this.#whole(), keys, votersOf))
    askAll(this.#cluster, this.#prng.fork('last'), this.#cast.questions())
    this.#cluster.invariants.compareStates(this.#whole())
    const clocksJump = this.#knobs.faults.has('clock-jump')
    // Leaders with drifting clocks may be this far apart by the end of a run.
    const slack = 20 + this.#knobs.drift * 2 * (this.#scheduler.now / 1000)
    const anomalies = [
      ...checkLog(this.#history.filter(isLogOp), {
        wakeWithin: this.#isCalm() ? WAKE_WITHIN_MS : null,
        wakeUntil: this.#calmUntil,
      }),
      ...checkOwnership(
        this.#history.filter(op => keys.groups.includes(op.key)),
        { clockSlack: clocksJump ? null : slack },
      ),
    ]
    this.#violations.push(
      ...this.#cast.checkPairs(this.#history),
      ...families.check(clocksJump ? Infinity : slack, verdict =>
        this.#verdicts.set(verdict, (this.#verdicts.get(verdict) ?? 0) + 1),
      ),
    )
    if (this.#violations.length > 0) throw new Error(this.#violations.slice(0, 12).join('\n'))
    if (anomalies.length > 0) {
      const lines = anomalies.slice(0, 12).map(({ name, key, text }) => `${name} ${key}: ${text}`)
      throw new Error(`${anomalies.length} anomalies\n${lines.join('\n')}`)
    }
  }
}
