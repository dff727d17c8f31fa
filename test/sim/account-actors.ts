// Accounts: sums that only transactions keep, a tally that nothing may lose or double, and
// who sets a string only if nobody was faster.

import { Actor, type Stage } from './actor.ts'
import type { Task } from './client.ts'
import type { Connection } from './connection.ts'
import type { Family } from './family.ts'
import { FamilyActor } from './family-actor.ts'
import type { Question } from './final-reads.ts'
import { listOf, type Plain } from './plain.ts'
import type { Prng } from './prng.ts'

/** Of one slot. All begin with nothing; what one gains another loses. */
const ACCOUNTS = ['{bank}:a', '{bank}:b', '{bank}:c'] as const
const TALLY = '{bank}:tally'
const READS = 0.4

/** Moves amounts from account to account, and sees that none is lost on the way. */
export class Teller extends Actor {
  readonly #producer: string | null
  #sequence = 0

  constructor(stage: Stage, prng: Prng, id: number, producer: string | null) {
    super(stage, prng, id)
    this.#producer = producer
  }

  protected act(): void {
    if (this.prng.chance(READS)) this.#audit()
    else this.#transfer()
  }

  #transfer(): void {
    const [from = '', to = ''] = this.prng.shuffle(ACCOUNTS)
    const amount = `${this.prng.between(1, 100)}`
    this.#sequence += 1
    const producer =
      this.#producer === null ? null : { id: this.#producer, epoch: 1, sequence: this.#sequence }
    const transaction = [
      ['DECRBY', from, amount],
      ['MGET', ...ACCOUNTS],
      ['INCRBY', to, amount],
    ]
    this.perform(task(['EXEC'], { transaction, producer }), ({ outcome, reply }) => {
      if (outcome !== 'ok') return
      const sum = sumOf(listOf(reply)[1])
      if (sum !== -Number(amount))
        this.stage.violations.push(`in the middle of a transfer of ${amount} the sum was ${sum}`)
    })
  }

  #audit(): void {
    const transaction = ACCOUNTS.map(key => ['GET', key])
    const words = this.prng.chance(0.5) ? ['MGET', ...ACCOUNTS] : ['EXEC']
    const more = words.length === 1 ? { transaction } : {}
    this.perform(task(words, { repeatable: true, ...more }), ({ outcome, reply }) => {
      const sum = sumOf(reply)
      if (outcome === 'ok' && sum !== 0)
        this.stage.violations.push(`accounts sum up to ${sum}: ${listOf(reply).join(' ')}`)
    })
  }
}

/** What all tallies of a run know. */
export class TallySheet {
  /** By number: who was told it. */
  readonly #told = new Map<number, number>()
  #acknowledged = 0
  #begun = 0
  #undone = 0
  readonly #violations: string[]

  constructor(violations: string[]) {
    this.#violations = violations
  }

  /** The value is at least this now. */
  get least(): number {
    return this.#acknowledged
  }

  begin(): void {
    this.#begun += 1
  }

  undo(): void {
    this.#undone += 1
  }

  tell(value: number, process: number): void {
    this.#acknowledged += 1
    const other = this.#told.get(value)
    if (other !== undefined) this.#violations.push(`${other} and ${process} counted to ${value}`)
    this.#told.set(value, process)
  }

  /** @param least what was acknowledged when the read began */
  saw(value: number, least: number): void {
    const most = this.#begun - this.#undone
    if (value < least || value > most)
      this.#violations.push(`the tally is ${value}, acknowledged were ${least}, begun ${most}`)
  }
}

/** Counts by INCR. */
export class Tally extends Actor {
  readonly #sheet: TallySheet

  constructor(stage: Stage, prng: Prng, id: number, sheet: TallySheet) {
    super(stage, prng, id)
    this.#sheet = sheet
  }

  protected act(): void {
    if (this.prng.chance(READS)) {
      const { least } = this.#sheet
      this.perform(task(['GET', TALLY], { repeatable: true }), ({ outcome, reply }) => {
        if (outcome === 'ok') this.#sheet.saw(Number(reply), least)
      })
      return
    }
    this.#sheet.begin()
    this.perform(task(['INCR', TALLY]), ({ outcome, reply }) => {
      if (outcome === 'ok') this.#sheet.tell(Number(reply), this.client.id)
      if (outcome === 'fail') this.#sheet.undo()
    })
  }
}

/** WATCH, look, and set what follows: who was not told of a change must not overwrite it. */
export class Bidder extends FamilyActor {
  /** One at a time: an EXEC forgets all that its connection watches. */
  override start(): void {
    this.rest()
  }

  protected act(): void {
    const family = this.stage.families.next('bid')
    const chance = this.prng.float()
    // Keys that go, by themselves or not, are changed, too.
    if (chance < 0.1) this.write(family, [['DEL', family.key('a')]])
    else if (chance < 0.2) this.write(family, [['PEXPIRE', family.key('a'), '50']])
    else this.#bid(family)
  }

  #bid(family: Family): void {
    const key = family.key('a')
    const rest = { key, producer: null, repeatable: true, block: 0 }
    this.client.begin({ ...rest, words: ['WATCH', key] }, ({ outcome, connection }) => {
      if (outcome !== 'ok') return this.rest()
      this.client.begin({ ...rest, words: ['GET', key], pinned: connection }, ending => {
        if (ending.outcome !== 'ok') return this.rest()
        this.#set(family, ending.reply, connection)
      })
    })
  }

  /** The transaction has no GET; in the history it begins with the one that was watched. */
  #set(family: Family, found: Plain, pinned: Connection | null): void {
    const key = family.key('a')
    const transaction = [
      ['SET', key, `${Number(found) + 1}`],
      ['SET', family.key('by'), this.nextValue()],
    ]
    const exec = { words: ['EXEC'], transaction, key, producer: null, repeatable: false, block: 0 }
    this.perform({ ...exec, pinned }, ending => {
      if (ending.outcome === 'ok' && ending.reply === null) return
      const answers = ending.outcome === 'ok' ? [found, ...listOf(ending.reply)] : [found]
      this.keep(family, { commands: [['GET', key], ...transaction], answers }, ending)
    })
  }
}

/** The last look at the accounts and the tally. */
export function accountQuestions(violations: string[], sheet: TallySheet): Question[] {
  return [
    {
      key: TALLY,
      commands: [['MGET', ...ACCOUNTS]],
      take: reply => {
        if (sumOf(reply) !== 0) violations.push(`accounts sum up to ${sumOf(reply)} in the end`)
      },
    },
    {
      key: TALLY,
      commands: [['GET', TALLY]],
      take: reply => sheet.saw(Number(reply), sheet.least),
    },
  ]
}

function task(words: readonly string[], more: Partial<Task> = {}): Task {
  return { words, key: TALLY, producer: null, repeatable: false, block: 0, ...more }
}

function sumOf(reply: Plain | undefined): number {
  return listOf(reply).reduce<number>((sum, each) => sum + Number(each), 0)
}
