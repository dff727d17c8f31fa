// Error replies as gRPC statuses: code, text, typed details and trailers.
//
// A client may read the same fact three ways, since languages differ in what is
// easy: the status message (the text a Redis client would see), the trailer
// `slotcast-redirect` or `slotcast-code`, and `grpc-status-details-bin`, a
// google.rpc.Status with ErrorInfo and, by reason, SlotMoved or RetryInfo.

import { status as codes, Metadata } from '@grpc/grpc-js'
import { clientErrorOf, type GrpcStatus } from '../../base/errors.ts'
import type { Duration } from '../../gen/google/protobuf/duration.ts'
import { ErrorInfo, RetryInfo } from '../../gen/google/rpc/error_details.ts'
import { Status } from '../../gen/google/rpc/status.ts'
import { SlotMoved } from '../../gen/slotcast/v1/topology.ts'
import type { ErrorReply } from '../../machine/reply.ts'

export const REDIRECT_TRAILER = 'slotcast-redirect'
export const CODE_TRAILER = 'slotcast-code'
const DETAILS_TRAILER = 'grpc-status-details-bin'
const DOMAIN = 'slotcast'
const TYPE_PREFIX = 'type.googleapis.com/'
/** Characters of a text, which stands in up to four headers; clients bound them at 8 KiB together. */
const TEXT_MAX = 1024

/** What a refused client should wait at least: about one election, or one turn of an overfull queue. */
const RETRY_MS_BY_STATUS: Partial<Record<GrpcStatus, number>> = {
  UNAVAILABLE: 100,
  RESOURCE_EXHAUSTED: 50,
}
/** Where neither is the reason, as while snapshots are written. */
const RETRY_MS_OTHERWISE = 500

/** Half a character, which neither a trailer nor UTF-8 can carry. */
const LONE_SURROGATE = /\p{Surrogate}/gu

/** A failed call, in the form that grpc-js takes for an error. */
export type CallStatus = {
  readonly code: codes
  readonly details: string
  readonly metadata: Metadata
}

/** The word of an error's text: `WRONGTYPE` of `WRONGTYPE Operation against ...`. */
export function errorWord(text: string): string {
  const space = text.indexOf(' ')
  return space < 0 ? text : text.slice(0, space)
}

/** How long to wait before the same command may succeed, or null if waiting will not help. */
export function retryDelay(text: string): Duration | null {
  const { retry, grpc } = clientErrorOf(text)
  if (retry !== 'later') return null
  const ms = RETRY_MS_BY_STATUS[grpc] ?? RETRY_MS_OTHERWISE
  return { seconds: 0n, nanos: ms * 1_000_000 }
}

/** Text as trailers may carry it: printable ASCII, one line. */
function trailerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}

/** The status for a command that failed as a whole. `moved` goes with a redirect. */
export function statusOf(reply: ErrorReply, moved: SlotMoved | null): CallStatus {
  const text = reply.text.slice(0, TEXT_MAX).replace(LONE_SURROGATE, '\ufffd')
  const { grpc, reason } = clientErrorOf(text)
  const code = codes[grpc]
  const info = ErrorInfo.encode({ reason, domain: DOMAIN, metadata: {} }).finish()
  const details = [{ typeUrl: `${TYPE_PREFIX}google.rpc.ErrorInfo`, value: Buffer.from(info) }]
  if (moved !== null) {
    const value = Buffer.from(SlotMoved.encode(moved).finish())
    details.push({ typeUrl: `${TYPE_PREFIX}slotcast.v1.SlotMoved`, value })
  }
  const delay = retryDelay(text)
  if (delay !== null) {
    const value = Buffer.from(RetryInfo.encode({ retryDelay: delay }).finish())
    details.push({ typeUrl: `${TYPE_PREFIX}google.rpc.RetryInfo`, value })
  }
  const metadata = new Metadata()
  metadata.set(CODE_TRAILER, trailerText(text))
  if (moved !== null) metadata.set(REDIRECT_TRAILER, trailerText(text))
  const packed = Status.encode({ code, message: text, details }).finish()
  metadata.set(DETAILS_TRAILER, Buffer.from(packed))
  return { code, details: text, metadata }
}

/** The status for a request that is wrong in itself. */
export function invalid(text: string): CallStatus {
  return statusOf({ kind: 'error', text: `ERR ${text}` }, null)
}
