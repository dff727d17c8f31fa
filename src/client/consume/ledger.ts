// Acks, nacks and touches that are not settled: gathered by stream for a turn, sent on whatever call serves the stream, and
// sent again when that call breaks or the node cannot say what became of them. All of them may be repeated.

import type { ConsumeSettled } from '../../gen/slotcast/v1/consume.ts'
import { ReplyError } from '../errors.ts'
import type { Deed } from './delivery.ts'

/** Before something that a node could not do is sent again. */
const AGAIN_MS = 50
/** IDs of one deed: one command at the node. */
const IDS_MAX = 256

export type Batch = {
  readonly stream: string
  readonly deed: Deed
  readonly ids: string[]
  readonly resolve: ((done: boolean) => void)[]
  readonly reject: ((error: Error) => void)[]
  /** Milliseconds of `performance.now()`. */
  dueAt: number
}

export class Ledger {
  /** By stream, in the order in which they were asked for. */
  readonly #unsent = new Map<string, Batch[]>()
  readonly #sent = new Map<bigint, Batch>()
  #tag = 0n
  /** Acks that took an entry off the pending list. */
  acked = 0

  get isEmpty(): boolean {
    return this.#unsent.size === 0 && this.#sent.size === 0
  }

  get hasUnsent(): boolean {
    return this.#unsent.size > 0
  }

  add(stream: string, deed: Deed, id: string): Promise<boolean> {
    const batches = this.#of(stream)
    let batch = batches.at(-1)
    if (
      batch === undefined ||
      batch.deed !== deed ||
      batch.dueAt > 0 ||
      batch.ids.length >= IDS_MAX
    ) {
      batch = { stream, deed, ids: [], resolve: [], reject: [], dueAt: 0 }
      batches.push(batch)
    }
    const { ids, resolve, reject } = batch
    ids.push(id)
    const settled = new Promise<boolean>((done, failed) => {
      resolve.push(done)
      reject.push(failed)
    })
    // Whoever does not wait for it does not mind.
    settled.catch(() => {})
    return settled
  }

  /** Takes what is due of a stream, to be sent under tags. */
  take(stream: string, now: number): { readonly tag: bigint; readonly batch: Batch }[] {
    const batches = this.#unsent.get(stream) ?? []
    const due = batches.filter(batch => batch.dueAt <= now)
    const rest = batches.filter(batch => batch.dueAt > now)
    if (rest.length === 0) this.#unsent.delete(stream)
    else this.#unsent.set(stream, rest)
    return due.map(batch => {
      this.#tag += 1n
      this.#sent.set(this.#tag, batch)
      return { tag: this.#tag, batch }
    })
  }

  settle({ tag, outcome }: ConsumeSettled): void {
    const batch = this.#sent.get(tag)
    if (batch === undefined || outcome === undefined) return
    if (outcome.$case === 'count') {
      this.#sent.delete(tag)
      const count = Number(outcome.value)
      if (batch.deed === 'ack') this.acked += count
      // Of a part it is not told which.
      for (const resolve of batch.resolve) resolve(count === batch.ids.length)
      return
    }
    const again = outcome.$case === 'redirect' || isPassing(outcome.value)
    if (again) this.repeat(tag, performance.now() + AGAIN_MS)
    else {
      this.#sent.delete(tag)
      const error = new ReplyError(outcome.value.text)
      for (const reject of batch.reject) reject(error)
    }
  }

  /** The call on which it was sent is gone. */
  repeat(tag: bigint, dueAt: number): void {
    const batch = this.#sent.get(tag)
    if (batch === undefined) return
    this.#sent.delete(tag)
    batch.dueAt = dueAt
    this.#of(batch.stream).unshift(batch)
  }

  /** Nobody will settle them any more. */
  abandon(error: Error): void {
    const all = [...this.#sent.values(), ...[...this.#unsent.values()].flat()]
    this.#sent.clear()
    this.#unsent.clear()
    for (const { reject } of all) for (const failed of reject) failed(error)
  }

  #of(stream: string): Batch[] {
    let batches = this.#unsent.get(stream)
    if (batches === undefined) {
      batches = []
      this.#unsent.set(stream, batches)
    }
    return batches
  }
}

function isPassing({ code, retryDelay }: { code: string; retryDelay: unknown }): boolean {
  return retryDelay !== undefined || code === 'INDOUBT'
}
