// Chance that every replica has alike: numbers that follow from a seed.
//
// An entry's commands draw from a seed made of the entry's place and the state's
// digest, so that what they pick is the same wherever the entry is applied.
// After Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators"
// (the 32-bit finalizer is MurmurHash3's).

const GAMMA = 0x9e3779b9

export class Chance {
  #state = 0

  seed(seed: number): void {
    this.#state = seed
  }

  /** Adds to the seed what was learnt meanwhile. */
  stir(value: number): void {
    this.#state ^= value
  }

  /** The next number, of 32 bits. */
  next(): number {
    this.#state = (this.#state + GAMMA) | 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }

  /** A whole number in [0, bound); `bound` is at most 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * bound)
  }
}
