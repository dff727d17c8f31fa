// The turn: how one event loop serves many shards.
//
// Doors and peers never act on a shard; they leave work in the inbox. Once per
// loop iteration the turn drains it, steps every replica that has work, and
// writes what they produced with one append and one durable write. Group commit
// across shards comes of itself, and the order of duties stands in one place:
//
//   inbox -> submit -> gather -> send -> persist -> apply -> wake -> flush
//
// Only this file may overlap these stages. At most one write is in flight;
// entries that arrive meanwhile wait for the next. Appends to followers leave
// beside the leader's own write; acknowledgements and votes leave after it.

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Counter, Metrics } from '../base/metrics.ts'
import type { Random } from '../base/random.ts'
import type { Index, Ms, NodeId, ShardId, Term } from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import type { DiskError } from '../storage/disk.ts'
import type { Storage } from '../storage/storage.ts'
import type { Host, PersistWork } from './host.ts'
import type { Leaders } from './leaders.ts'
import { Outbox } from './outbox.ts'
import type {
  Envelope,
  Lead,
  Network,
  NetworkListener,
  SnapshotAck,
  SnapshotChunk,
} from './ports.ts'
import type { Replica } from './replica.ts'

/** The part of a replica that the turn drives, whatever its machine answers. */
type Driven = Pick<
  Replica<unknown>,
  | 'tick'
  | 'receive'
  | 'peerDown'
  | 'submit'
  | 'gather'
  | 'apply'
  | 'serveReads'
  | 'unwritten'
  | 'shard'
  | 'isLeader'
  | 'applied'
  | 'digestAt'
  | 'term'
  | 'raft'
  | 'stop'
>

/** What streams snapshots, as the turn sees it (snapshots.ts). */
export interface SnapshotTraffic {
  /** A slice of whatever is being taken or sent. */
  slice(): void
  /** Streams the state that `message` speaks of to its receiver, and then the message. */
  send(shard: ShardId, message: Message): void
  receive(from: NodeId, shard: ShardId, message: Message): void
  receiveChunk(from: NodeId, chunk: SnapshotChunk): void
  receiveAck(from: NodeId, ack: SnapshotAck): void
  peerLost(peer: NodeId): void
}

/** What desks tell each other of pub/sub, as the turn sees it: bytes that ride in its envelopes. */
export interface DeskTraffic {
  /** The end of a turn: hands out what gathered for each peer. */
  collect(room: (to: NodeId) => number, send: (to: NodeId, bytes: Buffer) => void): void
  receive(from: NodeId, bytes: Buffer): void
  up(peer: NodeId): void
  /** The link broke, or the peer is `gone`. */
  down(peer: NodeId, gone: boolean): void
  /** Bytes for `peer` were lost on this side. */
  undelivered(peer: NodeId): void
}

export type TurnPorts = {
  readonly clock: Clock
  readonly random: Random
  readonly storage: Storage
  readonly logger: Logger
  readonly metrics: Metrics
  readonly leaders: Leaders
  readonly network: (listener: NetworkListener) => Network
  /** Ends the process: the disk cannot be trusted any more. */
  readonly exit: (code: number, reason: string) => void
}

export type TurnOptions = {
  readonly self: NodeId
  readonly tickMs: Ms
  /** Ticks between two announcements of what this node leads. */
  readonly announceTicks: number
}

/** Ticks that a late timer is worth at most: after a pause nobody campaigns at once. */
const TICKS_AT_ONCE_MAX = 2
/** Rounds of gather and apply in one turn, before other input gets its chance. */
const ROUNDS_MAX = 4
const EXIT_DISK = 74
/** sysexits.h: an internal software error. */
const EXIT_DIVERGED = 70
/** How often the space on the disk is looked at. */
const SPACE_EVERY_MS: Ms = 1_000

