// The load: writers, readers and consumers of a group, each a loop that does one thing
// after the other and writes down what it saw, in the form that test/checkers judges.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation } from '../checkers/history.ts'
import { Client, type Ending, type Task } from './client.ts'
import type { LocalCluster } from './cluster.ts'
import { entriesOf, listOf, pendingOf, Refused, readEntriesOf, textOf } from './connection.ts'

export const GROUP = 'g'

/** An acknowledged write, for measuring how long none was. */
export type Acknowledged = { readonly key: string; readonly t1: number; readonly node: number }

/** What all actors write on. */
export class Notes {
  readonly history: Operation[] = []
  readonly acknowledged: Acknowledged[] = []
  /** Answers that no client should get. */
  readonly surprises: string[] = []
}

export abstract class Actor {
  readonly client: Client
  readonly #cluster: LocalCluster
  protected readonly notes: Notes
  #ends: Promise<void> | null = null
  #isStopped = false

  constructor(cluster: LocalCluster, notes: Notes) {
    this.client = new Client(cluster)
    this.#cluster = cluster
    this.notes = notes
  }

  start(): void {
    this.#ends = this.#run()
  }

  /** Begins nothing new, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ends
    this.client.close()
  }

  protected get isStopped(): boolean {
    return this.#isStopped
  }

  /** Does one thing. @returns how long to rest behind it, in ms */
  protected abstract act(): Promise<number>

  /** After `stop`: what should be finished. */
  protected async finish(): Promise<void> {}

  protected async perform(task: Task): Promise<Ending> {
    const ending = await this.client.perform(task)
    if (ending.reply instanceof Refused)
      this.notes.surprises.push(`${task.words.join(' ')}: ${ending.reply.text}`)
    return ending
  }

  protected base(key: string, { process, t0, t1, outcome }: Ending) {
    return { process, key, t0, t1, outcome }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && !this.#cluster.isOver) await sleep(await this.act())
    await this.finish()
  }
}

/** Appends values of its own to one stream. */
export class Writer extends Actor {
  readonly #key: string
  readonly #restMs: number
  readonly #padding: string

  constructor(cluster: LocalCluster, notes: Notes, key: string, restMs = 5, paddingBytes = 100) {
    super(cluster, notes)
    this.#key = key
    this.#restMs = restMs
    this.#padding = 'x'.repeat(paddingBytes)
  }

  protected async act(): Promise<number> {
    const key = this.#key
    const value = this.client.nextValue()
    const words = ['XADD', key, '*', 'v', value, 'pad', this.#padding]
    const ending = await this.perform({ words, key })
    const id = ending.outcome === 'ok' ? textOf(ending.reply) : null
    const { attempts, t1, node } = ending
    this.notes.history.push({
      ...this.base(key, ending),
      op: 'add',
      value,
      attempts: Math.max(1, attempts),
      maxlen: null,
      id,
    })
    if (ending.outcome === 'ok') this.notes.acknowledged.push({ key, t1, node })
    return this.#restMs
  }
}

/** Follows one stream from its beginning with blocking reads, and reads all of it now and then. */
export class Reader extends Actor {
  readonly #key: string
  #cursor = '0-0'

  constructor(cluster: LocalCluster, notes: Notes, key: string) {
    super(cluster, notes)
    this.#key = key
  }

  protected async act(): Promise<number> {
    const key = this.#key
    if (Math.random() < 0.02) {
      const ending = await this.perform({ words: ['XRANGE', key, '-', '+'], key, repeatable: true })
      const entries = ending.outcome === 'ok' ? entriesOf(ending.reply) : []
      this.notes.history.push({ ...this.base(key, ending), op: 'range', entries })
      return 50
    }
    const after = this.#cursor
    const count = 50
    const words = ['XREAD', 'COUNT', count, 'BLOCK', 500, 'STREAMS', key, after]
    const ending = await this.perform({ words, key, repeatable: true, block: 500 })
    const entries = ending.outcome === 'ok' ? readEntriesOf(ending.reply) : []
    this.#cursor = entries.at(-1)?.id ?? after
    const facts = { after, count, blocking: true, entries }
    this.notes.history.push({ ...this.base(key, ending), op: 'read', ...facts })
    return 50
  }
}

/** A consumer of one group: gets entries, acknowledges most, takes over what others left lying. */
export class Consumer extends Actor {
  readonly #key: string
  readonly #name: string
  #held: string[] = []
  /** A delivery may have got lost: what it brought stands on the pending list. */
  #isUnsure = false

