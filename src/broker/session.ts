// One client's standing at the desk: who it is, what it speaks, and what it is owed.

import type { Reply } from '../machine/reply.ts'

/** A door's end of a session. Neither call may call back into the broker. */
export interface Client {
  /** Once for each execute; in ordered sessions in the order of the calls. */
  answer(ticket: number, reply: Reply): void
  /** The session takes commands again after execute returned false. */
  resume(): void
  /** The desk ends the session (QUIT, CLIENT KILL): write what was answered, then close. */
  close(reason: string): void
}

export type SessionOptions = {
  readonly door: 'resp' | 'grpc'
  /** Answers come in the order of the calls. */
  readonly ordered: boolean
  /** Remote `host:port`. */
  readonly address: string
  readonly localAddress: string
}

export class Session {
  /** Rising, from 1, for the life of the process. */
  readonly id: number
  readonly client: Client
  readonly options: SessionOptions
  /** RESP's version. Replies are encoded in the one that holds when they are given. */
  protocol: 2 | 3 = 2

  constructor(id: number, client: Client, options: SessionOptions) {
    this.id = id
    this.client = client
    this.options = options
  }
}
