// Whether some order of what clients did explains all that they were answered.
//
// The search of Wing and Gong with Lowe's memory of places it has been at: take any
// operation that began before the first of the open ones ended, ask the model what
// it may have answered, go on with what that leaves, and go back when nothing fits.
// An operation without an outcome may take its turn at any time after it began, or
// never. The search is exponential at worst: histories are short, and one that is too
// hard is given up as undecided, which its caller counts.

import type { Outcome } from './history.ts'
import type { Model } from './plain-model.ts'
import { type Answer, isSame, type State } from './plain-state.ts'

/** Commands that one client sent together and that took effect at once, or not at all. */
export type Deed = {
  readonly process: number
  readonly t0: number
  /** Infinity where the outcome is `info`. */
  readonly t1: number
  readonly outcome: Outcome
  readonly commands: readonly (readonly string[])[]
  /** One a command; undefined where nobody knows. */
  readonly answers: readonly (Answer | undefined)[]
}

export type Verdict = {
  readonly name: 'linear' | 'undecided' | 'broken'
  /** Of a broken history: the deed that none of the longest orders could explain. */
  readonly text: string
}

const LINEAR: Verdict = { name: 'linear', text: '' }
/** Orders looked at before a history is given up. */
const STEPS_MAX = 8_000

/** Judges the deeds on one family of keys, all of them, from when the keys were not there. */
export function checkFamily(deeds: readonly Deed[], model: Model): Verdict {
  const search = new Search(
    deeds.filter(({ outcome }) => outcome !== 'fail'),
    model,
  )
  return search.run()
}

class Search {
  /** Those with an outcome first, by their end; the others behind, by their beginning. */
  readonly #deeds: readonly Deed[]
  readonly #known: number
  readonly #model: Model
  readonly #taken: boolean[]
  readonly #seen = new Set<string>()
  #left: number
  #steps = 0
  #best = -1
  #stuck: Deed | null = null
  #stuckAt = ''

  constructor(deeds: readonly Deed[], model: Model) {
    const known = deeds.filter(({ outcome }) => outcome === 'ok').sort((a, b) => a.t1 - b.t1)
    const open = deeds.filter(({ outcome }) => outcome === 'info').sort((a, b) => a.t0 - b.t0)
    this.#deeds = [...known, ...open]
    this.#known = known.length
    this.#left = known.length
    this.#model = model
    this.#taken = this.#deeds.map(() => false)
  }

  run(): Verdict {
    if (this.#go(this.#model.empty(), 0)) return LINEAR
    if (this.#steps > STEPS_MAX) return { name: 'undecided', text: '' }
    return { name: 'broken', text: `${describe(this.#stuck)} where ${this.#stuckAt}` }
  }

  #go(state: State, since: number): boolean {
    if (this.#left === 0) return true
    this.#steps += 1
    if (this.#steps > STEPS_MAX) return false
    const place = `${this.#taken.map(taken => (taken ? '1' : '0')).join('')}${state.text()}`
    if (this.#seen.has(place)) return false
    this.#seen.add(place)
    const first = this.#firstEnd()
    for (const [i, deed] of this.#deeds.entries()) {
      if (this.#taken[i] || deed.t0 > first) continue
      const at = Math.max(since, deed.t0)
      for (const next of this.#after(state, deed, at)) {
        this.#taken[i] = true
        if (i < this.#known) this.#left -= 1
        if (this.#go(next, at)) return true
        this.#taken[i] = false
        if (i < this.#known) this.#left += 1
      }
    }
    this.#noteStuck(state)
    return false
  }

  /** When the first of those ends that have not had their turn: nothing that began later can be before it. */
  #firstEnd(): number {
    for (let i = 0; i < this.#known; i += 1) if (!this.#taken[i]) return (this.#deeds[i] as Deed).t1
    return Infinity
  }

  /** What may be when the commands of `deed` were run one after the other and answered as they were. */
  #after(state: State, deed: Deed, at: number): State[] {
    let states = [state]
    const moment = { from: at, to: deed.t1 }
    for (const [i, words] of deed.commands.entries()) {
      const wanted = deed.answers[i]
      states = states.flatMap(each =>
        this.#model
          .run(each, words, moment, wanted)
          .filter(({ answer }) => wanted === undefined || isSame(answer, wanted))
          .map(({ state: next }) => next),
      )
    }
    return states
  }

  #noteStuck(state: State): void {
    const done = this.#known - this.#left
    if (done <= this.#best) return
    this.#best = done
    this.#stuckAt = state.text()
    this.#stuck = this.#deeds.find((_, i) => !this.#taken[i]) ?? null
  }
}

function describe(deed: Deed | null): string {
  if (deed === null) return 'nothing'
  const { process, t0, t1, commands, answers } = deed
  const said = commands.map((words, i) => `${words.join(' ')} -> ${JSON.stringify(answers[i])}`)
  return `${process} from ${t0.toFixed(1)} to ${t1.toFixed(1)}: ${said.join('; ')}`
}
