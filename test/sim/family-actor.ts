// An actor whose deeds on the keys of a family are written down for the search for an order.

import type { Deed } from '../checkers/linearizability.ts'
import type { Answer } from '../checkers/plain-state.ts'
import { Actor, type Stage } from './actor.ts'
import type { Ending, Task } from './client.ts'
import type { Family } from './family.ts'
import { formatPlain, listOf, type Plain } from './plain.ts'
import type { Prng } from './prng.ts'

type Command = readonly string[]

/** Where nothing delays it, a wait is served this soon. */
const WAKE_WITHIN_MS = 400
/** A producer asks for the same once more, and must hear the same. */
const REPEATS = 0.1

export abstract class FamilyActor extends Actor {
  readonly #producer: string | null
  #sequence = 0

  /** @param producer null: what it did not hear of may have happened */
  constructor(stage: Stage, prng: Prng, id: number, producer: string | null = null) {
    super(stage, prng, id)
    this.#producer = producer
  }

  /** Writes: one command, or several between MULTI and EXEC. */
  protected write(family: Family, commands: readonly Command[], more: Partial<Task> = {}): void {
    this.#sequence += 1
    const producer =
      this.#producer === null || more.pinned !== undefined
        ? null
        : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    const task = { ...taskOf(family, commands), producer, ...more }
    this.perform(task, ending => {
      this.note(family, commands, ending)
      // What waited in vain was not done: it would be done now.
      const isDone = ending.outcome === 'ok' && (task.block === 0 || ending.reply !== null)
      if (isDone && producer !== null && this.prng.chance(REPEATS)) this.#repeat(task, ending.reply)
    })
  }

  protected read(family: Family, commands: readonly Command[]): void {
    this.perform({ ...taskOf(family, commands), repeatable: true }, ending =>
      this.note(family, commands, ending),
    )
  }

  /** The command comes again under its number, as after a lost answer. */
  #repeat(task: Task, reply: Plain): void {
    this.client.begin({ ...task, block: 0 }, again => {
      if (again.outcome !== 'ok' || formatPlain(again.reply) === formatPlain(reply)) return
      this.stage.violations.push(
        `${task.words.join(' ')} of a producer was answered ${formatPlain(reply)}, and again ${formatPlain(again.reply)}`,
      )
    })
  }

  protected note(family: Family, commands: readonly Command[], ending: Ending): void {
    const { outcome, reply } = ending
    // The null array of an EXEC: a watched key was changed, and nothing was done.
    const isTransaction = commands.length > 1
    if (isTransaction && outcome === 'ok' && reply === null) return
    const replies = isTransaction ? listOf(reply) : [reply]
    const answers = commands.map(([name = ''], i) => shown(name, replies[i] ?? null))
    this.keep(family, { commands, answers: outcome === 'ok' ? answers : [] }, ending)
  }

  protected keep(family: Family, what: Pick<Deed, 'commands' | 'answers'>, ending: Ending): void {
    const { t1, outcome, reply } = ending
    let { t0 } = ending
    // What came while it waited woke it: there was nothing at the end of the wait, either.
    const waited = what.commands[0]?.[0]?.startsWith('B') && outcome === 'ok' && reply === null
    if (waited && t1 - WAKE_WITHIN_MS > this.stage.calmFrom) t0 = Math.max(t0, t1 - WAKE_WITHIN_MS)
    family.deeds.push({ process: this.client.id, t0, t1, outcome, ...what })
  }
}

/** How long a key lives depends on clocks; that it will die does not. */
function shown(name: string, answer: Plain): Answer {
  return name === 'PTTL' && Number(answer) > 0 ? 1 : answer
}

function taskOf(family: Family, commands: readonly Command[]): Task {
  const rest = { key: family.key(''), producer: null, repeatable: false, block: 0 }
  if (commands.length > 1) return { ...rest, words: ['EXEC'], transaction: commands }
  return { ...rest, words: commands[0] ?? [] }
}
