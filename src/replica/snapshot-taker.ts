// Taking snapshots: the state of one shard, written a slice a turn while it serves.
//
// The machine cuts its state when the reader is made; chunks are encoded one a
// turn and written beside the log. When the file is durable the log behind it
// may go. One snapshot at a time a node, so that the loop and the disk keep
// breathing.

import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Logger } from '../base/log.ts'
import type { Index, Ms, ShardId } from '../base/types.ts'
import type { SnapshotMeta } from '../raft/message.ts'
import { DiskError } from '../storage/disk.ts'
import type { SnapshotWriterFile } from '../storage/snapshot-file.ts'
import type { Storage } from '../storage/storage.ts'
import type { PersistWork } from './host.ts'
import type { SnapshotReader } from './ports.ts'
import type { Replica } from './replica.ts'

export type SnapshotOptions = {
  /** Bytes of log a restart may have to replay before a snapshot is taken; at least the size of the last one. */
  readonly logBytes: number
  /** Bytes of log kept behind a snapshot, for followers that are a little late. */
  readonly tailBytes: number
}

/** The parts of a replica that a snapshot needs. */
export type Subject = Pick<
  Replica<unknown>,
  | 'shard'
  | 'amnesiac'
  | 'machine'
  | 'raft'
  | 'applied'
  | 'bytesSinceSnapshot'
  | 'installed'
  | 'snapshotBegun'
  | 'isLeader'
>

const RETRY_MS: Ms = 1_000

type Taking = {
  readonly subject: Subject
  readonly meta: SnapshotMeta
  readonly reader: SnapshotReader
  readonly draft: SnapshotWriterFile
  bytes: number
}

export class SnapshotTaker {
  readonly #storage: Storage
  readonly #options: SnapshotOptions
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #schedule: () => void
  readonly #persist: (work: PersistWork) => void
  #taking: Taking | null = null
  /** The disk has a chunk of ours. */
  #writing = false
  readonly #wanted = new Set<ShardId>()
  /** After a failure, when to try again: most often the disk is full. */
  #notBefore: Ms = 0
  readonly #lastBytes = new Map<ShardId, number>()
  #onEnd: (shard: ShardId, ok: boolean) => void = () => {}

  constructor(
    storage: Storage,
    options: SnapshotOptions,
    logger: Logger,
    host: { readonly clock: Clock; schedule(): void; persist(work: PersistWork): void },
  ) {
    this.#clock = host.clock
    this.#storage = storage
    this.#options = options
    this.#logger = logger
    this.#schedule = () => host.schedule()
    this.#persist = work => host.persist(work)
  }

  /** One chunk of the snapshot that is being taken, or the beginning of one that is due. */
  slice(subjects: Iterable<Subject>, busyUpTo: (shard: ShardId) => Index): void {
    if (this.#writing) return
    if (this.#taking === null) {
      if (this.#clock.monotonic() < this.#notBefore) return
      for (const subject of subjects) {
        if (!this.#due(subject)) continue
        this.#begin(subject)
        break
      }
      return
    }
    this.#step(this.#taking, busyUpTo)
  }

  /** Who hears that a snapshot is on disk, or could not be written. */
  onEnd(listener: (shard: ShardId, ok: boolean) => void): void {
    this.#onEnd = listener
  }

  /** Asks for a snapshot of `shard` however short its log is. */
  want(shard: ShardId): void {
    if (this.#wanted.has(shard) || this.#taking?.subject.shard === shard) return
    this.#wanted.add(shard)
    this.#schedule()
  }

  #begin(subject: Subject): void {
    const index = subject.applied
    const term = this.#storage.shard(subject.shard).term(index)
    if (typeof term !== 'number') return
    const meta: SnapshotMeta = { index, term, conf: subject.raft.status().conf }
    let draft: SnapshotWriterFile
    try {
      draft = this.#storage.snapshots.create(subject.shard, meta)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#fail(subject.shard, error)
      return
    }
    this.#wanted.delete(subject.shard)
    this.#taking = { subject, meta, reader: subject.machine.snapshot(), draft, bytes: 0 }
    subject.snapshotBegun()
    this.#schedule()
  }

  #due(subject: Subject): boolean {
    if (subject.amnesiac) return false
    if (this.#wanted.has(subject.shard)) return true
    const last = this.#lastBytes.get(subject.shard) ?? 0
    return subject.bytesSinceSnapshot >= Math.max(this.#options.logBytes, last)
  }

  #step(taking: Taking, busyUpTo: (shard: ShardId) => Index): void {
    const chunk = taking.reader.next(limits.snapshotChunkBytes)
    this.#writing = true
    if (chunk === null) {
      taking.draft.commit(error => this.#end(taking, error, busyUpTo))
      return
    }
    taking.bytes += chunk.length
    taking.draft.append(chunk, error => {
      this.#writing = false
      if (error !== null) this.#end(taking, error, busyUpTo)
      this.#schedule()
    })
  }

  #end(taking: Taking, error: DiskError | null, busyUpTo: (shard: ShardId) => Index): void {
    const { subject, meta, bytes } = taking
    const { shard } = subject
    this.#writing = false
    this.#taking = null
    taking.reader.close()
    if (error !== null) {
      taking.draft.abort()
      this.#wanted.add(shard)
      this.#fail(shard, error)
      return
    }
    this.#lastBytes.set(shard, bytes)
    // A newer one from the leader may have taken the log's place meanwhile, or be about
    // to: recorded after it, this one would take back what was acknowledged.
    if (subject.installed >= meta.index) {
      this.#storage.snapshots.dropOlder(shard, subject.installed)
      this.#onEnd(shard, true)
      return
    }
    const write = { shard, hardState: null, entries: [], snapshot: meta }
    this.#persist({
      write,
      done: () => {
        this.#logger.info({ shard, index: meta.index, bytes }, 'snapshot taken')
        this.#compact(taking, busyUpTo(shard))
        this.#storage.snapshots.dropOlder(shard, meta.index)
        this.#onEnd(shard, true)
      },
    })
    this.#schedule()
  }

  #fail(shard: ShardId, error: DiskError): void {
    this.#notBefore = this.#clock.monotonic() + RETRY_MS
    this.#logger.warn({ shard, error: error.message }, 'a snapshot could not be written')
    this.#onEnd(shard, false)
  }

  /** Drops the log behind the snapshot, but not its tail, nor what a transfer under way will need. */
  #compact(taking: Taking, neededFrom: Index): void {
    const { subject, meta } = taking
    const log = this.#storage.shard(subject.shard)
    const tail = log.tailFrom(meta.index, this.#options.tailBytes)
    const upTo = Math.min(meta.index, neededFrom, tail - 1)
    if (upTo >= log.firstIndex()) this.#storage.compact(subject.shard, upTo)
  }
}
