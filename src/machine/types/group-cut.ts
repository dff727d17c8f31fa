// A group on its way into a snapshot, in parts.
//
//   part     := [head] u32 count, consumer x count, u32 count, row x count
//   head     := last ID, u8 marks, [entries read], [place of the next release],
//               consumers, pending entries                                             (first part only)
//   marks    := 1, entries read follow (else they are unknown), 2, a place follows (else it is 1)
//   consumer := name, seen time, active time                                           (by name)
//   row      := ms, seq, owner, time less the time of the row before, delivery count   (by ID)
//
// The time of an entry that nobody owns is its place among the released ones. Consumers' numbers differ between replicas that were restored at different times,
// so an owner is written as its consumer's place by name, from 1 on; 0 is nobody.

import type { Writer } from '../../base/bytes.ts'
import type { Ms } from '../../base/types.ts'
import type { Cut } from './part.ts'
import { PENDING_COUNT, PENDING_OWNER, PENDING_TIME } from './pending.ts'
import { type FixedRows, halfAt } from './rows.ts'
import type { Half, StreamId } from './stream-id.ts'

/** Marks of a group's head. */
export const MARK_ENTRIES_READ = 1
export const MARK_RELEASES = 2

export type GroupFacts = {
  readonly lastId: StreamId
  readonly entriesRead: Half | null
  readonly nextRelease: number
}

type ConsumerFacts = {
  readonly name: string
  readonly number: number
  readonly seenTime: Ms
  readonly activeTime: Ms
}

export class GroupCut implements Cut {
  readonly #facts: GroupFacts
  readonly #consumers: ConsumerFacts[] = []
  readonly #pending: FixedRows
  /** Places by number, once the consumers are sorted. */
  #places: number[] | null = null
  #nextConsumer = 0
  #nextChunk = 0
  /** Row of the chunk, counted from its first. */
  #nextRow = 0

  /** @param pending rows of group.ts: ID, time, count, owner */
  constructor(facts: GroupFacts, consumers: Iterable<ConsumerFacts>, pending: FixedRows) {
    this.#facts = facts
    this.#pending = pending
    for (const { name, number, seenTime, activeTime } of consumers)
      this.#consumers.push({ name, number, seenTime, activeTime })
  }

  write(writer: Writer, bytesMax: number): boolean {
    const end = writer.length + bytesMax
    const places = this.#places ?? this.#writeHead(writer)
    this.#writeConsumers(writer, end)
    const all = this.#nextConsumer === this.#consumers.length
    this.#writeRows(writer, places, all ? end : 0)
    return all && this.#nextChunk === this.#pending.chunks.length
  }

  #writeHead(writer: Writer): number[] {
    this.#consumers.sort((a, b) => (a.name < b.name ? -1 : 1))
    const places: number[] = [0]
    for (const [i, consumer] of this.#consumers.entries()) places[consumer.number] = i + 1
    this.#places = places
    const { lastId, entriesRead, nextRelease } = this.#facts
    writer.varint(lastId.ms)
    writer.varint(lastId.seq)
    writer.u8(
      (entriesRead === null ? 0 : MARK_ENTRIES_READ) + (nextRelease > 1 ? MARK_RELEASES : 0),
    )
    if (entriesRead !== null) writer.varint(entriesRead)
    if (nextRelease > 1) writer.varint(nextRelease)
    writer.varint(this.#consumers.length)
    writer.varint(this.#pending.size)
    return places
  }

  #writeConsumers(writer: Writer, end: number): void {
    const countAt = writer.length
    writer.u32(0)
    let count = 0
    while (this.#nextConsumer < this.#consumers.length && (count === 0 || writer.length < end)) {
      const consumer = this.#consumers[this.#nextConsumer] as ConsumerFacts
      writer.latin1(consumer.name)
      writer.f64(consumer.seenTime)
      writer.f64(consumer.activeTime)
      this.#nextConsumer += 1
      count += 1
    }
    writer.patchU32(countAt, count)
  }

  /** @param end where to stop; 0: write none yet */
  #writeRows(writer: Writer, places: readonly number[], end: number): void {
    const countAt = writer.length
    writer.u32(0)
    const { chunks, width } = this.#pending
    let count = 0
    let before = 0
    while (end > 0 && this.#nextChunk < chunks.length && (count === 0 || writer.length < end)) {
      const { words, from, to } = chunks[this.#nextChunk] as FixedRows['chunks'][number]
      const at = (from + this.#nextRow) * width
      const time = Number(halfAt(words, at + PENDING_TIME))
      writer.varint(halfAt(words, at))
      writer.varint(halfAt(words, at + 2))
      writer.varint(places[words[at + PENDING_OWNER] as number] as number)
      writer.signed(time - before)
      writer.varint(halfAt(words, at + PENDING_COUNT))
      before = time
      count += 1
      this.#nextRow += 1
      if (from + this.#nextRow === to) {
        this.#nextChunk += 1
        this.#nextRow = 0
      }
    }
    writer.patchU32(countAt, count)
  }
}
