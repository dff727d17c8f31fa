// One name that is subscribed to: a channel, a pattern or a sharded channel, and where that stands.

import { NO_SLOT } from '../session/call.ts'
import type { ChannelKind, Gap, GapReason } from './message.ts'
import { Sequences } from './sequences.ts'
import type { SubscribeCall } from './subscribe-call.ts'
import type { TopicGroup } from './topic-group.ts'

export class Topic {
  readonly kind: ChannelKind
  readonly bytes: Buffer
  readonly key: string
  /** Of a sharded channel; else NO_SLOT. */
  readonly slot: number
  readonly sequences = new Sequences()
  /** Who waits until it stands for the first time. */
  group: TopicGroup | null
  /** Where it stands or was asked for. */
  call: SubscribeCall | null = null
  isStanding = false
  isRemoved = false
  /** It stood before, and does not now: why. What comes next is a gap. */
  lostBy: GapReason | null = null
  /** A gap that was told and not taken: later ones of the same kind go into it. */
  queuedGap: Gap | null = null
  /** Not to be asked for before, on the clock of `performance.now()`. */
  dueAt = 0
  /** Refusals in a row. */
  failures = 0

  constructor(kind: ChannelKind, bytes: Buffer, slot: number, group: TopicGroup) {
    this.kind = kind
    this.bytes = bytes
    this.slot = slot
    this.key = keyOf(kind, bytes)
    this.group = group
  }

  get name(): string {
    return this.bytes.toString()
  }

  get isSharded(): boolean {
    return this.slot !== NO_SLOT
  }

  /** It is listened to nowhere any more. */
  lost(reason: GapReason): void {
    if (this.isStanding) this.lostBy ??= reason
    this.isStanding = false
    this.call = null
    this.sequences.clear()
  }
}

export function keyOf(kind: ChannelKind, bytes: Buffer): string {
  return `${kind}:${bytes.latin1Slice()}`
}
