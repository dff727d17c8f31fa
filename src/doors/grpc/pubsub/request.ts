// What may be wrong with a frame of Subscribe, and the commands of its changes.

import { limits } from '../../../base/limits.ts'
import {
  type SubscribeOpen,
  type SubscriptionChange,
  SubscriptionKind,
} from '../../../gen/slotcast/v1/pubsub.ts'
import { milliseconds } from '../mapping/writing.ts'
import type { Words } from '../words.ts'

const HEARTBEAT_MS = 5_000
const HEARTBEAT_MS_MIN = 100
const HEARTBEAT_MS_MAX = 60_000
/** Names in one frame. */
const NAMES_MAX = limits.subscriptionsPerClientMax

/** A subscription to begin or to end. */
export type Operation = {
  readonly kind: SubscriptionKind
  readonly begins: boolean
  readonly name: Buffer
}

/** Milliseconds between heartbeats, or what is wrong with them. */
export function heartbeatOf(open: SubscribeOpen): number | string {
  const heartbeat = open.heartbeat === undefined ? HEARTBEAT_MS : milliseconds(open.heartbeat)
  if (heartbeat === null || heartbeat < HEARTBEAT_MS_MIN || heartbeat > HEARTBEAT_MS_MAX) {
    return `heartbeat is not between ${HEARTBEAT_MS_MIN} and ${HEARTBEAT_MS_MAX} ms`
  }
  return Number(heartbeat)
}

/** What `changes` want done, or what is wrong with them. */
export function operationsOf(changes: readonly SubscriptionChange[]): Operation[] | string {
  const operations: Operation[] = []
  for (const { kind: asked, subscribe, unsubscribe } of changes) {
    const kind = kindOf(asked)
    if (kind === null) return 'changes: the kind is unknown'
    if (operations.length + subscribe.length + unsubscribe.length > NAMES_MAX)
      return `changes: over ${NAMES_MAX} names in one frame`
    for (const name of subscribe) operations.push({ kind, begins: true, name })
    for (const name of unsubscribe) operations.push({ kind, begins: false, name })
  }
  if (operations.some(({ name }) => name.length === 0)) return 'changes: a name is empty'
  return operations
}

function kindOf(kind: SubscriptionKind): SubscriptionKind | null {
  switch (kind) {
    case SubscriptionKind.SUBSCRIPTION_KIND_UNSPECIFIED:
    case SubscriptionKind.SUBSCRIPTION_KIND_CHANNEL:
      return SubscriptionKind.SUBSCRIPTION_KIND_CHANNEL
    case SubscriptionKind.SUBSCRIPTION_KIND_PATTERN:
    case SubscriptionKind.SUBSCRIPTION_KIND_SHARDED:
      return kind
    default:
      return null
  }
}

/** Writes the command of `operation`. @returns what is wrong with it, or null */
export function writeOperation(words: Words, { kind, begins, name }: Operation): string | null {
  words.begin()
  if (kind === SubscriptionKind.SUBSCRIPTION_KIND_PATTERN)
    words.text(begins ? 'PSUBSCRIBE' : 'PUNSUBSCRIBE')
  else if (kind === SubscriptionKind.SUBSCRIPTION_KIND_SHARDED)
    words.text(begins ? 'SSUBSCRIBE' : 'SUNSUBSCRIBE')
  else words.text(begins ? 'SUBSCRIBE' : 'UNSUBSCRIBE')
  words.bytes(name)
  return words.finish()
}
