// The storage of one node: the write-ahead log of all its shards, their snapshots, its identity.
//
// The host gathers what all shards want kept in a turn and calls `write` once;
// when `done` runs, all of it survives a crash and the ShardLogs show it. After an
// error with `failed` the process exits and recovers from what the disk holds.
//
// Damage. When recovery finds that acknowledged records may be lost, every shard
// that may be concerned is `damaged`: it keeps its term, its vote as far as known,
// and the good part of its log, and must neither vote nor acknowledge until its
// leader has brought it beyond everything it could have acknowledged. The host
// sees to that and calls `clearDamage`. The mark is in the log itself, so it
// outlives restarts, and since it is cleared in the same batch as, or before, the
// first vote that relies on it, no crash can tell the two apart.

import { assert } from '../base/assert.ts'
import { OperationalError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Counter, Histogram, Metrics } from '../base/metrics.ts'
import type { Random } from '../base/random.ts'
import type { Index, Ms, NodeId, ShardId, Term } from '../base/types.ts'
import type { Entry, HardState, Missing, SnapshotMeta } from '../raft/message.ts'
import type { BatchItem, StagedWrite } from './batch-encoder.ts'
import { type DataDir, lockDataDir, type Processes, unlockDataDir } from './data-dir.ts'
import { asDiskError, type Disk, DiskError, type DiskFile } from './disk.ts'
import { type KnownPeers, readKnownPeers, writeKnownPeers } from './known-peers.ts'
import { type OpenedStorage, openStorage } from './open-storage.ts'
import { ownedEntries } from './owned-entries.ts'
import { ShardLog } from './shard-log.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { Wal } from './wal.ts'

const MiB = 1024 * 1024
/** Segments at which small old logs are carried into the newest one, so that they pin no old segment. */
const CARRY_SEGMENTS_MIN = 4
/** Part of a segment that one carried log may take. */
const CARRY_PART = 1 / 16

export type StorageOptions = {
  readonly directory: string
  readonly nodeId: NodeId
  /** Fingerprint of what all nodes must agree on; compared with the data directory's. */
  readonly cluster: string
  /** Nominal size of a segment; 64 MiB, for tests down to 4 KiB. */
  readonly segmentBytes: number
  /** Newest entries of each shard that are kept in memory. */
  readonly cacheBytesPerShard: number
  /** Free bytes below which growth is refused. Default: 64 MiB, or two segments if that is more. */
  readonly reserveBytes?: number
  readonly random: Random
  readonly processes: Processes
  /** Monotonic ms, to measure writes with; without it they are not measured. */
  readonly monotonic?: () => Ms
}

/** What one shard wants kept. */
export type ShardWrite = {
  readonly shard: ShardId
  readonly hardState: HardState | null
  /** An entry at an index that exists replaces it and all behind it. Never changed after this. */
  readonly entries: readonly Entry[]
  /**
   * Records a snapshot. If the log has its last entry, the log stays as it is
   * (`compact` shortens it); if not, the snapshot replaces the log. Its file must
   * be committed, unless it is a beginning without a state.
   */
  readonly snapshot: SnapshotMeta | null
}

export class Storage {
  readonly dataDir: DataDir
  readonly snapshots: SnapshotStore
  readonly #disk: Disk
  readonly #options: StorageOptions
  readonly #logger: Logger
  readonly #logs: Map<ShardId, ShardLog>
  readonly #wal: Wal
  /** Why shards that the log does not know may have been lost. */
  readonly #lost: string | null
  readonly #reserveBytes: number
  readonly #syncSeconds: Histogram
  readonly #bytesTotal: Counter
  /** Shards whose state changed without a write, and shards to drop. */
  readonly #changed: Set<ShardId>
  #drops: ShardId[] = []
  /** The next batch repeats why shards may have been lost; likewise, for the head may be torn. */
  #tellsLost: boolean
  /**
   * Segments before this one go when the next batch is durable, not at once: that batch's mark is
   * what tells damage to the newest segment's head, all there is left of some shards, from a torn tail.
   */
  #retirable = 0
  #knownPeers: KnownPeers
  #isBusy = false
  #isFull = false
  #isClosed = false

