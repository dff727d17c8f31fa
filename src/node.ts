// The composition root: makes every part of a node below the doors and joins them.
//
// Everything a node touches of the world comes in by ports, so the same function
// starts a production process and a node of the simulator.

import { assert } from './base/assert.ts'
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/log.ts'
import type { Metrics } from './base/metrics.ts'
import type { ProcessPort } from './base/process.ts'
import type { Random } from './base/random.ts'
import { META_SHARD, type Ms, NO_NODE, type NodeId, type ShardId } from './base/types.ts'
import { Broker } from './broker/broker.ts'
import { MemoryLimit } from './broker/memory-limit.ts'
import type { LogLevel, NodeConfig } from './config.ts'
import { Balancer } from './control/balancer.ts'
import { decodeFacts, encodeFacts, Reconciler } from './control/reconciler.ts'
import { Machine } from './machine/machine.ts'
import type { Reply } from './machine/reply.ts'
import { settingsOf } from './node-settings.ts'
import type { SnapshotMeta } from './raft/message.ts'
import { Leaders } from './replica/leaders.ts'
import { LogView, plainConf } from './replica/log-view.ts'
import type {
  Asker,
  Lost,
  Network,
  NetworkListener,
  SnapshotWriter,
  StateMachine,
} from './replica/ports.ts'
import { Repairs } from './replica/repairs.ts'
import { Replica, type ReplicaOptions } from './replica/replica.ts'
import { SnapshotReceiver } from './replica/snapshot-receiver.ts'
import { SnapshotRounds } from './replica/snapshot-rounds.ts'
import { SnapshotSender } from './replica/snapshot-sender.ts'
import { SnapshotTaker } from './replica/snapshot-taker.ts'
import { Snapshots } from './replica/snapshots.ts'
import { Turn } from './replica/turn.ts'
import type { Disk, DiskError } from './storage/disk.ts'
import { Storage } from './storage/storage.ts'
import { MetaMachine, type MetaReply } from './topology/meta-machine.ts'
import type { NodeFacts, ShardFacts, SlotMap } from './topology/slot-map.ts'

export const VERSION = '0.1.0'

export type NodePorts = {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly logger: Logger
  readonly metrics: Metrics
  readonly network: (listener: NetworkListener, identity: NodeIdentity) => Network
  /** This process, and whether another one lives: for the lock of the data directory. */
  readonly processes: { readonly pid: number; alive(pid: number): boolean }
  readonly process: ProcessPort
  /** Makes the log tell more or less. */
  readonly setLogLevel?: (level: LogLevel) => void
  /** Stops the node in order, as a signal would; absent: nobody can. */
  readonly shutdown?: () => void
  /** Ends the process. Does not return in production. */
  readonly exit: (code: number, reason: string) => void
}

/** Who this node is, for the handshake with peers. */
export type NodeIdentity = {
  readonly id: NodeId
  readonly incarnation: string
  readonly clusterName: string
  readonly fingerprint: string
  /** The incarnation that the cluster knows for a peer, or null when it knows none yet. */
  readonly incarnationOf: (peer: NodeId) => string | null
}

/** Voters of the meta shard; further nodes are learners of it. */
const META_VOTERS_MAX = 5
/** A leader tells what it leads at least every so many ticks. */
const ANNOUNCE_TICKS = 10
/** How long a stopping node waits for others to take its leaderships. */
const HANDOVER_MS: Ms = 2_000
const HANDOVER_LOOK_MS: Ms = 20
/** After the death of a leader's process, campaign within this time: half of it is the expected failover. */
const CAMPAIGN_WITHIN_MS: Ms = 150
/** After a start, how much longer those wait for a leader who are not meant to lead. */
const SEEK_LATER_MS: Ms = 300
/** sysexits.h: an input/output error. */
const EXIT_DISK = 74
const OPEN_READS_MAX = 100_000
export function startNode(ports: NodePorts, config: NodeConfig): Node {
  return new Node(ports, config)
}

type Shard = { readonly replica: Replica<Reply>; readonly machine: Machine }

