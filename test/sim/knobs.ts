// What a seed decides before anything runs: the shape of the cluster, its limits, and which faults it will meet.
//
// Swarm testing: every limit is drawn, mostly far below its default, and every
// fault is on or off with a rate of its own, so that each run is narrow and the
// runs together are wide. Tiny limits reach in seconds what defaults reach in days.

import type { NodeConfig } from '../../src/config.ts'
import type { ActorKnobs } from './actor.ts'
import type { LinkKnobs } from './links.ts'
import type { NetworkKnobs } from './network.ts'
import type { Prng } from './prng.ts'
import type { Us } from './scheduler.ts'

export type FaultName =
  | 'kill'
  | 'power-cut'
  | 'power-cut-all'
  | 'pause'
  | 'partition'
  | 'one-way'
  | 'clog'
  | 'flap'
  | 'client-cut'
  | 'clock-jump'
  | 'slow-disk'
  | 'disk-full'
  | 'sync-error'
  | 'bit-flip'
  | 'wipe'
  | 'transfer'
  | 'graceful-stop'
  | 'consumer-crash'

/** Mean time between two of a kind. */
export type Faults = ReadonlyMap<FaultName, Us>

/** Who acts: of each kind several. */
export type Part =
  | 'streams'
  | 'groups'
  | 'pairs'
  | 'queues'
  | 'post'
  | 'sets'
  | 'strings'
  | 'accounts'
  | 'anyone'
  | 'flushes'

export type Knobs = {
  readonly nodes: number
  readonly shards: number
  readonly replicas: number
  readonly raft: NodeConfig['cluster']['raft']
  readonly storage: NodeConfig['cluster']['storage']
  readonly links: LinkKnobs
  readonly network: NetworkKnobs
  readonly actors: ActorKnobs
  readonly cast: ReadonlySet<Part>
  /** How many of each kind of actor. */
  readonly writers: number
  readonly consumers: number
  readonly padding: number
  /** CPU time of one event of a node. */
  readonly eventCost: Us
  readonly drift: number
  readonly faults: Faults
  /** How long faults go on. */
  readonly duration: Us
  /** Whether a minority stays broken when the rest is healed. */
  readonly minorityStaysBroken: boolean
}

const SECOND: Us = 1_000_000
const KiB = 1024

/** Each fault: how often it is on, and its mean interval when it is. */
const FAULT_TABLE: readonly (readonly [FaultName, number, Us, Us])[] = [
  ['kill', 0.5, 1 * SECOND, 6 * SECOND],
  ['power-cut', 0.5, 1 * SECOND, 6 * SECOND],
  ['power-cut-all', 0.15, 4 * SECOND, 12 * SECOND],
  ['pause', 0.4, 1 * SECOND, 6 * SECOND],
  ['partition', 0.4, 1 * SECOND, 6 * SECOND],
  ['one-way', 0.25, 1 * SECOND, 6 * SECOND],
  ['clog', 0.25, 1 * SECOND, 6 * SECOND],
  ['flap', 0.2, 2 * SECOND, 8 * SECOND],
  ['client-cut', 0.25, 1 * SECOND, 5 * SECOND],
  ['clock-jump', 0.3, 1 * SECOND, 5 * SECOND],
  ['slow-disk', 0.3, 1 * SECOND, 6 * SECOND],
  ['disk-full', 0.2, 2 * SECOND, 8 * SECOND],
  ['sync-error', 0.15, 3 * SECOND, 10 * SECOND],
  ['bit-flip', 0.2, 3 * SECOND, 10 * SECOND],
  ['wipe', 0.06, 5 * SECOND, 15 * SECOND],
  ['transfer', 0.3, 1 * SECOND, 5 * SECOND],
  ['graceful-stop', 0.2, 2 * SECOND, 8 * SECOND],
  ['consumer-crash', 0.5, 1 * SECOND, 5 * SECOND],
]

export function drawKnobs(seed: Prng): Knobs {
  const prng = seed.fork('knobs')
  const nodes = prng.pick([1, 2, 3, 3, 3, 3, 3, 4, 5])
  const most = nodes >= 5 ? 5 : nodes >= 3 ? 3 : 1
  return {
    nodes,
    shards: prng.between(1, 4),
    replicas: prng.chance(0.8) ? most : Math.min(most, 3),
    raft: drawRaft(seed.fork('raft')),
    storage: drawStorage(seed.fork('storage')),
    links: drawLinks(seed.fork('links')),
    network: {
      ghosts: prng.pick([0, 0.5, 1]),
      reconnect: prng.logBetween(1_000, 200_000),
      refusal: prng.logBetween(200, 50_000),
    },
    actors: drawActors(seed.fork('actors')),
    cast: drawCast(seed.fork('cast')),
    writers: prng.between(2, 4),
    consumers: prng.between(2, 4),
    padding: prng.pick([0, 100, 2_000, 12_000]),
    eventCost: prng.pick([0, 1, 5, 50, 300]),
    drift: prng.pick([0, 0, 0.0001, 0.01]),
    faults: drawFaults(seed.fork('faults')),
    duration: prng.between(5, 14) * SECOND,
    minorityStaysBroken: prng.chance(1 / 3),
  }
}

