// Strings: who sets them under conditions and for a time, counts with them, and takes them away.

import { FamilyActor } from './family-actor.ts'

/** Lifetimes that end within a run, in ms. */
const LIFETIMES = ['30', '300', '1500']

export class Scribe extends FamilyActor {
  protected act(): void {
    const family = this.stage.families.next('string')
    const [key = '', other = ''] = this.prng.shuffle(['a', 'b']).map(name => family.key(name))
    const number = family.key('n')
    if (this.prng.chance(0.3)) {
      this.read(
        family,
        this.prng.pick([
          [['GET', key]],
          [
            ['GET', key],
            ['PTTL', key],
          ],
          [['MGET', key, other, number]],
          [['EXISTS', key, other]],
          [['STRLEN', key]],
          [['GET', number]],
        ]),
      )
      return
    }
    if (this.prng.chance(0.3)) this.write(family, [this.#count(number)])
    else if (this.prng.chance(0.4)) this.write(family, [this.#lifetime(key)])
    else this.write(family, [this.#change(key, other)])
  }

  #count(number: string): string[] {
    const by = `${this.prng.between(1, 5)}`
    return this.prng.pick([
      ['INCR', number],
      ['INCR', number],
      ['INCRBY', number, by],
      ['DECR', number],
      ['DECRBY', number, by],
    ])
  }

  #lifetime(key: string): string[] {
    const ms = this.prng.pick(LIFETIMES)
    return this.prng.pick([
      ['SET', key, this.nextValue(), 'PX', ms],
      ['SET', key, this.nextValue(), 'NX', 'PX', ms],
      ['PEXPIRE', key, ms],
      ['PEXPIRE', key, ms, this.prng.pick(['NX', 'XX'])],
      ['PERSIST', key],
      ['PERSIST', key],
      ['GETEX', key, 'PX', ms],
      ['GETEX', key, 'PERSIST'],
      ['SET', key, this.nextValue(), 'KEEPTTL'],
    ])
  }

  #change(key: string, other: string): string[] {
    const value = this.nextValue()
    return this.prng.pick([
      ['SET', key, value],
      ['SET', key, value, 'NX'],
      ['SET', key, value, 'XX'],
      ['SET', key, value, 'GET'],
      ['SET', key, value, 'NX', 'GET'],
      ['SETNX', key, value],
      ['GETSET', key, value],
      ['GETDEL', key],
      ['GETDEL', key],
      ['APPEND', key, value],
      ['MSET', key, value, other, `${value}'`],
      ['MSETNX', key, value, other, `${value}'`],
      ['DEL', key],
      ['COPY', key, other, 'REPLACE'],
    ])
  }
}