  /**
   * Locks the directory, recovers all shards, and goes on where the log ends.
   *
   * @throws OperationalError LOCKED, CONFIG (another node, cluster or format), CORRUPT (the identity is
   *         unusable), DISK or DISK_FULL
   */
  static open(disk: Disk, options: StorageOptions, logger: Logger, metrics: Metrics): Storage {
    const { directory, processes } = options
    let isLocked = false
    try {
      lockDataDir(disk, directory, processes)
      isLocked = true
      return new Storage(disk, options, logger, metrics)
    } catch (error) {
      if (isLocked) unlockDataDir(disk, directory)
      if (!(error instanceof DiskError)) throw error
      const code = error.full ? 'DISK_FULL' : 'DISK'
      throw new OperationalError(code, `${directory}: ${error.message}`, error)
    }
  }

  private constructor(disk: Disk, options: StorageOptions, logger: Logger, metrics: Metrics) {
    this.#disk = disk
    this.#options = options
    this.#logger = logger
    this.#changed = new Set()
    const opened: OpenedStorage = openStorage(disk, options, logger, shard => this.#makeLog(shard))
    this.dataDir = opened.dataDir
    this.snapshots = opened.snapshots
    this.#logs = opened.logs
    this.#lost = opened.lost
    this.#knownPeers = readKnownPeers(disk, options.directory)
    this.#tellsLost = opened.lost !== null
    // The first batch holds every shard's state: the current segment's first batch may have been
    // torn among the states that every segment must begin with, once older ones are removed.
    for (const shard of opened.logs.keys()) this.#changed.add(shard)
    this.#wal = new Wal(
      disk,
      {
        directory: opened.dataDir.walPath,
        segmentBytes: options.segmentBytes,
        nodeId: options.nodeId,
        incarnation: opened.dataDir.incarnation,
      },
      opened.end,
    )
    this.#reserveBytes = options.reserveBytes ?? Math.max(64 * MiB, 2 * options.segmentBytes)
    this.#syncSeconds = metrics.histogram(
      'wal_sync_seconds',
      'Time of one durable write of the log.',
    )
    this.#bytesTotal = metrics.counter('wal_bytes_total', 'Bytes written to the log.')
    metrics.gauge({
      name: 'wal_segments',
      help: 'Segments of the log on disk.',
      read: () => this.#wal.segmentCount,
    })
    metrics.gauge({
      name: 'storage_full',
      help: '1 while growing writes are refused for lack of space.',
      read: () => (this.#isFull ? 1 : 0),
    })
    metrics.gauge({
      name: 'storage_damaged_shards',
      help: 'Shards that may have forgotten what they promised and wait for repair.',
      read: () => [...this.#logs.values()].filter(log => log.damaged !== null).length,
    })
    this.checkSpace()
  }

  /** Shards with any state on disk. */
  shards(): readonly ShardId[] {
    return [...this.#logs.keys()].sort((a, b) => a - b)
  }

  /** A shard's log; made on first use. */
  shard(id: ShardId): ShardLog {
    let log = this.#logs.get(id)
    if (log === undefined) {
      log = this.#makeLog(id)
      this.#logs.set(id, log)
      // This log may have held it once: better an amnesiac too many than a vote too many.
      if (this.#lost !== null) log.setDamaged(this.#lost)
    }
    return log
  }

  /** The incarnations of the other members, as far as this node was ever told. */
  get knownPeers(): KnownPeers {
    return this.#knownPeers
  }

  /** Keeps `peers` for the next start. On a disk that fails it is tried again with the next change. */
  rememberPeers(peers: KnownPeers): void {
    const same = (id: NodeId, incarnation: string) => this.#knownPeers.get(id) === incarnation
    if ([...peers].every(([id, incarnation]) => same(id, incarnation))) return
    try {
      writeKnownPeers(this.#disk, this.#options.directory, peers)
      this.#knownPeers = peers
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn({ error: error.message }, 'the incarnations of the peers could not be kept')
    }
  }

  /** A write is in flight. */
  get busy(): boolean {
    return this.#isBusy
  }

  /** A write failed: the process must exit. */
  get failed(): boolean {
    return this.#wal.failed
  }

  /**
   * Appends a batch and says when it will survive a crash. At most one at a time.
   *
   * An empty batch writes what changed beside (compactions, configurations), or
   * else only carries the synced mark over the last batch: worth doing once when
   * a log goes idle, since damage to that batch could not be told from a torn
   * tail before.
   *
   * @param done gets null when all of it is durable; never runs before this
   *             returns. With an error: if `failed`, the log has ended. If not,
   *             there was no room for another segment, nothing was written, and
   *             the same may be tried again.
   */
  write(batch: readonly ShardWrite[], done: (error: DiskError | null) => void): void {
    assert(!this.#isBusy, 'a write of the log is in flight')
    assert(!this.#isClosed, 'the storage is closed')
    this.#isBusy = true
    const writes: StagedWrite[] = []
    for (const write of batch) writes.push(this.#stage(write, writes))
    const since = this.#options.monotonic?.() ?? 0
    const bytesBefore = this.#wal.bytesTotal
    let sent: readonly BatchItem[] = []
    let drops: readonly ShardId[] = []
    let needed = 0
    this.#wal.append({
      items: () => this.#items(writes),
      headItems: () => this.#headItems(),
      sent: items => {
        sent = items
        // Segments come free when a log was shortened or a shard dropped; mostly nothing was.
        if (this.#changed.size > 0 || this.#drops.length > 0) needed = this.#oldestNeeded()
        drops = this.#drops
        this.#drops = []
        this.#tellsLost = false
        this.#changed.clear()
      },
      done: error => {
        if (this.#isClosed) return
        this.#isBusy = false
        if (error === null) {
          this.#show(sent)
          for (const shard of drops) this.snapshots.dropAll(shard)
          this.#wal.retire(this.#retirable)
          this.#retirable = Math.max(this.#retirable, needed)
          this.#bytesTotal.add(this.#wal.bytesTotal - bytesBefore)
          if (this.#options.monotonic !== undefined) {
            this.#syncSeconds.observe((this.#options.monotonic() - since) / 1000)
          }
        } else if (error.full) {
          this.#setFull(true)
        }
        done(error)
      },
    })
  }

  /**
   * Drops a shard's log up to and including `index`, which a durable snapshot
   * must cover. Durable with the next batch; files go after that.
   */
  compact(shard: ShardId, index: Index): void {
    const log = this.shard(shard)
    const snapshot = log.state.snapshot
    assert(
      snapshot !== null && snapshot.meta.index >= index,
      () => `shard ${shard}: no durable snapshot covers ${index}`,
    )
    log.compact(index)
  }

  /** Forgets a shard, with the next batch. Its snapshots go when that is durable. */
  dropShard(shard: ShardId): void {
    if (!this.#logs.delete(shard)) return
    this.#changed.delete(shard)
    this.#drops.push(shard)
  }

  /** Marks a shard damaged, for reasons found while running. Durable with the next batch. */
  markDamaged(shard: ShardId, reason: string): void {
    this.#logger.error({ shard, reason }, 'shard is damaged')
    this.shard(shard).setDamaged(reason)
  }

  /** The shard's leader has repaired it. Durable with the next batch, so before any vote. */
  clearDamage(shard: ShardId): void {
    if (this.shard(shard).damaged === null) return
    this.#logger.info({ shard }, 'shard is repaired')
    this.shard(shard).setDamaged(null)
  }

  /** Little space is left: refuse what grows, so that acks, trims, votes and snapshots go on. */
  get full(): boolean {
    return this.#isFull
  }

  /** Looks at the space again; about once a second. */
  checkSpace(): void {
    let free: number
    try {
      free = this.#disk.freeBytes(this.#options.directory)
    } catch (error) {
      this.#logger.warn({ error: asDiskError(error).message }, 'free space is unknown')
      return
    }
    // A quarter more to leave it than to enter it, or it would flap.
    const needed = this.#isFull ? this.#reserveBytes * 1.25 : this.#reserveBytes
    this.#setFull(free < needed)
  }

  /** Ends the storage and gives the lock back. A callback of a write in flight does not run. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#wal.close()
    unlockDataDir(this.#disk, this.#options.directory)
  }

  #setFull(isFull: boolean): void {
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    this.#wal.holdSpace(!isFull)
    if (isFull) this.#logger.warn({}, 'disk is nearly full: growing writes are refused')
    else this.#logger.info({}, 'disk has space again')
  }

  /** @param before what is written before it in the same batch, perhaps of the same shard */
  #stage(write: ShardWrite, before: readonly StagedWrite[]): StagedWrite {
    const { shard, hardState, snapshot } = write
    const log = this.shard(shard)
    assert(
      snapshot === null || snapshot.index >= log.firstIndex() - 1,
      () => `shard ${shard}: snapshot ${snapshot?.index} is behind the log's start`,
    )
    const note =
      snapshot === null ? null : { meta: snapshot, filed: this.snapshots.has(shard, snapshot) }
    return {
      kind: 'write',
      log,
      hardState,
      snapshot: note,
      replacesLog: snapshot !== null && termAfter(before, log, snapshot.index) !== snapshot.term,
      entries: ownedEntries(write.entries),
      isCarried: false,
      checksums: [],
      segment: 0,
      offset: 0,
    }
  }

  #items(writes: readonly StagedWrite[]): readonly BatchItem[] {
    const items: BatchItem[] = this.#drops.map(shard => ({ kind: 'drop', shard }))
    if (this.#tellsLost && this.#lost !== null) items.push({ kind: 'node', reason: this.#lost })
    for (const shard of this.#changed) {
      const log = this.#logs.get(shard)
      if (log !== undefined) items.push({ kind: 'state', shard, state: log.state })
    }
    items.push(...writes)
    if (items.length === 0) items.push({ kind: 'mark' })
    return items
  }

  /** What a new segment begins with: everything but entries, and the entries of small old logs. */
  #headItems(): readonly BatchItem[] {
    const items: BatchItem[] = []
    if (this.#lost !== null) items.push({ kind: 'node', reason: this.#lost })
    for (const log of this.#logs.values()) {
      items.push({ kind: 'state', shard: log.shard, state: log.state })
    }
    for (const log of this.#logs.values()) {
      const entries = this.#carried(log)
      if (entries !== null) {
        items.push({
          kind: 'write',
          log,
          hardState: null,
          snapshot: null,
          replacesLog: false,
          entries,
          isCarried: true,
          checksums: [],
          segment: 0,
          offset: 0,
        })
      }
    }
    return items
  }

  /** The whole of a small log that lies in old segments, and would keep all of them. */
  #carried(log: ShardLog): readonly Entry[] | null {
    const oldest = log.oldestSegment
    if (oldest === null || oldest > this.#wal.currentSegment - CARRY_SEGMENTS_MIN + 1) return null
    return log.wholeLog(this.#options.segmentBytes * CARRY_PART)
  }

  /** Makes what is durable now visible. */
  #show(items: readonly BatchItem[]): void {
    for (const item of items) {
      if (item.kind !== 'write') continue
      if (item.isCarried) {
        item.log.relocate(item)
        continue
      }
      if (item.hardState !== null) item.log.setHardState(item.hardState)
      if (item.snapshot !== null) {
        item.log.setSnapshot(item.snapshot, item.replacesLog)
        this.snapshots.dropOlder(item.log.shard, item.snapshot.meta.index)
      }
      item.log.append(item)
    }
  }

  /** The oldest segment with an entry that is still in a log. */
  #oldestNeeded(): number {
    let needed = this.#wal.currentSegment
    for (const log of this.#logs.values()) {
      needed = Math.min(needed, log.oldestSegment ?? needed)
    }
    return needed
  }

  #makeLog(shard: ShardId): ShardLog {
    return new ShardLog(shard, this.#options.cacheBytesPerShard, {
      segmentFile: (segment): DiskFile | null => this.#wal.file(segment),
      stateChanged: changed => {
        this.#changed.add(changed)
      },
    })
  }
}

/** The term of an entry once `before` is durable. */
function termAfter(before: readonly StagedWrite[], log: ShardLog, index: Index): Term | Missing {
  for (const write of before.toReversed()) {
    if (write.log !== log) continue
    const first = write.entries[0]?.index ?? index + 1
    if (first <= index) return write.entries[index - first]?.term ?? 'unavailable'
    if (write.snapshot === null || !write.replacesLog) continue
    return write.snapshot.meta.index === index ? write.snapshot.meta.term : 'unavailable'
  }
  return log.term(index)
}
