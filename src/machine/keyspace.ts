// The keys of one shard: key to value, keys by slot, and which keys may end a wait.
//
// Keys stand in the order in which they were made, each with a number that only
// rises. SCAN's cursor is such a number, so a scan goes on after a failover and
// returns every key that stays exactly once; snapshots preserve numbers and order.
//
// A snapshot cuts a key's value when it comes to it, or earlier, when a command
// reaches for the key: `value` and its like are the only ways to a value, and tell
// the cuts first. Nothing of a holder changes before they were told.

import { assert } from '../base/assert.ts'
import { slotOf } from '../base/slot.ts'
import type { Ms, Slot } from '../base/types.ts'
import type { Value, Values, ValueType } from './types/value.ts'

/** A key and its value. Stays as it is when the key is deleted, for cuts that have yet to write it. */
export type Holder = {
  readonly key: string
  value: Value
  /** Rises from key to key; the place in the order. */
  readonly number: number
  readonly slot: Slot
  /** Unix ms at which the key is dead; 0: never. */
  expiry: Ms
  /** 0 while it lives; else the number of cuts begun before it was deleted, plus one. */
  died: number
  /** Neighbours in the list of the slot's keys. */
  before: Holder | null
  after: Holder | null
}

/** Whoever must see a key's value and expiry before they change. */
export interface Guard {
  beforeChange(holder: Holder): void
}

type SlotKeys = { count: number; first: Holder | null; last: Holder | null }

/** Dead holders in the row before it is packed. */
const DEAD_MIN = 64

export class Keyspace {
  #holders = new Map<string, Holder>()
  /** All holders by rising number; dead ones stay until the row is packed into a new array. */
  #row: Holder[] = []
  #dead = 0
  #nextNumber = 1
  #slots = new Map<Slot, SlotKeys>()
  /** Keys that were touched, and at which moment last; but for `#lastReady`, which was at `#lastMoment`. */
  #ready = new Map<string, number>()
  #lastReady: string | null = null
  #lastMoment = 0
  /** What `takeReady` took last. */
  #taken: ReadonlyMap<string, number> = new Map()
  /** How many commands this node's machine has run: tells what came before what. Not part of the state. */
  moment = 0
  readonly #guards: Guard[] = []
  #cuts = 0
  /** The last holder found: runs of commands on one key skip the map. */
  #last: Holder | null = null

  /** Number of keys. */
  get size(): number {
    return this.#holders.size
  }

  /** The number that the next new key gets. */
  get nextNumber(): number {
    return this.#nextNumber
  }

