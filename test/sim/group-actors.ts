// Workload B: consumers of a group that read, acknowledge, claim from each other, and die (TESTING 7B).

import { Actor, baseOf, readEntriesOf, type Stage } from './actor.ts'
import type { Task } from './client.ts'
import { listOf, type Plain, textOf } from './plain.ts'
import type { Prng } from './prng.ts'

/** One group on each stream. */
export const GROUP = 'g'

function task(words: readonly string[], key: string, more: Partial<Task> = {}): Task {
  return { words, key, producer: null, repeatable: false, block: 0, ...more }
}

/** Makes the streams and groups before the others begin. */
export function groupTask(key: string): Task {
  const words = ['XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM']
  return task(words, key, { repeatable: true, expects: ['BUSYGROUP'] })
}

/** A consumer of one group: gets entries, acknowledges most, comes back after a crash. */
export class Consumer extends Actor {
  readonly #key: string
  readonly #name: string
  /** What it got and did not acknowledge yet. */
  #held: string[] = []
  #afterCrash = false

  constructor(stage: Stage, prng: Prng, id: number, key: string, name: string) {
    super(stage, prng, id)
    this.#key = key
    this.#name = name
  }

  /** The consumer's process dies and comes back under its name, knowing nothing. */
  crash(): void {
    this.client.die()
    this.#held = []
    this.#afterCrash = true
  }

  protected act(): void {
    if (this.#afterCrash) this.#readOwn()
    else if (this.#held.length > 0 && this.prng.chance(0.6)) this.#ack()
    else if (this.prng.chance(0.15)) this.#claim()
    else if (this.prng.chance(0.1)) this.#autoclaim()
    else if (this.prng.chance(0.12)) this.#lookPending()
    else this.#read()
  }

  #read(): void {
    const key = this.#key
    const block = this.prng.chance(0.5) ? this.blockMs() : 0
    const words = ['XREADGROUP', 'GROUP', GROUP, this.#name]
    words.push('COUNT', `${this.prng.between(1, 5)}`)
    if (block > 0) words.push('BLOCK', `${block}`)
    words.push('STREAMS', key, '>')
    this.perform(task(words, key, { block }), ending => {
      const entries = readEntriesOf(ending.reply)
      for (const entry of entries) this.#held.push(entry.id)
      const consumer = this.#name
      this.record({ ...baseOf(this.client, key, ending), op: 'deliver', consumer, entries })
    })
  }

  #readOwn(): void {
    const key = this.#key
    const words = ['XREADGROUP', 'GROUP', GROUP, this.#name, 'STREAMS', key, '0']
    this.perform(task(words, key), ending => {
      const ids = readEntriesOf(ending.reply).map(entry => entry.id)
      if (ending.outcome === 'ok') {
        this.#afterCrash = false
        this.#held = [...ids]
      }
      const consumer = this.#name
      this.record({ ...baseOf(this.client, key, ending), op: 'history', consumer, ids })
    })
  }

  #ack(): void {
    const key = this.#key
    const some = this.prng.chance(0.7) ? 1 : this.prng.between(1, this.#held.length)
    const ids = this.prng.shuffle(this.#held).slice(0, some)
    this.#held = this.#held.filter(id => !ids.includes(id))
    this.perform(task(['XACK', key, GROUP, ...ids], key, { repeatable: true }), ending => {
      const { attempts, reply } = ending
      const count = typeof reply === 'number' ? reply : 0
      this.record({ ...baseOf(this.client, key, ending), op: 'ack', ids, attempts, count })
    })
  }

  #claim(): void {
    const key = this.#key
    this.#pending(pending => {
      const others = pending.filter(seen => seen.consumer !== this.#name)
      if (others.length === 0) return false
      const asked = this.prng
        .shuffle(others)
        .slice(0, this.prng.between(1, 3))
        .map(seen => seen.id)
      const minIdle = this.prng.pick([0, 50, 300, 1_000])
      const words = ['XCLAIM', key, GROUP, this.#name, `${minIdle}`, ...asked]
      this.perform(task(words, key), ending => {
        const ids = claimedIds(ending.reply)
        this.#held.push(...ids.filter(id => !this.#held.includes(id)))
        const facts = { consumer: this.#name, minIdle, asked, ids }
        this.record({ ...baseOf(this.client, key, ending), op: 'claim', ...facts })
      })
      return true
    })
  }

  #autoclaim(): void {
    const key = this.#key
    const minIdle = this.prng.pick([50, 300, 1_000])
    const words = ['XAUTOCLAIM', key, GROUP, this.#name, `${minIdle}`, '0', 'COUNT', '5']
    this.perform(task(words, key), ending => {
      const ids = claimedIds(listOf(ending.reply)[1] ?? null)
      this.#held.push(...ids.filter(id => !this.#held.includes(id)))
      const facts = { consumer: this.#name, minIdle, asked: null, ids }
      this.record({ ...baseOf(this.client, key, ending), op: 'claim', ...facts })
    })
  }

  #lookPending(): void {
    this.#pending(() => false)
  }

  /** @param next what to do with what is pending; false when it did nothing */
  #pending(next: (pending: readonly ReturnType<typeof pendingOf>[number][]) => boolean): void {
    const key = this.#key
    const words = ['XPENDING', key, GROUP, '-', '+', '100000']
    const ask = task(words, key, { repeatable: true })
    this.client.begin(ask, ending => {
      const pending = pendingOf(ending.reply)
      if (ending.outcome === 'ok') this.succeeded += 1
      this.record({ ...baseOf(this.client, key, ending), op: 'pending', pending })
      if (ending.outcome !== 'ok' || !next(pending)) this.rest()
    })
  }
}

/** XCLAIM's answer: entries; what was deleted meanwhile is not among them. */
function claimedIds(plain: Plain): string[] {
  return listOf(plain).map(item => textOf(listOf(item)[0]))
}

/** XPENDING's long answer: id, consumer, idle, deliveries. */
export function pendingOf(plain: Plain): { id: string; consumer: string; deliveries: number }[] {
  return listOf(plain).map(item => {
    const [id, consumer, , deliveries] = listOf(item)
    return { id: textOf(id), consumer: textOf(consumer), deliveries: Number(deliveries) }
  })
}
