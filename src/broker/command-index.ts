// All commands there are, as the desk looks them up: the machine's and its own.
//
// What a lookup needs to decide is worked out once, here, so that the road of a
// command tests flags instead of searching lists.

import type { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import { type CommandFacts, type CommandSpec, isError } from '../machine/command.ts'
import { CommandTable } from '../machine/commands/table.ts'
import { soleKey } from '../machine/keys-of.ts'
import type { ErrorReply } from '../machine/reply.ts'
import type { DeskCommand } from './desk.ts'
import { type Gathering, gatheringOf } from './gathering.ts'

export type Entry = {
  readonly spec: CommandSpec
  /** The same, if the desk answers it itself; else null. */
  readonly desk: DeskCommand | null
  /** How the answers of all shards of this node become one; null: it goes to one shard. */
  readonly gathering: Gathering | null
  readonly writes: boolean
  /** Adds data: refused when memory or disk is full. */
  readonly grows: boolean
  /** Whether it may wait: with the word BLOCK, or in any form. */
  readonly blocks: 'never' | 'option' | 'always'
  /** An ordered session runs it only when everything before it was answered. */
  readonly barrier: boolean
  /** Runs at once between MULTI and EXEC. */
  readonly immediate: boolean
  /** What the road does for the desk at a shard. */
  readonly errand: DeskCommand['errand'] | null
  /** A RESP2 client may call it while it has subscriptions. */
  readonly whileSubscribed: boolean
  /** Its keys are sharded channels. */
  readonly sharded: boolean
  /** Refused between MULTI and EXEC. */
  readonly noMulti: boolean
  /** The word of its only key; 0: look at the key specs. */
  readonly soleKey: number
}

function blocksOf(facts: CommandFacts): Entry['blocks'] {
  if (!facts.flags.includes('blocking')) return 'never'
  return facts.group === 'stream' ? 'option' : 'always'
}

function entryOf(spec: CommandSpec, desk: DeskCommand | null): Entry {
  const gathering = gatheringOf(spec.name)
  return {
    spec,
    desk,
    gathering,
    writes: spec.apply !== undefined,
    grows: spec.flags.includes('denyoom'),
    blocks: blocksOf(spec),
    barrier: gathering !== null || desk?.barrier === true,
    immediate: desk?.immediate === true,
    errand: desk?.errand ?? null,
    whileSubscribed: desk?.whileSubscribed === true,
    sharded: desk?.sharded === true,
    noMulti: spec.flags.includes('no_multi'),
    soleKey: soleKey(spec),
  }
}

/** A subcommand that reads a shard, in a container whose others the desk answers: MEMORY USAGE. */
function isOfMachine(sub: DeskCommand & CommandSpec): boolean {
  return sub.run === undefined && sub.query !== undefined
}

export class CommandIndex {
  readonly #table: CommandTable
  readonly #entries = new Map<CommandSpec, Entry>()
  /** Of the last lookup: commands come in runs. */
  #last: Entry | null = null

  constructor(machine: Iterable<CommandSpec>, desk: Iterable<DeskCommand>) {
    const machineSpecs = [...machine]
    const deskSpecs = [...desk]
    this.#table = new CommandTable([...machineSpecs, ...deskSpecs])
    for (const spec of machineSpecs) {
      this.#entries.set(spec, entryOf(spec, null))
      for (const sub of spec.subcommands?.values() ?? []) this.#entries.set(sub, entryOf(sub, null))
    }
    for (const spec of deskSpecs) {
      this.#entries.set(spec, entryOf(spec, spec))
      for (const sub of spec.subcommands?.values() ?? [])
        this.#entries.set(sub, entryOf(sub, isOfMachine(sub) ? null : sub))
    }
  }

  /** By name, containers with their subcommands inside. */
  get all(): ReadonlyMap<string, CommandFacts> {
    return this.#table.specs
  }

  /** The command that `argv` calls, with the right number of words, or what is wrong. */
  find(argv: Argv): Entry | ErrorReply {
    const spec = this.#table.find(argv)
    if (this.#last !== null && this.#last.spec === spec) return this.#last
    if (isError(spec)) return spec
    const entry = this.#entries.get(spec)
    assert(entry !== undefined, () => `${spec.name} is in the table and has no entry`)
    this.#last = entry
    return entry
  }

  /** The facts of `xgroup` or `xgroup|create`. */
  facts(name: string): CommandFacts | null {
    return this.#table.named(name)
  }
}
