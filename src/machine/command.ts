// The shape of a command: data for the table, functions for its meaning.
//
// To add a command:
//   1. write its spec in the family it belongs to, and list it in commands/table.ts;
//   2. give it `apply` or `query`, never both (neither: the broker answers it);
//   3. if it can wait, return Wait from both the empty and the raced case;
//   4. record its transcript under test/conformance/.

import type { Argv } from '../base/argv.ts'
import type { Ms } from '../base/types.ts'
import type { Wait } from '../base/wait.ts'
import type { Chance } from './chance.ts'
import type { Keyspace } from './keyspace.ts'
import type { ErrorReply, Reply } from './reply.ts'

export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'allow_busy'
  | 'movablekeys'
  | 'no_multi'
  | 'no_async_loading'
  | 'skip_slowlog'
  | 'touches_arbitrary_keys'
  | 'pubsub'
  | 'may_replicate'

/** How one key specification finds its keys (Redis' "key specs"). */
export type KeySpec = {
  /** RW, RO, OW, RM and access, update, insert, delete; NOT_KEY: a sharded channel, which has a slot all the same. */
  readonly flags: readonly string[]
  readonly begin:
    | { readonly index: number }
    | { readonly keyword: string; readonly startFrom: number }
  /** `last` counts from the first key, negative from the end; `limit` n divides what is left by n. */
  readonly find:
    | { readonly last: number; readonly step: number; readonly limit: number }
    /** The first word says how many keys follow it. */
    | 'counted'
}

/** When the command happens. */
export type Occasion = {
  /** The leader's wall clock, stamped into the entry (a query: the node's own). Unix ms. */
  readonly now: Ms
  /** False where nobody reads the reply (a follower): what is dear to build may be left out of it. */
  readonly asked: boolean
  /** What a command draws from that must pick something: of an entry alike on every replica. */
  readonly chance: Chance
  /** False where nothing waits (a transaction): what would wait answers as if its time were over. */
  readonly blocks: boolean
  /** The command waited and is run again: it waits on if none of its keys is what it needs. */
  readonly again: boolean
  /** The reply becomes a part of the state (a producer's), so every replica must come to the same. */
  readonly kept: boolean
}

/** What a command may bring to those who wait. */
export type Feed = {
  /** The key, as latin1 text. */
  readonly key: string
  /** How many elements it adds: how many waiters it may serve. */
  readonly count: number
  /** What those need whom it may serve; absent: a list. */
  readonly needs?: 'change'
}

/** What the table, COMMAND, the docs and the gate know of a command. */
export type CommandFacts = {
  /** Full name in lower case; subcommands as `xgroup|create`. */
  readonly name: string
  /** Number of words with the name; negative: at least that many. */
  readonly arity: number
  readonly flags: readonly CommandFlag[]
  /** ACL categories without the `@`. */
  readonly categories: readonly string[]
  readonly keys: readonly KeySpec[]
  readonly since: string
  readonly group:
    | 'stream'
    | 'list'
    | 'set'
    | 'string'
    | 'generic'
    | 'connection'
    | 'server'
    | 'cluster'
    | 'transactions'
    | 'pubsub'
    | 'scripting'
  readonly summary: string
  readonly complexity: string
  readonly tips?: readonly string[]
  readonly subcommands?: ReadonlyMap<string, CommandSpec>
}

/**
 * A command of the state machine.
 *
 * `parse` needs no state: it runs at the desk, so that a mistake costs no log
 * entry, and again in `apply` on every replica. What it returns for `apply` may
 * point into the Argv's buffer, may even be the same object each time, and is used
 * at once; what it returns for `query` owns what it holds, since a query may be run
 * again after a wait. Errors that depend on state come from `apply` or `query`.
 */
export interface CommandSpec<A = unknown> extends CommandFacts {
  /** What it answers in a transaction where it would wait; absent: the null array. */
  readonly unserved?: Reply
  parse?(argv: Argv): A | ErrorReply
  /** Changes the state. Deterministic: no clock, no chance. Runs on every replica. */
  apply?(state: Keyspace, args: A, at: Occasion): Reply | Wait
  /** Which lists and streams it lengthens, if it is not refused: who waits for them runs right behind it. */
  feeds?(argv: Argv): readonly Feed[]
  /** Reads the state at the leader (or, after READONLY, a follower). */
  query?(state: Keyspace, args: A, at: Occasion): Reply | Wait
}

/** Whether `parse` or anything else answered with an error. */
export function isError(value: unknown): value is ErrorReply {
  return (
    typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'error'
  )
}
