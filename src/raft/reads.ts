// Reads that wait for their round of heartbeats (RAFT.md section 7, Thesis §6.4).
//
// The context of a heartbeat is this leader's own counter, per term: the number
// of reads taken so far. Whoever echoes n confirms the first n reads. It is never
// the asker's id: an id that is used again, for a retry, lets a late echo of the
// first round confirm a read that had none (etcd#20418).

import type { Index, NodeId } from '../base/types.ts'
import type { ConfState } from './message.ts'
import { committedIndex } from './quorum.ts'

/** Reads taken before the term's first commit; those beyond are dropped, as without a leader. */
const WAITING_MAX = 4096
const CONTEXT_BYTES = 8

export type Read = {
  /** Who asked: ourselves, or a follower that forwarded. */
  readonly from: NodeId
  /** The asker's own context, given back with the answer. */
  readonly context: Uint8Array
  /** The commit index when the read was taken. 0 while it waits for the term's first commit. */
  readonly index: Index
}

const NO_READS: readonly Read[] = []

export class ReadQueue {
  readonly #self: NodeId
  readonly #waiting: Read[] = []
  #unconfirmed: Read[] = []
  #confirmedCount = 0
  readonly #echoes = new Map<NodeId, number>()
  readonly #echoOf = (voter: NodeId): number =>
    voter === this.#self ? this.#takenCount : (this.#echoes.get(voter) ?? 0)

  constructor(self: NodeId) {
    this.#self = self
  }

  get #takenCount(): number {
    return this.#confirmedCount + this.#unconfirmed.length
  }

  /** A change of term or role: whoever waits must ask again. */
  clear(): void {
    this.#waiting.length = 0
    this.#unconfirmed = []
    this.#confirmedCount = 0
    this.#echoes.clear()
  }

  /** Keeps a read until the leader has committed an entry of its own term. */
  wait(read: Read): void {
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(read)
  }

  takeWaiting(): readonly Read[] {
    return this.#waiting.splice(0)
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  add(read: Read): void {
    this.#unconfirmed.push(read)
  }

  /** What a heartbeat must carry to confirm every read so far; null if none waits. */
  heartbeatContext(): Uint8Array | null {
    if (this.#unconfirmed.length === 0) return null
    const bytes = new Uint8Array(CONTEXT_BYTES)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(this.#takenCount))
    return bytes
  }

  /** Notes that `peer` echoed `context` in this term. */
  echo(peer: NodeId, context: Uint8Array): void {
    if (context.length !== CONTEXT_BYTES) return
    const view = new DataView(context.buffer, context.byteOffset, context.byteLength)
    const count = Math.min(Number(view.getBigUint64(0)), this.#takenCount)
    if (count > (this.#echoes.get(peer) ?? 0)) this.#echoes.set(peer, count)
  }

  /** Takes out the reads that a quorum of `conf` has confirmed, in the order they were taken. */
  takeConfirmed(conf: ConfState): readonly Read[] {
    if (this.#unconfirmed.length === 0) return NO_READS
    const confirmed = Math.min(
      committedIndex(conf.voters, conf.votersOutgoing, this.#echoOf),
      this.#takenCount,
    )
    if (confirmed <= this.#confirmedCount) return NO_READS
    const reads = this.#unconfirmed.splice(0, confirmed - this.#confirmedCount)
    this.#confirmedCount = confirmed
    return reads
  }
}
