// Lists as queues: who pushes, pops, moves and waits on a few keys of a slot, at both ends.

import type { NodeId } from '../../src/base/types.ts'
import type { Stage } from './actor.ts'
import { Actor } from './actor.ts'
import type { Ending } from './client.ts'
import type { Connection } from './connection.ts'
import type { Family } from './family.ts'
import { FamilyActor } from './family-actor.ts'
import { textOf } from './plain.ts'
import type { Prng } from './prng.ts'

/** Mostly the first, so that there is a line to stand in. */
const NAMES = ['a', 'a', 'a', 'b', 'c']
const SIDES = ['LEFT', 'RIGHT']

/** Sessions that wait just now, for who ends waits. */
export type Waiting = Set<{ readonly node: NodeId; readonly session: string; readonly key: string }>

/** Pushes values of its own, one or some. */
export class Pusher extends FamilyActor {
  protected act(): void {
    const family = this.stage.families.next('queue')
    const key = family.key(this.prng.pick(NAMES))
    const count = this.prng.pick([1, 1, 1, 2, 3])
    const values = Array.from({ length: count }, () => this.nextValue())
    const name = this.prng.pick(['RPUSH', 'RPUSH', 'RPUSH', 'LPUSH', 'RPUSHX', 'LPUSHX'])
    this.write(family, [[name, key, ...values]])
  }
}

/** Takes values away, mostly waiting for them; its process may die while it waits. */
export class Popper extends FamilyActor {
  readonly #waiting: Waiting

  constructor(stage: Stage, prng: Prng, id: number, producer: string | null, waiting: Waiting) {
    super(stage, prng, id, producer)
    this.#waiting = waiting
  }

  /** Whoever waited is gone. */
  crash(): void {
    this.client.die()
  }

  protected act(): void {
    const family = this.stage.families.next('queue')
    const chance = this.prng.float()
    if (chance < 0.25) this.write(family, [this.#pop(family)])
    else if (chance < 0.85) this.#wait(family)
    else this.#waitWithName(family)
  }

  #pop(family: Family): string[] {
    const key = family.key(this.prng.pick(NAMES))
    const name = this.prng.pick(['LPOP', 'LPOP', 'RPOP', 'LMPOP'])
    if (name === 'LMPOP') return ['LMPOP', ...this.#several(family)]
    return this.prng.chance(0.3) ? [name, key, `${this.prng.between(1, 3)}`] : [name, key]
  }

  /** `numkeys key... LEFT|RIGHT COUNT n` */
  #several(family: Family): string[] {
    const keys = this.#keys(family)
    const side = this.prng.pick(SIDES)
    return [`${keys.length}`, ...keys, side, 'COUNT', `${this.prng.between(1, 3)}`]
  }

  #keys(family: Family): string[] {
    return this.prng
      .shuffle(['a', 'b', 'c'])
      .slice(0, this.prng.between(1, 3))
      .map(name => family.key(name))
  }

  #blocking(family: Family, block: number): string[] {
    const name = this.prng.pick(['BLPOP', 'BLPOP', 'BRPOP', 'BLMPOP'])
    if (name === 'BLMPOP') return [name, `${block / 1000}`, ...this.#several(family)]
    return [name, ...this.#keys(family), `${block / 1000}`]
  }

  #wait(family: Family): void {
    const block = this.blockMs()
    this.write(family, [this.#blocking(family, block)], { block })
  }

  /** Waits on a connection whose number others know. */
  #waitWithName(family: Family): void {
    const key = family.key('')
    const task = { words: ['CLIENT', 'ID'], key, producer: null, repeatable: true, block: 0 }
    this.client.begin(task, ending => {
      if (ending.outcome !== 'ok' || ending.connection === null) return this.rest()
      this.#waitOn(family, `${ending.reply}`, ending.connection)
    })
  }

  #waitOn(family: Family, session: string, pinned: Connection): void {
    const block = this.blockMs()
    const commands = [this.#blocking(family, block)]
    const me = { node: pinned.node, session, key: family.key('') }
    this.#waiting.add(me)
    const words = commands[0] ?? []
    const task = { words, key: me.key, producer: null, repeatable: false, block, pinned }
    this.perform(task, (ending: Ending) => {
      this.#waiting.delete(me)
      this.note(family, commands, ending)
    })
  }
}

/** Moves values from key to key, also around on one key. */
export class Mover extends FamilyActor {
  protected act(): void {
    const family = this.stage.families.next('queue')
    const from = family.key(this.prng.pick(NAMES))
    const to = family.key(this.prng.pick(NAMES))
    const sides = [this.prng.pick(SIDES), this.prng.pick(SIDES)]
    const block = this.blockMs()
    const seconds = `${block / 1000}`
    const chance = this.prng.float()
    if (chance < 0.3) this.write(family, [['LMOVE', from, to, ...sides]])
    else if (chance < 0.45) this.write(family, [['RPOPLPUSH', from, to]])
    else if (chance < 0.6) this.write(family, [['BLMOVE', from, to, ...sides, seconds]], { block })
    else if (chance < 0.75) this.write(family, [['BRPOPLPUSH', from, to, seconds]], { block })
    else if (chance < 0.9) this.#look(family)
    else this.#pair(family, from, to)
  }

  #look(family: Family): void {
    const all = ['a', 'b', 'c'].map(name => ['LRANGE', family.key(name), '0', '-1'])
    this.read(family, this.prng.chance(0.7) ? all : [['LLEN', family.key('a')]])
  }

  /** Both lists get a value at once, and lose one. */
  #pair(family: Family, from: string, to: string): void {
    const value = this.nextValue()
    this.write(family, [
      ['RPUSH', from, value],
      ['RPOP', to],
      ['LPUSH', to, `${value}'`],
      ['LLEN', from],
    ])
  }
}

/** Ends the waits of others. */
export class Unblocker extends Actor {
  readonly #waiting: Waiting

  constructor(stage: Stage, prng: Prng, id: number, waiting: Waiting) {
    super(stage, prng, id)
    this.#waiting = waiting
  }

  protected act(): void {
    const [one] = this.prng.shuffle([...this.#waiting])
    if (one === undefined) {
      this.rest()
      return
    }
    const how = this.prng.pick(['TIMEOUT', 'ERROR'])
    const words = ['CLIENT', 'UNBLOCK', one.session, how]
    // To that node, and nowhere else: another may have a session of that number.
    this.client.prefer(one.key, one.node)
    const task = { words, key: one.key, producer: null, repeatable: true, block: 0 }
    this.perform(task, ({ outcome, reply }) => {
      if (outcome === 'ok' && reply !== 0 && reply !== 1)
        this.stage.violations.push(`CLIENT UNBLOCK was answered ${textOf(reply)}`)
    })
  }
}