  /** The holder of `key`. Cheap when the same key is asked for again. */
  #find(key: string): Holder | null {
    const last = this.#last
    if (last !== null && last.key === key) return last
    const found = this.#holders.get(key)
    if (found === undefined) return null
    this.#last = found
    return found
  }

  #tell(holder: Holder): void {
    if (this.#guards.length > 0) for (const guard of this.#guards) guard.beforeChange(holder)
  }

  #typed<T extends ValueType>(key: string, type: T): Values[T] | null | 'wrong-type' {
    const holder = this.#find(key)
    if (holder === null) return null
    this.#tell(holder)
    return holder.value.type === type ? (holder.value as Values[T]) : 'wrong-type'
  }

  /** The value at `key` (latin1), of whatever type, or null. */
  value(key: string): Value | null {
    const holder = this.#find(key)
    if (holder === null) return null
    this.#tell(holder)
    return holder.value
  }

  stream(key: string): Values['stream'] | null | 'wrong-type' {
    return this.#typed(key, 'stream')
  }

  list(key: string): Values['list'] | null | 'wrong-type' {
    return this.#typed(key, 'list')
  }

  set(key: string): Values['set'] | null | 'wrong-type' {
    return this.#typed(key, 'set')
  }

  text(key: string): Values['string'] | null | 'wrong-type' {
    return this.#typed(key, 'string')
  }

  /** The type of the value at `key`, without reaching for it. */
  typeOf(key: string): ValueType | null {
    return this.#find(key)?.value.type ?? null
  }

  has(key: string): boolean {
    return this.#holders.has(key)
  }

  /** Puts `value` at `key`, which must be free. It never expires. */
  put(key: string, value: Value): void {
    this.adopt(key, value, this.#nextNumber, 0)
  }

  /**
   * Puts `value` at `key` whatever was there; the key keeps its place in the order, and
   * its expiry. Ends the waits on it if the type is another.
   */
  replace(key: string, value: Value): void {
    const holder = this.#find(key)
    if (holder === null) {
      this.put(key, value)
      return
    }
    this.#tell(holder)
    if (holder.value.type !== value.type) this.touch(key)
    holder.value = value
  }

  /** Puts a value at `key` under a number that a snapshot recorded, above all before it. */
  adopt(key: string, value: Value, number: number, expiry: Ms): void {
    assert(!this.#holders.has(key), 'the key is free')
    assert(number >= this.#nextNumber, 'numbers of keys rise')
    const slot = slotOf(Buffer.from(key, 'latin1'))
    const holder: Holder = {
      key,
      value,
      number,
      slot,
      expiry,
      died: 0,
      before: null,
      after: null,
    }
    this.#nextNumber = number + 1
    this.#holders.set(key, holder)
    this.#row.push(holder)
    this.#link(holder)
    this.#last = holder
  }

  /** Makes `number` the next new key's, at least. */
  skipTo(number: number): void {
    this.#nextNumber = Math.max(this.#nextNumber, number)
  }

  #link(holder: Holder): void {
    let keys = this.#slots.get(holder.slot)
    if (keys === undefined) {
      keys = { count: 0, first: null, last: null }
      this.#slots.set(holder.slot, keys)
    }
    holder.before = keys.last
    if (keys.last === null) keys.first = holder
    else keys.last.after = holder
    keys.last = holder
    keys.count += 1
  }

  #unlink(holder: Holder): void {
    const keys = this.#slots.get(holder.slot)
    assert(keys !== undefined, 'a key is in its slot')
    if (holder.before === null) keys.first = holder.after
    else holder.before.after = holder.after
    if (holder.after === null) keys.last = holder.before
    else holder.after.before = holder.before
    holder.before = null
    holder.after = null
    keys.count -= 1
    if (keys.count === 0) this.#slots.delete(holder.slot)
  }

  /** Removes `key` and ends the waits on it. @returns whether it was there */
  delete(key: string): boolean {
    const holder = this.#holders.get(key)
    if (holder === undefined) return false
    this.#holders.delete(key)
    this.#unlink(holder)
    holder.died = this.#cuts + 1
    this.#dead += 1
    if (this.#last === holder) this.#last = null
    this.touch(key)
    if (this.#dead > DEAD_MIN && this.#dead * 2 > this.#row.length) {
      // A new array: cuts go on reading the old one.
      this.#row = this.#row.filter(other => other.died === 0)
      this.#dead = 0
    }
    return true
  }

  /** Removes every key and ends the waits on them. */
  clear(): void {
    for (const key of this.#holders.keys()) this.touch(key)
    this.#holders = new Map()
    this.#slots = new Map()
    this.#row = []
    this.#dead = 0
    this.#last = null
  }

  /** Marks `key` as changed in a way that may serve or end a wait. */
  touch(key: string): void {
    // Runs of commands on one key hand in the same string, and comparing it with itself is cheap.
    if (key !== this.#lastReady) {
      if (this.#lastReady !== null) this.#ready.set(this.#lastReady, this.#lastMoment)
      this.#ready.set(key, this.moment)
      this.#lastReady = key
    }
    this.#lastMoment = this.moment
  }

  /** The keys that were touched since the last call. */
  takeReady(): readonly string[] {
    if (this.#lastReady === null) return NO_KEYS
    this.#ready.set(this.#lastReady, this.#lastMoment)
    this.#lastReady = null
    this.#taken = this.#ready
    this.#ready = new Map()
    return [...this.#taken.keys()]
  }

  /** The moment at which `key` was touched last before `takeReady` took it; 0: it was not among them. */
  touchedAt(key: string): number {
    return this.#taken.get(key) ?? 0
  }

  /** Number of keys in `slot`. */
  countInSlot(slot: Slot): number {
    return this.#slots.get(slot)?.count ?? 0
  }

  /** At most `count` keys of `slot`, oldest first. */
  keysInSlot(slot: Slot, count: number): string[] {
    const keys: string[] = []
    let holder = this.#slots.get(slot)?.first ?? null
    for (; holder !== null && keys.length < count; holder = holder.after) keys.push(holder.key)
    return keys
  }

  /**
   * Visits at most `count` keys whose number is at least `from`, in order.
   *
   * @returns where to go on, 0 at the end
   */
  scan(from: number, count: number, visit: (key: string, holder: Holder) => void): number {
    let low = 0
    let high = this.#row.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#row[middle] as Holder).number < from) low = middle + 1
      else high = middle
    }
    let left = count
    for (; low < this.#row.length; low += 1) {
      const holder = this.#row[low] as Holder
      if (holder.died !== 0) continue
      if (left === 0) return holder.number
      visit(holder.key, holder)
      left -= 1
    }
    return 0
  }

  /** Becomes what `other` is, which is given up: a snapshot was installed. Only leaders have waits, and they install none. */
  become(other: Keyspace): void {
    this.#holders = other.#holders
    this.#row = other.#row
    this.#dead = other.#dead
    this.#nextNumber = other.#nextNumber
    this.#slots = other.#slots
    this.#last = null
  }

  /** All holders by number, dead ones among them, in an array that only grows. For cuts. */
  get row(): readonly Holder[] {
    return this.#row
  }

  /**
   * Begins a cut: `guard` is told of every key that a command reaches for, until `unguard`.
   *
   * @returns the cut's number: a holder was dead before it if `died` is not 0 and at most this
   */
  guard(guard: Guard): number {
    this.#guards.push(guard)
    this.#cuts += 1
    return this.#cuts
  }

  unguard(guard: Guard): void {
    const i = this.#guards.indexOf(guard)
    if (i >= 0) this.#guards.splice(i, 1)
  }
}

const NO_KEYS: readonly string[] = []
