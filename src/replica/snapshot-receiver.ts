// Receiving snapshots: chunks go to a file and into a new state, side by side.
//
// Nothing of the replica's own state changes before the whole is on disk and
// Raft has taken it; a crash at any point leaves the old state or the new one.
// An acknowledgement of size + 1 says that the file is durable.

import { crc32c } from '../base/crc32c.ts'
import type { Logger } from '../base/log.ts'
import type { NodeId, ShardId } from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import { DiskError } from '../storage/disk.ts'
import type { SnapshotWriterFile } from '../storage/snapshot-file.ts'
import type { Storage } from '../storage/storage.ts'
import type { Outbox } from './outbox.ts'
import type { SnapshotChunk, SnapshotWriter } from './ports.ts'
import type { Replica } from './replica.ts'

type Receiving = {
  readonly from: NodeId
  readonly index: number
  readonly term: number
  readonly draft: SnapshotWriterFile
  readonly writer: SnapshotWriter
  /** Where the next chunk to take begins. */
  offset: number
  /** Taken and not yet at the disk, in order; the sender's window bounds them. */
  readonly queue: SnapshotChunk[]
  /** The disk has a chunk of ours. */
  writing: boolean
  /** On disk, whole. */
  durable: boolean
}

type Receiver = Pick<Replica<unknown>, 'machine' | 'offerSnapshot' | 'receive' | 'applied'>

/** More than any snapshot has bytes: the sender need not go on. */
const HAS_ALL = Number.MAX_SAFE_INTEGER

export class SnapshotReceiver {
  readonly #storage: Storage
  readonly #outbox: Outbox
  readonly #logger: Logger
  readonly #schedule: () => void
  readonly #receiving = new Map<ShardId, Receiving>()

  constructor(storage: Storage, outbox: Outbox, logger: Logger, schedule: () => void) {
    this.#storage = storage
    this.#outbox = outbox
    this.#logger = logger
    this.#schedule = schedule
  }

  receiveChunk(from: NodeId, chunk: SnapshotChunk, replica: Receiver | undefined): void {
    const { shard, index, term } = chunk
    if (replica === undefined || crc32c(chunk.bytes) !== chunk.checksum) {
      this.#ack(from, chunk, 0, true)
      return
    }
    if (index <= replica.applied) {
      // Nothing is missing here: the leader may send its message, and Raft answers with its commit.
      this.#ack(from, chunk, HAS_ALL, false)
      return
    }
    let receiving = this.#receiving.get(shard)
    const other =
      receiving === undefined ||
      receiving.index !== index ||
      receiving.term !== term ||
      receiving.from !== from
    if (other) {
      if (chunk.offset !== 0) return
      receiving = this.#begin(from, chunk, replica) ?? undefined
    }
    if (receiving === undefined) return
    if (chunk.offset !== receiving.offset) {
      // A repeated or early chunk: say where we stand, unless the disk is about to.
      if (!receiving.writing) this.#ack(from, chunk, receiving.offset, false)
      return
    }
    receiving.writer.write(chunk.bytes)
    receiving.offset += chunk.bytes.length
    receiving.queue.push(chunk)
    if (!receiving.writing) this.#writeNext(from, receiving)
  }

  /** Raft's word that the snapshot counts: it does if the data is here. */
  receive(from: NodeId, shard: ShardId, message: Message, replica: Receiver | undefined): void {
    const receiving = this.#receiving.get(shard)
    const meta = message.snapshot
    if (meta === null || replica === undefined) return
    if (meta.index <= replica.applied) {
      replica.receive(message)
      return
    }
    if (receiving === undefined) return
    if (!receiving.durable || receiving.from !== from) return
    if (receiving.index !== meta.index || receiving.term !== meta.term) return
    this.#receiving.delete(shard)
    this.#logger.info({ shard, from, index: meta.index }, 'snapshot received')
    replica.offerSnapshot(message, () => receiving.writer.finish())
  }

  peerLost(peer: NodeId): void {
    for (const [shard, receiving] of this.#receiving) {
      if (receiving.from === peer && !receiving.durable) this.#abort(shard, receiving)
    }
  }

  /** @returns null when the disk has no room for it: the sender tries again later */
  #begin(from: NodeId, chunk: SnapshotChunk, replica: Receiver): Receiving | null {
    const { shard, index, term, conf } = chunk
    const old = this.#receiving.get(shard)
    if (old !== undefined) this.#abort(shard, old)
    let draft: SnapshotWriterFile
    try {
      draft = this.#storage.snapshots.create(shard, { index, term, conf })
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn({ shard, error: error.message }, 'a snapshot cannot be received')
      this.#ack(from, chunk, 0, true)
      return null
    }
    const writer = replica.machine.restore()
    const receiving: Receiving = {
      from,
      index,
      term,
      draft,
      writer,
      offset: 0,
      queue: [],
      writing: false,
      durable: false,
    }
    this.#receiving.set(shard, receiving)
    return receiving
  }

  #writeNext(from: NodeId, receiving: Receiving): void {
    const chunk = receiving.queue.shift()
    if (chunk === undefined) return
    receiving.writing = true
    receiving.draft.append(chunk.bytes, error => {
      receiving.writing = false
      if (this.#receiving.get(chunk.shard) !== receiving) return
      if (error !== null) {
        this.#abort(chunk.shard, receiving)
        this.#ack(from, chunk, 0, true)
      } else if (chunk.last) this.#commit(from, chunk, receiving)
      else {
        this.#ack(from, chunk, chunk.offset + chunk.bytes.length, false)
        this.#writeNext(from, receiving)
      }
    })
  }

  #commit(from: NodeId, chunk: SnapshotChunk, receiving: Receiving): void {
    receiving.writing = true
    receiving.draft.commit(error => {
      receiving.writing = false
      if (this.#receiving.get(chunk.shard) !== receiving) return
      if (error !== null) this.#abort(chunk.shard, receiving)
      else {
        receiving.durable = true
        receiving.offset += 1
      }
      this.#ack(from, chunk, receiving.offset, error !== null)
    })
  }

  #abort(shard: ShardId, receiving: Receiving): void {
    this.#receiving.delete(shard)
    if (!receiving.durable) receiving.draft.abort()
  }

  #ack(to: NodeId, chunk: SnapshotChunk, offset: number, failed: boolean): void {
    const { shard, index, term } = chunk
    this.#outbox.ack(to, { shard, index, term, offset, failed })
    this.#schedule()
  }
}
