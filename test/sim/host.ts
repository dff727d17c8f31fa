// A simulated process on a simulated machine: its life, its loop and its clocks.
//
// A process runs one event at a time, in the order in which events reached it.
// While it is paused, or still busy with the event before, what reaches it waits
// in its inbox; timers that came due meanwhile fire late, and once. When it is
// killed, whatever was meant for it is gone. The machine's clocks live on: they
// have an offset, a drift, and jump when the seed says so.

import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Ms } from '../../src/base/types.ts'
import type { Scheduler, Us } from './scheduler.ts'

/** What the wall clock of a machine without offset says when the run begins: 2026-01-01T00:00:00Z. */
export const EPOCH_MS: Ms = 1_767_225_600_000

/** The clocks of one machine. Wall time jumps; monotonic time only drifts. */
export class MachineClock {
  /** Added to the wall clock. */
  offset: Ms = 0
  /** Seconds that pass here in one second of the world: 1.0001 gains 100 ppm. */
  rate = 1

  wall(now: Us): Ms {
    return Math.floor(EPOCH_MS + (now / 1000) * this.rate + this.offset)
  }

  monotonic(now: Us): Ms {
    return (now / 1000) * this.rate
  }
}

/** What a round of the loop takes at least. */
const SOON_US: Us = 3
const SOONS_PER_SECOND_MAX = 100_000

type Work = { readonly label: string; readonly run: () => void }

export class Process implements Clock {
  readonly node: number
  readonly #scheduler: Scheduler
  readonly #machine: MachineClock
  readonly #inbox: Work[] = []
  #alive = true
  #paused = false
  #busyUntil: Us = 0
  #draining = false
  #soons = 0
  #soonsUntil: Us = 0
  /** CPU time of one event; the next waits that long. */
  eventCost: Us = 0
  /** Gets what the process threw. A simulated process dies of it as a real one does. */
  onCrash: (error: unknown) => void = error => {
    throw error
  }

  constructor(scheduler: Scheduler, node: number, machine: MachineClock) {
    this.#scheduler = scheduler
    this.node = node
    this.#machine = machine
  }

  get alive(): boolean {
    return this.#alive
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Nothing of this process runs again. */
  kill(): void {
    this.#alive = false
    this.#inbox.length = 0
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#drainLater(0)
  }

  /** Hands `run` to the process after `delay`; it runs when the process gets to it. */
  deliver(delay: Us, label: string, run: () => void): { cancel(): void } {
    const work = { label, run }
    let cancelled = false
    const event = this.#scheduler.after(delay, this.node, label, () => {
      if (!cancelled) this.#arrive(work)
    })
    return {
      cancel: () => {
        cancelled = true
        this.#scheduler.cancel(event)
        const waiting = this.#inbox.indexOf(work)
        if (waiting >= 0) this.#inbox.splice(waiting, 1)
      },
    }
  }

  /** Runs `run` at once as an event of this process: its start, for one. */
  run(run: () => void): void {
    if (!this.#alive) return
    this.#busyUntil = this.#scheduler.now + this.eventCost
    try {
      run()
    } catch (error) {
      this.onCrash(error)
    }
  }

  #arrive(work: Work): void {
    if (!this.#alive) return
    const busy = this.#paused || this.#inbox.length > 0 || this.#scheduler.now < this.#busyUntil
    if (!busy) {
      this.run(work.run)
      return
    }
    this.#inbox.push(work)
    if (!this.#paused) this.#drainLater(Math.max(0, this.#busyUntil - this.#scheduler.now))
  }

  #drainLater(delay: Us): void {
    if (this.#draining || this.#inbox.length === 0) return
    this.#draining = true
    this.#scheduler.after(delay, this.node, 'inbox', () => {
      this.#draining = false
      if (!this.#alive || this.#paused) return
      const work = this.#inbox.shift()
      if (work !== undefined) {
        this.#scheduler.noteText(work.label)
        this.run(work.run)
      }
      this.#drainLater(this.eventCost)
    })
  }

  now(): Ms {
    return this.#machine.wall(this.#scheduler.now)
  }

  monotonic(): Ms {
    return this.#machine.monotonic(this.#scheduler.now)
  }

  after(delay: Ms, callback: () => void): Timer {
    // Node's timers count whole milliseconds, at least one.
    const us = (Math.max(1, Math.ceil(delay)) * 1000) / this.#machine.rate
    return this.deliver(us, 'timer', callback)
  }

  soon(callback: () => void): void {
    this.#watchForBusyLoop()
    this.deliver(SOON_US, 'soon', callback)
  }

  /** A process that asks for its next round in every round, and does nothing else, burns its machine. */
  #watchForBusyLoop(): void {
    if (this.#scheduler.now >= this.#soonsUntil) {
      this.#soonsUntil = this.#scheduler.now + 1_000_000
      this.#soons = 0
    }
    this.#soons += 1
    if (this.#soons > SOONS_PER_SECOND_MAX)
      throw new Error(`n${this.node} loops without rest: ${this.#soons} rounds in a second`)
  }
}
