// Keys of one slot that some actors use for a while, and then no more: what was done to
// them is short enough to be checked to the end (linearizability.ts).

import { checkFamily, type Deed } from '../checkers/linearizability.ts'
import { Model } from '../checkers/plain-model.ts'

export type FamilyKind = 'queue' | 'set' | 'string' | 'bid'

/** Deeds on one family: more would seldom be decided. */
const DEEDS_MAX = 30

export class Family {
  readonly kind: FamilyKind
  /** What its keys begin with. Bids share a slot: an old watch may still be on a connection. */
  readonly name: string
  readonly deeds: Deed[] = []
  begun = 0

  constructor(kind: FamilyKind, number: number) {
    this.kind = kind
    this.name = kind === 'bid' ? `{bid}:${number}` : `{${kind}:${number}}`
  }

  key(name: string): string {
    return `${this.name}:${name}`
  }
}

export class Families {
  readonly #current = new Map<FamilyKind, Family>()
  readonly all: Family[] = []

  /** Where the next deed is to be done. */
  next(kind: FamilyKind): Family {
    let family = this.#current.get(kind)
    if (family === undefined || family.begun >= DEEDS_MAX) {
      family = new Family(kind, this.all.length)
      this.all.push(family)
      this.#current.set(kind, family)
    }
    family.begun += 1
    return family
  }

  /** How many deeds there were. */
  get size(): number {
    return this.all.reduce((sum, { deeds }) => sum + deeds.length, 0)
  }

  /**
   * @param slack how far the clocks of leaders are apart, in ms
   * @param count is told how each family was judged
   * @returns what nothing explains
   */
  check(slack: number, count: (verdict: string) => void): string[] {
    const model = new Model(slack)
    const wrong: string[] = []
    for (const { name, deeds } of this.all) {
      const verdict = checkFamily(deeds, model)
      count(`${verdict.name} families`)
      if (verdict.name === 'broken') wrong.push(`no order explains ${name}: ${verdict.text}`)
    }
    return wrong
  }
}
