// An error reply as HTTP: a status, where to go instead, when to ask again.

import type { ErrorReply } from '../../machine/reply.ts'

const STATUS_BY_WORD: Readonly<Record<string, number>> = {
  MOVED: 307,
  NOGROUP: 404,
  WRONGTYPE: 409,
  CROSSSLOT: 400,
  CLUSTERDOWN: 503,
  LOADING: 503,
  UNBLOCKED: 503,
  TRYAGAIN: 503,
  OOM: 507,
  MISCONF: 507,
  // Done or not done: nothing that a proxy may repeat by itself.
  INDOUBT: 500,
}

export type Refusal = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Where the stream is led; null: not known, or it is not for that. */
  readonly location: string | null
  readonly error: string
}

/** Seconds, for who is told to ask again: an election is over by then. */
const RETRY_SECONDS = '1'

/** @param path with its query, as the client asked for it */
export function refusalOf(reply: ErrorReply, path: string): Refusal {
  const [word = '', , address = ''] = reply.text.split(' ')
  const status = STATUS_BY_WORD[word] ?? 400
  const location = status === 307 ? `http://${address}${path}` : null
  const retry = status === 503 ? { 'retry-after': RETRY_SECONDS } : {}
  const headers = location === null ? retry : { location }
  return { status, headers, location, error: reply.text }
}