export class Turn implements Host, NetworkListener {
  readonly clock: Clock
  readonly random: Random
  readonly #ports: TurnPorts
  readonly #options: TurnOptions
  readonly #outbox: Outbox
  readonly #replicas = new Map<ShardId, Driven>()
  readonly #inbox: { from: NodeId; envelope: Envelope }[] = []
  readonly #up = new Set<NodeId>()
  readonly #flushListeners: (() => void)[] = []
  #snapshots: SnapshotTraffic | null = null
  #desk: DeskTraffic | null = null
  readonly #room: (to: NodeId) => number
  readonly #sendPubSub: (to: NodeId, bytes: Buffer) => void
  #onFacts: (from: NodeId, facts: Uint8Array) => void = () => {}
  #facts: Uint8Array = new Uint8Array(0)
  #queued: PersistWork[] = []
  #scheduled = false
  #running = false
  #again = false
  #stopped = false
  #ticks = 0
  #ticksSinceAnnounce = 0
  #leadsChanged = false
  /** The last batch is durable and the log does not say so yet (RAFT 4.2, the synced mark). */
  #unmarked = false
  #lastTick: Ms
  #spaceCheckedAt: Ms
  readonly #turns: Counter
  readonly #messages: Counter

  constructor(ports: TurnPorts, options: TurnOptions) {
    this.#ports = ports
    this.#options = options
    this.clock = ports.clock
    this.random = ports.random
    this.#lastTick = ports.clock.monotonic()
    this.#spaceCheckedAt = this.#lastTick
    this.#turns = ports.metrics.counter('turns_total', 'Rounds of the loop that drives the shards.')
    this.#messages = ports.metrics.counter(
      'peer_messages_total',
      'Raft messages received from peers.',
    )
    this.#outbox = new Outbox(ports.network(this), ports.clock, (peer, envelope) =>
      this.#undelivered(peer, envelope),
    )
    this.#room = to => this.#outbox.room(to)
    this.#sendPubSub = (to, bytes) => this.#outbox.pubsub(to, bytes)
    this.clock.after(options.tickMs, () => this.#onTick())
  }

  get diskFull(): boolean {
    return this.#ports.storage.full
  }

  get diskBusy(): boolean {
    return this.#ports.storage.busy
  }

  /** Joins what streams snapshots; it needs the turn, so it comes later. */
  useSnapshots(snapshots: SnapshotTraffic): void {
    this.#snapshots = snapshots
  }

  /** Joins the desk, which comes later too. */
  useDesk(desk: DeskTraffic): void {
    this.#desk = desk
    for (const peer of this.#up) desk.up(peer)
  }

  get outbox(): Outbox {
    return this.#outbox
  }

  add(replica: Driven): void {
    this.#replicas.set(replica.shard, replica)
    this.schedule()
  }

  replicas(): IterableIterator<Driven> {
    return this.#replicas.values()
  }

  /** Whether the link to `peer` works. */
  isUp(peer: NodeId): boolean {
    return this.#up.has(peer)
  }

  /** Runs at the end of each turn: doors write what they gathered. */
  onFlush(listener: () => void): void {
    this.#flushListeners.push(listener)
  }

  /** What to tell each peer of this node when a link comes up, and who hears what peers tell. */
  exchangeFacts(own: Uint8Array, heard: (from: NodeId, facts: Uint8Array) => void): void {
    this.#facts = own
    this.#onFacts = heard
    for (const peer of this.#up) this.#outbox.facts(peer, own)
    this.schedule()
  }

  stop(): void {
    this.#stopped = true
    for (const replica of this.#replicas.values()) replica.stop()
    for (const listener of this.#flushListeners) listener()
  }

  // ── the network's side ──────────────────────────────────────────────────────

  receive(from: NodeId, envelope: Envelope): void {
    this.#inbox.push({ from, envelope })
    this.schedule()
  }

  up(peer: NodeId): void {
    this.#up.add(peer)
    if (this.#facts.length > 0) this.#outbox.facts(peer, this.#facts)
    this.#leadsChanged = true
    this.#desk?.up(peer)
    this.schedule()
  }

  down(peer: NodeId): void {
    this.#up.delete(peer)
    this.#ports.leaders.forget(peer)
    for (const replica of this.#replicas.values()) replica.peerDown(peer)
    this.#snapshots?.peerLost(peer)
    this.#desk?.down(peer, true)
    this.schedule()
  }

  unreachable(peer: NodeId): void {
    this.#up.delete(peer)
    for (const replica of this.#replicas.values()) replica.raft.reportUnreachable(peer)
    this.#snapshots?.peerLost(peer)
    this.#desk?.down(peer, false)
    this.schedule()
  }

  // ── the replicas' side ──────────────────────────────────────────────────────

  schedule(): void {
    if (this.#running) this.#again = true
    if (this.#scheduled || this.#running || this.#stopped) return
    this.#scheduled = true
    this.clock.soon(() => {
      this.#scheduled = false
      this.#run()
    })
  }

  persist(work: PersistWork): void {
    this.#queued.push(work)
  }

  send(shard: ShardId, message: Message): void {
    this.#outbox.message(shard, message)
  }

  sendSnapshot(shard: ShardId, message: Message): void {
    this.#snapshots?.send(shard, message)
  }

  damaged(shard: ShardId, reason: string): void {
    this.#ports.storage.markDamaged(shard, reason)
    // The mark goes with the next batch, also if nobody writes.
    this.#unmarked = true
  }

  repaired(shard: ShardId): void {
    this.#ports.storage.clearDamage(shard)
  }

  snapshotKept(shard: ShardId, index: Index): void {
    this.#ports.storage.snapshots.dropOlder(shard, index)
  }

  leaderChanged(shard: ShardId, leader: NodeId, term: Term): void {
    this.#ports.leaders.set(shard, leader, term)
    this.#leadsChanged = true
  }

  // ── the turn ────────────────────────────────────────────────────────────────

  #run(): void {
    if (this.#stopped) return
    this.#running = true
    this.#again = false
    this.#turns.add()
    this.#drain()
    for (const replica of this.#replicas.values()) replica.submit()
    let rounds = 0
    let worked = true
    while (worked && rounds < ROUNDS_MAX) {
      worked = this.#round()
      rounds += 1
    }
    this.#snapshots?.slice()
    if (this.#leadsChanged) this.#announce()
    this.#desk?.collect(this.#room, this.#sendPubSub)
    this.#outbox.flush()
    this.#running = false
    for (const listener of this.#flushListeners) listener()
    if (worked || this.#again) this.schedule()
  }

  #drain(): void {
    for (const { from, envelope } of this.#inbox) {
      this.#messages.add(envelope.messages.length)
      if (envelope.facts.length > 0) this.#onFacts(from, envelope.facts)
      for (const { shard, message } of envelope.messages) this.#deliver(from, shard, message)
      for (const lead of envelope.leads) {
        this.#ports.leaders.announced(lead.shard, from, lead.term)
        this.#compare(from, lead)
      }
      if (envelope.pubsub.length > 0) this.#desk?.receive(from, bufferOf(envelope.pubsub))
      for (const chunk of envelope.chunks) this.#snapshots?.receiveChunk(from, chunk)
      for (const ack of envelope.acks) this.#snapshots?.receiveAck(from, ack)
    }
    this.#inbox.length = 0
    for (; this.#ticks > 0; this.#ticks -= 1)
      for (const replica of this.#replicas.values()) replica.tick()
  }

  /** A snapshot message counts only if its data came before (snapshots.ts). */
  #deliver(from: NodeId, shard: ShardId, message: Message): void {
    if (message.type === 'snapshot') this.#snapshots?.receive(from, shard, message)
    else this.#replicas.get(shard)?.receive(message)
  }

  #round(): boolean {
    let worked = false
    for (const replica of this.#replicas.values()) worked = replica.gather() || worked
    // Envelopes leave before the own write begins, and before anything is applied: a
    // follower's word takes two more hops than that of the own disk.
    this.#outbox.flush()
    if (this.#writeQueued()) {
      worked = true
      this.#outbox.flush()
    }
    for (const replica of this.#replicas.values()) {
      worked = replica.apply() || worked
      replica.serveReads()
    }
    return worked
  }

  /** @returns whether messages were released at once, because they had nothing to wait for */
  #writeQueued(): boolean {
    const { storage } = this.#ports
    if (this.#queued.length === 0 || storage.busy) return false
    const works = this.#queued
    this.#queued = []
    const batch = works.flatMap(work => (work.write === null ? [] : [work.write]))
    this.#unmarked = false
    if (batch.length === 0) {
      release(works)
      return true
    }
    storage.write(batch, error => this.#written(works, error))
    return false
  }

  #written(works: readonly PersistWork[], error: DiskError | null): void {
    const { storage, exit } = this.#ports
    if (error !== null && storage.failed) {
      // After a failed sync it is unknown which pages the disk holds; only a
      // new process that reads what is really there may go on.
      exit(EXIT_DISK, `the log cannot be written: ${error.message}`)
      return
    }
    if (this.#stopped) return
    // No room: nothing was written, and nobody was told otherwise. The next tick tries again.
    if (error !== null) this.#queued = [...works, ...this.#queued]
    else {
      this.#unmarked = true
      release(works)
      this.schedule()
    }
  }

  /** Duties of the clock's: space on the disk; once the log is idle, commit indexes and the synced mark. */
  #tendStorage(now: Ms): void {
    const { storage } = this.#ports
    if (now - this.#spaceCheckedAt >= SPACE_EVERY_MS) {
      this.#spaceCheckedAt = now
      storage.checkSpace()
    }
    if (storage.busy || this.#queued.length > 0) return
    const commits = [...this.#replicas.values()].flatMap(replica => replica.unwritten() ?? [])
    if (commits.length === 0 && !this.#unmarked) return
    // The mark that is carried now is that of the batch before: another one follows if this writes.
    this.#unmarked = commits.length > 0
    storage.write(commits, error => {
      if (error !== null && storage.failed) this.#written([], error)
      else if (!this.#stopped) this.schedule()
    })
  }

  #onTick(): void {
    if (this.#stopped) return
    const { tickMs, announceTicks } = this.#options
    const now = this.clock.monotonic()
    const elapsed = Math.floor((now - this.#lastTick) / tickMs)
    this.#ticks = Math.min(Math.max(elapsed, 1), TICKS_AT_ONCE_MAX)
    this.#lastTick = now
    this.#ticksSinceAnnounce += 1
    if (this.#ticksSinceAnnounce >= announceTicks) this.#leadsChanged = true
    this.#tendStorage(now)
    this.clock.after(tickMs, () => this.#onTick())
    this.schedule()
  }

  #announce(): void {
    this.#leadsChanged = false
    this.#ticksSinceAnnounce = 0
    const leads: Lead[] = []
    for (const replica of this.#replicas.values()) {
      if (!replica.isLeader) continue
      const { shard, term, applied } = replica
      leads.push({ shard, term, applied, digest: replica.digestAt(applied) ?? 0 })
    }
    if (leads.length > 0) for (const peer of this.#up) this.#outbox.leads(peer, leads)
  }

  /** Stops this node when its state is not the leader's: a wrong state spreads. */
  #compare(from: NodeId, { shard, applied, digest }: Lead): void {
    const ours = this.#replicas.get(shard)?.digestAt(applied) ?? null
    if (ours === null || ours === digest || digest === 0) return
    this.#ports.logger.error(
      { shard, applied, from, ours, digest },
      "state differs from the leader's",
    )
    this.#ports.exit(
      EXIT_DIVERGED,
      `shard ${shard}: the state behind entry ${applied} differs from the leader's`,
    )
  }

  #undelivered(peer: NodeId, envelope: Envelope): void {
    for (const { shard, message } of envelope.messages) {
      if (message.type === 'append') this.#replicas.get(shard)?.raft.reportUnreachable(peer)
    }
    if (envelope.pubsub.length > 0) this.#desk?.undelivered(peer)
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function release(works: readonly PersistWork[]): void {
  for (const { done } of works) done()
}
