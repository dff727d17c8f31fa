// Streams: append, read, trim.

import { type Entry, entriesOf, type Fields, wordsOf } from '../entry.ts'
import { UsageError } from '../errors.ts'
import type { CallOptions, ExecuteOptions, Executor } from '../executor.ts'
import type { Propagator } from '../propagator.ts'
import type { Word } from '../session/call.ts'
import type { Value } from '../session/value.ts'

export type AppendOptions = CallOptions & {
  /** Default: `*`, made by the node. */
  readonly id?: string
  /** Keep about so many of the newest entries. */
  readonly maxLength?: number
  /**
   * Names the entry within the stream for this producer: one that was appended under the same name is not
   * appended again, also by a later life of the producer. Only with `producer` given.
   */
  readonly dedupe?: string
}

export type RangeOptions = CallOptions & { readonly count?: number }

/** Runs a command with the window of a stream's idempotent IDs. */
type DedupeExecute = (words: readonly Word[], key: Word, options: ExecuteOptions) => Promise<Value>

export class Streams {
  readonly #executor: Executor
  readonly #propagator: Propagator | null
  /** null: the producer has no name that outlives the client. */
  readonly #producerId: string | null
  readonly #dedupe: DedupeExecute

  constructor(
    executor: Executor,
    propagator: Propagator | null,
    producerId: string | null,
    dedupe: DedupeExecute,
  ) {
    this.#executor = executor
    this.#propagator = propagator
    this.#producerId = producerId
    this.#dedupe = dedupe
  }

  /** Appends an entry. @returns its ID */
  append(key: Word, fields: Fields, options: AppendOptions = {}): Promise<string> {
    const words: Word[] = ['XADD', key]
    if (options.dedupe !== undefined) {
      if (this.#producerId === null || options.id !== undefined)
        throw new UsageError(
          'dedupe needs the option `producer` of the client, and an ID made by the node',
        )
      words.push('IDMP', this.#producerId, options.dedupe)
    }
    if (options.maxLength !== undefined) words.push('MAXLEN', '~', options.maxLength)
    words.push(options.id ?? '*')
    if (Array.isArray(fields)) words.push(...wordsOf(fields))
    else for (const name in fields) words.push(name, (fields as Record<string, Word>)[name] as Word)
    if (this.#propagator !== null) {
      const carrier: Record<string, string> = {}
      this.#propagator.inject(carrier)
      words.push(...wordsOf(carrier))
    }
    const done =
      options.dedupe === undefined
        ? this.#executor.execute(words, options)
        : this.#dedupe(words, key, options)
    return done as Promise<string>
  }

  /** How long and how many names of `dedupe` the stream remembers of each producer. A change forgets all of them. */
  async configureDedupe(
    key: Word,
    limits: { readonly seconds: number; readonly names: number },
    options: CallOptions = {},
  ): Promise<void> {
    const { seconds, names } = limits
    const words = ['XCFGSET', key, 'IDMP-DURATION', seconds, 'IDMP-MAXSIZE', names]
    await this.#executor.execute(words, options)
  }

  /** Entries with IDs from `from` to `to`, oldest first. */
  async range(key: Word, from = '-', to = '+', options: RangeOptions = {}): Promise<Entry[]> {
    return entriesOf(await this.#ranged('XRANGE', key, from, to, options))
  }

  /** The same, newest first. */
  async reverseRange(
    key: Word,
    from = '+',
    to = '-',
    options: RangeOptions = {},
  ): Promise<Entry[]> {
    return entriesOf(await this.#ranged('XREVRANGE', key, from, to, options))
  }

  length(key: Word, options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['XLEN', key], options) as Promise<number>
  }

  /** @returns how many were there */
  delete(key: Word, ids: readonly string[], options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['XDEL', key, ...ids], options) as Promise<number>
  }

  /** Keeps the newest `maxLength` entries. @returns how many were removed */
  trim(key: Word, maxLength: number, options: CallOptions = {}): Promise<number> {
    return this.#executor.execute(['XTRIM', key, 'MAXLEN', maxLength], options) as Promise<number>
  }

  #ranged(
    name: string,
    key: Word,
    from: string,
    to: string,
    options: RangeOptions,
  ): Promise<Value> {
    const count = options.count === undefined ? [] : ['COUNT', options.count]
    return this.#executor.execute([name, key, from, to, ...count], { ...options, as: 'bytes' })
  }
}
