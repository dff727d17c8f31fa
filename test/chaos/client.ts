// A client that tells what happened: it follows redirects, waits out elections, and
// says of every operation whether it was done, was surely not done, or nobody knows.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from '../checkers/history.ts'
import type { LocalCluster } from './cluster.ts'
import { Connection, Dropped, type Plain, Refused } from './connection.ts'

/** How long an operation that was surely not done is tried again. */
const GIVE_UP_MS = 40_000
const REPLY_MS = 3_000
const PAUSE_MS = 20

/** Error words that promise that nothing was done, and that another try may go better. */
const NOT_NOW = new Set(['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'UNBLOCKED'])

export type Task = {
  readonly words: readonly (string | number)[]
  readonly key: string
  /** Doing it twice does no harm: an unknown outcome is tried again. */
  readonly repeatable?: boolean
  /** How long the command itself may wait, in ms. */
  readonly block?: number
  /** Error words that are answers to this. */
  readonly expects?: readonly string[]
}

export type Ending = {
  readonly process: number
  readonly t0: number
  /** Infinity while the outcome is `info`. */
  readonly t1: number
  readonly outcome: Outcome
  readonly reply: Plain
  /** How often it may have been done. */
  readonly attempts: number
  /** Who answered last; 0: nobody. */
  readonly node: number
}

/** An error reply that a client did not hand on. */
export type Seen = {
  readonly word: string
  readonly node: number
  readonly at: number
  readonly command: string
}

let processes = 0

export class Client {
  readonly #cluster: LocalCluster
  readonly #connections = new Map<number, Connection>()
  /** Where the last answer for a key came from. */
  readonly #routes = new Map<string, number>()
  #next = 0
  #counter = 0
  process: number
  /** Errors that were seen on the way: redirects, and what was tried again. */
  readonly seen: Seen[] = []

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster
    processes += 1
    this.process = processes
  }

  /** A value that nobody else writes. */
  nextValue(): string {
    this.#counter += 1
    return `${this.process}:${this.#counter}`
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }

  /** Does `task` until it is known to be done, or cannot be known, or never worked for long. */
  async perform(task: Task): Promise<Ending> {
    const t0 = performance.now()
    const process = this.process
    let attempts = 0
    let node = 0
    const end = (outcome: Outcome, reply: Plain): Ending => {
      // A client whose command is unknown may have it done later: it counts as another one from now on.
      if (outcome === 'info') {
        processes += 1
        this.process = processes
        this.#counter = 0
      }
      const t1 = outcome === 'info' ? Infinity : performance.now()
      return { process, t0, t1, outcome, reply, attempts, node }
    }
    while (performance.now() - t0 < GIVE_UP_MS && !this.#cluster.isOver) {
      node = this.#route(task.key)
      const connection = await this.#connect(node)
      if (connection === null) {
        this.#wander(task.key)
        await sleep(PAUSE_MS)
        continue
      }
      attempts += 1
      const reply = await this.#send(connection, task)
      if (reply instanceof Refused && !task.expects?.includes(reply.word)) {
        this.seen.push({
          word: reply.word,
          node,
          at: performance.now(),
          command: `${task.words[0]}`,
        })
        if (reply.word === 'MOVED') {
          attempts -= 1
          const port = Number(reply.text.split(':').at(-1))
          this.#routes.set(task.key, this.#cluster.nodeAt(port))
          continue
        }
        if (NOT_NOW.has(reply.word)) {
          attempts -= 1
          this.#wander(task.key)
          await sleep(PAUSE_MS)
          continue
        }
        if (reply.word !== 'INDOUBT') return end('fail', reply)
      } else if (!(reply instanceof Dropped)) {
        return end('ok', reply)
      } else {
        this.#wander(task.key)
      }
      if (task.repeatable !== true) return end('info', null)
    }
    return end(attempts === 0 ? 'fail' : 'info', new Refused('NEVER it did not work for long'))
  }

  async #send(connection: Connection, task: Task): Promise<Plain | Dropped> {
    try {
      return await connection.ask(task.words, REPLY_MS + (task.block ?? 0))
    } catch (error) {
      if (error instanceof Dropped) return error
      throw error
    }
  }

  #route(key: string): number {
    const known = this.#routes.get(key)
    if (known !== undefined) return known
    this.#next = (this.#next % this.#cluster.nodes.length) + 1
    return this.#next
  }

  #wander(key: string): void {
    this.#routes.delete(key)
  }

  async #connect(node: number): Promise<Connection | null> {
    const known = this.#connections.get(node)
    if (known?.isOpen) return known
    try {
      const opened = await Connection.open(this.#cluster.respPort(node))
      this.#connections.set(node, opened)
      return opened
    } catch {
      return null
    }
  }
}
