// What a stream remembers of its idempotent producers (XADD IDMP): which iid made which entry.
//
// Of each producer the last iids, for a time counted from their entries' own. Time
// comes with the commands: what is too old is dropped when its producer adds again,
// and a few producers that fell silent with every addition. Bounds, all of them
// deterministic: iids and bytes of a producer, producers and bytes of a stream.

import type { Reader, Writer } from '../../base/bytes.ts'
import { type FixedIids, Iids } from './iids.ts'
import type { Cut } from './part.ts'
import type { StreamId } from './stream-id.ts'

export const DURATION_DEFAULT = 100
export const MAXSIZE_DEFAULT = 100
/** Seconds: a day. */
export const DURATION_MAX = 86_400
export const MAXSIZE_MAX = 10_000
/** Of one producer: ten thousand iids of a hundred bytes. */
const PRODUCER_BYTES_MAX = 1024 * 1024
/** Of one stream. The one that was silent for the longest goes first. */
const PRODUCERS_MAX = 16_384
const STREAM_BYTES_MAX = 64 * 1024 * 1024
/** Producers dropped with one addition because they fell silent. */
const SILENT_DROPPED_MAX = 4

export type IdempotenceFacts = {
  /** Seconds that an iid is remembered, from its entry's time on. */
  readonly duration: number
  /** Iids remembered of a producer. */
  readonly maxSize: number
  /** Entries ever added with an iid. */
  readonly added: number
  /** Additions that were refused because the iid was remembered. */
  readonly duplicates: number
}

/** The objects of a producer, besides its records. */
const PRODUCER_OVERHEAD_BYTES = 256

export class Idempotence {
  #duration = DURATION_DEFAULT
  #maxSize = MAXSIZE_DEFAULT
  added = 0
  duplicates = 0
  /** By producer (latin1), the one silent for the longest first. */
  readonly #producers = new Map<string, Iids>()
  #bytes = 0

  get duration(): number {
    return this.#duration
  }

  get maxSize(): number {
    return this.#maxSize
  }

  /** About how many bytes it takes. */
  memoryBytes(): number {
    return this.#bytes + this.#producers.size * PRODUCER_OVERHEAD_BYTES
  }

  /** Sets the limits. Whoever changes one starts anew: every iid is forgotten. */
  configure(duration: number, maxSize: number): void {
    if (duration === this.#duration && maxSize === this.#maxSize) return
    this.#duration = duration
    this.#maxSize = maxSize
    this.#producers.clear()
    this.#bytes = 0
  }

  /** Entries up to this time are forgotten. */
  #horizon(now: number): number {
    return now - this.#duration * 1000
  }

  /** The entry that `producer` added with an iid, or null. */
  find(
    producer: string,
    source: Uint8Array,
    from: number,
    to: number,
    now: number,
  ): StreamId | null {
    const iids = this.#producers.get(producer)
    if (iids === undefined) return null
    this.#expire(producer, iids, now)
    return iids.find(source, from, to)
  }

