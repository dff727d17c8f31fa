// Workload A: writers, readers, followers and trimmers of streams (TESTING 7A).

import { Actor, baseOf, entriesOf, readEntriesOf, type Stage } from './actor.ts'
import type { Task } from './client.ts'
import { textOf } from './plain.ts'
import type { Prng } from './prng.ts'

function task(words: readonly string[], key: string, more: Partial<Task> = {}): Task {
  return { words, key, producer: null, repeatable: false, block: 0, ...more }
}

/** Appends values of its own; with a producer session, each exactly once. */
export class Writer extends Actor {
  readonly #keys: readonly string[]
  readonly #producer: string | null
  #sequence = 0
  /** Bytes added to a value now and then, so that entries cross blocks, batches and segments. */
  readonly #padding: number

  constructor(
    stage: Stage,
    prng: Prng,
    id: number,
    keys: readonly string[],
    producer: string | null,
    padding: number,
  ) {
    super(stage, prng, id)
    this.#keys = keys
    this.#producer = producer
    this.#padding = padding
  }

  protected act(): void {
    const key = this.prng.pick(this.#keys)
    const value = this.nextValue()
    const trims = key.startsWith('trimmed') && this.prng.chance(0.2)
    const maxlen = trims ? this.prng.between(0, 30) : null
    const words = ['XADD', key]
    if (maxlen !== null) words.push('MAXLEN', this.prng.pick(['=', '~']), `${maxlen}`)
    words.push('*', 'v', value)
    if (this.prng.chance(0.1)) words.push('pad', 'x'.repeat(this.prng.below(this.#padding + 1)))
    this.#sequence += 1
    const producer =
      this.#producer === null ? null : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    this.perform(task(words, key, { producer }), ending => {
      const id = ending.outcome === 'ok' ? textOf(ending.reply) : null
      const { attempts } = ending
      this.record({ ...baseOf(this.client, key, ending), op: 'add', value, attempts, maxlen, id })
    })
  }
}

/** Reads whole streams. */
export class Reader extends Actor {
  readonly #keys: readonly string[]

  constructor(stage: Stage, prng: Prng, id: number, keys: readonly string[]) {
    super(stage, prng, id)
    this.#keys = keys
  }

  protected act(): void {
    const key = this.prng.pick(this.#keys)
    const words = ['XRANGE', key, '-', '+']
    this.perform(task(words, key, { repeatable: true }), ending => {
      const entries = entriesOf(ending.reply)
      this.record({ ...baseOf(this.client, key, ending), op: 'range', entries })
    })
  }
}

/** Follows one stream from its beginning with XREAD, blocking now and then. */
export class Follower extends Actor {
  readonly #key: string
  #cursor = '0-0'

  constructor(stage: Stage, prng: Prng, id: number, key: string) {
    super(stage, prng, id)
    this.#key = key
  }

  protected act(): void {
    const key = this.#key
    const after = this.#cursor
    const count = this.prng.chance(0.5) ? this.prng.between(1, 20) : null
    const block = this.prng.chance(0.6) ? this.blockMs() : 0
    const words = ['XREAD']
    if (count !== null) words.push('COUNT', `${count}`)
    if (block > 0) words.push('BLOCK', `${block}`)
    words.push('STREAMS', key, after)
    this.perform(task(words, key, { repeatable: true, block }), ending => {
      const entries = readEntriesOf(ending.reply)
      const last = entries.at(-1)
      if (last !== undefined) this.#cursor = last.id
      const facts = { after, count, blocking: block > 0, entries }
      this.record({ ...baseOf(this.client, key, ending), op: 'read', ...facts })
    })
  }
}

/** Takes entries away: from the front by XTRIM, anywhere by XDEL. */
export class Trimmer extends Actor {
  readonly #keys: readonly string[]
  readonly #seen = new Map<string, readonly string[]>()

  constructor(stage: Stage, prng: Prng, id: number, keys: readonly string[]) {
    super(stage, prng, id)
    this.#keys = keys
  }

  protected act(): void {
    const key = this.prng.pick(this.#keys)
    const seen = this.#seen.get(key) ?? []
    if (seen.length === 0 || this.prng.chance(0.3)) this.#look(key)
    else if (this.prng.chance(0.4)) this.#delete(key, this.prng.pick(seen))
    else this.#trim(key, seen)
  }

  #look(key: string): void {
    const words = ['XRANGE', key, '-', '+']
    this.perform(task(words, key, { repeatable: true }), ending => {
      const entries = entriesOf(ending.reply)
      if (ending.outcome === 'ok')
        this.#seen.set(
          key,
          entries.map(entry => entry.id),
        )
      this.record({ ...baseOf(this.client, key, ending), op: 'range', entries })
    })
  }

  #delete(key: string, id: string): void {
    this.perform(task(['XDEL', key, id], key), ending => {
      this.record({ ...baseOf(this.client, key, ending), op: 'delete', ids: [id] })
    })
  }

  #trim(key: string, seen: readonly string[]): void {
    const byLength = this.prng.chance(0.5)
    const maxlen = byLength ? this.prng.between(0, 20) : null
    const minid = byLength ? null : this.prng.pick(seen)
    const limit = maxlen === null ? ['MINID', `${minid}`] : ['MAXLEN', `${maxlen}`]
    this.perform(task(['XTRIM', key, ...limit], key), ending => {
      this.record({ ...baseOf(this.client, key, ending), op: 'trim', maxlen, minid })
    })
  }
}