export class Node {
  readonly broker: Broker
  readonly storage: Storage
  readonly turn: Turn
  readonly leaders = new Leaders()
  readonly facts: NodeFacts
  readonly #ports: NodePorts
  readonly #config: NodeConfig
  readonly #meta = new MetaMachine()
  readonly #metaReplica: Replica<MetaReply>
  readonly #shards = new Map<ShardId, Shard>()
  /** All replicas, the meta shard's among them. */
  readonly #replicas = new Map<ShardId, Replica<unknown>>()
  readonly #reconciler: Reconciler
  readonly #balancer: Balancer
  readonly #snapshotRounds: SnapshotRounds
  readonly #upSince = new Map<NodeId, Ms>()
  #stopping = false

  constructor(ports: NodePorts, config: NodeConfig) {
    this.#ports = ports
    this.#config = config
    this.storage = this.#openStorage()
    this.facts = factsOf(config, this.storage.dataDir.incarnation)
    const members = config.node.seeds.map(seed => seed.id)
    const { clock, random, logger, metrics, exit } = ports
    this.turn = new Turn(
      {
        clock,
        random,
        logger,
        metrics,
        exit,
        storage: this.storage,
        leaders: this.leaders,
        network: listener => ports.network(listener, this.#identity()),
      },
      {
        self: config.node.id,
        tickMs: config.cluster.raft.tickMs,
        announceTicks: ANNOUNCE_TICKS,
      },
    )
    this.#snapshotRounds = this.#joinSnapshots()
    this.broker = this.#makeBroker()
    this.turn.useDesk(this.broker.pubsub)
    const voters = members.slice(0, META_VOTERS_MAX)
    this.#metaReplica = this.#load(META_SHARD, this.#meta, voters, members.slice(META_VOTERS_MAX))
    this.#metaReplica.seekLeader(members[0] === config.node.id ? 0 : SEEK_LATER_MS)
    this.#reconciler = this.#makeReconciler(members)
    this.#balancer = this.#makeBalancer()
    this.leaders.onChange(() => this.broker.topologyChanged())
    // The caretaker looks before the doors write, so that they speak of the newest map.
    this.turn.onFlush(() => this.#reconciler.look())
    this.turn.onFlush(() => this.broker.flush())
    this.turn.exchangeFacts(encodeFacts(this.facts), (from, bytes) => this.#heard(from, bytes))
    this.#reconciler.look()
  }

  /** Null when this node serves; otherwise why not. */
  ready(): string | null {
    if (this.#stopping) return 'stopping'
    for (const { shard, amnesiac } of this.#replicas.values()) {
      if (amnesiac) return `the log of shard ${shard} is damaged: waiting for its leader's snapshot`
    }
    const map = this.#meta.map
    if (map.epoch === 0) return 'the cluster is not made yet: waiting for all seeds'
    for (const shard of map.shards.values()) {
      if (this.leaders.of(shard.id) === NO_NODE) return `shard ${shard.id} has no leader`
    }
    return null
  }

  map(): SlotMap {
    return this.#meta.map
  }

  replicas(): IterableIterator<Replica<unknown>> {
    return this.#replicas.values()
  }

  /**
   * Stops in order: leaderships go to others first, so that no client sees more
   * than a redirect; what is still open is told that its fate is unknown.
   */
  stop(done: () => void): void {
    if (this.#stopping) return
    this.#stopping = true
    this.#balancer.stop()
    const deadline = this.#ports.clock.monotonic() + HANDOVER_MS
    const look = (): void => {
      this.#handOver()
      const open = [...this.#replicas.values()].some(
        replica => replica.open > 0 || this.#canHandOver(replica),
      )
      if (open && this.#ports.clock.monotonic() < deadline) {
        this.#ports.clock.after(HANDOVER_LOOK_MS, look)
        return
      }
      this.turn.stop()
      this.storage.close()
      done()
    }
    look()
  }

  #openStorage(): Storage {
    const { disk, clock, random, logger, metrics, processes } = this.#ports
    const { node, cluster, fingerprint } = this.#config
    return Storage.open(
      disk,
      {
        directory: node.dataDir,
        segmentBytes: cluster.storage.segmentBytes,
        cacheBytesPerShard: cluster.storage.cacheBytes,
        reserveBytes: cluster.storage.diskReserveBytes,
        nodeId: node.id,
        cluster: fingerprint,
        processes,
        random,
        monotonic: () => clock.monotonic(),
      },
      logger,
      metrics,
    )
  }

  #identity(): NodeIdentity {
    const { node, cluster, fingerprint } = this.#config
    return {
      id: node.id,
      incarnation: this.storage.dataDir.incarnation,
      clusterName: cluster.name,
      fingerprint,
      incarnationOf: peer =>
        this.#meta.map.nodes.get(peer)?.incarnation ?? this.storage.knownPeers.get(peer) ?? null,
    }
  }

  /** Makes a replica from what the disk holds: newest snapshot, then the log behind it. */
  #load<R>(
    id: ShardId,
    machine: StateMachine<R>,
    voters: readonly NodeId[],
    learners: readonly NodeId[],
  ): Replica<R> {
    const log = this.storage.shard(id)
    const newest = log.snapshot()
    if (typeof newest !== 'string') this.#restore(id, newest, machine.restore())
    const view = new LogView(log, plainConf(voters, learners), error => this.#fetched(id, error))
    const applied = typeof newest === 'string' ? 0 : newest.index
    const replica = new Replica(
      this.turn,
      this.#replicaOptions(),
      id,
      machine,
      view,
      applied,
      log.damaged !== null,
    )
    this.#replicas.set(id, replica as unknown as Replica<unknown>)
    this.turn.add(replica)
    return replica
  }

  #fetched(id: ShardId, error: DiskError | null): void {
    if (error === null) {
      this.#replicas.get(id)?.entriesFetched()
      return
    }
    // An entry that was acknowledged cannot be read any more. A restart checks the whole log.
    this.#ports.exit(EXIT_DISK, error.message)
  }

  #restore(id: ShardId, meta: SnapshotMeta, writer: SnapshotWriter): void {
    const file = this.storage.snapshots.open(id, meta)
    assert(
      file !== null,
      () => `shard ${id}: the snapshot at ${meta.index} is recorded and not there`,
    )
    file.readAll(chunk => writer.write(chunk))
    file.close()
    writer.finish()
  }

  #replicaOptions(): ReplicaOptions {
    const { raft } = this.#config.cluster
    return {
      self: this.#config.node.id,
      raft: {
        electionTicks: raft.electionTicks,
        heartbeatTicks: raft.heartbeatTicks,
        maxBytesPerMessage: raft.appendBytesMax,
        maxInflightMessages: raft.inflightMessagesMax,
        maxInflightBytes: raft.inflightBytesMax,
        // The replica refuses at the desk before Raft would have to drop.
        maxUncommittedBytes: raft.uncommittedBytesMax * 2,
        maxCommittedBytesPerReady: raft.applyBytesMax,
        asyncStorageWrites: true,
        preVote: true,
        checkQuorum: true,
        readOnly: 'safe',
        disableConfChangeValidation: false,
        disableProposalForwarding: true,
        stepDownOnRemoval: true,
      },
      openBytesMax: raft.uncommittedBytesMax,
      openReadsMax: OPEN_READS_MAX,
      inDoubtAfter: raft.electionTicks * raft.tickMs,
      campaignWithin: CAMPAIGN_WITHIN_MS,
      settling: askers => this.broker.meter.settling(askers),
    }
  }