  constructor(cluster: LocalCluster, notes: Notes, key: string, name: string) {
    super(cluster, notes)
    this.#key = key
    this.#name = name
  }

  protected async act(): Promise<number> {
    const chance = Math.random()
    if (this.#isUnsure) await this.#readOwn()
    else if (this.#held.length > 0 && chance < 0.7) await this.#acknowledge()
    else if (chance > 0.97) await this.#claim()
    else if (chance > 0.95) await this.#lookPending()
    else await this.#read(500)
    return 5
  }

  /** Takes what is left in the stream, so that nothing stays undelivered unseen. */
  protected override async finish(): Promise<void> {
    while ((await this.#read(null)) > 0) await this.#acknowledge()
  }

  async #read(block: number | null): Promise<number> {
    const key = this.#key
    const waits = block === null ? [] : ['BLOCK', block]
    const words = ['XREADGROUP', 'GROUP', GROUP, this.#name, 'COUNT', 10, ...waits]
    const ending = await this.perform({
      words: [...words, 'STREAMS', key, '>'],
      key,
      block: block ?? 0,
    })
    const entries = ending.outcome === 'ok' ? readEntriesOf(ending.reply) : []
    if (ending.outcome === 'info') this.#isUnsure = true
    this.#held.push(...entries.map(entry => entry.id))
    const consumer = this.#name
    this.notes.history.push({ ...this.base(key, ending), op: 'deliver', consumer, entries })
    return entries.length
  }

  async #readOwn(): Promise<void> {
    const key = this.#key
    const words = ['XREADGROUP', 'GROUP', GROUP, this.#name, 'STREAMS', key, '0']
    const ending = await this.perform({ words, key })
    const ids = ending.outcome === 'ok' ? readEntriesOf(ending.reply).map(({ id }) => id) : []
    if (ending.outcome === 'ok') {
      this.#isUnsure = false
      this.#held = [...ids]
    }
    const consumer = this.#name
    this.notes.history.push({ ...this.base(key, ending), op: 'history', consumer, ids })
  }

  async #acknowledge(): Promise<void> {
    // One in ten stays pending for a while, for others to claim.
    const ids = this.#held.filter(() => Math.random() < 0.9)
    this.#held = []
    if (ids.length === 0) return
    const key = this.#key
    const ending = await this.perform({
      words: ['XACK', key, GROUP, ...ids],
      key,
      repeatable: true,
    })
    const { attempts, reply } = ending
    const count = typeof reply === 'number' ? reply : 0
    this.notes.history.push({ ...this.base(key, ending), op: 'ack', ids, attempts, count })
  }

  async #claim(): Promise<void> {
    const key = this.#key
    const minIdle = 300
    const words = ['XAUTOCLAIM', key, GROUP, this.#name, minIdle, '0', 'COUNT', 20]
    const ending = await this.perform({ words, key })
    const ids =
      ending.outcome === 'ok' ? entriesOf(listOf(ending.reply)[1]).map(({ id }) => id) : []
    if (ending.outcome === 'info') this.#isUnsure = true
    this.#held.push(...ids.filter(id => !this.#held.includes(id)))
    const facts = { consumer: this.#name, minIdle, asked: null, ids }
    this.notes.history.push({ ...this.base(key, ending), op: 'claim', ...facts })
  }

  async #lookPending(): Promise<void> {
    const key = this.#key
    const words = ['XPENDING', key, GROUP, '-', '+', 1_000_000]
    const ending = await this.perform({ words, key, repeatable: true })
    const pending = ending.outcome === 'ok' ? pendingOf(ending.reply) : []
    this.notes.history.push({ ...this.base(key, ending), op: 'pending', pending })
  }
}

/** Makes a stream with its group. */
export async function makeGroup(cluster: LocalCluster, key: string): Promise<void> {
  const client = new Client(cluster)
  const words = ['XGROUP', 'CREATE', key, GROUP, '0', 'MKSTREAM']
  const { outcome } = await client.perform({ words, key, repeatable: true, expects: ['BUSYGROUP'] })
  client.close()
  if (outcome !== 'ok') throw new Error(`no group on ${key}`)
}
