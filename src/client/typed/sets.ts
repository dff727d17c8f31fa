// Sets.

import type { CallOptions, Executor } from '../executor.ts'
import type { Word } from '../session/call.ts'

export class Sets {
  readonly #executor: Executor

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /** @returns how many were new */
  add(key: Word, members: readonly Word[], options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['SADD', key, ...members], options) as Promise<number>
  }

  /** @returns how many were there */
  remove(key: Word, members: readonly Word[], options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['SREM', key, ...members], options) as Promise<number>
  }

  async has(key: Word, member: Word, options: CallOptions = {}): Promise<boolean> {
    return (await this.#executor.execute(['SISMEMBER', key, member], options)) === 1
  }

  members(key: Word, options: CallOptions = {}): Promise<Buffer[]> {
    return this.#executor.execute(['SMEMBERS', key], { ...options, as: 'bytes' }) as Promise<
      Buffer[]
    >
  }

  size(key: Word, options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['SCARD', key], options) as Promise<number>
  }
}
