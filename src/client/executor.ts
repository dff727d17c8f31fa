// What typed methods and readers need of a client: a command in words, an answer as a value.

import type { As, Word } from './session/call.ts'
import type { Value } from './session/value.ts'

export type CallOptions = {
  /** How long the call may take with its retries, in ms; blocking commands have their own wait in addition. */
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
}

export type ExecuteOptions = CallOptions & {
  /** How strings of bytes in the answer are given. Default: text. */
  readonly as?: As
  /** The key that routes the command, where the client cannot tell by its name. null: any node. */
  readonly key?: Word | null
  /** false: not under the producer session; a retry could do it twice, so it ends in doubt instead. */
  readonly marked?: boolean
}

export interface Executor {
  execute(words: readonly Word[], options?: ExecuteOptions): Promise<Value>
}
