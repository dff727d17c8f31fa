// What commands that the desk answers itself may use, and the shape of one.
//
// To add such a command: write it in commands/<family>.ts and list it in
// commands/table.ts. Commands that read or change a shard belong to the machine.

import type { Argv } from '../base/argv.ts'
import type { Ms } from '../base/types.ts'
import type { CommandFacts } from '../machine/command.ts'
import type { Reply } from '../machine/reply.ts'
import type { CommandIndex } from './command-index.ts'
import type { BrokerPorts, Shard } from './ports.ts'
import type { Session } from './session.ts'

/** null: the client wants no answer. */
export type Run = (desk: Desk, session: Session, argv: Argv) => Reply | null

export interface DeskCommand extends CommandFacts {
  /** An ordered session runs it only when everything before it was answered. */
  readonly barrier?: boolean
  /** Its reply goes out although replies are off: CLIENT REPLY ON. */
  readonly heardInSilence?: boolean
  /** Runs at once between MULTI and EXEC, where others are queued. */
  readonly immediate?: boolean
  /** Goes to a shard although the desk answers it: the road knows how. */
  readonly errand?: 'exec' | 'watch'
  /** A container has none, and an errand. */
  readonly run?: Run
  readonly subcommands?: ReadonlyMap<string, DeskCommand>
}

/** Counts since the start or CONFIG RESETSTAT, for INFO. */
export type Tally = { connections: number; commands: number; errors: number; refused: number }

export interface Desk {
  readonly ports: BrokerPorts
  readonly sessions: ReadonlyMap<number, Session>
  readonly commands: CommandIndex
  readonly tally: Tally
  /** Monotonic. */
  readonly startedAt: Ms
  /** All shards with a replica here, by number. */
  shards(): readonly Shard[]
  /** Tries the session's held command again when leaders change, or a little later. */
  park(session: Session): void
  /** Ends `session` once what it is owed is written. */
  kill(session: Session, reason: string): void
  /** CLIENT UNBLOCK. @returns whether it waited */
  unblock(session: Session, withError: boolean): boolean
}
