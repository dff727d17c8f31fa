// Letters: each box is a list with one receiver, who waits, and any number of senders. What
// was sent comes once, in order, soon where nothing delays it, and is not lost.

import { Actor, type Stage } from './actor.ts'
import type { Ending, Task } from './client.ts'
import type { Question } from './final-reads.ts'
import { listOf, textOf } from './plain.ts'
import type { Prng } from './prng.ts'

const BOXES = ['{post}:1', '{post}:2'] as const
/** Where nothing delays it, a letter that is waited for comes this soon. */
const WITHIN_MS = 400

const PAUSES = 0.8

type Letter = {
  readonly box: string
  readonly text: string
  readonly t0: number
  readonly t1: number
  readonly outcome: Ending['outcome']
}
type Receipt = { readonly text: string; readonly t0: number; readonly t1: number }

/** What senders and receivers know together. */
export class PostOffice {
  readonly boxes: readonly string[] = BOXES
  readonly #letters = new Map<string, Letter>()
  readonly #received = new Map<string, Receipt>()
  /** By box: pops of which nobody knows whether they took a letter. */
  readonly #doubts = new Map<string, number>()
  readonly #stage: Pick<Stage, 'violations' | 'calmFrom'>

  constructor(stage: Pick<Stage, 'violations' | 'calmFrom'>) {
    this.#stage = stage
  }

  sent(letter: Letter): void {
    this.#letters.set(letter.text, letter)
  }

  doubt(box: string): void {
    this.#doubts.set(box, (this.#doubts.get(box) ?? 0) + 1)
  }

  received(box: string, receipt: Receipt): void {
    const { text } = receipt
    if (this.#received.has(text)) this.#complain(`letter ${text} came twice out of ${box}`)
    this.#received.set(text, receipt)
    const letter = this.#letters.get(text)
    // Not acknowledged yet: it came at once.
    if (letter === undefined || letter.outcome !== 'ok') return
    const from = Math.max(receipt.t0, letter.t1)
    if (from > this.#stage.calmFrom && receipt.t1 > from + WITHIN_MS)
      this.#complain(`letter ${text} of ${from} came out of ${box} at ${receipt.t1}`)
  }

  /** Nobody was there to take what lies in the box. */
  foundNothing(box: string, t0: number, t1: number): void {
    const from = Math.max(t0, t1 - WITHIN_MS)
    if (from <= this.#stage.calmFrom) return
    for (const { box: own, text, t1: sent } of this.#letters.values())
      if (own === box && sent < from && !this.#received.has(text) && !this.#mayBeGone(box))
        this.#complain(`nothing came out of ${box} until ${t1}, ${text} was there from ${sent} on`)
  }

  #mayBeGone(box: string): boolean {
    return (this.#doubts.get(box) ?? 0) > 0
  }

  #complain(text: string): void {
    this.#stage.violations.push(text)
  }

  /** What must be asked when all is over. */
  questions(): Question[] {
    return BOXES.map(box => ({
      key: box,
      commands: [['LRANGE', box, '0', '-1']],
      take: reply => this.#close(box, listOf(reply).map(textOf)),
    }))
  }

  #close(box: string, left: readonly string[]): void {
    const own = [...this.#letters.values()].filter(letter => letter.box === box)
    const known = new Set(own.map(({ text }) => text))
    for (const text of left) {
      if (!known.has(text)) this.#complain(`nobody sent ${text}, which lies in ${box}`)
      if (this.#received.has(text)) this.#complain(`letter ${text} came, and lies in ${box}`)
    }
    const gone = own.filter(
      ({ text, outcome }) => outcome === 'ok' && !this.#received.has(text) && !left.includes(text),
    )
    const doubts = this.#doubts.get(box) ?? 0
    if (gone.length > doubts)
      this.#complain(
        `${gone.length} letters of ${box} are lost, ${doubts} pops were in doubt: ${gone.map(({ text }) => text)}`,
      )
    for (const { text, outcome } of own)
      if (outcome === 'fail' && (this.#received.has(text) || left.includes(text)))
        this.#complain(`letter ${text} was not sent, and came out of ${box}`)
    this.#checkOrder(own)
  }

  /** A letter that was there before another was sent must not come out behind it. */
  #checkOrder(letters: readonly Letter[]): void {
    const came = letters
      .flatMap(letter => {
        const receipt = this.#received.get(letter.text)
        return letter.outcome === 'ok' && receipt !== undefined ? [{ letter, receipt }] : []
      })
      .sort((a, b) => a.letter.t0 - b.letter.t0)
    for (const [i, later] of came.entries())
      for (let k = i - 1; k >= 0; k -= 1) {
        const earlier = came[k] as (typeof came)[number]
        if (earlier.letter.t1 < later.letter.t0 && later.receipt.t1 < earlier.receipt.t0)
          this.#complain(`letter ${later.letter.text} came before ${earlier.letter.text}`)
      }
  }
}

export class Sender extends Actor {
  readonly #office: PostOffice
  readonly #producer: string | null
  #sequence = 0

  constructor(stage: Stage, prng: Prng, id: number, office: PostOffice, producer: string | null) {
    super(stage, prng, id)
    this.#office = office
    this.#producer = producer
  }

  protected act(): void {
    // A letter that comes late must not be noticed because of the next.
    if (this.prng.chance(PAUSES)) {
      this.rest()
      return
    }
    const box = this.prng.pick(BOXES)
    const text = this.nextValue()
    this.#sequence += 1
    const producer =
      this.#producer === null ? null : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    this.perform({ ...task(['RPUSH', box, text], box), producer }, ({ t0, t1, outcome }) =>
      this.#office.sent({ box, text, t0, t1, outcome }),
    )
  }
}

/** Waits at one box. It is the only one there, and asks for one letter at a time. */
export class Receiver extends Actor {
  readonly #office: PostOffice
  readonly #box: string
  readonly #producer: string | null
  #sequence = 0

  constructor(
    stage: Stage,
    prng: Prng,
    id: number,
    office: PostOffice,
    box: string,
    producer: string | null,
  ) {
    super(stage, prng, id)
    this.#office = office
    this.#box = box
    this.#producer = producer
  }

  override start(): void {
    this.rest()
  }

  /** Whoever waited is gone, and may have been served. */
  crash(): void {
    this.client.die()
  }

  protected act(): void {
    const box = this.#box
    const block = this.blockMs()
    this.#sequence += 1
    const producer =
      this.#producer === null ? null : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    const words = ['BLPOP', box, `${block / 1000}`]
    this.perform({ ...task(words, box), block, producer }, ({ t0, t1, outcome, reply }) => {
      if (outcome === 'info') this.#office.doubt(box)
      if (outcome !== 'ok') return
      const text = textOf(listOf(reply)[1])
      if (reply === null) this.#office.foundNothing(box, t0, t1)
      else this.#office.received(box, { text, t0, t1 })
    })
  }
}

function task(words: readonly string[], key: string): Task {
  return { words, key, producer: null, repeatable: false, block: 0 }
}
