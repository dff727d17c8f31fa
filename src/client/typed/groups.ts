// Consumer groups, as far as they are not `consume`.

import { type Entry, entriesOf, itemsOf, streamsOf } from '../entry.ts'
import { ReplyError } from '../errors.ts'
import type { CallOptions, Executor } from '../executor.ts'
import type { Word } from '../session/call.ts'

export type Pending = {
  readonly id: string
  readonly consumer: string
  readonly idleMs: number
  readonly deliveries: number
}

export class Groups {
  readonly #executor: Executor

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /**
   * Makes a group that is given entries after `from` (`0`: all, `$`: what comes), and the stream if there is none.
   *
   * @returns false: there is one already
   */
  async create(key: Word, group: Word, from = '0', options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#executor.execute(['XGROUP', 'CREATE', key, group, from, 'MKSTREAM'], options)
      return true
    } catch (error) {
      if (error instanceof ReplyError && error.code === 'BUSYGROUP') return false
      throw error
    }
  }

  async destroy(key: Word, group: Word, options: CallOptions = {}): Promise<boolean> {
    return (await this.#executor.execute(['XGROUP', 'DESTROY', key, group], options)) === 1
  }

  /** Reads once, without waiting: entries that were delivered to nobody yet. */
  async read(
    key: Word,
    group: Word,
    consumer: Word,
    options: CallOptions & { readonly count?: number } = {},
  ): Promise<Entry[]> {
    const { count = 100 } = options
    const words = ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, '>']
    const found = streamsOf(await this.#executor.execute(words, { ...options, as: 'bytes' }))
    return found[0]?.entries ?? []
  }

  /** @returns how many of them were pending */
  ack(key: Word, group: Word, ids: readonly string[], options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['XACK', key, group, ...ids], options) as Promise<number>
  }

  /** The oldest entries that are delivered and not acknowledged. */
  async pending(
    key: Word,
    group: Word,
    options: CallOptions & { readonly count?: number; readonly minIdleMs?: number } = {},
  ): Promise<Pending[]> {
    const { count = 100, minIdleMs = 0 } = options
    const words = ['XPENDING', key, group, 'IDLE', minIdleMs, '-', '+', count]
    return itemsOf(await this.#executor.execute(words, options)).map(row => {
      const [id, consumer, idle, deliveries] = itemsOf(row)
      return {
        id: String(id),
        consumer: String(consumer),
        idleMs: Number(idle),
        deliveries: Number(deliveries),
      }
    })
  }

  /** Takes over what others have had pending for at least so long. */
  async claim(
    key: Word,
    group: Word,
    consumer: Word,
    minIdleMs: number,
    options: CallOptions & { readonly count?: number } = {},
  ): Promise<Entry[]> {
    const { count = 100 } = options
    const words = ['XAUTOCLAIM', key, group, consumer, minIdleMs, '0', 'COUNT', count]
    const [, entries] = itemsOf(await this.#executor.execute(words, { ...options, as: 'bytes' }))
    return entriesOf(entries ?? [])
  }
}
