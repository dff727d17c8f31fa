// The port for time. Production passes the machine's clocks, the simulator its own.

import type { Ms } from './types.ts'

/** A timer that was asked for; `cancel` after it fired does nothing. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall-clock Unix time in ms. May jump in both directions: only ever stamped into proposals. */
  now(): Ms
  /** Monotonic ms since an arbitrary start, with fractions. For durations and timeouts. */
  monotonic(): Ms
  /** Runs `callback` once after at least `delay` ms. Late timers fire once, not as often as they were missed. */
  after(delay: Ms, callback: () => void): Timer
  /** Runs `callback` after the input that is already waiting was handled (Node: setImmediate). */
  soon(callback: () => void): void
}
