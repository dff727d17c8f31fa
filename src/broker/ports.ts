// What the front desk needs from the rooms below and from the roof.
//
// Shapes, not classes: the replica and the machine satisfy them without knowing,
// and tests bring a shard that applies at once.

import type { Argv } from '../base/argv.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { ProcessPort } from '../base/process.ts'
import type { Random } from '../base/random.ts'
import type { Watched } from '../base/transaction.ts'
import type { Index, Ms, NodeId, ShardId } from '../base/types.ts'
import type { Wait } from '../base/wait.ts'
import type { CommandSpec } from '../machine/command.ts'
import type { Keyspace } from '../machine/keyspace.ts'
import type { Reply } from '../machine/reply.ts'
import type { Asker, Query, Refusal } from '../replica/ports.ts'
import type { SlotMap } from '../topology/slot-map.ts'
import type { Settings } from './settings.ts'

/** Who repeats a command safely: the session and the number under which its reply is kept. */
export type Producer = { readonly id: string; readonly epoch: number; readonly sequence: number }

/** One shard's copy on this node, as the desk reaches it. */
export interface ReplicaPort {
  readonly shard: ShardId
  /** 0: unknown. */
  readonly leader: NodeId
  readonly isLeader: boolean
  /** The disk lost part of it, and it is not repaired yet: not even stale reads. */
  readonly amnesiac?: boolean
  readonly applied: Index
  readonly commit: Index
  /** How many other voters have everything up to `index` on their disks, as the leader knows. */
  followersAt?(index: Index): number
  /** Copies the words at once. */
  propose(
    asker: Asker<Reply>,
    ticket: number,
    argv: Argv,
    producer: Producer | null,
    grows: boolean,
  ): Refusal | null
  /** `afterWrites`: not before what `asker` proposed here is applied. */
  read(
    asker: Asker<Reply>,
    ticket: number,
    query: Query<Reply>,
    afterWrites: boolean,
  ): Refusal | null
  /** Keys that commands wait on, and those of them whose end also ends a wait. */
  blockingKeys?(): { readonly all: number; readonly onNoKey: number }
  /** Ends the waits of `asker` without an answer. */
  forget(asker: Asker<Reply>): void
  /** Ends one wait by lose(ticket, 'timeout'); false if there is none. */
  unblock(asker: Asker<Reply>, ticket: number): boolean
}

/** What a shard's state machine is to the desk: something to read. */
export interface MachinePort {
  readonly keyspace: Keyspace
  /** Answers a command that only reads. */
  query(spec: CommandSpec, args: unknown, now: Ms, quiet?: boolean): Reply | Wait
  /** What is known of `key` now, for a transaction that is to find it so. */
  watch(key: string, now: Ms): Watched
  /** Whether one of the keys is another than it was known to be. */
  isChanged(watches: readonly Watched[], now: Ms): boolean
  /** Whether keys whose time has come are buried before somebody asks for them. */
  activeExpire: boolean
  /** Becomes what its own snapshot says, at once. @returns whether that is what it was */
  reload(): boolean
  /** Of its state, history included: the same on all replicas and after a reload. */
  checksum(): number
}

/** Whoever writes shards as snapshots. */
export interface SnapshotsPort {
  /**
   * Writes what changed of every shard on this node.
   *
   * @param done whether all of it is on disk; shards that had nothing new count
   * @returns false: that is under way already
   */
  take(done: (ok: boolean) => void): boolean
  readonly running: boolean
  /** When all shards were last on disk as snapshots because somebody asked, or the start of the process. Unix ms. */
  readonly lastAt: Ms
  /** Snapshots written since the start, by shard. */
  readonly taken: number
  /** How the last round ended. */
  readonly lastOk: boolean
  /** Bytes of log that a restart would have to apply. */
  readonly bytesSince: number
}

export type Shard = { readonly replica: ReplicaPort; readonly machine: MachinePort }

/** Where things are. */
export interface Directory {
  map(): SlotMap
  /** 0: unknown. */
  leaderOf(shard: ShardId): NodeId
  /** Whether the node is known to be gone: CLUSTER NODES shows it as failed. */
  isDown?(node: NodeId): boolean
}

export type BrokerOptions = {
  /** False: a plain Redis to its clients; one shard, no redirects. */
  readonly clusterEnabled: boolean
  /** Of Slotcast. */
  readonly version: string
  /** Commands of one session that are not answered; beyond, the session is paused. */
  readonly sessionInFlightMax: number
  /** Commands of all sessions that are not answered; beyond, TRYAGAIN. */
  readonly nodeInFlightMax: number
  /** Who may use DEBUG: nobody, everybody, or clients on this machine. */
  readonly debugCommands?: 'no' | 'yes' | 'local'
}

export type BrokerPorts = {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly self: NodeId
  readonly directory: Directory
  readonly options: BrokerOptions
  /** The replica of `id` on this node. */
  shard(id: ShardId): Shard | undefined
  /** Null: the node serves; otherwise why not. */
  health(): string | null
  /** Whether memory is used up, so that commands which add data are refused (OOM). */
  memoryFull(): boolean
  readonly process: ProcessPort
  /** What CONFIG SET changes; absent: the defaults. */
  readonly settings?: Settings
  /** Asks for a turn, whose end takes what waits for other nodes; absent: there are none. */
  readonly schedule?: () => void
  /** Absent: there is no disk below. */
  readonly snapshots?: SnapshotsPort
  /** Stops this node in order; absent: nobody can. */
  readonly shutdown?: () => void
}
