// The keys of one shard: key to value, keys by slot, and which keys may end a wait.
//
// Keys stand in the order in which they were made, each with a number that only
// rises. SCAN's cursor is such a number, so a scan goes on after a failover and
// returns every key that stays exactly once; snapshots preserve numbers and order.
//
// A snapshot cuts a key's value when it comes to it, or earlier, when a command
// reaches for the key: `value` and its like are the only ways to a value, and tell
// the cuts first. Nothing of a holder changes before they were told.
//
// For WATCH each key has the index of the entry that changed it last. A command that
// changes a value says so: `touch` where it may also serve or end a wait, else
// `noteChange`. What was removed is remembered by its hash (removals.ts).
//
// A key whose expiry has come is dead: `begin` says what time it is, and nothing finds
// the key from then on. Where entries are applied it is removed when somebody looks for it,
// else by an entry that the leader proposes (`due`, `bury`); a query leaves it alone.

import { assert } from '../base/assert.ts'
import { slotOf } from '../base/slot.ts'
import type { Index, Ms, Slot } from '../base/types.ts'
import type { Chance } from './chance.ts'
import { Expiries, NO_PLACE } from './expiries.ts'
import type { Guard, Holder } from './holder.ts'
import { EVENT, type KeyListener } from './key-events.ts'
import { Removals } from './removals.ts'
import { SlotKeys } from './slot-keys.ts'
import { TouchedKeys } from './touched-keys.ts'
import { BLOCK_ENTRIES } from './types/stream.ts'
import { encodingOf, type Value, type Values, type ValueType } from './types/value.ts'

/** Dead holders in the row before it is packed. */
const DEAD_MIN = 64
/** Draws of a random key. At least half of a long row lives, so that only keys that expired make this fail. */
const DRAWS_MAX = 100

export class Keyspace {
  #holders = new Map<string, Holder>()
  /** All holders by rising number; dead ones stay until the row is packed into a new array. */
  #row: Holder[] = []
  #dead = 0
  #nextNumber = 1
  #slots = new SlotKeys()
  #expiries = new Expiries()
  #expired = 0
  /** The time of the entry or the query. */
  #now: Ms = 0
  /** An entry is being applied: the dead may be removed. */
  #applies = false
  /** Who reads leaves no trace: reaching for a value is no use of it. */
  #quiet = false
  /** Entries that a block of a stream takes, from now on; 0: no bound but its bytes. */
  blockEntries = BLOCK_ENTRIES
  readonly #touched = new TouchedKeys()
  /** How many commands this node's machine has run: tells what came before what. Not part of the state. */
  moment = 0
  /** Who is told what happens to keys; null: nobody. Not part of the state. */
  listener: KeyListener | null = null
  readonly #guards: Guard[] = []
  #cuts = 0
  /** The last holder found: runs of commands on one key skip the map. */
  #last: Holder | null = null
  /** The entry that is being applied. */
  #index: Index = 0
  #removals = new Removals()

  /** Number of keys, with those that expired and are not removed yet. */
  get size(): number {
    return this.#holders.size
  }

  /** Number of keys that will expire. */
  get expiring(): number {
    return this.#expiries.size
  }

  /** Number of keys that expired and were removed since this node began. */
  get expired(): number {
    return this.#expired
  }

  /**
   * What time it is for the commands that follow, and of which entry they are; null: they only read.
   *
   * @param quiet reaching for a value does not count as using it (CLIENT NO-TOUCH)
   */
  begin(now: Ms, entry: Index | null, quiet = false): void {
    this.#now = now
    this.#quiet = quiet
    this.#applies = entry !== null
    if (entry !== null) this.#index = entry
  }

  /** Tells whoever listens that `event`, of a class of EVENT, happened to `key`. */
  notify(eventClass: number, event: string, key: string): void {
    const { listener } = this
    if (listener !== null && (listener.classes & eventClass) !== 0) listener.heard(event, key)
  }

  /** A command that reads found no `key`. Whoever reaches for a value in a query need not say so. */
  miss(key: string): void {
    this.notify(EVENT.MISS, 'keymiss', key)
  }

  /** A command that writes, and reads before, found no `key`. In a query nothing more is said. */
  missInWrite(key: string): void {
    if (this.#applies) this.miss(key)
  }

  /** The number that the next new key gets. */
  get nextNumber(): number {
    return this.#nextNumber
  }

  /** The entry ends: whoever looks for a key from now on removes nothing, since other replicas do not look. */
  rest(): void {
    this.#applies = false
  }

  /** The holder of `key` while it lives. Cheap when the same key is asked for again. */
  #find(key: string): Holder | null {
    let holder = this.#last
    if (holder === null || holder.key !== key) {
      const found = this.#holders.get(key)
      if (found === undefined) return null
      holder = found
      this.#last = found
    }
    return holder.expiry !== 0 && this.#isDead(holder) ? null : holder
  }

