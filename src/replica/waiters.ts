// Blocked commands by key, first come first served.
//
// A waiter stands in line on each of its keys until it is answered. A blocked
// read is run again when a key changed; a blocked write is proposed again, and
// keeps its place in line while the proposal is on its way: if another was
// faster, applying says Wait again. A write that time alone may serve (XREADGROUP
// CLAIM) is also proposed when that time has come. Waiters are not replicated.

import type { Clock, Timer } from '../base/clock.ts'
import type { Ms } from '../base/types.ts'
import type { Wait } from '../base/wait.ts'
import type { BlockedWrite } from './blocked-write.ts'
import type { Asker, Lost, Query } from './ports.ts'

/** A wall clock may jump while a waiter sleeps by it: it is looked at again this often. */
const ALARM_MAX: Ms = 1000

/** Longer waits take several timers: Node's count milliseconds in 31 bits. */
const TIMER_MS_MAX = 0x7fff_ffff

export class Waiter<R> implements Asker<R> {
  readonly asker: Asker<R>
  readonly ticket: number
  readonly keys: readonly string[]
  /** Null for a write. */
  readonly query: Query<R> | null
  readonly write: BlockedWrite | null
  readonly needs: Wait['needs']
  /** The machine's moment at which there was nothing for it. */
  seen: number
  /** The write is in the log and not yet applied. */
  proposed = false
  /** The time is over; whatever applying says next is the last word. */
  expired = false
  timer: Timer | null = null
  /** Until time alone may serve it. */
  alarm: Timer | null = null
  readonly #table: Waiters<R>

  constructor(
    table: Waiters<R>,
    asker: Asker<R>,
    ticket: number,
    wait: Wait,
    work: Query<R> | BlockedWrite,
  ) {
    this.#table = table
    this.asker = asker
    this.ticket = ticket
    this.keys = wait.keys
    this.needs = wait.needs
    this.seen = wait.seen
    this.query = 'run' in work ? work : null
    this.write = 'run' in work ? null : work
  }

  get closed(): boolean {
    return this.asker.closed
  }

  /** As the asker of its own repeated proposal. */
  answer(_ticket: number, reply: R): void {
    this.#table.remove(this)
    this.asker.answer(this.ticket, reply)
  }

  lose(_ticket: number, why: Lost): void {
    this.#table.remove(this)
    this.asker.lose(this.ticket, why)
  }

  /** Its proposal was applied and there was nothing for it. */
  stillWaits(wait: Wait): void {
    this.proposed = false
    this.seen = wait.seen
    if (this.expired) this.lose(this.ticket, 'timeout')
    else this.#table.setAlarm(this, wait.dueAt)
  }
}

export class Waiters<R> {
  readonly #clock: Clock
  /** Sets keep the order of arrival. */
  readonly #byKey = new Map<string, Set<Waiter<R>>>()
  readonly #byAsker = new Map<Asker<R>, Set<Waiter<R>>>()
  readonly #serveDue: (waiter: Waiter<R>) => void
  #count = 0

  /** @param serveDue proposes a write again whose time has come, unless it is on its way */
  constructor(clock: Clock, serveDue: (waiter: Waiter<R>) => void) {
    this.#clock = clock
    this.#serveDue = serveDue
  }

  get count(): number {
    return this.#count
  }

  /** Keys that somebody waits on, and those of them whose end also ends the wait of a write. */
  keys(): { readonly all: number; readonly onNoKey: number } {
    let onNoKey = 0
    for (const line of this.#byKey.values())
      for (const { write, needs } of line) {
        if (write === null || needs === 'list') continue
        onNoKey += 1
        break
      }
    return { all: this.#byKey.size, onNoKey }
  }

  /** Registers a command that has to wait; `wait.timeout` of 0 waits for ever. */
  add(asker: Asker<R>, ticket: number, wait: Wait, work: Query<R> | BlockedWrite): void {
    if (asker.closed) return
    const waiter = new Waiter(this, asker, ticket, wait, work)
    for (const key of wait.keys) append(this.#byKey, key, waiter)
    append(this.#byAsker, asker, waiter)
    this.#count += 1
    asker.blocks?.(ticket)
    if (wait.timeout > 0) this.#arm(waiter, wait.timeout)
    if (waiter.write !== null) this.setAlarm(waiter, wait.dueAt)
  }

  #arm(waiter: Waiter<R>, timeout: number): void {
    const delay = Math.min(timeout, TIMER_MS_MAX)
    waiter.timer = this.#clock.after(delay, () => {
      if (delay < timeout) this.#arm(waiter, timeout - delay)
      else this.#expire(waiter)
    })
  }

  /** Wakes a write at `dueAt`, Unix ms, unless it is answered before; 0: never. */
  setAlarm(waiter: Waiter<R>, dueAt: Ms): void {
    waiter.alarm?.cancel()
    waiter.alarm = null
    if (dueAt === 0) return
    const delay = Math.min(Math.max(1, dueAt - this.#clock.now()), ALARM_MAX)
    waiter.alarm = this.#clock.after(delay, () => {
      waiter.alarm = null
      if (this.#clock.now() < dueAt) this.setAlarm(waiter, dueAt)
      else this.#serveDue(waiter)
    })
  }

  /** Those in line on `key`, in order of arrival. It may lose its first ones while it is walked. */
  inLine(key: string): Iterable<Waiter<R>> {
    return this.#byKey.get(key) ?? NOBODY
  }

  /** Those in line on `keys`, each once, in order of arrival on the first key that names it. */
  waitingOn(keys: readonly string[]): readonly Waiter<R>[] {
    if (this.#count === 0) return []
    const found = new Set<Waiter<R>>()
    for (const key of keys) for (const waiter of this.#byKey.get(key) ?? []) found.add(waiter)
    return [...found]
  }

  remove(waiter: Waiter<R>): void {
    if (!detach(this.#byAsker, waiter.asker, waiter)) return
    for (const key of waiter.keys) detach(this.#byKey, key, waiter)
    this.#count -= 1
    waiter.timer?.cancel()
    waiter.timer = null
    waiter.alarm?.cancel()
    waiter.alarm = null
  }

  /** The client is gone. */
  forget(asker: Asker<R>): void {
    for (const waiter of [...(this.#byAsker.get(asker) ?? [])]) this.remove(waiter)
  }

  /** Ends one wait as if its time were over. */
  unblock(asker: Asker<R>, ticket: number): boolean {
    for (const waiter of this.#byAsker.get(asker) ?? []) {
      if (waiter.ticket !== ticket) continue
      this.#expire(waiter)
      return true
    }
    return false
  }

  loseAll(why: Lost): void {
    for (const waiters of [...this.#byAsker.values()]) {
      // A write that is in the log is answered by what becomes of its proposal.
      for (const waiter of [...waiters]) if (!waiter.proposed) waiter.lose(waiter.ticket, why)
    }
  }

  #expire(waiter: Waiter<R>): void {
    waiter.expired = true
    if (!waiter.proposed) waiter.lose(waiter.ticket, 'timeout')
  }
}

function append<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set === undefined) map.set(key, new Set([value]))
  else set.add(value)
}

const NOBODY: readonly never[] = []

/** @returns whether it was there */
function detach<K, V>(map: Map<K, Set<V>>, key: K, value: V): boolean {
  const set = map.get(key)
  if (set === undefined || !set.delete(value)) return false
  if (set.size === 0) map.delete(key)
  return true
}