  #expire(producer: string, iids: Iids, now: number): void {
    const horizon = this.#horizon(now)
    while (iids.count > 0 && iids.firstMs <= horizon) this.#dropFirst(iids)
    if (iids.count === 0) this.#producers.delete(producer)
  }

  #dropFirst(iids: Iids): void {
    this.#bytes -= iids.size
    iids.dropFirst()
    this.#bytes += iids.size
  }

  /** Remembers that `producer` added the entry `id` with an iid that `find` did not find. */
  remember(
    producer: string,
    source: Uint8Array,
    from: number,
    to: number,
    id: StreamId,
    now: number,
  ): void {
    const iids = this.#producers.get(producer) ?? new Iids()
    while (iids.count >= this.#maxSize || (iids.count > 0 && iids.size > PRODUCER_BYTES_MAX))
      this.#dropFirst(iids)
    this.#bytes -= iids.size
    iids.add(source, from, to, id)
    this.#bytes += iids.size
    this.added += 1
    this.#producers.delete(producer)
    this.#producers.set(producer, iids)
    this.#bound(now)
  }

  #bound(now: number): void {
    const horizon = this.#horizon(now)
    let dropped = 0
    for (const [producer, iids] of this.#producers) {
      const isFull = this.#producers.size > PRODUCERS_MAX || this.#bytes > STREAM_BYTES_MAX
      const isSilent = iids.lastMs <= horizon && dropped < SILENT_DROPPED_MAX
      if (this.#producers.size === 1 || (!isFull && !isSilent)) return
      this.#producers.delete(producer)
      this.#bytes -= iids.size
      dropped += 1
    }
  }

  /** How many producers and iids are remembered at `now`, without what is too old and not dropped yet. */
  tracked(now: number): { producers: number; iids: number } {
    const horizon = this.#horizon(now) + 1
    let producers = 0
    let count = 0
    for (const iids of this.#producers.values()) {
      if (iids.lastMs < horizon) continue
      producers += 1
      count += iids.firstMs < horizon ? iids.count - iids.countBefore(horizon) : iids.count
    }
    return { producers, iids: count }
  }

  cut(): Cut {
    const { duration, maxSize, added, duplicates } = this
    const producers: (readonly [string, FixedIids])[] = []
    for (const [name, iids] of this.#producers) producers.push([name, iids.fixed()])
    return new IdempotenceCut({ duration, maxSize, added, duplicates }, producers)
  }

  /** Takes over what a snapshot held. */
  adopt(facts: IdempotenceFacts): void {
    this.#duration = facts.duration
    this.#maxSize = facts.maxSize
    this.added = facts.added
    this.duplicates = facts.duplicates
  }

  /** @returns false: it was here */
  adoptProducer(producer: string, iids: Iids): boolean {
    if (this.#producers.has(producer)) return false
    this.#producers.set(producer, iids)
    this.#bytes += iids.size
    return true
  }
}

/**
 * Idempotence on its way into a snapshot.
 *
 *   part     := [head] u32 count, producer x count
 *   head     := duration, maxsize, added, duplicates           (first part only)
 *   producer := name, count of records, bytes of the records   (iids.ts)
 */
class IdempotenceCut implements Cut {
  readonly #facts: IdempotenceFacts
  readonly #producers: readonly (readonly [string, FixedIids])[]
  #headWritten = false
  #next = 0

  constructor(facts: IdempotenceFacts, producers: readonly (readonly [string, FixedIids])[]) {
    this.#facts = facts
    this.#producers = producers
  }

  write(writer: Writer, bytesMax: number): boolean {
    const end = writer.length + bytesMax
    if (!this.#headWritten) {
      writer.varint(this.#facts.duration)
      writer.varint(this.#facts.maxSize)
      writer.varint(this.#facts.added)
      writer.varint(this.#facts.duplicates)
      this.#headWritten = true
    }
    const countAt = writer.length
    writer.u32(0)
    let count = 0
    while (this.#next < this.#producers.length && (count === 0 || writer.length < end)) {
      const [name, { count: records, bytes, from, to }] = this.#producers[this.#next] as readonly [
        string,
        FixedIids,
      ]
      writer.latin1(name)
      writer.varint(records)
      writer.bytes(bytes.subarray(from, to))
      this.#next += 1
      count += 1
    }
    writer.patchU32(countAt, count)
    return this.#next === this.#producers.length
  }
}

/** A name, a count, and a record of four bytes and three numbers. */
const PRODUCER_BYTES_MIN = 10

/** Reads a part that IdempotenceCut wrote. @param into null: it is the first part. @returns or what is wrong */
export function readIdempotence(reader: Reader, into: Idempotence | null): Idempotence | string {
  const idempotence = into ?? new Idempotence()
  if (into === null) {
    const duration = reader.count()
    const maxSize = reader.count()
    const added = reader.count()
    const duplicates = reader.count()
    if (duration < 1 || duration > DURATION_MAX) return 'a duration is within its limits'
    if (maxSize < 1 || maxSize > MAXSIZE_MAX) return 'a number of records is within its limits'
    idempotence.adopt({ duration, maxSize, added, duplicates })
  }
  for (let left = reader.things32(PRODUCER_BYTES_MIN); left > 0; left -= 1) {
    const producer = reader.latin1()
    const count = reader.count()
    const iids = Iids.of(reader.bytes(), count)
    if (iids === null) return 'a producer has all its records'
    if (!idempotence.adoptProducer(producer, iids)) return 'a producer is remembered once'
  }
  return idempotence
}
