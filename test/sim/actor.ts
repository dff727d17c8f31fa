// Those who act on the cluster while a run goes on: each thinks, does one thing, and notes how it ended.

import type { Operation } from '../checkers/history.ts'
import { Client, type Ending, type Task, type World } from './client.ts'
import type { Families } from './family.ts'
import { listOf, type Plain, textOf } from './plain.ts'
import type { Prng } from './prng.ts'
import type { Us } from './scheduler.ts'

export type ActorKnobs = {
  /** Mean time between an answer and the next operation. */
  readonly think: Us
  /** Operations one actor has under way at most. */
  readonly depth: number
}

/** What all actors of a run share. */
export type Stage = {
  readonly world: World
  readonly history: Operation[]
  /** What was done to keys that are used for a while only. */
  readonly families: Families
  /** What actors saw that must never be. */
  readonly violations: string[]
  readonly knobs: ActorKnobs
  /** From when on nothing delays an answer, in ms. */
  calmFrom: number
}

export abstract class Actor {
  readonly stage: Stage
  readonly prng: Prng
  readonly client: Client
  #stopped = false
  /** Operations that ended well. */
  succeeded = 0
  /** Each operation of an actor has a number of its own. */
  #counter = 0

  constructor(stage: Stage, prng: Prng, id: number) {
    this.stage = stage
    this.prng = prng
    this.client = new Client(stage.world, prng.fork('client'), id)
  }

  /** Begins to act. */
  start(): void {
    for (let i = 0; i < this.stage.knobs.depth; i += 1) this.#think()
  }

  /** Begins nothing new. */
  stop(): void {
    this.#stopped = true
  }

  /** A value that nobody else writes. */
  nextValue(): string {
    this.#counter += 1
    return `${this.client.id}:${this.#counter}`
  }

  /** How long to block; what is pipelined behind it waits as long. */
  protected blockMs(): number {
    return this.prng.between(1, Math.ceil(2_000 / this.stage.knobs.depth))
  }

  /** Does one thing by `perform`. */
  protected abstract act(): void

  /** Sends `task`; `note` writes it down, and then the actor thinks again. */
  protected perform(task: Task, note: (ending: Ending) => void): void {
    this.client.begin(task, ending => {
      if (ending.outcome === 'ok') this.succeeded += 1
      note(ending)
      this.#think()
    })
  }

  /** Nothing to do just now. */
  protected rest(): void {
    this.#think()
  }

  protected record(operation: Operation): void {
    this.stage.history.push(operation)
  }

  #think(): void {
    const { world, knobs } = this.stage
    world.scheduler.after(this.prng.exponential(knobs.think), this.client.id, 'think', () => {
      if (!this.#stopped) this.act()
    })
  }
}

/** Entries as XRANGE has them: id and fields, of which the second is the value. */
export function entriesOf(plain: Plain): { id: string; value: string }[] {
  return listOf(plain).map(item => {
    const [id, fields] = listOf(item)
    return { id: textOf(id), value: textOf(listOf(fields)[1]) }
  })
}

/** The entries of the only stream of an XREAD or XREADGROUP. */
export function readEntriesOf(plain: Plain): { id: string; value: string }[] {
  const [stream] = listOf(plain)
  return entriesOf(listOf(stream)[1] ?? null)
}

export function baseOf(client: Client, key: string, ending: Ending) {
  const { t0, t1, outcome } = ending
  return { process: client.id, key, t0, t1, outcome }
}
