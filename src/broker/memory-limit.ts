// The bound on memory: whether commands that add data are refused.
//
// What the process holds is looked at ten times a second, never for a command. The
// engine's figure counts the dead until they are collected, so before anything is
// refused they are, though never for more than a fiftieth of the time.

import type { Clock } from '../base/clock.ts'
import type { ProcessPort } from '../base/process.ts'
import type { Ms } from '../base/types.ts'
import type { Settings } from './settings.ts'

const LOOK_EVERY_MS: Ms = 100
const COLLECT_EVERY_MS: Ms = 1_000
/** After a collection that took t, the next one comes no sooner than this many times t. */
const COLLECT_REST = 50

/** Bytes that count against the bound: objects and buffers, as `used_memory` tells them. */
export function usedBytes(process: ProcessPort): number {
  const { heap, buffers } = process.memory()
  return heap + buffers
}

export class MemoryLimit {
  readonly #clock: Clock
  readonly #process: ProcessPort
  readonly #settings: Settings
  #full = false
  #looking = false
  /** The bound as of the last look. */
  #bound = 0
  #collectNotBefore: Ms = 0

  constructor(clock: Clock, process: ProcessPort, settings: Settings) {
    this.#clock = clock
    this.#process = process
    this.#settings = settings
    settings.onChange(() => {
      // A bound that was just set holds for the next command already.
      if (settings.memoryBytesMax !== this.#bound) this.#collectNotBefore = 0
      this.#begin()
    })
    this.#begin()
  }

  /** Whether the bound is passed, as of the last look. */
  get full(): boolean {
    return this.#full
  }

  #begin(): void {
    this.#bound = this.#settings.memoryBytesMax
    this.#full = this.#settings.memoryBytesMax > 0 && this.#isOver()
    if (this.#looking || this.#settings.memoryBytesMax === 0) return
    this.#looking = true
    this.#clock.after(LOOK_EVERY_MS, () => {
      this.#looking = false
      this.#begin()
    })
  }

  #isOver(): boolean {
    const { memoryBytesMax } = this.#settings
    if (usedBytes(this.#process) <= memoryBytesMax) return false
    const began = this.#clock.monotonic()
    if (began < this.#collectNotBefore) return this.#full
    this.#process.collect()
    const took = this.#clock.monotonic() - began
    this.#collectNotBefore = began + Math.max(COLLECT_EVERY_MS, took * COLLECT_REST)
    return usedBytes(this.#process) > memoryBytesMax
  }
}
