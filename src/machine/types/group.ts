// A consumer group of a stream: where it stands, its consumers, what is pending.
//
// A pending entry was delivered to a consumer and not acknowledged. The group has
// all of them, packed by ID, with owner, time and count; each consumer has the IDs
// of its own. Both views change only here, together. So history reads and filters
// by consumer cost the same with one consumer and with ten thousand.
//
// Names are latin1 text, so that their order by code units is the order of bytes.

import { assert } from '../../base/assert.ts'
import type { Reader } from '../../base/bytes.ts'
import type { Ms } from '../../base/types.ts'
import { GroupCut } from './group-cut.ts'
import { increment } from './lag.ts'
import type { Builder, Cut } from './part.ts'
import { PENDING_COUNT, PENDING_OWNER, PENDING_TIME, PENDING_WORDS } from './pending.ts'
import { ID_WORDS, Rows } from './rows.ts'
import type { Half, StreamId } from './stream-id.ts'

/** The count saturates here, as Redis' signed counter does. */
const COUNT_MAX = (1n << 63n) - 1n

/** The objects of a group, and of a consumer, besides rows. */
const GROUP_OVERHEAD_BYTES = 320
const CONSUMER_OVERHEAD_BYTES = 224

export class Consumer {
  readonly name: string
  /** Stands for the consumer in pending entries; given anew once it is deleted. From 1 on. */
  readonly number: number
  /** When it last asked for something. */
  seenTime: Ms
  /** When it was last given something; -1: never. */
  activeTime: Ms = -1
  /** IDs of the entries that are pending for it. Changed by its group alone. */
  readonly ids = new Rows(ID_WORDS)

  constructor(name: string, number: number, seenTime: Ms) {
    this.name = name
    this.number = number
    this.seenTime = seenTime
  }
}

export class Group {
  /** The last ID delivered. */
  lastId: StreamId
  /** How many entries of the stream's history were delivered; null: unknown (see lag.ts). */
  entriesRead: Half | null
  /** What is pending. Rows are read here and changed by the methods below. */
  readonly pending = new Rows(PENDING_WORDS)
  readonly #consumers = new Map<string, Consumer>()
  /** By number; 0 stands for nobody. */
  readonly #numbered: (Consumer | null)[] = [null]
  readonly #freeNumbers: number[] = []

  constructor(lastId: StreamId, entriesRead: Half | null) {
    this.lastId = lastId
    this.entriesRead = entriesRead
  }

  get consumerCount(): number {
    return this.#consumers.size
  }

  consumer(name: string): Consumer | null {
    return this.#consumers.get(name) ?? null
  }

