// What became of a command that failed, where it is one of many in a call: the `redirect` or the
// `error` of an outcome. A call that fails as a whole has a status instead (status.ts).

import type { Duration } from '../../gen/google/protobuf/duration.ts'
import type { Error as ErrorMessage, Redirect } from '../../gen/slotcast/v1/reply.ts'
import type { ErrorReply } from '../../machine/reply.ts'
import type { Desk } from './desk.ts'
import { errorWord, retryDelay } from './status.ts'
import { slotMoved } from './topology.ts'

export type Failure =
  | { readonly $case: 'redirect'; readonly value: Redirect }
  | { readonly $case: 'error'; readonly value: ErrorMessage }

/** @param inDoubtDelay after which a command of unknown fate may be tried again, where it may be */
export function failureOf(
  desk: Pick<Desk, 'map' | 'leaderOf'>,
  reply: ErrorReply,
  inDoubtDelay?: Duration,
): Failure {
  const { redirect, text } = reply
  if (redirect !== undefined)
    return { $case: 'redirect', value: { text, moved: slotMoved(desk, redirect) } }
  const code = errorWord(text)
  const delay = retryDelay(text) ?? (code === 'INDOUBT' ? inDoubtDelay : undefined)
  return { $case: 'error', value: { code, text, retryDelay: delay } }
}
