// How to subscribe, and what is reported meanwhile. Times are milliseconds.

import { UsageError } from '../errors.ts'
import type { ChannelKind } from './message.ts'

/** A channel or pattern: text goes as UTF-8. */
export type ChannelName = string | Uint8Array

export type Channels = {
  /** What is published on them on any node. */
  readonly channels?: readonly ChannelName[]
  /** Globs: `*`, `?`, `[a-f]`, `\`. */
  readonly patterns?: readonly ChannelName[]
  /** Sharded channels: what is published on them with `sharded`. */
  readonly sharded?: readonly ChannelName[]
}

export type SubscribeNotice =
  /** A node carries a subscription from now on; `again`: it stood before. */
  | {
      readonly type: 'subscribed'
      readonly kind: ChannelKind
      readonly name: string
      readonly node: string
      readonly again: boolean
    }
  /** A sharded channel is at the node no more; it is subscribed to again, and a gap is told then. */
  | { readonly type: 'moved'; readonly name: string; readonly from: string }
  /** A call to a node is gone; what it carried is subscribed to again elsewhere, and gaps are told then. */
  | { readonly type: 'broken'; readonly node: string; readonly reason: string }

export type SubscribeOptions = Channels & {
  /** Bytes of messages that nobody has taken yet, about. Default: 4 MiB. */
  readonly maxQueuedBytes?: number
  /**
   * What happens then. `wait`: nothing more is read, so the node holds messages back, and cuts us off when that is too much for
   * it, which is told as a gap. `fail`: the iteration ends with SlowSubscriberError. Default: `wait`.
   */
  readonly whenFull?: 'wait' | 'fail'
  /** Nodes say something at least so often; silent for two of them, they are taken for dead. 100 to 60,000. Default: 1,000. */
  readonly heartbeatMs?: number
  /** Ends the subscription. */
  readonly signal?: AbortSignal
  readonly onEvent?: (event: SubscribeNotice) => void
}

export type SubscribePlan = {
  readonly maxQueuedBytes: number
  readonly isWaiting: boolean
  readonly heartbeatMs: number
}

const QUEUED_BYTES = 4 * 1024 * 1024
const HEARTBEAT_MS_MIN = 100
const HEARTBEAT_MS_MAX = 60_000
/** What a node takes: bytes of a name, and names of one call. */
const CHANNEL_BYTES_MAX = 65_600
const PATTERN_BYTES_MAX = 1_024
export const NAMES_MAX = 262_144

export function subscribePlanOf(options: SubscribeOptions): SubscribePlan {
  const { maxQueuedBytes = QUEUED_BYTES, whenFull = 'wait', heartbeatMs = 1_000 } = options
  if (!(maxQueuedBytes >= 1)) throw new UsageError('maxQueuedBytes must be at least 1')
  if (!(heartbeatMs >= HEARTBEAT_MS_MIN && heartbeatMs <= HEARTBEAT_MS_MAX))
    throw new UsageError(`heartbeatMs must be ${HEARTBEAT_MS_MIN} to ${HEARTBEAT_MS_MAX}`)
  return { maxQueuedBytes, isWaiting: whenFull === 'wait', heartbeatMs }
}

/** All names, each with its kind. */
export function namesOf(channels: Channels): { kind: ChannelKind; bytes: Buffer }[] {
  const named = (kind: ChannelKind, names: readonly ChannelName[] = []) =>
    names.map(name => ({ kind, bytes: bytesOf(kind, name) }))
  return [
    ...named('channel', channels.channels),
    ...named('pattern', channels.patterns),
    ...named('sharded', channels.sharded),
  ]
}

function bytesOf(kind: ChannelKind, name: ChannelName): Buffer {
  const bytes = typeof name === 'string' ? Buffer.from(name) : Buffer.from(name)
  const most = kind === 'pattern' ? PATTERN_BYTES_MAX : CHANNEL_BYTES_MAX
  if (bytes.length < 1 || bytes.length > most)
    throw new UsageError(`a ${kind} must have 1 to ${most} bytes`)
  return bytes
}
