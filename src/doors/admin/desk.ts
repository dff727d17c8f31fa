// What the HTTP door needs from the front desk (src/broker): commands, as any client has them.
//
// The broker satisfies it by shape, and a fake does in tests.

import type { Argv } from '../../base/argv.ts'
import type { Reply } from '../../machine/reply.ts'

/** The door's end of a session. */
export interface DeskClient {
  /** Once for each execute. Must not call the desk back. */
  answer(ticket: number, reply: Reply): void
  resume(): void
  /** The desk ends the session (CLIENT KILL): disconnect. */
  close(reason: string): void
}

export type DeskSessionOptions = {
  readonly door: 'admin'
  readonly ordered: false
  /** host:port of the client. */
  readonly address: string
  readonly localAddress: string
}

/** `S` is the desk's own view of a session. */
export interface Desk<S = unknown> {
  connect(client: DeskClient, options: DeskSessionOptions): S
  /** Copies of argv what it keeps. */
  execute(session: S, argv: Argv, ticket: number, producer: null): boolean
  /** Its unanswered commands end without an answer. */
  disconnect(session: S): void
}
