// Who listens: the port that a door's client implements, and what the registry keeps of it.

import type { Slot } from '../../base/types.ts'
import type { Publication } from './publication.ts'

/** A sharded channel is led elsewhere now: what was subscribed here gets nothing any more. */
export type Moved = {
  /** As latin1 text. */
  readonly channel: string
  readonly slot: Slot
  /** Sharded channels that the listener still has here. */
  readonly left: number
}

/**
 * A door's end of a subscription. Called from the middle of a publication: it takes
 * what it needs and returns, and may drop its listener but not subscribe.
 */
export interface Subscriber {
  /** The publication, and what it points to, are good until the call returns. */
  deliver(publication: Publication): void
  /** The subscription to a sharded channel is gone; messages may have been missed already. */
  moved(notice: Moved): void
}

/** A channel or a pattern that somebody here listens to. */
export class Subject {
  /** As latin1 text. */
  readonly name: string
  readonly bytes: Buffer
  readonly listeners = new Set<Listener>()
  /** Of a sharded channel: counts its messages. */
  sequence = 0

  constructor(name: string) {
    this.name = name
    this.bytes = Buffer.from(name, 'latin1')
  }
}

/** What one subscriber listens to. The registry alone changes the sets. */
export class Listener {
  readonly subscriber: Subscriber
  readonly channels = new Set<Subject>()
  readonly patterns = new Set<Subject>()
  readonly shardChannels = new Set<Subject>()

  constructor(subscriber: Subscriber) {
    this.subscriber = subscriber
  }

  /** Channels and patterns, without sharded channels: what Redis counts in its confirmations. */
  get count(): number {
    return this.channels.size + this.patterns.size
  }

  get total(): number {
    return this.count + this.shardChannels.size
  }
}
