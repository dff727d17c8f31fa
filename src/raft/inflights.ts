// The window of appends under way to one peer: a ring of (last index, bytes).
//
// It grows on demand: a thousand idle replicas must not each hold a full window.

import { assert } from '../base/assert.ts'
import type { Index } from '../base/types.ts'

const FIRST_CAPACITY = 4

export class Inflights {
  readonly #countMax: number
  readonly #bytesMax: number
  #start = 0
  #count = 0
  #bytes = 0
  #indexes: Index[] = []
  #sizes: number[] = []

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#count
  }

  /** The limit in bytes is soft: the append that crosses it was let through, the next is not. */
  get full(): boolean {
    return this.#count >= this.#countMax || this.#bytes >= this.#bytesMax
  }

  /** @param index of the append's last entry; rising from call to call */
  add(index: Index, bytes: number): void {
    assert(!this.full, 'an append was sent into a full window')
    if (this.#count === this.#indexes.length) this.#grow()
    const at = (this.#start + this.#count) % this.#indexes.length
    this.#indexes[at] = index
    this.#sizes[at] = bytes
    this.#count += 1
    this.#bytes += bytes
  }

  /** An acknowledgement of `index` answers for every append up to it. */
  freeTo(index: Index): void {
    const capacity = this.#indexes.length
    while (this.#count > 0) {
      const sent = this.#indexes[this.#start] ?? 0
      if (sent > index) break
      this.#bytes -= this.#sizes[this.#start] ?? 0
      this.#start = (this.#start + 1) % capacity
      this.#count -= 1
    }
    if (this.#count === 0) this.#start = 0
  }

  reset(): void {
    this.#start = 0
    this.#count = 0
    this.#bytes = 0
  }

  #grow(): void {
    const indexes: Index[] = []
    const sizes: number[] = []
    for (let i = 0; i < this.#count; i += 1) {
      const at = (this.#start + i) % this.#indexes.length
      indexes.push(this.#indexes[at] ?? 0)
      sizes.push(this.#sizes[at] ?? 0)
    }
    const capacity = Math.max(FIRST_CAPACITY, this.#count * 2)
    while (indexes.length < capacity) {
      indexes.push(0)
      sizes.push(0)
    }
    this.#indexes = indexes
    this.#sizes = sizes
    this.#start = 0
  }
}
