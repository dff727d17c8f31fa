// Sending snapshots: from a file, in chunks, at the pace of the receiver.
//
// Raft's snapshot message is only a name. The data goes first, chunk by chunk
// with a few on the way; when the receiver has it all on disk the message
// follows. A transfer that stands still for too long has failed: Raft probes the
// peer again.

import type { Clock } from '../base/clock.ts'
import { crc32c } from '../base/crc32c.ts'
import { limits } from '../base/limits.ts'
import type { Logger } from '../base/log.ts'
import type { Index, Ms, NodeId, ShardId } from '../base/types.ts'
import type { Message, SnapshotMeta } from '../raft/message.ts'
import type { SnapshotFile } from '../storage/snapshot-file.ts'
import type { Storage } from '../storage/storage.ts'
import type { Outbox } from './outbox.ts'
import type { SnapshotAck } from './ports.ts'

/** Chunks on the way to one receiver: enough to keep a disk busy, few enough to stop soon. */
const CHUNKS_IN_FLIGHT_MAX = 4
/** Transfers at once: more would compete with appends. The others are asked for again by Raft. */
const TRANSFERS_MAX = 2
const STALLED_MS: Ms = 10_000
/** Without word from the receiver chunks are sent again: the link may have dropped them. */
const RESEND_MS: Ms = 1_000

type Transfer = {
  readonly shard: ShardId
  readonly to: NodeId
  readonly message: Message
  readonly meta: SnapshotMeta
  readonly file: SnapshotFile
  /** The receiver has all before. */
  acked: number
  /** Read from the file and sent. */
  sent: number
  reading: boolean
  heardAt: Ms
  sentAt: Ms
}

export type SenderPorts = {
  readonly clock: Clock
  readonly storage: Storage
  readonly outbox: Outbox
  readonly logger: Logger
  readonly schedule: () => void
  /** How a transfer ended, for Raft. */
  readonly report: (shard: ShardId, peer: NodeId, ok: boolean) => void
}

export class SnapshotSender {
  readonly #ports: SenderPorts
  readonly #transfers: Transfer[] = []

  constructor(ports: SenderPorts) {
    this.#ports = ports
  }

  send(shard: ShardId, message: Message): void {
    const meta = message.snapshot
    if (meta === null) return
    const { storage, clock, report } = this.#ports
    const old = this.#find(shard, message.to)
    if (old !== undefined) this.#close(old)
    const file = this.#transfers.length < TRANSFERS_MAX ? storage.snapshots.open(shard, meta) : null
    if (file === null) {
      // Replaced by a newer one, or too many at once: Raft asks again.
      report(shard, message.to, false)
      return
    }
    const now = clock.monotonic()
    this.#transfers.push({
      shard,
      to: message.to,
      message,
      meta,
      file,
      acked: 0,
      sent: 0,
      reading: false,
      heardAt: now,
      sentAt: now,
    })
    this.#ports.logger.info(
      { shard, to: message.to, index: meta.index, bytes: file.size },
      'sending a snapshot',
    )
    this.#ports.schedule()
  }

  /** The lowest index that a transfer of `shard` ends at: the log behind it must stay. */
  neededFrom(shard: ShardId): Index {
    let index = Number.MAX_SAFE_INTEGER
    for (const transfer of this.#transfers)
      if (transfer.shard === shard) index = Math.min(index, transfer.meta.index)
    return index
  }

  isSending(shard: ShardId, to: NodeId): boolean {
    return this.#find(shard, to) !== undefined
  }

  slice(): void {
    const now = this.#ports.clock.monotonic()
    for (const transfer of [...this.#transfers]) {
      if (now - transfer.heardAt > STALLED_MS) this.#end(transfer, false)
      else if (!transfer.reading) this.#sendNext(transfer, now)
    }
  }

  receiveAck(from: NodeId, ack: SnapshotAck): void {
    const transfer = this.#find(ack.shard, from)
    if (
      transfer === undefined ||
      transfer.meta.index !== ack.index ||
      transfer.meta.term !== ack.term
    )
      return
    if (ack.failed) {
      this.#end(transfer, false)
      return
    }
    transfer.heardAt = this.#ports.clock.monotonic()
    transfer.acked = Math.max(transfer.acked, ack.offset)
    transfer.sent = Math.max(transfer.sent, transfer.acked)
    if (transfer.acked > transfer.file.size) {
      this.#ports.outbox.message(transfer.shard, transfer.message)
      this.#end(transfer, true)
    }
    this.#ports.schedule()
  }

  peerLost(peer: NodeId): void {
    for (const transfer of this.#transfers.filter(each => each.to === peer))
      this.#end(transfer, false)
  }

  #sendNext(transfer: Transfer, now: Ms): void {
    if (transfer.sent > transfer.acked && now - transfer.sentAt > RESEND_MS)
      transfer.sent = transfer.acked
    const window = transfer.acked + CHUNKS_IN_FLIGHT_MAX * limits.snapshotChunkBytes
    if (transfer.sent >= window || transfer.sent > transfer.file.size) return
    const offset = transfer.sent
    const length = Math.min(limits.snapshotChunkBytes, transfer.file.size - offset)
    transfer.reading = true
    transfer.file.read(offset, length, (error, bytes) => {
      transfer.reading = false
      if (!this.#transfers.includes(transfer)) return
      if (error !== null) {
        this.#ports.logger.warn(
          { shard: transfer.shard, error: error.message },
          'a snapshot could not be read',
        )
        this.#end(transfer, false)
        return
      }
      this.#sendChunk(transfer, offset, bytes)
      this.#ports.schedule()
    })
  }

  #sendChunk(transfer: Transfer, offset: number, bytes: Uint8Array): void {
    const { shard, meta, file } = transfer
    const last = offset + bytes.length >= file.size
    const { index, term, conf } = meta
    const chunk = { shard, index, term, conf, offset, bytes, checksum: crc32c(bytes), last }
    this.#ports.outbox.chunk(transfer.to, chunk)
    transfer.sentAt = this.#ports.clock.monotonic()
    // One past the size says "the end was sent", also of an empty state.
    transfer.sent = last ? file.size + 1 : offset + bytes.length
  }

  #find(shard: ShardId, to: NodeId): Transfer | undefined {
    return this.#transfers.find(each => each.shard === shard && each.to === to)
  }

  #end(transfer: Transfer, ok: boolean): void {
    this.#close(transfer)
    this.#ports.report(transfer.shard, transfer.to, ok)
    this.#ports.schedule()
  }

  #close(transfer: Transfer): void {
    this.#transfers.splice(this.#transfers.indexOf(transfer), 1)
    transfer.file.close()
  }
}
