// The commands that one turn gathers for one shard, on their way to be one Raft entry.
//
// Commands are copied here once, out of the buffers they arrived in, into a
// scratch buffer that is used again each turn; sealing copies the whole into
// memory of exactly its size, since entries stay in the log's cache for long.

import type { Argv } from '../base/argv.ts'
import { limits } from '../base/limits.ts'
import {
  AGAIN_MARK,
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  writePayloadHeader,
} from '../base/payload.ts'
import type { Ms } from '../base/types.ts'
import type { Asker } from './ports.ts'

/** A producer's session (DECISIONS 8): a repeated sequence gets the first reply. */
export type Producer = {
  /** 1..255 bytes of UTF-8. */
  readonly id: string
  readonly epoch: number
  /** Rises by one with each command of this producer. */
  readonly sequence: number
}

const SCRATCH_BYTES = 64 * 1024
const PRODUCER_FIXED_BYTES = 1 + 1 + 4 + 8

/** A batch that was sealed: the entry's data and who asked for each command. */
export type SealedBatch<R> = {
  readonly payload: Buffer
  readonly askers: readonly Asker<R>[]
  readonly tickets: readonly number[]
  /** Where each command's wire form begins in `payload`, past what marks it. */
  readonly starts: readonly number[]
  /** Where it begins with its marks: its producer's, and that it waited. */
  readonly marks: readonly number[]
}

export class Batch<R> {
  #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #used = PAYLOAD_HEADER_BYTES
  #askers: Asker<R>[] = []
  #tickets: number[] = []
  #starts: number[] = []
  #marks: number[] = []
  /** Which commands waited before, by their number. */
  #again: number[] = []

  get count(): number {
    return this.#askers.length
  }

  /** Bytes so far, with the header. */
  get bytes(): number {
    return this.#used
  }

  /** Whether the entry is as large as a turn should make it. */
  get full(): boolean {
    return this.#used >= limits.entryBytesSoftMax || this.#askers.length >= limits.entryCommandsMax
  }

  add(asker: Asker<R>, ticket: number, argv: Argv, producer: Producer | null): void {
    this.#begin(argv, producer)
    this.#append(asker, ticket, argv)
  }

  /** Adds a command that waited, to be run again. */
  addAgain(asker: Asker<R>, ticket: number, argv: Argv, producer: Producer | null): void {
    this.#begin(argv, producer)
    this.#scratch[this.#used] = AGAIN_MARK
    this.#again.push(this.#askers.length)
    this.#used += 1
    this.#append(asker, ticket, argv)
  }

  /** Makes room for a command and its marks, and writes its producer's. */
  #begin(argv: Argv, producer: Producer | null): void {
    const marks = producer === null ? 1 : 1 + PRODUCER_FIXED_BYTES + producer.id.length * 4
    this.#reserve(argv.end - argv.start + marks)
    this.#marks.push(this.#used)
    if (producer !== null) this.#addProducer(producer)
  }

  #append(asker: Asker<R>, ticket: number, argv: Argv): void {
    const length = argv.end - argv.start
    this.#starts.push(this.#used)
    argv.buffer.copy(this.#scratch, this.#used, argv.start, argv.end)
    this.#used += length
    this.#askers.push(asker)
    this.#tickets.push(ticket)
  }

  /** Ends the batch, stamped with the leader's clock, and begins the next. */
  seal(now: Ms): SealedBatch<R> {
    if (this.#again.length > 0) this.#dropGone()
    writePayloadHeader(this.#scratch, now, this.#askers.length)
    const payload = Buffer.allocUnsafeSlow(this.#used)
    this.#scratch.copy(payload, 0, 0, this.#used)
    const sealed = {
      payload,
      askers: this.#askers,
      tickets: this.#tickets,
      starts: this.#starts,
      marks: this.#marks,
    }
    this.#askers = []
    this.#tickets = []
    this.#starts = []
    this.#marks = []
    this.#used = PAYLOAD_HEADER_BYTES
    // One large value must not keep a large scratch for ever.
    if (this.#scratch.length > 2 * limits.entryBytesSoftMax)
      this.#scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    return sealed
  }

  /** Takes out commands that waited and whose clients are gone: nobody would get what they take. */
  #dropGone(): void {
    for (const number of this.#again.reverse()) {
      if (this.#askers[number]?.closed !== true) continue
      const from = this.#marks[number] as number
      const to = this.#marks[number + 1] ?? this.#used
      this.#scratch.copyWithin(from, to, this.#used)
      this.#used -= to - from
      for (let k = number + 1; k < this.#starts.length; k += 1) {
        this.#starts[k] = (this.#starts[k] as number) - (to - from)
        this.#marks[k] = (this.#marks[k] as number) - (to - from)
      }
      this.#askers.splice(number, 1)
      this.#tickets.splice(number, 1)
      this.#starts.splice(number, 1)
      this.#marks.splice(number, 1)
    }
    this.#again = []
  }

  #addProducer(producer: Producer): void {
    const scratch = this.#scratch
    let at = this.#used
    scratch[at] = PRODUCER_MARK
    const idBytes = scratch.write(producer.id, at + 2, 'utf8')
    scratch[at + 1] = idBytes
    at += 2 + idBytes
    scratch.writeUInt32LE(producer.epoch, at)
    scratch.writeBigUInt64LE(BigInt(producer.sequence), at + 4)
    this.#used = at + 12
  }

  #reserve(bytes: number): void {
    const wanted = this.#used + bytes
    if (wanted <= this.#scratch.length) return
    let capacity = this.#scratch.length * 2
    while (capacity < wanted) capacity *= 2
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#scratch.copy(grown, 0, 0, this.#used)
    this.#scratch = grown
  }
}
