// Lists as queues.

import { itemsOf } from '../entry.ts'
import type { CallOptions, Executor } from '../executor.ts'
import type { Word } from '../session/call.ts'

const MS_PER_SECOND = 1_000

export type End = 'left' | 'right'

export class Lists {
  readonly #executor: Executor

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /** @returns the new length */
  push(key: Word, end: End, values: readonly Word[], options: CallOptions = {}): Promise<number> {
    const name = end === 'left' ? 'LPUSH' : 'RPUSH'
    return this.#executor.execute([name, key, ...values], options) as Promise<number>
  }

  pop(key: Word, end: End, options: CallOptions = {}): Promise<Buffer | null> {
    const name = end === 'left' ? 'LPOP' : 'RPOP'
    return this.#executor.execute([name, key], {
      ...options,
      as: 'bytes',
    }) as Promise<Buffer | null>
  }

  /**
   * Waits for an element, `waitMs` at most; 0: until the signal is aborted. A wait that is aborted takes nothing; if that
   * cannot be proven it ends with InDoubtError.
   */
  async waitPop(
    key: Word,
    end: End,
    waitMs: number,
    options: CallOptions = {},
  ): Promise<Buffer | null> {
    const name = end === 'left' ? 'BLPOP' : 'BRPOP'
    const words = [name, key, waitMs / MS_PER_SECOND]
    const found = await this.#executor.execute(words, { ...options, ...waitOf(waitMs, options) })
    return found === null ? null : (itemsOf(found)[1] as Buffer)
  }

  /** Takes from one list and puts to another of the same slot, at once. */
  move(
    from: Word,
    to: Word,
    fromEnd: End,
    toEnd: End,
    options: CallOptions = {},
  ): Promise<Buffer | null> {
    const words = ['LMOVE', from, to, fromEnd, toEnd]
    return this.#executor.execute(words, { ...options, as: 'bytes' }) as Promise<Buffer | null>
  }

  range(key: Word, from = 0, to = -1, options: CallOptions = {}): Promise<Buffer[]> {
    return this.#executor.execute(['LRANGE', key, from, to], {
      ...options,
      as: 'bytes',
    }) as Promise<Buffer[]>
  }

  length(key: Word, options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['LLEN', key], options) as Promise<number>
  }

  /** Keeps the elements from `from` to `to`. */
  async trim(key: Word, from: number, to: number, options: CallOptions = {}): Promise<void> {
    await this.#executor.execute(['LTRIM', key, from, to], options)
  }
}

/** The deadline of a call that waits: what it would be, behind the wait. */
export function waitOf(waitMs: number, options: CallOptions) {
  const deadlineMs =
    waitMs === 0 ? Number.POSITIVE_INFINITY : waitMs + (options.deadlineMs ?? 10_000)
  return { as: 'bytes', deadlineMs } as const
}
