// What a leader proposes of its own accord: the machine says what is due, one command at a time.
//
// It is asked once a tick, and again as soon as the command before was applied, so that
// a great many chores take a few entries a tick, and none while nothing is due. A
// command that is lost with the leadership is the next leader's to find.

import type { Host } from './host.ts'
import type { Asker } from './ports.ts'

export class Chores<R> implements Asker<R> {
  readonly closed = false
  readonly #host: Pick<Host, 'schedule'>
  /** A command is on its way. */
  #open = false
  #look = false

  constructor(host: Pick<Host, 'schedule'>) {
    this.#host = host
  }

  /** Whether it is time to ask the machine. */
  get mayAsk(): boolean {
    return this.#look && !this.#open
  }

  tick(): void {
    this.#look = true
  }

  /** Nothing is due before the next tick. */
  rest(): void {
    this.#look = false
  }

  /** A command goes on its way. @returns who hears what becomes of it */
  begin(): Asker<R> {
    this.#open = true
    this.#look = false
    return this
  }

  answer(): void {
    this.#open = false
    this.#look = true
    this.#host.schedule()
  }

  lose(): void {
    this.#open = false
  }
}
