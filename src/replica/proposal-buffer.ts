// Commands that were taken and have not reached Raft: for these alone "not done" is sure.
//
// A batch is sealed when the turn proposes, or when it is as large as an entry
// should be. What is sealed stays here while Raft takes nothing: during a
// leadership transfer, and after a deposition, when its askers are orphaned until
// it is known who leads. Then they are proposed after all or told to ask there.

import type { Argv } from '../base/argv.ts'
import type { Clock } from '../base/clock.ts'
import { Batch, type Producer, type SealedBatch } from './batch.ts'
import type { Asker } from './ports.ts'
import { loseBatch } from './proposals.ts'

export class ProposalBuffer<R> {
  readonly #clock: Pick<Clock, 'now'>
  readonly #batch = new Batch<R>()
  /** In the order in which they are to be proposed. */
  #sealed: SealedBatch<R>[] = []
  #sealedBytes = 0
  #isOrphaned = false

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** Commands that are being gathered, and batches behind which others are gathered already. */
  get size(): number {
    return this.#batch.count + this.#sealed.length
  }

  /** Payload bytes of all of it. */
  get bytes(): number {
    return this.#sealedBytes + this.#batch.bytes
  }

  /** Whether the askers wait to hear whom to ask: deposed, and nobody is known to lead. */
  get isOrphaned(): boolean {
    return this.#isOrphaned
  }

  /** Takes a command; its bytes are copied before this returns. */
  add(asker: Asker<R>, ticket: number, argv: Argv, producer: Producer | null): void {
    if (this.#batch.full) this.seal()
    this.#batch.add(asker, ticket, argv, producer)
  }

  /** Takes a command that waited, to be run again. */
  addAgain(asker: Asker<R>, ticket: number, argv: Argv, producer: Producer | null): void {
    if (this.#batch.full) this.seal()
    this.#batch.addAgain(asker, ticket, argv, producer)
  }

  /** Whether the next command begins another entry. */
  get isFull(): boolean {
    return this.#batch.full
  }

  /** Ends the batch that is being gathered, if it holds anything, stamped with the time of now. */
  seal(): void {
    if (this.#batch.count === 0) return
    const sealed = this.#batch.seal(this.#clock.now())
    this.#sealed.push(sealed)
    this.#sealedBytes += sealed.payload.length
  }

  /** The batch to be proposed next, or null. It stays until `proposed` is called. */
  next(): SealedBatch<R> | null {
    return this.#sealed[0] ?? null
  }

  /** Raft has taken the next batch: it is not ours to lose any more. */
  proposed(): void {
    this.#sealedBytes -= this.#sealed.shift()?.payload.length ?? 0
  }

  /** The leader was deposed: its askers wait until `adopt`. */
  orphan(): void {
    this.#isOrphaned = true
  }

  /** Who leads is known, or has been unknown for too long. What `isOurs` does not keep is lost. */
  adopt(isOurs: boolean): void {
    this.#isOrphaned = false
    if (!isOurs) this.loseAll()
  }

  /** Tells everyone that it was surely not done. */
  loseAll(): void {
    this.seal()
    const lost = this.#sealed
    this.#sealed = []
    this.#sealedBytes = 0
    for (const batch of lost) loseBatch(batch, 'moved')
  }
}
