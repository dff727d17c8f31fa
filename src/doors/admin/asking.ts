// One HTTP client at the desk: it asks one command at a time and is called back, never from within the desk.

import { Argv } from '../../base/argv.ts'
import { fail, type Reply } from '../../machine/reply.ts'
import type { Desk, DeskClient } from './desk.ts'

export type Word = string | Uint8Array

export class Asking implements DeskClient {
  readonly #desk: Desk
  readonly #session: unknown
  #then: ((reply: Reply) => void) | null = null
  #isOver = false

  constructor(desk: Desk, address: string, localAddress: string) {
    this.#desk = desk
    this.#session = desk.connect(this, { door: 'admin', ordered: false, address, localAddress })
  }

  /** Asks, once what was asked before is answered. `then` is not called any more after `end`. */
  ask(words: readonly Word[], then: (reply: Reply) => void): void {
    this.#then = then
    this.#desk.execute(this.#session, Argv.of(...words), 0, null)
  }

  /** What is asked and not answered is forgotten. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#desk.disconnect(this.#session)
  }

  answer(_ticket: number, reply: Reply): void {
    const then = this.#then
    this.#then = null
    setImmediate(() => {
      if (!this.#isOver) then?.(reply)
    })
  }

  resume(): void {}

  close(reason: string): void {
    const then = this.#then
    this.#then = null
    setImmediate(() => {
      if (!this.#isOver) then?.(fail(`INDOUBT the session ended: ${reason}`))
    })
  }
}
