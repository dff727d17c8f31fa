// A consumer group of a stream: where it stands, its consumers, what is pending.
//
// A pending entry was delivered to a consumer and not acknowledged. The group has
// all of them, packed by ID, with owner, time and count; each consumer has the IDs
// of its own. Both views change only here, together. So history reads and filters
// by consumer cost the same with one consumer and with ten thousand. A third view,
// the order of delivery, tells what was idle for the longest (delivery-order.ts).
//
// Names are latin1 text, so that their order by code units is the order of bytes.

import { assert } from '../../base/assert.ts'
import type { Reader } from '../../base/bytes.ts'
import type { Ms } from '../../base/types.ts'
import { DeliveryOrder } from './delivery-order.ts'
import { GroupCut, MARK_ENTRIES_READ, MARK_RELEASES } from './group-cut.ts'
import { increment } from './lag.ts'
import { type Builder, type Cut, flawAtEnd } from './part.ts'
import {
  DELIVERIES_MAX,
  PENDING_COUNT,
  PENDING_OWNER,
  PENDING_TIME,
  PENDING_WORDS,
} from './pending.ts'
import { ID_WORDS, Rows } from './rows.ts'
import { compareIds, type Half, type StreamId } from './stream-id.ts'

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
  /**
   * A reader waits to claim something and nothing is pending: the next delivery touches
   * the key. Only whoever leads has such readers, so this is no part of the state.
   */
  isAwaited = false
  readonly #order = new DeliveryOrder()
  /** Entries that are pending for nobody. */
  #released = 0
  /** Place of the next one that is released; rises as long as the group lives. */
  #nextRelease: number
  readonly #consumers = new Map<string, Consumer>()
  /** By number; 0 stands for nobody. */
  readonly #numbered: (Consumer | null)[] = [null]
  readonly #freeNumbers: number[] = []

  constructor(lastId: StreamId, entriesRead: Half | null, nextRelease = 1) {
    this.lastId = lastId
    this.entriesRead = entriesRead
    this.#nextRelease = nextRelease
  }

  get consumerCount(): number {
    return this.#consumers.size
  }

  consumer(name: string): Consumer | null {
    return this.#consumers.get(name) ?? null
  }

  /** Entries that were given back and are pending for nobody. */
  get releasedCount(): number {
    return this.#released
  }

  /** All consumers by name. */
  consumersByName(): Consumer[] {
    return [...this.#consumers.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Bytes it takes, with its consumers and what is pending. */
  memoryBytes(): number {
    let bytes = GROUP_OVERHEAD_BYTES + this.pending.bytes + this.#order.bytes
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
      this.#order.remove(ids.id(), true, this.pending.wide(PENDING_TIME))
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

  /** When the entry under the cursor of `pending` was last delivered; 0: it was released. */
  timeHere(): Ms {
    if (this.pending.word(PENDING_OWNER) === 0) return 0
    return Number(this.pending.wide(PENDING_TIME))
  }

  /** Records that the entry `id` was delivered to `consumer`, for the first time or anew. */
  deliver(id: StreamId, consumer: Consumer, now: Ms): void {
    const { pending } = this
    if (pending.place(id)) {
      consumer.ids.place(id)
      pending.setWord(PENDING_OWNER, consumer.number)
    } else {
      this.#giveHere(id, consumer)
    }
    pending.setWide(PENDING_TIME, now)
    pending.setWide(PENDING_COUNT, 1)
    this.#order.add(id, true, now)
  }

  /** Makes `consumer` the owner of the entry `id`, which is under the cursor and loses its place in the order. */
  #giveHere(id: StreamId, consumer: Consumer): void {
    const owner = this.#leaveOrderHere(id)
    if (owner === consumer) return
    if (owner === null) this.#released -= 1
    else forget(owner, id)
    consumer.ids.place(id)
    this.pending.setWord(PENDING_OWNER, consumer.number)
  }

  /** Takes the entry `id`, which is under the cursor, out of the order. @returns its owner */
  #leaveOrderHere(id: StreamId): Consumer | null {
    const owner = this.ownerHere()
    this.#order.remove(id, owner !== null, this.pending.wide(PENDING_TIME))
    return owner
  }

  /**
   * Gives the entry under the cursor to `consumer`.
   *
   * @param count the new delivery count, or null to leave it
   */
  claim(id: StreamId, consumer: Consumer, time: Ms, count: Half | null): void {
    this.#giveHere(id, consumer)
    this.pending.setWide(PENDING_TIME, time)
    if (count !== null) this.pending.setWide(PENDING_COUNT, count)
    this.#order.add(id, true, time)
  }

  /** Makes the entry under the cursor pending for nobody, behind all that were released before. */
  releaseHere(id: StreamId, count: Half): void {
    const owner = this.#leaveOrderHere(id)
    if (owner !== null) {
      forget(owner, id)
      this.#released += 1
    }
    this.#setReleased(id, count)
  }

  /** Makes an entry pending for nobody that was not pending (XNACK FORCE). */
  releaseNew(id: StreamId, count: Half): void {
    const isNew = this.pending.place(id)
    assert(isNew, 'the entry was not pending')
    this.#released += 1
    this.#setReleased(id, count)
  }

  #setReleased(id: StreamId, count: Half): void {
    this.pending.setWord(PENDING_OWNER, 0)
    this.pending.setWide(PENDING_TIME, this.#nextRelease)
    this.pending.setWide(PENDING_COUNT, count)
    this.#order.add(id, false, this.#nextRelease)
    this.#nextRelease += 1
  }

  /** One delivery more of the entry under the cursor, up to the most there may be. */
  countHere(): Half {
    return increment(this.pending.wide(PENDING_COUNT))
  }

  /** Takes `id` off what is pending. @returns whether it was */
  acknowledge(id: StreamId): boolean {
    if (!this.pending.seek(id)) return false
    this.removeHere(id)
    return true
  }

  /** Takes the entry `id`, which is under the cursor, off what is pending. The cursor is then on the next. */
  removeHere(id: StreamId): void {
    const owner = this.#leaveOrderHere(id)
    if (owner === null) this.#released -= 1
    else forget(owner, id)
    this.pending.remove()
  }

  /** See `DeliveryOrder.due`. */
  due(until: Ms, visit: (id: StreamId) => boolean): void {
    this.#order.due(until, visit)
  }

  /** See `DeliveryOrder.oldest`. */
  oldestDelivery(): Ms | null {
    return this.#order.oldest()
  }

  /** Adds a pending entry that a snapshot held. @param owner null: released, `time` is then its place */
  adopt(id: StreamId, owner: Consumer | null, time: Half, count: Half): void {
    const isNew = this.pending.place(id)
    assert(isNew, 'an entry is pending once')
    this.pending.setWide(PENDING_TIME, time)
    this.pending.setWide(PENDING_COUNT, count)
    this.pending.setWord(PENDING_OWNER, owner?.number ?? 0)
    if (owner === null) this.#released += 1
    else owner.ids.place(id)
    this.#order.add(id, owner !== null, time)
  }

  /** The group as it is now, to be written while it changes. */
  cut(): Cut {
    const { lastId, entriesRead } = this
    const facts = { lastId, entriesRead, nextRelease: this.#nextRelease }
    return new GroupCut(facts, this.#consumers.values(), this.pending.cut())
  }
}

function forget(owner: Consumer, id: StreamId): void {
  const found = owner.ids.seek(id)
  assert(found, 'an owner has what is pending for it')
  owner.ids.remove()
}

/** A name of a length, and two times. */
const CONSUMER_BYTES_MIN = 17
/** Five numbers and a sign. */
const ROW_BYTES_MIN = 6

/** Builds a group from the parts that group-cut.ts wrote. */
export class GroupBuilder implements Builder<Group> {
  #group: Group | null = null
  readonly #consumers: Consumer[] = []
  #consumersMissing = 0
  #rowsMissing = 0
  #nextRelease = 1
  /** ID of the last row; null: none was read. */
  #last: StreamId | null = null

  read(reader: Reader): string | null {
    const group = this.#group ?? this.#readHead(reader)
    const consumers = reader.things32(CONSUMER_BYTES_MIN)
    let flaw: string | null = null
    for (let i = 0; i < consumers && flaw === null; i += 1) flaw = this.#readConsumer(reader, group)
    const rows = reader.things32(ROW_BYTES_MIN)
    flaw ??= this.#readRows(reader, group, rows)
    this.#consumersMissing -= consumers
    this.#rowsMissing -= rows
    return flaw ?? flawAtEnd(reader)
  }

  #readConsumer(reader: Reader, group: Group): string | null {
    const name = reader.latin1()
    if (group.consumer(name) !== null) return 'a consumer is there once'
    const consumer = group.createConsumer(name, reader.f64())
    consumer.activeTime = reader.f64()
    this.#consumers.push(consumer)
    const isTime = consumer.seenTime >= 0 && consumer.activeTime >= -1
    const areWhole =
      Number.isSafeInteger(consumer.seenTime) && Number.isSafeInteger(consumer.activeTime)
    return isTime && areWhole ? null : 'a consumer has times'
  }

  #readHead(reader: Reader): Group {
    const ms = reader.varint()
    const seq = reader.varint()
    const marks = reader.u8()
    const entriesRead = (marks & MARK_ENTRIES_READ) > 0 ? reader.varint() : null
    const nextRelease = (marks & MARK_RELEASES) > 0 ? reader.count() : 1
    this.#nextRelease = nextRelease
    const group = new Group({ ms, seq }, entriesRead, nextRelease)
    this.#consumersMissing = reader.count()
    this.#rowsMissing = reader.count()
    this.#group = group
    return group
  }

  #readRows(reader: Reader, group: Group, count: number): string | null {
    let time = 0
    for (let i = 0; i < count; i += 1) {
      const ms = reader.varint()
      const id = { ms, seq: reader.varint() }
      const owner = reader.count()
      time += Number(reader.signed())
      const deliveries = reader.varint()
      if (reader.flaw !== null) return reader.flaw
      const consumer = owner === 0 ? null : this.#consumers[owner - 1]
      if (consumer === undefined) return 'an owner comes before its entries'
      if (this.#last !== null && compareIds(id, this.#last) <= 0) return 'pending entries rise'
      if (!Number.isSafeInteger(time) || time < 0) return 'a pending entry has a time'
      if (consumer === null && time >= this.#nextRelease) return 'places of release rise'
      if (deliveries > DELIVERIES_MAX) return 'deliveries are counted up to their most'
      this.#last = id
      group.adopt(id, consumer, time, deliveries)
    }
    return null
  }

  finish(): Group | string {
    const group = this.#group
    if (group === null) return 'a group has a head'
    if (this.#nextRelease < 1) return 'places of release begin at 1'
    if (group.entriesRead !== null && group.entriesRead > DELIVERIES_MAX)
      return 'entries are counted up to their most'
    if (this.#consumersMissing !== 0) return 'a group has all its consumers'
    return this.#rowsMissing === 0 ? group : 'a group has all its pending entries'
  }
}
