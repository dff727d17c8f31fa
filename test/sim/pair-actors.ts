// Workload C: transactions. Two streams get every value together or not at all, and
// a counter is kept by WATCH alone.

import type { Operation } from '../checkers/history.ts'
import { Actor, baseOf, entriesOf, type Stage } from './actor.ts'
import type { Ending, Task } from './client.ts'
import type { Connection } from './connection.ts'
import { listOf, textOf } from './plain.ts'
import type { Prng } from './prng.ts'

/** Both of one slot. Whatever is in one of them is in the other, in the same order. */
export const PAIR = ['{pair}:a', '{pair}:b'] as const
/** Each entry is added by who found as many entries as stand before it. */
export const COUNT = '{pair}:count'
const READS = 0.4

function exec(commands: readonly (readonly string[])[], more: Partial<Task> = {}): Task {
  return {
    words: ['EXEC'],
    transaction: commands,
    key: PAIR[0],
    producer: null,
    repeatable: false,
    block: 0,
    ...more,
  }
}

/** Writes to both streams of the pair, and reads both. */
export class PairWriter extends Actor {
  readonly #producer: string | null
  #sequence = 0

  constructor(stage: Stage, prng: Prng, id: number, producer: string | null) {
    super(stage, prng, id)
    this.#producer = producer
  }

  protected act(): void {
    if (this.prng.chance(READS)) this.#read()
    else this.#write()
  }

  #write(): void {
    const value = this.nextValue()
    this.#sequence += 1
    const producer =
      this.#producer === null ? null : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    const commands = PAIR.map(key => ['XADD', key, '*', 'v', value])
    // A read among the writes must see the first of them.
    commands.splice(1, 0, ['XREVRANGE', PAIR[0], '+', '-', 'COUNT', '1'])
    this.perform(exec(commands, { producer }), ending => {
      const [first, seen, second] = listOf(ending.outcome === 'ok' ? ending.reply : [])
      const newest = entriesOf(seen ?? [])[0]
      if (ending.outcome === 'ok' && newest?.value !== value)
        this.stage.violations.push(`${value} was not seen within its own transaction`)
      for (const [i, reply] of [first, second].entries()) {
        const id = ending.outcome === 'ok' ? textOf(reply) : null
        const { attempts } = ending
        const base = baseOf(this.client, PAIR[i] as string, ending)
        this.record({ ...base, op: 'add', value, attempts, maxlen: null, id })
      }
    })
  }

  #read(): void {
    const commands = PAIR.map(key => ['XRANGE', key, '-', '+'])
    this.perform(exec(commands, { repeatable: true }), ending => {
      const both = listOf(ending.outcome === 'ok' ? ending.reply : []).map(entriesOf)
      for (const [i, entries] of both.entries())
        this.record({ ...baseOf(this.client, PAIR[i] as string, ending), op: 'range', entries })
      const [a, b] = both.map(entries => entries.map(({ value }) => value).join())
      if (a !== b) this.stage.violations.push(`a transaction read a pair that is torn: ${a} | ${b}`)
    })
  }
}

/** WATCH, look, and add what follows: nothing but the watch keeps two of them apart. */
export class Counter extends Actor {
  readonly #numbers: Map<string, number>

  constructor(stage: Stage, prng: Prng, id: number, numbers: Map<string, number>) {
    super(stage, prng, id)
    this.#numbers = numbers
  }

  /** One at a time: an EXEC forgets all that its connection watches. */
  override start(): void {
    this.rest()
  }

  protected act(): void {
    const task = { key: COUNT, producer: null, repeatable: true, block: 0 }
    this.client.begin({ ...task, words: ['WATCH', COUNT] }, ({ outcome, connection }) => {
      if (outcome !== 'ok') return this.rest()
      const look = { ...task, words: ['XLEN', COUNT], pinned: connection }
      this.client.begin(look, ending => {
        if (ending.outcome !== 'ok') return this.rest()
        this.#add(Number(ending.reply), connection)
      })
    })
  }

  #add(found: number, pinned: Connection | null): void {
    const value = this.nextValue()
    this.#numbers.set(value, found)
    const task = exec([['XADD', COUNT, '*', 'v', value]], { key: COUNT, pinned })
    this.perform(task, ending => {
      // The null array: somebody was faster.
      if (ending.outcome === 'ok' && ending.reply === null) return
      this.#note(value, ending)
    })
  }

  #note(value: string, ending: Ending): void {
    const id = ending.outcome === 'ok' ? textOf(listOf(ending.reply)[0]) : null
    const base = baseOf(this.client, COUNT, ending)
    this.record({ ...base, op: 'add', value, attempts: ending.attempts, maxlen: null, id })
  }
}

/** What the replicas hold in the end that transactions and watches must have kept out. */
export function checkPairs(
  history: readonly Operation[],
  numbers: ReadonlyMap<string, number>,
): string[] {
  const wrong: string[] = []
  const held = new Map<string, string>()
  for (const op of history) {
    if (op.op !== 'final-log') continue
    const values = op.entries.map(({ value }) => value)
    held.set(`${op.node} ${op.key}`, values.join())
    if (op.key !== COUNT) continue
    for (const [i, value] of values.entries())
      if (numbers.get(value) !== i)
        wrong.push(`n${op.node}: entry ${i} was added by who found ${numbers.get(value)}`)
  }
  for (const [place, values] of held) {
    const [node, key] = place.split(' ')
    if (key === PAIR[0] && held.get(`${node} ${PAIR[1]}`) !== values)
      wrong.push(`n${node} holds a pair that is torn`)
  }
  return wrong
}