/** Few operations in all, so that a run is short, in turn or many at once. */
function drawActors(prng: Prng): ActorKnobs {
  const depth = prng.pick([1, 1, 2, 4, 16])
  const perSecond = prng.logBetween(4, 30)
  return { depth, think: (depth * SECOND) / perSecond }
}

const STREAM_PARTS: readonly Part[] = ['streams', 'groups', 'pairs']
const OTHER_PARTS: readonly Part[] = ['queues', 'post', 'sets', 'strings', 'accounts', 'anyone']

/** All that is about streams, or some of the others: few kinds at once, so that each does much. */
function drawCast(prng: Prng): ReadonlySet<Part> {
  if (prng.chance(0.5)) return new Set(STREAM_PARTS)
  if (prng.chance(1 / 12)) return new Set<Part>(['anyone', 'flushes'])
  const some = prng.shuffle(OTHER_PARTS).slice(0, prng.between(2, 3))
  return new Set(prng.chance(0.3) ? [...some, prng.pick(STREAM_PARTS)] : some)
}

function drawRaft(prng: Prng): Knobs['raft'] {
  const tickMs = prng.pick([10, 50, 50, 50])
  return {
    tickMs,
    heartbeatTicks: prng.pick([1, 2, 2]),
    electionTicks: prng.pick([10, 20, 20]),
    inflightMessagesMax: prng.pick([1, 2, 4, 16, 256]),
    inflightBytesMax: prng.pick([1_000, 50_000, 16 * KiB * KiB]),
    appendBytesMax: prng.pick([1, 100, 2_000, KiB * KiB]),
    uncommittedBytesMax: prng.pick([2_000, 64 * KiB, 64 * KiB * KiB]),
    applyBytesMax: prng.pick([1, 500, 4 * KiB * KiB]),
  }
}

function drawStorage(prng: Prng): Knobs['storage'] {
  const snapshotLogBytes = prng.pick([300, 2_000, 20_000, 16 * KiB * KiB])
  return {
    segmentBytes: prng.pick([4 * KiB, 16 * KiB, 128 * KiB]),
    snapshotLogBytes,
    logTailBytes: prng.pick([0, 1_000, 1_000_000]),
    cacheBytes: prng.pick([0, 2_000, 1_000_000]),
    diskReserveBytes: 64 * KiB,
  }
}

function drawLinks(prng: Prng): LinkKnobs {
  return {
    delayMin: prng.logBetween(20, 2_000),
    delayMean: prng.logBetween(50, 10_000),
    loss: prng.pick([0, 0, 0.01, 0.1]),
    spikeChance: prng.pick([0, 0, 0.005, 0.03]),
    spike: prng.logBetween(10_000, 500_000),
    duplicate: prng.pick([0, 0, 0, 0.02, 0.1]),
    overtake: prng.pick([0, 0, 0, 0.02, 0.1]),
    bufferBytesMax: prng.pick([20 * KiB, 64 * KiB * KiB]),
    keepalive: prng.logBetween(100_000, 2_000_000),
  }
}

function drawFaults(prng: Prng): Faults {
  const faults = new Map<FaultName, Us>()
  // One seed in sixteen has no faults at all: a healthy cluster can be wrong, too.
  const none = prng.chance(1 / 16)
  for (const [name, on, fastest, slowest] of FAULT_TABLE) {
    const own = prng.fork(name)
    if (own.chance(on) && !none) faults.set(name, own.logBetween(fastest, slowest))
  }
  return faults
}

/** For people: what the seed drew. */
export function formatKnobs(knobs: Knobs): string {
  const { nodes, shards, replicas, faults, cast, raft, storage, links, ...others } = knobs
  const named = [...faults].map(([name, mean]) => `${name}/${(mean / SECOND).toFixed(1)}s`)
  return [
    `${nodes} nodes, ${shards} shards, ${replicas} replicas; ${[...cast].join(' ')}`,
    `faults: ${named.join(' ') || 'none'}`,
    `raft ${JSON.stringify(raft)}`,
    `storage ${JSON.stringify(storage)}`,
    `links ${JSON.stringify(links)}`,
    `others ${JSON.stringify(others)}`,
  ].join('\n  ')
}
