// Strings and counters.

import type { CallOptions, Executor } from '../executor.ts'
import type { Word } from '../session/call.ts'

export type SetOptions = CallOptions & {
  /** Milliseconds to live. Default: for ever. */
  readonly expireMs?: number
  /** Only if there is no such key, or only if there is. */
  readonly only?: 'new' | 'existing'
}

export class Strings {
  readonly #executor: Executor

  constructor(executor: Executor) {
    this.#executor = executor
  }

  get(key: Word, options: CallOptions = {}): Promise<Buffer | null> {
    return this.#executor.execute(['GET', key], {
      ...options,
      as: 'bytes',
    }) as Promise<Buffer | null>
  }

  /** @returns false: `only` did not hold */
  async set(key: Word, value: Word, options: SetOptions = {}): Promise<boolean> {
    const words: Word[] = ['SET', key, value]
    if (options.expireMs !== undefined) words.push('PX', options.expireMs)
    if (options.only !== undefined) words.push(options.only === 'new' ? 'NX' : 'XX')
    return (await this.#executor.execute(words, options)) !== null
  }

  /** @returns the new value */
  increment(key: Word, by = 1, options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['INCRBY', key, by], options) as Promise<number>
  }
}
