// The lines of those who wait, and when they move on.
//
// Whoever waits for a list is proposed right behind the command that may lengthen
// it, in the same entry: between the two nobody can take what was added. So is the first
// who waits to read a stream for a group. Whom that
// does not serve, and who waits for something else, is tried once the change is
// applied: reads at once, writes by a proposal, and of those who need a list no more
// at a time than it has elements. A key stays on the books until nobody who waits on
// it is on the way and all others looked at it since it changed.

import type { Argv } from '../base/argv.ts'
import type { Ms } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import type { BlockedWrite } from './blocked-write.ts'
import type { StateMachine } from './ports.ts'
import type { ProposalBuffer } from './proposal-buffer.ts'
import type { Waiter, Waiters } from './waiters.ts'

export class Lines<R> {
  readonly #waiters: Waiters<R>
  readonly #machine: StateMachine<R>
  readonly #buffer: ProposalBuffer<R>
  /** Keys on the books, and when they changed. */
  readonly #changed = new Map<string, number>()

  constructor(waiters: Waiters<R>, machine: StateMachine<R>, buffer: ProposalBuffer<R>) {
    this.#waiters = waiters
    this.#machine = machine
    this.#buffer = buffer
  }

  /**
   * Entries were applied: serves who waits for what they changed.
   *
   * @param leads whether writes may be proposed
   * @returns whether some were
   */
  move(now: Ms, leads: boolean): boolean {
    const keys = this.#machine.takeReadyKeys()
    if (this.#waiters.count === 0) {
      this.#changed.clear()
      return false
    }
    for (const key of keys) this.#changed.set(key, this.#machine.changedAt(key))
    for (const waiter of this.#waiters.waitingOn(keys)) {
      if (waiter.query === null) continue
      const outcome = waiter.query.run(now)
      if (!(outcome instanceof Wait)) waiter.answer(waiter.ticket, outcome)
    }
    if (!leads) return false
    for (const [key, moment] of this.#changed)
      if (!this.#proposeLine(key, moment)) this.#changed.delete(key)
    return this.#changed.size > 0
  }

  /** @returns false: nobody who waits on `key` is on the way, so nothing more comes of its change */
  #proposeLine(key: string, moment: number): boolean {
    let onTheWay = 0
    let servable = -1
    for (const waiter of this.#waiters.inLine(key)) {
      if (waiter.write === null) continue
      if (!waiter.proposed) {
        if (waiter.seen >= moment) continue
        if (waiter.needs === 'list') {
          if (servable < 0) servable = this.#machine.servable(key)
          if (onTheWay >= servable) continue
        }
        this.#propose(waiter, waiter.write)
      }
      onTheWay += 1
    }
    return onTheWay > 0
  }

  /** Time alone may serve `waiter` now. @returns whether it was proposed */
  proposeDue(waiter: Waiter<R>): boolean {
    if (waiter.write === null || waiter.proposed) return false
    this.#propose(waiter, waiter.write)
    return true
  }

  #propose(waiter: Waiter<R>, write: BlockedWrite): void {
    waiter.proposed = true
    this.#buffer.addAgain(waiter, waiter.ticket, write.argv, write.producer)
  }

  /**
   * A command joined the batch: behind it go those who wait for the lists that it
   * lengthens, and the first that waits for the stream, behind these those who wait for what they move on (BLMOVE), and so on.
   */
  accompany(argv: Argv): void {
    const feeds = [...this.#machine.feeds(argv)]
    for (const { key, count, needs = 'list' } of feeds) {
      let left = count
      for (const waiter of this.#waiters.inLine(key)) {
        if (left === 0 || this.#buffer.isFull) break
        if (waiter.write === null || waiter.proposed || waiter.needs !== needs) continue
        this.#propose(waiter, waiter.write)
        feeds.push(...this.#machine.feeds(waiter.write.argv))
        left -= 1
      }
    }
  }
}