  #isDead(holder: Holder): boolean {
    if (holder.expiry === 0 || holder.expiry > this.#now) return false
    if (this.#applies) {
      this.#expired += 1
      // To who watched it when it was dead already, its end is no change.
      this.#removals.note(holder.key, holder.changed)
      this.#remove(holder)
      this.notify(EVENT.EXPIRED, 'expired', holder.key)
    }
    return true
  }

  #tell(holder: Holder): void {
    if (this.#guards.length > 0) for (const guard of this.#guards) guard.beforeChange(holder)
  }

  /** The holder of `key`, for a command that may change it or what it holds. */
  #reach(key: string): Holder | null {
    const holder = this.#find(key)
    if (holder === null) {
      if (!this.#applies) this.miss(key)
      return null
    }
    this.#tell(holder)
    if (!this.#quiet) holder.used = this.#now
    return holder
  }

  #typed<T extends ValueType>(key: string, type: T): Values[T] | null | 'wrong-type' {
    const holder = this.#reach(key)
    if (holder === null) return null
    return holder.value.type === type ? (holder.value as Values[T]) : 'wrong-type'
  }

  /** The value at `key` (latin1), of whatever type, or null. */
  value(key: string): Value | null {
    return this.#reach(key)?.value ?? null
  }

  /** The value at `key` for who only looks at it: that counts as no use. */
  peek(key: string): Value | null {
    return this.#find(key)?.value ?? null
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

  /** How the value at `key` is kept, without reaching for it. */
  encodingOf(key: string): string | null {
    const holder = this.#find(key)
    return holder === null ? null : encodingOf(holder.value)
  }

  has(key: string): boolean {
    return this.#find(key) !== null
  }

  /** Unix ms at which `key` dies; 0: never, or there is no such key. */
  expiry(key: string): Ms {
    return this.#find(key)?.expiry ?? 0
  }

  /** Sets when `key`, which is there, dies; 0: never. */
  setExpiry(key: string, expiry: Ms): void {
    const holder = this.#find(key)
    if (holder === null || holder.expiry === expiry) return
    this.#tell(holder)
    holder.expiry = expiry
    holder.changed = this.#index
    if (expiry === 0) this.#expiries.remove(holder)
    else this.#expiries.put(holder)
  }

  /** At most `count` keys that are dead at `now` and not removed yet. */
  due(now: Ms, count: number): readonly string[] {
    return this.#expiries.due(now, count)
  }

  /** Removes `key` if it is dead, and ends the waits on it. */
  bury(key: string): void {
    this.#find(key)
  }

  /** How long nobody reached for the value at `key`, in ms; null: there is none. */
  idle(key: string): Ms | null {
    const holder = this.#find(key)
    return holder === null ? null : Math.max(0, this.#now - holder.used)
  }

  /** As if nobody had reached for the value at `key` for `idle` ms. */
  leaveIdle(key: string, idle: Ms): void {
    const holder = this.#find(key)
    if (holder !== null) holder.used = this.#now - idle
  }

  /** Notes that somebody cares for `key`. @returns whether it is there */
  use(key: string): boolean {
    const holder = this.#find(key)
    if (holder !== null) holder.used = this.#now
    return holder !== null
  }

  /** Puts `value` at `key`, which must be free. It never expires. */
  put(key: string, value: Value): void {
    this.bury(key)
    this.adopt(key, value, this.#nextNumber, 0, this.#index)
    this.notify(EVENT.NEW, 'new', key)
  }

  /**
   * Puts `value` at `key` whatever was there; the key keeps its place in the order, and
   * its expiry. Ends the waits on it if the type is another.
   */
  replace(key: string, value: Value): void {
    const holder = this.#reach(key)
    if (holder === null) {
      this.put(key, value)
      return
    }
    if (holder.value.type !== value.type) this.wake(key)
    holder.value = value
    holder.changed = this.#index
  }

  /** Puts a value at `key` under a number that a snapshot recorded, above all before it. */
  adopt(key: string, value: Value, number: number, expiry: Ms, changed: Index): void {
    assert(!this.#holders.has(key), 'the key is free')
    assert(number >= this.#nextNumber, 'numbers of keys rise')
    const slot = slotOf(Buffer.from(key, 'latin1'))
    const holder: Holder = {
      key,
      value,
      number,
      slot,
      expiry,
      changed,
      place: NO_PLACE,
      used: this.#now,
      died: 0,
      before: null,
      after: null,
    }
    this.#nextNumber = number + 1
    this.#holders.set(key, holder)
    this.#row.push(holder)
    this.#slots.add(holder)
    if (expiry !== 0) this.#expiries.put(holder)
    this.#last = holder
  }

  /** Makes `number` the next new key's, at least. */
  skipTo(number: number): void {
    this.#nextNumber = Math.max(this.#nextNumber, number)
  }

  /** Removes `key` and ends the waits on it. @returns whether it was there */
  delete(key: string): boolean {
    const holder = this.#find(key)
    if (holder === null) return false
    this.#removals.note(key, this.#index)
    this.#remove(holder)
    return true
  }

  #remove(holder: Holder): void {
    this.#holders.delete(holder.key)
    this.#slots.remove(holder)
    this.#expiries.remove(holder)
    holder.died = this.#cuts + 1
    this.#dead += 1
    if (this.#last === holder) this.#last = null
    this.wake(holder.key)
    if (this.#dead > DEAD_MIN && this.#dead * 2 > this.#row.length) {
      // A new array: cuts go on reading the old one.
      this.#row = this.#row.filter(other => other.died === 0)
      this.#dead = 0
    }
  }

  /** Removes every key and ends the waits on them. */
  clear(): void {
    for (const { key, expiry, changed } of this.#holders.values()) {
      const isDead = expiry !== 0 && expiry <= this.#now
      this.#removals.note(key, isDead ? changed : this.#index)
      this.wake(key)
    }
    this.#holders = new Map()
    this.#slots = new SlotKeys()
    this.#expiries = new Expiries()
    this.#row = []
    this.#dead = 0
    this.#last = null
  }

  /** `key` was changed in a way that may serve or end a wait. */
  touch(key: string): void {
    this.noteChange(key)
    this.wake(key)
  }

  /** `key`, which is there, was changed: transactions that watch it fail. */
  noteChange(key: string): void {
    const holder = this.#find(key)
    if (holder === null || holder.changed === this.#index) return
    this.#tell(holder)
    holder.changed = this.#index
  }

  /** Whether `key` lives at `now`. Removes nothing. */
  isAlive(key: string, now: Ms): boolean {
    const expiry = this.#holders.get(key)?.expiry
    return expiry !== undefined && (expiry === 0 || expiry > now)
  }

  /**
   * Whether a watched key is another than it was once entry `index` was applied.
   *
   * @param existed whether it lived then
   */
  isChanged(key: string, existed: boolean, index: Index, now: Ms): boolean {
    if (this.isAlive(key, now) !== existed) return true
    // A key that was made and is dead may still be here.
    const changed = this.#holders.get(key)?.changed ?? 0
    return changed > index || (!existed && this.#removals.mayHave(key, index))
  }

  get removals(): Removals {
    return this.#removals
  }

  /** May serve or end a wait on `key`. */
  wake(key: string): void {
    this.#touched.add(key, this.moment)
  }

  /** The keys that were touched since the last call. */
  takeReady(): readonly string[] {
    return this.#touched.take()
  }

  /** The moment at which `key` was touched last before `takeReady` took it; 0: it was not among them. */
  touchedAt(key: string): number {
    return this.#touched.momentOf(key)
  }

  /** Number of keys in `slot`. */
  countInSlot(slot: Slot): number {
    return this.#slots.count(slot)
  }

  /** At most `count` keys of `slot`, oldest first. */
  keysInSlot(slot: Slot, count: number): string[] {
    return this.#slots.first(slot, count)
  }

  /**
   * Visits at most `count` keys whose number is at least `from`, in order; of them those that live.
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
      left -= 1
      if (holder.expiry === 0 || holder.expiry > this.#now) visit(holder.key, holder)
    }
    return 0
  }

  /** What a snapshot knows of removed keys. */
  adoptRemovals(removals: Removals): void {
    this.#removals = removals
  }

  /** A key by chance, or null if there is none. */
  random(chance: Chance): string | null {
    if (this.#holders.size === 0) return null
    for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
      const holder = this.#row[chance.below(this.#row.length)] as Holder
      if (holder.died === 0 && (holder.expiry === 0 || holder.expiry > this.#now)) return holder.key
    }
    // A short row may hold many dead. A long one whose keys all expired has none to offer.
    let found: string | null = null
    this.scan(0, DEAD_MIN, key => {
      found ??= key
    })
    return found
  }

  /** Becomes what `other` is, which is given up: a snapshot was installed. Only leaders have waits, and they install none. */
  become(other: Keyspace): void {
    this.#holders = other.#holders
    this.#row = other.#row
    this.#dead = other.#dead
    this.#nextNumber = other.#nextNumber
    this.#slots = other.#slots
    this.#removals = other.#removals
    this.#expiries = other.#expiries
    this.blockEntries = other.blockEntries
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
