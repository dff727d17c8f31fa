// CLIENT PAUSE: commands are held until a time, all of them or those that write.
//
// A later pause lengthens and widens the one under way and never shortens it.

import type { Clock, Timer } from '../base/clock.ts'
import type { Ms } from '../base/types.ts'
import type { Entry } from './command-index.ts'
import type { Session } from './session.ts'

/** Commands that change nothing in a shard and count as writes all the same. */
const LIKE_WRITES = new Set(['publish', 'spublish'])

export class Pause {
  readonly #clock: Clock
  readonly #wake: (session: Session) => void
  readonly #held = new Set<Session>()
  #kind: 'none' | 'write' | 'all' = 'none'
  /** Monotonic. */
  #until: Ms = 0
  #timer: Timer | null = null

  /** @param wake lets a session try its held command again */
  constructor(clock: Clock, wake: (session: Session) => void) {
    this.#clock = clock
    this.#wake = wake
  }

  get active(): boolean {
    return this.#kind !== 'none'
  }

  begin(duration: Ms, all: boolean): void {
    this.#until = Math.max(this.#until, this.#clock.monotonic() + duration)
    if (all) this.#kind = 'all'
    else if (this.#kind === 'none') this.#kind = 'write'
    this.#timer?.cancel()
    const left = this.#until - this.#clock.monotonic()
    this.#timer = this.#clock.after(Math.min(left, TIMER_MS_MAX), () => this.#look())
  }

  end(): void {
    this.#kind = 'none'
    this.#until = 0
    this.#timer?.cancel()
    this.#timer = null
    const held = [...this.#held]
    this.#held.clear()
    for (const session of held) this.#wake(session)
  }

  /** Whether a command has to wait for the end. */
  holds({ writes, spec, errand }: Entry, { transaction }: Session): boolean {
    if (this.#kind !== 'write') return this.#kind === 'all'
    if (errand === 'exec') return transaction?.writes === true
    return writes || LIKE_WRITES.has(spec.name)
  }

  /** Remembers a session that holds a command until the end. */
  keep(session: Session): void {
    this.#held.add(session)
  }

  keeps(session: Session): boolean {
    return this.#held.has(session)
  }

  forget(session: Session): void {
    this.#held.delete(session)
  }

  #look(): void {
    if (this.#clock.monotonic() >= this.#until) this.end()
    else this.begin(0, false)
  }
}

/** Timers hold no more than 2^31 ms. */
const TIMER_MS_MAX: Ms = 86_400_000