  /** All consumers by name. */
  consumersByName(): Consumer[] {
    return [...this.#consumers.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Bytes it takes, with its consumers and what is pending. */
  memoryBytes(): number {
    let bytes = GROUP_OVERHEAD_BYTES + this.pending.bytes
    for (const { name, ids } of this.#consumers.values())
      bytes += CONSUMER_OVERHEAD_BYTES + name.length + ids.bytes
    return bytes
  }

  /** The consumer `name`, made if it is new, who asks for something now. */
  seen(name: string, now: Ms): Consumer {
    const consumer = this.#consumers.get(name)
    if (consumer === undefined) return this.createConsumer(name, now)
    consumer.seenTime = now
    return consumer
  }

  /** Adds a consumer; there must be none of that name. */
  createConsumer(name: string, now: Ms): Consumer {
    const number = this.#freeNumbers.pop() ?? this.#numbered.length
    const consumer = new Consumer(name, number, now)
    this.#numbered[number] = consumer
    this.#consumers.set(name, consumer)
    return consumer
  }

  /** Removes a consumer and what is pending for it. @returns how many entries that were */
  deleteConsumer(name: string): number {
    const consumer = this.#consumers.get(name)
    if (consumer === undefined) return 0
    const { ids } = consumer
    for (ids.first(); ids.valid; ids.next()) {
      const found = this.pending.seek(ids.id())
      assert(found, 'what is pending for a consumer is pending in its group')
      this.pending.remove()
    }
    this.#consumers.delete(name)
    this.#numbered[consumer.number] = null
    this.#freeNumbers.push(consumer.number)
    return ids.size
  }

  /** Whose the entry under the cursor of `pending` is; null: nobody's. */
  ownerHere(): Consumer | null {
    const owner = this.#numbered[this.pending.word(PENDING_OWNER)]
    assert(owner !== undefined, 'an owner has a number')
    return owner
  }

  /** Records that the entry `id` was delivered to `consumer`, for the first time or anew. */
  deliver(id: StreamId, consumer: Consumer, now: Ms): void {
    const { pending } = this
    if (pending.place(id)) {
      consumer.ids.place(id)
      pending.setWord(PENDING_OWNER, consumer.number)
    } else {
      this.#give(id, consumer)
    }
    pending.setWide(PENDING_TIME, now)
    pending.setWide(PENDING_COUNT, 1)
  }

  /** Makes `consumer` the owner of the entry `id`, which is under the cursor. */
  #give(id: StreamId, consumer: Consumer): void {
    const owner = this.ownerHere()
    if (owner === consumer) return
    if (owner !== null) forget(owner, id)
    consumer.ids.place(id)
    this.pending.setWord(PENDING_OWNER, consumer.number)
  }

  /** Makes a pending entry of nobody's for `id`, under the cursor, with count 1 (XCLAIM FORCE). */
  force(id: StreamId, now: Ms): void {
    const isNew = this.pending.place(id)
    assert(isNew, 'a forced entry was not pending')
    this.pending.setWord(PENDING_OWNER, 0)
    this.pending.setWide(PENDING_TIME, now)
    this.pending.setWide(PENDING_COUNT, 1)
  }

  /**
   * Gives the entry under the cursor to `consumer`.
   *
   * @param count the new delivery count, or null to leave it
   */
  claim(id: StreamId, consumer: Consumer, time: Ms, count: Half | null): void {
    this.#give(id, consumer)
    this.pending.setWide(PENDING_TIME, time)
    if (count !== null) this.pending.setWide(PENDING_COUNT, count)
  }

  /** One delivery more of the entry under the cursor, up to the most there may be. */
  countHere(): Half {
    const count = this.pending.wide(PENDING_COUNT)
    return count >= COUNT_MAX ? COUNT_MAX : increment(count)
  }

  /** Takes `id` off what is pending. @returns whether it was */
  acknowledge(id: StreamId): boolean {
    if (!this.pending.seek(id)) return false
    this.removeHere(id)
    return true
  }

  /** Takes the entry `id`, which is under the cursor, off what is pending. The cursor is then on the next. */
  removeHere(id: StreamId): void {
    const owner = this.ownerHere()
    if (owner !== null) forget(owner, id)
    this.pending.remove()
  }

  /** The group as it is now, to be written while it changes. */
  cut(): Cut {
    return new GroupCut(this.lastId, this.entriesRead, this.#consumers.values(), this.pending.cut())
  }
}

function forget(owner: Consumer, id: StreamId): void {
  const found = owner.ids.seek(id)
  assert(found, 'an owner has what is pending for it')
  owner.ids.remove()
}

/** Builds a group from the parts that group-cut.ts wrote. */
export class GroupBuilder implements Builder<Group> {
  #group: Group | null = null
  readonly #consumers: Consumer[] = []
  #consumersMissing = 0
  #rowsMissing = 0

  read(reader: Reader): void {
    const group = this.#group ?? this.#readHead(reader)
    const consumers = reader.u32()
    for (let i = 0; i < consumers; i += 1) {
      const consumer = group.createConsumer(reader.latin1(), 0)
      consumer.seenTime = reader.f64()
      consumer.activeTime = reader.f64()
      this.#consumers.push(consumer)
    }
    const rows = reader.u32()
    this.#readRows(reader, group, rows)
    this.#consumersMissing -= consumers
    this.#rowsMissing -= rows
  }

  #readHead(reader: Reader): Group {
    const ms = reader.varint()
    const seq = reader.varint()
    const known = reader.u8() === 1
    const group = new Group({ ms, seq }, known ? reader.varint() : null)
    this.#consumersMissing = reader.count()
    this.#rowsMissing = reader.count()
    this.#group = group
    return group
  }

  #readRows(reader: Reader, group: Group, count: number): void {
    let time = 0
    for (let i = 0; i < count; i += 1) {
      const ms = reader.varint()
      const id = { ms, seq: reader.varint() }
      const owner = reader.count()
      time += Number(reader.signed())
      const isNew = group.pending.place(id)
      assert(isNew, 'an entry is pending once')
      group.pending.setWide(PENDING_TIME, time)
      group.pending.setWide(PENDING_COUNT, reader.varint())
      const consumer = owner === 0 ? null : this.#consumers[owner - 1]
      assert(consumer !== undefined, 'an owner comes before its entries')
      group.pending.setWord(PENDING_OWNER, consumer?.number ?? 0)
      consumer?.ids.place(id)
    }
  }

  finish(): Group {
    assert(this.#group !== null, 'a group has a head')
    assert(this.#consumersMissing === 0, 'a group has all its consumers')
    assert(this.#rowsMissing === 0, 'a group has all its pending entries')
    return this.#group
  }
}
