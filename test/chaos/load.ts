// The usual load on a few streams: writers, a reader, and the consumers of a group on each.

import { type Actor, Consumer, makeGroup, Notes, Reader, Writer } from './actors.ts'
import type { Seen } from './client.ts'
import type { LocalCluster } from './cluster.ts'
import { judge, readAll } from './verdict.ts'

const WRITERS = 2
const CONSUMERS = 3

export class Load {
  readonly notes = new Notes()
  readonly keys: readonly string[]
  readonly #cluster: LocalCluster
  readonly #actors: Actor[] = []

  constructor(cluster: LocalCluster, keys: readonly string[]) {
    this.#cluster = cluster
    this.keys = keys
    for (const key of keys) {
      for (let i = 0; i < WRITERS; i += 1) this.#actors.push(new Writer(cluster, this.notes, key))
      this.#actors.push(new Reader(cluster, this.notes, key))
      for (let i = 1; i <= CONSUMERS; i += 1)
        this.#actors.push(new Consumer(cluster, this.notes, key, `c${i}`))
    }
  }

  async start(): Promise<void> {
    for (const key of this.keys) await makeGroup(this.#cluster, key)
    for (const actor of this.#actors) actor.start()
  }

  /** Stops everybody: who writes first, so that who reads can take the rest. */
  async stop(): Promise<void> {
    const isWriter = (actor: Actor): boolean => actor instanceof Writer
    await Promise.all(this.#actors.filter(isWriter).map(actor => actor.stop()))
    await Promise.all(this.#actors.filter(actor => !isWriter(actor)).map(actor => actor.stop()))
  }

  /** Errors that clients saw on their way, in the order of time. */
  get seen(): readonly Seen[] {
    return this.#actors.flatMap(({ client }) => client.seen).sort((a, b) => a.at - b.at)
  }

  /** Reads what all replicas hold, and judges. @returns one line about the run */
  async judge(): Promise<string> {
    await readAll(this.#cluster, { logs: [], groups: this.keys }, this.notes)
    return judge(this.#cluster, this.notes)
  }
}
