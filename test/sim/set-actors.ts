// Sets as consumers use them, to mark what they have done: who adds, removes, moves and draws by chance.

import { FamilyActor } from './family-actor.ts'

const MEMBERS = Array.from({ length: 9 }, (_, i) => `m${i}`)

export class Collector extends FamilyActor {
  protected act(): void {
    const family = this.stage.families.next('set')
    const [a = '', b = ''] = this.prng.shuffle(['a', 'b']).map(name => family.key(name))
    const some = this.prng.shuffle(MEMBERS).slice(0, this.prng.between(1, 3))
    const one = this.prng.pick(MEMBERS)
    const chance = this.prng.float()
    if (chance < 0.35) this.write(family, [['SADD', a, ...some]])
    else if (chance < 0.45) this.write(family, [['SREM', a, ...some]])
    else if (chance < 0.6)
      this.write(family, [this.prng.chance(0.7) ? ['SPOP', a] : ['SPOP', a, '2']])
    else if (chance < 0.7) this.write(family, [['SMOVE', a, b, one]])
    else if (chance < 0.78)
      this.write(family, [
        ['SADD', a, one],
        ['SPOP', b],
        ['SCARD', a],
      ])
    else if (chance < 0.9)
      this.read(family, [
        ['SMEMBERS', a],
        ['SMEMBERS', b],
      ])
    else
      this.read(family, [
        this.prng.pick([
          ['SISMEMBER', a, one],
          ['SMISMEMBER', a, ...some],
          ['SCARD', a],
          ['SRANDMEMBER', a],
        ]),
      ])
  }
}
