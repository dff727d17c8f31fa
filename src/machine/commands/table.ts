// The table of commands, and how a command is found by its words.
//
// Names are looked up by a hash of their bytes in capitals, without making text of
// them. The desk makes a table of its own with the commands that it answers itself.

import { type Argv, lowerByte } from '../../base/argv.ts'
import { assert } from '../../base/assert.ts'
import type { CommandSpec } from '../command.ts'
import { type ErrorReply, fail } from '../reply.ts'
import { setBlockEntries } from './block-entries.ts'
import { buryDead } from './bury.ts'
import { claimCommands } from './claims.ts'
import { counterCommands } from './counters.ts'
import { dumpCommands } from './dump.ts'
import { expireCommands } from './expire.ts'
import { groupCommands } from './groups.ts'
import { keyCommands } from './keys.ts'
import { listMoveCommands } from './list-move.ts'
import { listPopCommands } from './list-pop.ts'
import { listPushCommands } from './list-push.ts'
import { listCommands } from './lists.ts'
import { memberCommands } from './members.ts'
import { memberPickCommands } from './members-picked.ts'
import { memoryInTransactions } from './memory.ts'
import { objectCommands } from './object.ts'
import { renamingCommands } from './renaming.ts'
import { setCommands } from './set.ts'
import { streamCommands } from './streams.ts'
import { stringCommands } from './strings.ts'
import { xinfoCommands } from './xinfo.ts'

/** How much of a name or of arguments an error repeats. */
const ECHO_BYTES_MAX = 128

/** A name's bytes as errors repeat them: cut, as UTF-8, on one line. */
function echo(argv: Argv, i: number, bytesMax: number): string {
  const to = Math.min(argv.to(i), argv.from(i) + bytesMax)
  return argv.buffer.toString('utf8', argv.from(i), to).replace(/[\r\n]/g, ' ')
}

function unknownCommand(argv: Argv): ErrorReply {
  const name = echo(argv, 0, ECHO_BYTES_MAX)
  if (argv.count === 1) return fail(`ERR unknown command '${name}'`)
  let args = ''
  for (let i = 1; i < argv.count && args.length < ECHO_BYTES_MAX; i += 1)
    args += `'${echo(argv, i, ECHO_BYTES_MAX - args.length)}' `
  return fail(`ERR unknown command '${name}', with args beginning with: ${args}`)
}

function unknownSubcommand(container: CommandSpec, argv: Argv): ErrorReply {
  const word = echo(argv, 1, ECHO_BYTES_MAX)
  return fail(`ERR unknown subcommand '${word}'. Try ${container.name.toUpperCase()} HELP.`)
}

export function wrongArity(spec: CommandSpec): ErrorReply {
  return fail(`ERR wrong number of arguments for '${spec.name}' command`)
}

/** Specs by name. Names are told apart by a hash and then compared. */
class Names {
  readonly #byHash = new Map<number, { readonly upper: string; readonly spec: CommandSpec }[]>()

  add(name: string, spec: CommandSpec): void {
    let hash = name.length
    for (let i = 0; i < name.length; i += 1)
      hash = (Math.imul(hash, 31) + lowerByte(name.charCodeAt(i))) | 0
    const rows = this.#byHash.get(hash) ?? []
    rows.push({ upper: name.toUpperCase(), spec })
    this.#byHash.set(hash, rows)
  }

  find(argv: Argv, i: number): CommandSpec | null {
    const to = argv.to(i)
    let hash = argv.length(i)
    for (let k = argv.from(i); k < to; k += 1)
      hash = (Math.imul(hash, 31) + lowerByte(argv.buffer[k] as number)) | 0
    const rows = this.#byHash.get(hash)
    if (rows === undefined) return null
    for (const row of rows) if (argv.is(i, row.upper)) return row.spec
    return null
  }
}

export class CommandTable {
  /** Commands by name in lower case, in the order of the alphabet. Subcommands stand in their containers. */
  readonly specs: ReadonlyMap<string, CommandSpec>
  readonly #names = new Names()
  readonly #subcommands = new Map<CommandSpec, Names>()
  #last: CommandSpec | null = null
  #lastUpper = ''

  constructor(specs: readonly CommandSpec[]) {
    const sorted = [...specs].sort((a, b) => (a.name < b.name ? -1 : 1))
    this.specs = new Map(sorted.map(spec => [spec.name, spec]))
    assert(this.specs.size === specs.length, 'every command is listed once')
    for (const spec of sorted) {
      this.#names.add(spec.name, spec)
      if (spec.subcommands === undefined) continue
      const names = new Names()
      for (const sub of spec.subcommands.values())
        names.add(sub.name.slice(sub.name.indexOf('|') + 1), sub)
      this.#subcommands.set(spec, names)
    }
  }

  /**
   * The command that `argv` calls, with the right number of words; a subcommand where
   * the command is a container.
   *
   * @param argv has at least one word
   */
  find(argv: Argv): CommandSpec | ErrorReply {
    let spec: CommandSpec | null
    if (this.#last !== null && argv.is(0, this.#lastUpper)) {
      // Commands come in runs.
      spec = this.#last
    } else {
      spec = this.#names.find(argv, 0)
      if (spec === null) return unknownCommand(argv)
      this.#last = spec
      this.#lastUpper = spec.name.toUpperCase()
    }
    if (spec.subcommands !== undefined && argv.count > 1) {
      const sub = this.#subcommands.get(spec)?.find(argv, 1) ?? null
      if (sub === null) return unknownSubcommand(spec, argv)
      spec = sub
    }
    const fits = spec.arity < 0 ? argv.count >= -spec.arity : argv.count === spec.arity
    return fits ? spec : wrongArity(spec)
  }

  /** The command called `name`, in any case; a subcommand as `xgroup|create`. */
  named(name: string): CommandSpec | null {
    const lower = name.toLowerCase()
    const bar = lower.indexOf('|')
    if (bar < 0) return this.specs.get(lower) ?? null
    for (const sub of this.specs.get(lower.slice(0, bar))?.subcommands?.values() ?? [])
      if (sub.name === lower) return sub
    return null
  }
}

/** Every command of the state machine that clients may call. */
export const COMMANDS: readonly CommandSpec[] = [
  ...streamCommands,
  ...groupCommands,
  ...claimCommands,
  ...xinfoCommands,
  ...keyCommands,
  ...expireCommands,
  ...renamingCommands,
  ...dumpCommands,
  ...objectCommands,
  ...memberCommands,
  ...memberPickCommands,
  ...setCommands,
  ...stringCommands,
  ...counterCommands,
  ...listCommands,
  ...listMoveCommands,
  ...listPopCommands,
  ...listPushCommands,
]

/** What entries may hold: with the commands that leaders propose of their own accord. */
export const machineTable = new CommandTable([
  ...COMMANDS,
  buryDead,
  setBlockEntries,
  memoryInTransactions,
])
