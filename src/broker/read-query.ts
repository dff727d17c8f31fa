// A read as a replica runs it: bound to its state and its parsed words.
//
// Parsed once and kept: a read that waits is run again with the same arguments,
// so what the first run made concrete (`$` of XREAD) stays what it was.

import type { Argv } from '../base/argv.ts'
import type { Ms } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import type { CommandSpec } from '../machine/command.ts'
import type { Reply } from '../machine/reply.ts'
import type { Query } from '../replica/ports.ts'
import type { MachinePort } from './ports.ts'
import type { WordRing } from './word-ring.ts'
import type { Sender, WorkMeter } from './work-meter.ts'

/** Who reads. */
export type Reader = Sender & {
  /** CLIENT NO-TOUCH: reading is no use of a key. */
  readonly noTouch: boolean
}

/** What measures reads, and remembers their words meanwhile. */
export type ReadWatch = { readonly meter: WorkMeter; readonly words: WordRing }

export class ReadQuery implements Query<Reply> {
  readonly #spec: CommandSpec
  readonly #machine: MachinePort
  readonly #args: unknown
  readonly #watch: ReadWatch | null
  readonly #sender: Reader
  /** Where the words stand in the ring; -1: nobody will want them. */
  readonly #wordsAt: number
  readonly #wordCount: number

  /**
   * @param args what the spec's parse made of the words; a read's owns what it holds
   * @param watch null: it is neither counted nor measured
   * @param argv the words, for the slow log
   */
  constructor(
    spec: CommandSpec,
    machine: MachinePort,
    args: unknown,
    watch: ReadWatch | null,
    sender: Reader,
    argv: Argv,
  ) {
    this.#spec = spec
    this.#machine = machine
    this.#args = args
    this.#watch = watch
    this.#sender = sender
    this.#wordsAt = watch?.meter.logs === true ? watch.words.put(argv) : -1
    this.#wordCount = argv.count
  }

  run(now: Ms): Reply | Wait {
    const { noTouch } = this.#sender
    if (this.#watch === null) return this.#machine.query(this.#spec, this.#args, now, noTouch)
    const { meter } = this.#watch
    const since = meter.start(this.#spec)
    const outcome = this.#machine.query(this.#spec, this.#args, now, noTouch)
    if (outcome instanceof Wait) return outcome
    const tooLong = meter.stop(this.#spec, since, outcome)
    if (tooLong >= 0) meter.note(this.#spec, tooLong, this.#words(), this.#wordCount, this.#sender)
    return outcome
  }

  /** The name alone, when the words are overwritten. */
  #words(): readonly string[] {
    const kept = this.#wordsAt < 0 ? null : (this.#watch?.words.words(this.#wordsAt) ?? null)
    return kept ?? this.#spec.name.split('|')
  }
}
