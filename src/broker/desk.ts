// What commands that the desk answers itself may use, and the shape of one.
//
// To add such a command: write it in commands/<family>.ts and list it in
// commands/table.ts. Commands that read or change a shard belong to the machine.

import type { Argv } from '../base/argv.ts'
import type { Ms, Slot } from '../base/types.ts'
import type { CommandFacts } from '../machine/command.ts'
import type { Reply } from '../machine/reply.ts'
import type { AuthLog } from './auth-log.ts'
import type { CommandIndex } from './command-index.ts'
import type { ErrorCounts } from './error-counts.ts'
import type { KeyspaceEvents } from './keyspace-events.ts'
import type { Pause } from './pause.ts'
import type { BrokerPorts, Shard } from './ports.ts'
import type { PubSub } from './pubsub/pubsub.ts'
import type { Rate } from './rates.ts'
import type { Session } from './session.ts'
import type { Settings } from './settings.ts'
import type { WordRing } from './word-ring.ts'
import type { WorkMeter } from './work-meter.ts'

/** The answer comes later, by `session.answer(place, …)`. */
export const LATER = Symbol('later')

/** In place of a place: the command must answer at once, as in a transaction. */
export const NO_PLACE = -1

/** null: the client wants no answer. `place` is the command's among what the session is owed, or NO_PLACE. */
export type Run = (
  desk: Desk,
  session: Session,
  argv: Argv,
  place: number,
) => Reply | null | typeof LATER

export interface DeskCommand extends CommandFacts {
  /** An ordered session runs it only when everything before it was answered. */
  readonly barrier?: boolean
  /** Its reply goes out although replies are off: CLIENT REPLY ON. */
  readonly heardInSilence?: boolean
  /** The words as the slow log may keep them, where some are secret. */
  readonly redacted?: (argv: Argv) => readonly string[]
  /** Runs at once between MULTI and EXEC, where others are queued. */
  readonly immediate?: boolean
  /** Goes to a shard although the desk answers it: the road knows how. */
  readonly errand?: 'exec' | 'watch'
  /** A container has none, nor an errand; a subcommand without one is the machine's, which has a query. */
  readonly run?: Run
  readonly subcommands?: ReadonlyMap<string, DeskCommand>
  /** A RESP2 client may call it while it has subscriptions. */
  readonly whileSubscribed?: boolean
  /** Its keys are sharded channels: it runs where their slot is led. */
  readonly sharded?: boolean
}

/** Counts since the start or CONFIG RESETSTAT, for INFO. */
export type Tally = {
  connections: number
  commands: number
  errors: number
  refused: number
  /** Of connections that are gone. */
  bytesIn: number
  bytesOut: number
}

export interface Desk {
  readonly ports: BrokerPorts
  readonly sessions: ReadonlyMap<number, Session>
  readonly commands: CommandIndex
  readonly tally: Tally
  /** Error replies by their first word. */
  readonly errorCounts: ErrorCounts
  readonly authLog: AuthLog
  readonly settings: Settings
  readonly meter: WorkMeter
  readonly words: WordRing
  readonly pause: Pause
  readonly pubsub: PubSub
  readonly keyspaceEvents: KeyspaceEvents
  /** Commands of the last moments. */
  readonly commandRate: Rate
  /** The highest that `used_memory` was seen. */
  readonly peak: { bytes: number }
  /** Monotonic. */
  readonly startedAt: Ms
  /** All shards with a replica here, by number. */
  shards(): readonly Shard[]
  /** Whether the shard that owns `slot` is led here, as far as this node knows. Always, without a cluster. */
  leadsSlot(slot: Slot): boolean
  /** Tries the session's held command again when leaders change, or a little later. */
  park(session: Session): void
  /** Ends `session` once what it is owed is written. */
  kill(session: Session, reason: string): void
  /** CLIENT UNBLOCK. @returns whether it waited */
  unblock(session: Session, withError: boolean): boolean
}
