// Producer sessions: a producer's repeated command gets its first reply and changes nothing.
//
// A producer numbers its commands; every shard sees some of the numbers, so gaps
// mean nothing and numbers may come out of order (a refused command is sent again
// after its successors). Of each producer a shard remembers the last replies:
//
//   number remembered          the first reply, nothing is applied
//   number at or below `floor` forgotten already: done or not, nobody knows -> INDOUBT
//   any other                  applied, its reply remembered
//   higher epoch               the producer began anew: its older replies are dropped
//   lower epoch                refused: a newer life of this producer was seen
//
// A command that waits is not done: it is applied when it comes again, also when
// its number is below the floor by then. Which ones wait is remembered of so many; of those
// whose clients went it takes the place of a newer one at most.
//
// The floor is the highest number whose reply was dropped. Bounds, all of them
// deterministic: replies and their bytes of a producer, and producers, of which the
// one that was silent for the longest goes first.

import { Reader, Writer } from '../base/bytes.ts'
import type { Index } from '../base/types.ts'
import { fail, type Reply } from './reply.ts'
import { readReply, writeReply } from './reply-codec.ts'

/** Replies remembered of a producer: more than its commands in flight. */
const REPLIES_MAX = 1024
/** Bytes of the replies remembered of a producer, as encoded. */
const REPLY_BYTES_MAX = 256 * 1024
/** Commands of a producer that are known to wait. */
const WAITING_MAX = 256
/** Producers remembered by a shard. */
export const PRODUCERS_MAX = 4096
/** An ID or a number, about. */
const SMALL_REPLY_BYTES = 16

export const staleEpoch = fail('ERR producer epoch is older than the one this producer began')
export const forgotten = fail(
  'INDOUBT the reply to this producer sequence is no longer remembered, the command may have been applied',
)
export const sequenceTooLarge = fail('ERR producer sequence is out of range')

/** Small replies as they are, others encoded: they would keep a stream's buffers alive. */
type Kept = Reply | Buffer

export class Producer {
  readonly id: string
  epoch: number
  /** Numbers up to this one are not remembered any more. -1: none was forgotten. */
  floor = -1
  /** When it was last heard of. */
  index: Index = 0
  readonly replies = new Map<number, Kept>()
  /** Commands that wait or whose clients no longer do, in the order in which they came: none was done. */
  readonly waiting = new Set<number>()
  bytes = 0

  constructor(id: string, epoch: number) {
    this.id = id
    this.epoch = epoch
  }
}

function keptBytes(kept: Kept): number {
  return Buffer.isBuffer(kept) ? kept.length : SMALL_REPLY_BYTES
}

function keep(reply: Reply): Kept {
  const { kind } = reply
  if (kind === 'id' || kind === 'null' || kind === 'null-array') return reply
  if (kind === 'integer' && typeof reply.value === 'number') return reply
  const writer = new Writer()
  writeReply(writer, reply)
  return Buffer.from(writer.take())
}

function recall(kept: Kept): Reply {
  return Buffer.isBuffer(kept) ? readReply(new Reader(kept)) : kept
}

/** Whoever must see a producer before it changes. */
export interface ProducerGuard {
  beforeProducer(producer: Producer): void
}

export class Sessions {
  /** The one silent for the longest first. */
  readonly #producers = new Map<string, Producer>()
  readonly #guards: ProducerGuard[] = []

  get size(): number {
    return this.#producers.size
  }

  /** Producers, the one silent for the longest first. */
  producers(): Producer[] {
    return [...this.#producers.values()]
  }

  /**
   * What is known of a command before it is applied.
   *
   * @returns a reply: answer it and apply nothing; or the producer, to be given to `remember`
   */
  begin(id: string, epoch: number, sequence: number, index: Index): Reply | Producer {
    let producer = this.#producers.get(id)
    if (producer !== undefined && epoch < producer.epoch) return staleEpoch
    if (producer === undefined || epoch > producer.epoch) {
      if (producer !== undefined) this.#producers.delete(id)
      producer = new Producer(id, epoch)
      this.#producers.set(id, producer)
      producer.index = index
      this.#bound()
    } else if (producer.index !== index) {
      for (const guard of this.#guards) guard.beforeProducer(producer)
      producer.index = index
      this.#producers.delete(id)
      this.#producers.set(id, producer)
    }
    const kept = producer.replies.get(sequence)
    if (kept !== undefined) return recall(kept)
    const isForgotten = sequence <= producer.floor && !producer.waiting.has(sequence)
    return isForgotten ? forgotten : producer
  }

  /** Notes that a command was not done, because it waits: it comes again. */
  noteWait(producer: Producer, sequence: number): void {
    const { waiting } = producer
    if (waiting.has(sequence)) return
    for (const guard of this.#guards) guard.beforeProducer(producer)
    waiting.add(sequence)
    for (const oldest of waiting) {
      if (waiting.size <= WAITING_MAX) break
      waiting.delete(oldest)
    }
  }

  /** Keeps the first reply to a command. */
  remember(producer: Producer, sequence: number, reply: Reply): void {
    for (const guard of this.#guards) guard.beforeProducer(producer)
    producer.waiting.delete(sequence)
    const kept = keep(reply)
    producer.replies.set(sequence, kept)
    producer.bytes += keptBytes(kept)
    for (const [oldest, dropped] of producer.replies) {
      if (producer.replies.size <= REPLIES_MAX && producer.bytes <= REPLY_BYTES_MAX) break
      if (oldest === sequence) break
      producer.replies.delete(oldest)
      producer.bytes -= keptBytes(dropped)
      producer.floor = Math.max(producer.floor, oldest)
    }
  }

  #bound(): void {
    for (const id of this.#producers.keys()) {
      if (this.#producers.size <= PRODUCERS_MAX) return
      this.#producers.delete(id)
    }
  }

  /** Puts back a producer that a snapshot held; in the order they were written. */
  adopt(producer: Producer): void {
    this.#producers.set(producer.id, producer)
  }

  guard(guard: ProducerGuard): void {
    this.#guards.push(guard)
  }

  unguard(guard: ProducerGuard): void {
    const i = this.#guards.indexOf(guard)
    if (i >= 0) this.#guards.splice(i, 1)
  }
}

export function writeProducer(writer: Writer, producer: Producer): void {
  writer.latin1(producer.id)
  writer.varint(producer.epoch)
  writer.varint(producer.index)
  writer.signed(producer.floor)
  writer.varint(producer.replies.size)
  for (const [sequence, kept] of producer.replies) {
    writer.varint(sequence)
    if (Buffer.isBuffer(kept)) writer.raw(kept)
    else writeReply(writer, kept)
  }
  writer.varint(producer.waiting.size)
  for (const sequence of producer.waiting) writer.varint(sequence)
}

/** @param hasWaiting older snapshots do not say which commands wait */
export function readProducer(reader: Reader, hasWaiting: boolean): Producer {
  const id = reader.latin1()
  const producer = new Producer(id, reader.count())
  producer.index = reader.count()
  producer.floor = Number(reader.signed())
  for (let left = reader.count(); left > 0; left -= 1) {
    const sequence = reader.count()
    const kept = keep(readReply(reader))
    producer.replies.set(sequence, kept)
    producer.bytes += keptBytes(kept)
  }
  if (!hasWaiting) return producer
  for (let left = reader.count(); left > 0; left -= 1) producer.waiting.add(reader.count())
  return producer
}

/** Whether `begin` answered the command itself. */
export function isKnown(value: Reply | Producer): value is Reply {
  return !(value instanceof Producer)
}
