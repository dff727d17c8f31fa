// The subscriptions of this node: who listens to which channels, patterns and sharded channels.
//
// It knows nothing of other nodes. Whoever does is told when a name gets its first
// listener here and when it loses its last.

import { slotOf } from '../../base/slot.ts'
import type { Slot } from '../../base/types.ts'
import { type Listener, Subject } from './listener.ts'
import { PatternIndex } from './pattern-index.ts'

export type SubjectKind = 'channel' | 'pattern'

export class Registry {
  readonly channels = new Map<string, Subject>()
  readonly patterns = new PatternIndex<Subject>()
  readonly shardChannels = new Map<string, Subject>()
  readonly #slots = new Map<Slot, Set<Subject>>()
  readonly #onChange: (kind: SubjectKind, name: string, here: boolean) => void
  /** Listeners with any subscription. */
  listeners = 0

  /** @param onChange a name got its first listener here (`here`), or lost its last */
  constructor(onChange: (kind: SubjectKind, name: string, here: boolean) => void) {
    this.#onChange = onChange
  }

  /** Different names, of all kinds. */
  get names(): number {
    return this.channels.size + this.patterns.size + this.shardChannels.size
  }

  subscribe(listener: Listener, name: string): void {
    let channel = this.channels.get(name)
    if (channel === undefined) {
      channel = new Subject(name)
      this.channels.set(name, channel)
      this.#onChange('channel', name, true)
    }
    this.#join(listener, listener.channels, channel)
  }

  unsubscribe(listener: Listener, name: string): void {
    const channel = this.channels.get(name)
    if (channel !== undefined) this.#leaveChannel(listener, channel)
  }

  subscribePattern(listener: Listener, name: string): void {
    let pattern = this.patterns.get(name)
    if (pattern === undefined) {
      pattern = new Subject(name)
      this.patterns.set(name, pattern)
      this.#onChange('pattern', name, true)
    }
    this.#join(listener, listener.patterns, pattern)
  }

  unsubscribePattern(listener: Listener, name: string): void {
    const pattern = this.patterns.get(name)
    if (pattern !== undefined) this.#leavePattern(listener, pattern)
  }

  subscribeShard(listener: Listener, name: string): void {
    let channel = this.shardChannels.get(name)
    if (channel === undefined) {
      channel = new Subject(name)
      this.shardChannels.set(name, channel)
      const slot = slotOf(channel.bytes)
      const others = this.#slots.get(slot)
      if (others === undefined) this.#slots.set(slot, new Set([channel]))
      else others.add(channel)
    }
    this.#join(listener, listener.shardChannels, channel)
  }

  unsubscribeShard(listener: Listener, name: string): void {
    const channel = this.shardChannels.get(name)
    if (channel !== undefined) this.#leaveShard(listener, channel)
  }

  /** Ends all subscriptions of `listener`. */
  leave(listener: Listener): void {
    for (const channel of listener.channels) this.#leaveChannel(listener, channel)
    for (const pattern of listener.patterns) this.#leavePattern(listener, pattern)
    for (const channel of listener.shardChannels) this.#leaveShard(listener, channel)
  }

  /**
   * Ends the subscriptions to sharded channels of slots for which `stays` does not hold.
   *
   * @returns how many
   */
  moveShards(stays: (slot: Slot) => boolean): number {
    let moved = 0
    for (const [slot, channels] of [...this.#slots]) {
      if (stays(slot)) continue
      for (const channel of channels) {
        for (const listener of channel.listeners) {
          this.#leaveShard(listener, channel)
          moved += 1
          const left = listener.shardChannels.size
          listener.subscriber.moved({ channel: channel.name, slot, left })
        }
      }
    }
    return moved
  }

  #join(listener: Listener, own: Set<Subject>, subject: Subject): void {
    if (own.has(subject)) return
    if (listener.total === 0) this.listeners += 1
    own.add(subject)
    subject.listeners.add(listener)
  }

  /** @returns whether nobody is left */
  #part(listener: Listener, own: Set<Subject>, subject: Subject): boolean {
    if (!own.delete(subject)) return false
    if (listener.total === 0) this.listeners -= 1
    subject.listeners.delete(listener)
    return subject.listeners.size === 0
  }

  #leaveChannel(listener: Listener, channel: Subject): void {
    if (!this.#part(listener, listener.channels, channel)) return
    this.channels.delete(channel.name)
    this.#onChange('channel', channel.name, false)
  }

  #leavePattern(listener: Listener, pattern: Subject): void {
    if (!this.#part(listener, listener.patterns, pattern)) return
    this.patterns.delete(pattern.name)
    this.#onChange('pattern', pattern.name, false)
  }

  #leaveShard(listener: Listener, channel: Subject): void {
    if (!this.#part(listener, listener.shardChannels, channel)) return
    this.shardChannels.delete(channel.name)
    const slot = slotOf(channel.bytes)
    const others = this.#slots.get(slot)
    others?.delete(channel)
    if (others?.size === 0) this.#slots.delete(slot)
  }
}
