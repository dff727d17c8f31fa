// Lists, sets and strings as plain as can be: what a command may answer, and what it leaves.
//
// More than one thing may be right: a random member, and a key whose time may or may
// not have come. The clocks of leaders differ by `slack`; where they jump nobody can
// say when a key dies, but one that was told to live must.

import { listHandlers } from './list-model.ts'
import { type Answer, type Moment, type Result, State } from './plain-state.ts'
import { setHandlers } from './set-model.ts'
import { TEXT_READS, Texts, textHandlers } from './text-model.ts'

export class Model {
  readonly #slack: number

  /** @param slack how far the clocks of leaders are apart, in ms; Infinity where they jump */
  constructor(slack: number) {
    this.#slack = slack
  }

  /** No keys. */
  empty(): State {
    return new State(new Map())
  }

  /**
   * All that `words` may have answered, each with the state behind it.
   *
   * @param wanted what was answered, where that is known: what is random need not be tried in vain
   */
  run(state: State, words: readonly string[], moment: Moment, wanted?: Answer): Result[] {
    const [name = ''] = words
    const plain = listHandlers[name] ?? setHandlers[name]
    if (plain !== undefined) return plain(state, words, moment, wanted)
    const handler = textHandlers[name]
    if (handler === undefined) throw new Error(`the model does not know ${name}`)
    const keys = keysOf(words)
    return this.#lives(state, keys, moment).map(alive => {
      const texts = new Texts(alive)
      const answer = handler(texts, words, moment)
      return { answer, state: TEXT_READS.has(name) ? state : texts.state }
    })
  }

  /** The state with and without those of `keys` whose time may have come. */
  #lives(state: State, keys: readonly string[], moment: Moment): State[] {
    let states = [state]
    for (const key of new Set(keys)) {
      const value = state.get(key)
      if (value?.kind !== 'text' || value.dies === null) continue
      const { from, to } = value.dies
      const without =
        moment.to + this.#slack >= from ? states.map(each => each.with(key, null)) : []
      states = moment.from - this.#slack <= to ? [...states, ...without] : without
    }
    return states
  }
}

function keysOf(words: readonly string[]): readonly string[] {
  const [name = '', ...rest] = words
  if (name.startsWith('MSET')) return rest.filter((_, i) => i % 2 === 0)
  if (name === 'MGET' || name === 'DEL' || name === 'EXISTS') return rest
  if (name === 'COPY') return rest.slice(0, 2)
  return rest.slice(0, 1)
}
