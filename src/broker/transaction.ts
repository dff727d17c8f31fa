// What a session gathers between MULTI and EXEC, and what it watches.
//
// Commands are kept in the bytes they came in, back to back, so that EXEC hands
// the log one piece; those that the desk answers itself are kept apart and answered
// in their place once the others were applied (exec.ts).

import { Argv } from '../base/argv.ts'
import { limits } from '../base/limits.ts'
import { parseMultibulk } from '../base/multibulk.ts'
import { WATCH_FIXED_BYTES, type Watched, writeTransaction } from '../base/transaction.ts'
import { CROSS_SLOT, NO_KEYS } from '../topology/route.ts'
import type { Entry } from './command-index.ts'

const BYTES_MIN = 1024

/** One command between MULTI and EXEC. */
export type Step = {
  readonly entry: Entry
  /** Null: it goes to the shard with the others. */
  readonly here: Argv | null
}

/** The slot of keys of which some have slot `a` and some slot `b`; both as routes know them. */
export function joinSlots(a: number, b: number): number {
  if (a === NO_KEYS || a === b) return b
  return b === NO_KEYS ? a : CROSS_SLOT
}

export class Transaction {
  readonly steps: Step[] = []
  /** A command was refused: EXEC will refuse the rest. */
  dirty = false
  /** Of all keys so far, or NO_KEYS, or CROSS_SLOT. */
  slot: number = NO_KEYS
  writes = false
  grows = false
  /** Commands that the desk answers itself, or that need no shard. */
  hereCount = 0
  #bytes = Buffer.allocUnsafe(BYTES_MIN)
  #used = 0
  /** Bytes of those that are kept apart. */
  #hereBytes = 0

  /** Commands that go to the shard. */
  get shardCount(): number {
    return this.steps.length - this.hereCount
  }

  /** Of all commands so far. */
  get bytes(): number {
    return this.#used + this.#hereBytes
  }

  /** Whether one more command of `bytes` is too much. */
  isFull(bytes: number): boolean {
    return (
      this.steps.length >= limits.transactionCommandsMax ||
      this.bytes + bytes > limits.transactionBytesMax
    )
  }

  /** Keeps a command for the shard. Its bytes are copied. */
  add(entry: Entry, argv: Argv, slot: number): void {
    const length = argv.end - argv.start
    this.#reserve(length)
    argv.buffer.copy(this.#bytes, this.#used, argv.start, argv.end)
    this.#used += length
    this.slot = joinSlots(this.slot, slot)
    if (entry.writes) this.writes = true
    if (entry.grows) this.grows = true
    this.steps.push({ entry, here: null })
  }

  /** Keeps a command that needs no shard. */
  addHere(entry: Entry, argv: Argv, slot: number): void {
    this.slot = joinSlots(this.slot, slot)
    this.hereCount += 1
    this.#hereBytes += argv.end - argv.start
    this.steps.push({ entry, here: argv.copy() })
  }

  /** The commands for the shard as what one entry carries, in the place of a single command. */
  sealed(watch: Watch | null): Argv {
    const argv = new Argv()
    const watched = watch === null ? [] : watch.all
    argv.buffer = writeTransaction(watched, this.shardCount, this.#bytes.subarray(0, this.#used))
    argv.end = argv.buffer.length
    return argv
  }

  /** Visits the commands for the shard; `argv` is filled again for each. */
  forShard(visit: (entry: Entry, argv: Argv) => void): void {
    const argv = new Argv()
    let at = 0
    for (const { entry, here } of this.steps) {
      if (here !== null) continue
      at = parseMultibulk(argv, this.#bytes, at, this.#used)
      visit(entry, argv)
    }
  }

  #reserve(bytes: number): void {
    const wanted = this.#used + bytes
    if (wanted <= this.#bytes.length) return
    let capacity = this.#bytes.length * 2
    while (capacity < wanted) capacity *= 2
    const grown = Buffer.allocUnsafe(capacity)
    this.#bytes.copy(grown, 0, 0, this.#used)
    this.#bytes = grown
  }
}

/** The keys that a session watches. */
export class Watch {
  readonly #known = new Map<string, Watched>()
  /** Asked for, and noted: what a replica lost on the way is not known, so EXEC must fail. */
  #asked = 0
  #noted = 0
  #bytes = 0
  /** Of all keys, or NO_KEYS, or CROSS_SLOT. */
  slot: number = NO_KEYS

  get count(): number {
    return this.#known.size
  }

  get all(): readonly Watched[] {
    return [...this.#known.values()]
  }

  /** Whether something became of every WATCH. */
  get isSure(): boolean {
    return this.#asked === this.#noted
  }

  /** A WATCH of keys of `slot` is on its way; `note` follows, unless its replica loses it. */
  ask(slot: number): void {
    this.#asked += 1
    this.slot = joinSlots(this.slot, slot)
  }

  /**
   * What is known of the keys of one WATCH. Of a key that is watched already the older word counts.
   *
   * @returns false: they are too many, and none of them is watched
   */
  note(watched: readonly Watched[]): boolean {
    this.#noted += 1
    const added = watched.filter(({ key }) => !this.#known.has(key))
    const bytes = added.reduce((sum, { key }) => sum + WATCH_FIXED_BYTES + key.length, this.#bytes)
    if (bytes > limits.watchedBytesMax) return false
    if (this.#known.size + added.length > limits.watchedKeysMax) return false
    for (const one of added) this.#known.set(one.key, one)
    this.#bytes = bytes
    return true
  }
}
