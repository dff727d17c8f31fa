// The three kinds of subscription, and what is checked before one begins.

import { limits } from '../../base/limits.ts'
import { type ErrorReply, fail } from '../../machine/reply.ts'
import type { Listener, Subject } from './listener.ts'
import type { Registry } from './registry.ts'

export const channelTooLong = fail(`ERR channel is longer than ${limits.channelBytesMax} bytes`)
export const patternTooLong = fail(`ERR pattern is longer than ${limits.patternBytesMax} bytes`)
const tooMany = fail(
  `ERR a client has at most ${limits.subscriptionsPerClientMax} subscriptions, a node ${limits.subscribedNamesMax} channels and patterns`,
)
/** The three kinds of subscription. */
export type Kind = {
  readonly word: string
  readonly bytesMax: number
  readonly tooLong: ErrorReply
  of(listener: Listener): ReadonlySet<Subject>
  join(registry: Registry, listener: Listener, name: string): void
  part(registry: Registry, listener: Listener, name: string): void
  /** What confirmations count. */
  count(listener: Listener): number
}

export const CHANNELS: Kind = {
  word: 'subscribe',
  bytesMax: limits.channelBytesMax,
  tooLong: channelTooLong,
  of: listener => listener.channels,
  join: (registry, listener, name) => registry.subscribe(listener, name),
  part: (registry, listener, name) => registry.unsubscribe(listener, name),
  count: listener => listener.count,
}
export const PATTERNS: Kind = {
  word: 'psubscribe',
  bytesMax: limits.patternBytesMax,
  tooLong: patternTooLong,
  of: listener => listener.patterns,
  join: (registry, listener, name) => registry.subscribePattern(listener, name),
  part: (registry, listener, name) => registry.unsubscribePattern(listener, name),
  count: listener => listener.count,
}
export const SHARD_CHANNELS: Kind = {
  word: 'ssubscribe',
  bytesMax: limits.channelBytesMax,
  tooLong: channelTooLong,
  of: listener => listener.shardChannels,
  join: (registry, listener, name) => registry.subscribeShard(listener, name),
  part: (registry, listener, name) => registry.unsubscribeShard(listener, name),
  count: listener => listener.shardChannels.size,
}

/** Why `listener` may not listen to `added` more names, the longest of so many bytes, or null. */
export function refusalOf(
  kind: Kind,
  registry: Registry,
  listener: Listener,
  added: number,
  longestBytes: number,
): ErrorReply | null {
  if (longestBytes > kind.bytesMax) return kind.tooLong
  const isTooMany =
    listener.total + added > limits.subscriptionsPerClientMax ||
    registry.names + added > limits.subscribedNamesMax
  return isTooMany ? tooMany : null
}
