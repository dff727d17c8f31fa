// Keys of any type.

import { slotOfKey } from '../command-facts.ts'
import type { CallOptions, Executor } from '../executor.ts'
import type { Word } from '../session/call.ts'

export class Keys {
  readonly #executor: Executor

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /** Deletes keys of any slots, at once within a slot. @returns how many there were */
  delete(keys: readonly Word[], options: CallOptions = {}): Promise<number> {
    return this.#sum('DEL', keys, options)
  }

  /** @returns how many of the keys there are */
  exists(keys: readonly Word[], options: CallOptions = {}): Promise<number> {
    return this.#sum('EXISTS', keys, options)
  }

  /** `none` if there is no such key. */
  type(key: Word, options: CallOptions = {}): Promise<string> {
    return this.#executor.execute(['TYPE', key], options) as Promise<string>
  }

  /** @returns false: there is no such key */
  async expire(key: Word, ms: number, options: CallOptions = {}): Promise<boolean> {
    return (await this.#executor.execute(['PEXPIRE', key, ms], options)) === 1
  }

  /** Milliseconds to live; null: for ever, or there is no such key. */
  async timeToLive(key: Word, options: CallOptions = {}): Promise<number | null> {
    const ms = Number(await this.#executor.execute(['PTTL', key], options))
    return ms < 0 ? null : ms
  }

  async #sum(name: string, keys: readonly Word[], options: CallOptions): Promise<number> {
    const bySlot = new Map<number, Word[]>()
    for (const key of keys) {
      const slot = slotOfKey(key)
      const some = bySlot.get(slot)
      if (some === undefined) bySlot.set(slot, [key])
      else some.push(key)
    }
    const counts = [...bySlot.values()].map(some =>
      this.#executor.execute([name, ...some], options),
    )
    return (await Promise.all(counts)).reduce<number>((sum, count) => sum + Number(count), 0)
  }
}
