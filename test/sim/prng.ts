// Chance for the simulator: sfc32, forked by name.
//
// A fork's stream depends on the seed and on the fork's name alone, never on how
// much others drew. So a new fault, or one more draw in one place, shifts nothing
// elsewhere, and a seed keeps most of its story while the simulator grows.
// sfc32 is Chris Doty-Humphrey's generator from PractRand.

import type { Random } from '../../src/base/random.ts'

const WARM_UP_ROUNDS = 15

export class Prng implements Random {
  readonly #key: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(key: string) {
    this.#key = key
    this.#a = hashText(key, 0x811c9dc5)
    this.#b = hashText(key, 0x9e3779b9)
    this.#c = hashText(key, 0x85ebca6b)
    for (let i = 0; i < WARM_UP_ROUNDS; i += 1) this.word()
  }

  /** A generator of its own for `name`; the same for the same name, whatever was drawn here. */
  fork(name: string): Prng {
    return new Prng(`${this.#key}/${name}`)
  }

  /** 32 random bits, unsigned. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** In [0, 1). */
  float(): number {
    return this.word() / 2 ** 32
  }

  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  bytes(count: number): Uint8Array {
    const bytes = Buffer.alloc(count)
    for (let i = 0; i < count; i += 1) bytes[i] = this.word() & 0xff
    return bytes
  }

  /** True with probability `p`. Draws even when the answer is certain. */
  chance(p: number): boolean {
    return this.float() < p
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  /** `items` in a random order. */
  shuffle<T>(items: readonly T[]): T[] {
    const left = [...items]
    const shuffled: T[] = []
    while (left.length > 0) shuffled.push(...left.splice(this.below(left.length), 1))
    return shuffled
  }

  /** Exponentially distributed around `mean`, cut off at ten times the mean. */
  exponential(mean: number): number {
    return Math.min(-Math.log(1 - this.float()) * mean, mean * 10)
  }

  /** Between `low` and `high`, small values as likely as large ones (log-uniform). */
  logBetween(low: number, high: number): number {
    return Math.round(low * (high / low) ** this.float())
  }
}

/** FNV-1a with a final mix, so that neighbouring seeds share nothing. */
function hashText(text: string, basis: number): number {
  let hash = basis
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b)
  return (hash ^ (hash >>> 16)) >>> 0
}