  #joinSnapshots(): SnapshotRounds {
    const { clock, logger } = this.#ports
    const { storage: limits } = this.#config.cluster
    const { storage, turn } = this
    const schedule = (): void => turn.schedule()
    const taker = new SnapshotTaker(
      storage,
      { logBytes: limits.snapshotLogBytes, tailBytes: limits.logTailBytes },
      logger,
      turn,
    )
    const report = (shard: ShardId, peer: NodeId, ok: boolean): void =>
      this.#replicas.get(shard)?.raft.reportSnapshot(peer, ok)
    const sender = new SnapshotSender({
      clock,
      storage,
      outbox: turn.outbox,
      logger,
      schedule,
      report,
    })
    const receiver = new SnapshotReceiver(storage, turn.outbox, logger, schedule)
    const { leaders } = this
    const self = this.#config.node.id
    const repairs = new Repairs(
      { clock, storage, outbox: turn.outbox, leaders, logger, taker, sender, self },
      this.#replicas,
    )
    turn.useSnapshots(new Snapshots(taker, sender, receiver, repairs, this.#replicas))
    return new SnapshotRounds(clock, taker, this.#replicas)
  }

  #makeBroker(): Broker {
    const { clock, random, logger, metrics, process, shutdown } = this.#ports
    const { cluster, node } = this.#config
    const settings = settingsOf(this.#config, level => this.#ports.setLogLevel?.(level))
    const memory = new MemoryLimit(clock, process, settings)
    return new Broker({
      clock,
      random,
      logger,
      metrics,
      self: node.id,
      directory: {
        map: () => this.#meta.map,
        leaderOf: shard => this.leaders.of(shard),
        isDown: peer => peer !== node.id && !this.turn.isUp(peer),
      },
      options: {
        clusterEnabled: cluster.enabled,
        version: VERSION,
        sessionInFlightMax: 10_000,
        nodeInFlightMax: 1_000_000,
        debugCommands: node.debugCommands,
      },
      shard: id => this.#shards.get(id),
      health: () => this.ready(),
      memoryFull: () => memory.full,
      process,
      settings,
      snapshots: this.#snapshotRounds,
      schedule: () => this.turn.schedule(),
      ...(shutdown === undefined ? {} : { shutdown }),
    })
  }

  #makeReconciler(members: readonly NodeId[]): Reconciler {
    const { random, logger } = this.#ports
    const { cluster } = this.#config
    return new Reconciler({
      random,
      logger,
      meta: this.#meta,
      self: this.facts,
      members,
      shardCount: cluster.shards,
      replicasPerShard: cluster.replicasPerShard,
      leadsMeta: () => this.#metaReplica.isLeader,
      propose: (command, done) => {
        const asker: Asker<MetaReply> = {
          closed: false,
          answer: (_ticket, reply) => {
            if (reply.refused !== null)
              logger.warn({ reason: reply.refused }, 'the meta shard refused a change')
            done()
          },
          lose: (_ticket: number, _why: Lost) => done(),
        }
        if (this.#metaReplica.propose(asker, 0, command, null, false) !== null)
          asker.lose(0, 'moved')
      },
      host: shard => this.#host(shard),
      mapChanged: map => {
        const members = [...map.nodes.values()].filter(({ id }) => id !== this.facts.id)
        this.storage.rememberPeers(new Map(members.map(({ id, incarnation }) => [id, incarnation])))
        this.broker.topologyChanged()
      },
    })
  }

  #makeBalancer(): Balancer {
    const { clock } = this.#ports
    return new Balancer({
      clock,
      self: this.#config.node.id,
      map: () => this.#meta.map,
      replica: id => this.#shards.get(id)?.replica,
      upFor: peer => this.#upFor(peer),
    })
  }

  #upFor(peer: NodeId): Ms | null {
    const now = this.#ports.clock.monotonic()
    if (!this.turn.isUp(peer)) {
      this.#upSince.delete(peer)
      return null
    }
    const since = this.#upSince.get(peer)
    if (since === undefined) this.#upSince.set(peer, now)
    return since === undefined ? 0 : now - since
  }

