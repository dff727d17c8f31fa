// A read as a replica runs it: bound to its state and its parsed words.
//
// Parsed once and kept: a read that waits is run again with the same arguments,
// so what the first run made concrete (`$` of XREAD) stays what it was.

import type { Ms } from '../base/types.ts'
import type { Wait } from '../base/wait.ts'
import type { CommandSpec } from '../machine/command.ts'
import type { Reply } from '../machine/reply.ts'
import type { Query } from '../replica/ports.ts'
import type { MachinePort } from './ports.ts'

export class ReadQuery implements Query<Reply> {
  readonly #spec: CommandSpec
  readonly #machine: MachinePort
  readonly #args: unknown

  /** @param args what the spec's parse made of the words; a read's owns what it holds */
  constructor(spec: CommandSpec, machine: MachinePort, args: unknown) {
    this.#spec = spec
    this.#machine = machine
    this.#args = args
  }

  run(now: Ms): Reply | Wait {
    return this.#machine.query(this.#spec, this.#args, now)
  }
}
