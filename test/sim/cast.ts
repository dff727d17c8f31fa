// Who acts in a run, as its seed drew it, and what all of them must find to be true in the end.

import type { Operation } from '../checkers/history.ts'
import { accountQuestions, Bidder, Tally, TallySheet, Teller } from './account-actors.ts'
import type { Actor, Stage } from './actor.ts'
import { Anyone } from './any-actor.ts'
import { CLIENTS_FROM } from './client.ts'
import type { Cluster } from './cluster.ts'
import { Families } from './family.ts'
import { type Keys, type Question, questionOf } from './final-reads.ts'
import { Consumer } from './group-actors.ts'
import type { Knobs } from './knobs.ts'
import { Follower, Reader, Trimmer, Writer } from './log-actors.ts'
import type { Crashing } from './nemesis.ts'
import { COUNT, Counter, checkPairs, PAIR, PairWriter } from './pair-actors.ts'
import { PostOffice, Receiver, Sender } from './post-actors.ts'
import type { Prng } from './prng.ts'
import { Mover, Popper, Pusher, Unblocker, type Waiting } from './queue-actors.ts'
import { Collector } from './set-actors.ts'
import { Scribe } from './string-actors.ts'

export class Cast {
  readonly actors: Actor[] = []
  /** Those whose process may die. */
  readonly crashing: Crashing[] = []
  readonly keys: Keys
  readonly families = new Families()
  readonly stage: Stage
  readonly #prng: Prng
  /** By value: how many entries its writer found when it added it. */
  readonly #numbers = new Map<string, number>()
  #accounts: readonly Question[] = []
  readonly #office: PostOffice | null = null
  #id = CLIENTS_FROM

  constructor(cluster: Cluster, prng: Prng, history: Operation[], violations: string[]) {
    const { knobs } = cluster
    const { families } = this
    this.#prng = prng
    const { actors } = knobs
    this.stage = {
      world: cluster,
      history,
      families,
      violations,
      knobs: actors,
      calmFrom: Infinity,
    }
    const { cast } = knobs
    this.keys = {
      logs: cast.has('streams') ? ['log:1', 'log:2', 'trimmed:1', 'trimmed:2'] : [],
      transacted: cast.has('pairs') ? [...PAIR, COUNT] : [],
      groups: cast.has('groups') ? ['work:1', 'work:2'] : [],
    }
    if (cast.has('streams') || cast.has('groups')) this.#castStreams(knobs)
    if (cast.has('pairs')) this.#castPairs()
    if (cast.has('groups')) this.#castConsumers(knobs)
    if (cast.has('queues')) this.#castQueues(knobs)
    if (cast.has('post')) this.#office = this.#castPost()
    if (cast.has('sets'))
      for (const producer of [null, null, 'sets'])
        this.actors.push(new Collector(...this.#next(), producer))
    if (cast.has('strings'))
      for (const producer of [null, null, 'strings'])
        this.actors.push(new Scribe(...this.#next(), producer))
    if (cast.has('accounts')) this.#castAccounts()
    if (cast.has('anyone'))
      for (const producer of [null, null, 'anyone'])
        this.actors.push(new Anyone(...this.#next(), cluster, producer, cast.has('flushes')))
  }

  #next(): [Stage, Prng, number] {
    this.#id += 1
    return [this.stage, this.#prng.fork(`actor${this.#id}`), this.#id]
  }

  #castStreams({ writers, padding }: Knobs): void {
    const { logs, groups } = this.keys
    const all = [...logs, ...groups]
    for (let i = 0; i < writers; i += 1) {
      // Every other writer has a producer session: its retries must come to one entry.
      const producer = i % 2 === 0 ? null : `producer-${i}`
      this.actors.push(new Writer(...this.#next(), all, producer, padding))
    }
    this.actors.push(new Reader(...this.#next(), all))
    if (logs.length === 0) return
    const trimmed = logs.filter(key => key.startsWith('trimmed'))
    this.actors.push(new Follower(...this.#next(), 'log:1'), new Follower(...this.#next(), 'log:2'))
    this.actors.push(new Trimmer(...this.#next(), trimmed))
  }

  #castPairs(): void {
    for (const producer of [null, 'pairs'])
      this.actors.push(new PairWriter(...this.#next(), producer))
    for (let i = 0; i < 2; i += 1) this.actors.push(new Counter(...this.#next(), this.#numbers))
  }

  #castConsumers({ consumers }: Knobs): void {
    for (const key of this.keys.groups) {
      for (let i = 1; i <= consumers; i += 1) {
        const consumer = new Consumer(...this.#next(), key, `c${i}`)
        this.actors.push(consumer)
        this.crashing.push(consumer)
      }
    }
  }

  #castQueues({ consumers }: Knobs): void {
    const waiting: Waiting = new Set()
    for (const producer of [null, 'pusher']) this.actors.push(new Pusher(...this.#next(), producer))
    for (let i = 0; i < consumers; i += 1) {
      const producer = i % 2 === 0 ? `popper-${i}` : null
      const popper = new Popper(...this.#next(), producer, waiting)
      this.actors.push(popper)
      this.crashing.push(popper)
    }
    this.actors.push(new Mover(...this.#next(), 'mover'))
    this.actors.push(new Unblocker(...this.#next(), waiting))
  }

  #castPost(): PostOffice {
    const office = new PostOffice(this.stage)
    for (const producer of [null, 'sender'])
      this.actors.push(new Sender(...this.#next(), office, producer))
    for (const [i, box] of office.boxes.entries()) {
      const receiver = new Receiver(...this.#next(), office, box, i === 0 ? null : 'receiver')
      this.actors.push(receiver)
      this.crashing.push(receiver)
    }
    return office
  }

  #castAccounts(): void {
    const sheet = new TallySheet(this.stage.violations)
    this.#accounts = accountQuestions(this.stage.violations, sheet)
    for (const producer of [null, 'bank']) this.actors.push(new Teller(...this.#next(), producer))
    this.actors.push(new Tally(...this.#next(), sheet), new Tally(...this.#next(), sheet))
    for (let i = 0; i < 2; i += 1) this.actors.push(new Bidder(...this.#next()))
  }

  /** What must be asked when all is over. */
  questions(): Question[] {
    return [
      ...this.families.all.map(questionOf),
      ...(this.#office?.questions() ?? []),
      ...this.#accounts,
    ]
  }

  /** What is wrong with what transactions and watches must have kept apart. */
  checkPairs(history: readonly Operation[]): string[] {
    return checkPairs(history, this.#numbers)
  }
}