  #host(shard: ShardFacts): void {
    if (this.#shards.has(shard.id)) return
    const machine = new Machine()
    machine.observer = this.broker.meter
    const replica = this.#load(shard.id, machine, shard.voters, [])
    this.#shards.set(shard.id, { replica, machine })
    this.broker.keyspaceEvents.attach({ replica, machine })
    // Who the map wants to lead tries first; the others give it time.
    const isHome = shard.voters[0] === this.#config.node.id
    replica.seekLeader(isHome ? 0 : SEEK_LATER_MS)
    this.turn.schedule()
  }

  #heard(from: NodeId, bytes: Uint8Array): void {
    const facts = decodeFacts(bytes)
    if (facts !== null && facts.id === from) this.#reconciler.heard(facts)
  }

  #canHandOver(replica: Replica<unknown>): boolean {
    return replica.isLeader && this.#heir(replica) !== null
  }

  #handOver(): void {
    for (const replica of this.#replicas.values()) {
      const heir = replica.isLeader ? this.#heir(replica) : null
      if (heir !== null) replica.transferLeader(heir)
    }
  }

  /** The voter with the longest log among those that answer. */
  #heir(replica: Replica<unknown>): NodeId | null {
    let best: NodeId | null = null
    let match = -1
    for (const [peer, progress] of replica.raft.status().progress) {
      if (peer === this.#config.node.id || progress.learner || !this.turn.isUp(peer)) continue
      if (progress.match <= match) continue
      best = peer
      match = progress.match
    }
    return best
  }
}

function factsOf(config: NodeConfig, incarnation: string): NodeFacts {
  const { id, name, hostLabel, resp, grpc, peer, admin } = config.node
  return {
    id,
    name,
    incarnation,
    hostLabel,
    resp: resp.advertise,
    grpc: grpc.advertise,
    peer: peer.advertise,
    admin: admin.advertise,
  }
}
