// What a session is owed: one place for each command that is not answered yet.
//
// The replica gets the place for its ticket. In an ordered session places rise,
// and an answer that comes early waits in the ring until its turn; in an
// unordered one a place is any free one and is free again once answered. Arrays
// of numbers, not objects: a command costs no garbage here.

import { assert } from '../base/assert.ts'
import type { Slot } from '../base/types.ts'
import type { Reply } from '../machine/reply.ts'

/** Low bits of a place's marks: the slot plus one; 0: no slot. */
const SLOT_BITS = 0x7fff
/** The command reads; a write of the same session must not overtake it. */
export const READS = 0x8000
/** The command may wait long. */
export const WAITS = 0x1_0000
/** The client wants no reply (CLIENT REPLY OFF). */
export const SILENT = 0x2_0000
/** The command is EXEC: errors may stand within its reply. */
export const EXECS = 0x4_0000

/** Places stay small integers: they wrap here, far beyond any bound in flight. */
const PLACE_MASK = 0x3fff_ffff
const CAPACITY_MIN = 16

export class Owed {
  readonly #ordered: boolean
  #tickets = new Float64Array(CAPACITY_MIN)
  #marks = new Int32Array(CAPACITY_MIN)
  /** Ordered: answers that came before their turn. */
  #early: (Reply | null)[] = new Array<Reply | null>(CAPACITY_MIN).fill(null)
  /** Unordered: places that are free, as a stack. */
  #free = new Int32Array(CAPACITY_MIN)
  #freeCount = 0
  /** Ordered: the oldest place and the next new one. Unordered: `#tail` places were ever used. */
  #head = 0
  #tail = 0
  /** Places in use; in an ordered session with those that were answered early. */
  count = 0

  constructor(ordered: boolean) {
    this.#ordered = ordered
  }

  /** Takes a place for a command. */
  open(ticket: number): number {
    if (this.count === this.#marks.length) this.#grow()
    this.count += 1
    let place: number
    if (this.#ordered) {
      place = this.#tail
      this.#tail = (place + 1) & PLACE_MASK
    } else if (this.#freeCount > 0) {
      this.#freeCount -= 1
      place = this.#free[this.#freeCount] as number
    } else {
      place = this.#tail
      this.#tail += 1
    }
    const at = place & (this.#marks.length - 1)
    this.#tickets[at] = ticket
    this.#marks[at] = 0
    return place
  }

  marks(place: number): number {
    return this.#marks[place & (this.#marks.length - 1)] as number
  }

  mark(place: number, bits: number): void {
    const at = place & (this.#marks.length - 1)
    this.#marks[at] = (this.#marks[at] as number) | bits
  }

  unmark(place: number, bits: number): void {
    const at = place & (this.#marks.length - 1)
    this.#marks[at] = (this.#marks[at] as number) & ~bits
  }

  markSlot(place: number, slot: Slot): void {
    this.mark(place, slot + 1)
  }

  /** The slot of the command, or -1. */
  slot(place: number): number {
    return (this.marks(place) & SLOT_BITS) - 1
  }

  ticket(place: number): number {
    return this.#tickets[place & (this.#marks.length - 1)] as number
  }

  /** Whether `place` is the next to be answered. */
  isNext(place: number): boolean {
    return !this.#ordered || place === this.#head
  }

  /** Keeps an answer until its turn. */
  keep(place: number, reply: Reply): void {
    this.#early[place & (this.#marks.length - 1)] = reply
  }

  /** Frees `place`, which was answered. */
  close(place: number): void {
    this.count -= 1
    if (this.#ordered) {
      assert(place === this.#head, 'a place was closed before its turn')
      this.#head = (place + 1) & PLACE_MASK
      return
    }
    this.#free[this.#freeCount] = place
    this.#freeCount += 1
  }

  /** The place whose turn it is, if its answer is there already; else -1. */
  nextEarly(): number {
    if (!this.#ordered || this.count === 0) return -1
    return this.#early[this.#head & (this.#marks.length - 1)] === null ? -1 : this.#head
  }

  takeEarly(place: number): Reply {
    const at = place & (this.#marks.length - 1)
    const reply = this.#early[at] as Reply | null
    assert(reply !== null, 'an early answer is gone')
    this.#early[at] = null
    return reply
  }

  #grow(): void {
    const capacity = this.#marks.length
    const tickets = new Float64Array(capacity * 2)
    const marks = new Int32Array(capacity * 2)
    const early = new Array<Reply | null>(capacity * 2).fill(null)
    const first = this.#ordered ? this.#head : 0
    for (let i = 0; i < capacity; i += 1) {
      const from = (first + i) & (capacity - 1)
      const to = (first + i) & (capacity * 2 - 1)
      tickets[to] = this.#tickets[from] as number
      marks[to] = this.#marks[from] as number
      early[to] = this.#early[from] ?? null
    }
    const free = new Int32Array(capacity * 2)
    free.set(this.#free)
    this.#tickets = tickets
    this.#marks = marks
    this.#early = early
    this.#free = free
  }
}
