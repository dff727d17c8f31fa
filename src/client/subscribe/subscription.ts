// A subscription to any channels, patterns and sharded channels: an async iterable that lives through the death of nodes.
//
// Channels and patterns are carried by one node, any that is well; sharded channels by the leaders of their slots; there is
// one call to each of these nodes. What loses its node is subscribed to again, and then a gap is told: messages may have been
// missed, and what is published from there on comes.

import { type ChannelCredentials, status } from '@grpc/grpc-js'
import {
  type ChannelMoved,
  type PublishedMessage,
  type SubscribeEvent,
  type SubscribeResponse,
  SubscriptionKind,
  type SubscriptionRefused,
  type SubscriptionStarted,
} from '../../gen/slotcast/v1/pubsub.ts'
import { slotOfKey } from '../command-facts.ts'
import {
  AbortedError,
  ClosedError,
  ProtocolError,
  ReplyError,
  SlowSubscriberError,
  UsageError,
} from '../errors.ts'
import type { Atlas } from '../routes/atlas.ts'
import { fullJitter } from '../routes/backoff.ts'
import { NO_SLOT } from '../session/call.ts'
import { Inbox, type Next } from './inbox.ts'
import { type ChannelKind, type Gap, type GapReason, Message } from './message.ts'
import {
  type Channels,
  NAMES_MAX,
  namesOf,
  type SubscribeNotice,
  type SubscribeOptions,
  type SubscribePlan,
  subscribePlanOf,
} from './options.ts'
import { Resting } from './resting.ts'
import { COMPLETE, RESTARTED } from './sequences.ts'
import { SubscribeCall, type SubscribeCallHost, statusOf } from './subscribe-call.ts'
import { keyOf, Topic } from './topic.ts'
import { TopicGroup } from './topic-group.ts'

const TICK_MS = 25
const AGAIN_BASE_MS = 50
const AGAIN_CAP_MS = 1_000

export class Subscription implements AsyncIterable<Message | Gap>, SubscribeCallHost {
  readonly #atlas: Atlas
  readonly #credentials: ChannelCredentials | null
  readonly #plan: SubscribePlan
  readonly #onEvent: (event: SubscribeNotice) => void
  readonly #topics = new Map<string, Topic>()
  /** Those that no call carries. */
  readonly #idle = new Set<Topic>()
  readonly #calls = new Map<string, SubscribeCall>()
  readonly #resting = new Resting()
  readonly #inbox: Inbox
  readonly #timer: NodeJS.Timeout
  readonly #unlisten: () => void
  readonly #ended: () => void
  readonly #signal: AbortSignal | null
  readonly #onAbort = (): void => void this.stop()
  readonly #first: TopicGroup
  /** Carries channels and patterns. */
  #home: SubscribeCall | null = null
  #isFull = false
  #isClosed = false

  constructor(
    atlas: Atlas,
    credentials: ChannelCredentials | null,
    options: SubscribeOptions,
    ended: () => void,
  ) {
    this.#atlas = atlas
    this.#credentials = credentials
    this.#plan = subscribePlanOf(options)
    this.#onEvent = options.onEvent ?? (() => {})
    this.#ended = ended
    this.#signal = options.signal ?? null
    this.#inbox = new Inbox(this.#plan.maxQueuedBytes, () => this.#drained())
    this.#first = this.#add(options)
    this.#timer = setInterval(() => this.#assign(), TICK_MS)
    this.#unlisten = atlas.onTopology(() => this.#replace())
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#assign()
    if (this.#signal?.aborted === true) void this.stop()
  }

  /** Done when all that was asked for at the beginning stands; fails where it is refused. */
  get ready(): Promise<void> {
    return this.#first.done
  }

  [Symbol.asyncIterator](): AsyncIterator<Message | Gap, void, void> {
    return {
      next: () => this.next(),
      return: async () => {
        await this.stop()
        return { done: true, value: undefined }
      },
    }
  }

  /** The next message or gap. May be called by several workers at once. */
  next(): Promise<Next> {
    return this.#inbox.next()
  }

  /** Listens to more; what is listened to already stays as it is. Done when all of it stands. */
  async add(channels: Channels): Promise<void> {
    if (this.#isClosed) throw new ClosedError('the subscription')
    const group = this.#add(channels)
    this.#assign()
    await group.done
  }

  /** Listens to less; nothing of it comes any more. */
  remove(channels: Channels): void {
    for (const { kind, bytes } of namesOf(channels)) {
      const topic = this.#topics.get(keyOf(kind, bytes))
      if (topic !== undefined) this.#drop(topic)
    }
  }

  /** Ends the iteration; what was not taken is forgotten. */
  async stop(): Promise<void> {
    if (!this.#close(this.#reasonOfEnd())) return
    this.#inbox.end()
  }

  #reasonOfEnd(): Error {
    return this.#signal?.aborted === true
      ? new AbortedError(this.#signal.reason)
      : new ClosedError('the subscription')
  }

  #fail(error: Error): void {
    if (this.#close(error)) this.#inbox.fail(error)
  }

  #close(reason: Error): boolean {
    if (this.#isClosed) return false
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#unlisten()
    this.#signal?.removeEventListener('abort', this.#onAbort)
    for (const call of this.#calls.values()) call.close()
    for (const { group } of this.#topics.values()) group?.refused(reason)
    this.#ended()
    return true
  }

  #add(channels: Channels): TopicGroup {
    const names = new Map(
      namesOf(channels).map(({ kind, bytes }) => [keyOf(kind, bytes), { kind, bytes }]),
    )
    const fresh = [...names].filter(([key]) => !this.#topics.has(key))
    if (this.#topics.size + fresh.length > NAMES_MAX)
      throw new UsageError(`a subscription may have ${NAMES_MAX} names`)
    const group = new TopicGroup(fresh.length)
    for (const [key, { kind, bytes }] of fresh) {
      const slot = kind === 'sharded' ? slotOfKey(bytes) : NO_SLOT
      const topic = new Topic(kind, bytes, slot, group)
      this.#topics.set(key, topic)
      this.#idle.add(topic)
    }
    return group
  }

  #drop(topic: Topic): void {
    topic.isRemoved = true
    this.#topics.delete(topic.key)
    this.#idle.delete(topic)
    topic.group?.stood()
    const { call } = topic
    if (call === null) return
    call.unsubscribe(topic)
    this.#closeIfIdle(call)
  }

  // Where names are carried.

  /** Subscribes to what nobody carries, where it belongs. */
  #assign(): void {
    if (this.#isClosed || this.#isFull || this.#idle.size === 0) return
    const now = performance.now()
    for (const topic of this.#idle) {
      if (topic.dueAt > now) continue
      const address = topic.isSharded ? this.#leaderOf(topic.slot, now) : this.#homeAddress(now)
      if (address === '') continue
      const call = this.#callTo(address)
      if (!topic.isSharded) this.#home = call
      this.#idle.delete(topic)
      topic.call = call
      call.subscribe(topic)
    }
  }

  /** Empty: nobody can be asked now. */
  #leaderOf(slot: number, now: number): string {
    const address = this.#atlas.leaderOf(slot)
    if (address !== '' && !this.#resting.has(address, now)) return address
    this.#atlas.refresh()
    return ''
  }

  /** Any node that is well, and stays it: not all of what a dead node carried goes to one other. */
  #homeAddress(now: number): string {
    if (this.#home !== null) return this.#home.address
    const well = this.#atlas.addresses().filter(address => !this.#resting.has(address, now))
    return well[Math.floor(Math.random() * well.length)] ?? ''
  }

  #callTo(address: string): SubscribeCall {
    let call = this.#calls.get(address)
    if (call === undefined) {
      call = new SubscribeCall(address, this, this.#plan.heartbeatMs, this.#credentials)
      this.#calls.set(address, call)
    }
    return call
  }

  /** The map changed: whoever is asked in vain is left, and whoever is named now is asked at once. */
  #replace(): void {
    for (const call of this.#calls.values()) {
      if (call.isOpen) continue
      for (const topic of call.topics) {
        if (!topic.isSharded || this.#atlas.leaderOf(topic.slot) === call.address) continue
        call.unsubscribe(topic)
        this.#lose(topic, 'broken', 0)
      }
      this.#closeIfIdle(call)
    }
    this.#assign()
  }

  /** @param dueAt when it may be asked for again */
  #lose(topic: Topic, reason: GapReason, dueAt: number): void {
    topic.lost(reason)
    topic.dueAt = dueAt
    this.#idle.add(topic)
  }

  #closeIfIdle(call: SubscribeCall): void {
    if (call.topics.size > 0 || call.isOver) return
    this.#forget(call)
    call.close()
  }

  #forget(call: SubscribeCall): void {
    if (this.#calls.get(call.address) === call) this.#calls.delete(call.address)
    if (this.#home === call) this.#home = null
  }

  // What nodes say.

  received(call: SubscribeCall, frame: SubscribeResponse): void {
    if (frame.opened !== undefined) this.#resting.clear(call.address)
    for (const { event } of frame.events) {
      if (this.#isClosed) return
      this.#take(call, event)
    }
    if (frame.goAway !== undefined) {
      call.close()
      this.broke(call, new Error(frame.goAway.reason))
    } else this.#closeIfIdle(call)
    this.#assign()
  }

  broke(call: SubscribeCall, reason: Error): void {
    this.#forget(call)
    const code = statusOf(reason)
    if (code === status.INVALID_ARGUMENT || code === status.UNIMPLEMENTED) {
      this.#fail(new ProtocolError(`${call.address}: ${reason.message}`))
      return
    }
    this.#onEvent({ type: 'broken', node: call.address, reason: reason.message })
    const isSlow = code === status.RESOURCE_EXHAUSTED
    const now = performance.now()
    if (!isSlow) {
      this.#resting.add(call.address, now)
      this.#atlas.suspect(call.address)
      this.#atlas.refresh()
    }
    const dueAt = now + fullJitter(0, AGAIN_BASE_MS, AGAIN_CAP_MS, Math.random)
    for (const topic of call.topics) this.#lose(topic, isSlow ? 'slow' : 'broken', dueAt)
    call.topics.clear()
  }

  #take(call: SubscribeCall, event: SubscribeEvent['event']): void {
    switch (event?.$case) {
      case 'message':
        this.#message(call, event.value)
        break
      case 'started':
        this.#started(call, event.value)
        break
      case 'ended':
        call.answered(keyOf(kindOf(event.value.kind), event.value.name))
        break
      case 'refused':
        this.#refused(call, event.value)
        break
      case 'moved':
        this.#moved(call, event.value)
        break
      case undefined:
        // A later version's.
        break
    }
  }

  #message(call: SubscribeCall, message: PublishedMessage): void {
    const { channel, payload, pattern, sharded, origin, sequence } = message
    const isPattern = pattern.length > 0
    const kind = isPattern ? 'pattern' : sharded ? 'sharded' : 'channel'
    const topic = this.#topics.get(keyOf(kind, isPattern ? pattern : channel))
    if (topic === undefined || topic.call !== call || !topic.isStanding) return
    const missed = topic.sequences.take(channel, origin, sequence)
    if (missed === RESTARTED) this.#gap(topic, 'restarted', null)
    else if (missed !== COMPLETE) this.#gap(topic, 'skipped', missed)
    const name = isPattern ? topic.name : null
    const hasRoom = this.#inbox.push(topic, new Message(kind, channel, name, payload, origin))
    if (!hasRoom) this.#full()
  }

  #started(call: SubscribeCall, { kind, name }: SubscriptionStarted): void {
    const topic = this.#answered(call, kind, name)
    if (topic === null || topic.isStanding) return
    topic.isStanding = true
    topic.failures = 0
    const { lostBy } = topic
    topic.lostBy = null
    this.#onEvent({
      ...{ type: 'subscribed', kind: topic.kind, name: topic.name },
      ...{ node: call.address, again: lostBy !== null },
    })
    if (lostBy !== null) this.#gap(topic, lostBy, null)
    topic.group?.stood()
    topic.group = null
  }

  #refused(call: SubscribeCall, { kind, name, reason }: SubscriptionRefused): void {
    const topic = this.#answered(call, kind, name)
    if (topic === null) return
    call.topics.delete(topic)
    if (reason?.$case === 'redirect') {
      this.#elsewhere(topic, this.#atlas.redirect(reason.value.moved), 'moved')
      return
    }
    const { retryDelay, text = 'ERR the subscription was refused' } = reason?.value ?? {}
    if (retryDelay === undefined) {
      const error = new ReplyError(text)
      // What stood must not fall silent, and what a subscription began with must be there.
      if (topic.group === null || topic.group === this.#first) this.#fail(error)
      topic.group?.refused(error)
      topic.group = null
      topic.call = null
      this.#drop(topic)
      return
    }
    const leastMs = Number(retryDelay.seconds) * 1_000 + retryDelay.nanos / 1e6
    this.#lose(topic, 'broken', performance.now() + Math.max(leastMs, this.#waitOf(topic)))
    if (topic.isSharded) this.#atlas.refresh()
    else if (this.#home === call) this.#home = null
  }

  #moved(call: SubscribeCall, { channel, moved }: ChannelMoved): void {
    const topic = this.#topics.get(keyOf('sharded', channel))
    if (topic === undefined || topic.call !== call) return
    call.topics.delete(topic)
    this.#onEvent({ type: 'moved', name: topic.name, from: call.address })
    this.#elsewhere(topic, this.#atlas.redirect(moved), 'moved')
  }

  #elsewhere(topic: Topic, isNews: boolean, reason: GapReason): void {
    const isFirst = topic.failures === 0
    const wait = this.#waitOf(topic)
    if (!isNews) this.#atlas.refresh()
    this.#lose(topic, reason, isNews && isFirst ? 0 : performance.now() + wait)
  }

  #waitOf(topic: Topic): number {
    topic.failures += 1
    return fullJitter(topic.failures - 1, AGAIN_BASE_MS, AGAIN_CAP_MS, Math.random)
  }

  /** null: the answer is not the last about the name, or not of interest any more. */
  #answered(call: SubscribeCall, kind: SubscriptionKind, name: Buffer): Topic | null {
    const key = keyOf(kindOf(kind), name)
    const isLast = call.answered(key)
    const topic = this.#topics.get(key)
    return isLast && topic?.call === call ? topic : null
  }

  #gap(topic: Topic, reason: GapReason, missed: number | null): void {
    const { kind, name, queuedGap } = topic
    // Whoever takes the earlier one reads anew after both.
    if (missed === null && queuedGap !== null) return
    const gap: Gap = { type: 'gap', kind, name, reason, missed }
    if (missed === null) topic.queuedGap = gap
    this.#inbox.push(topic, gap)
  }

  // Bounds.

  #full(): void {
    if (this.#isFull || this.#isClosed) return
    if (!this.#plan.isWaiting) {
      this.#fail(new SlowSubscriberError(this.#plan.maxQueuedBytes))
      return
    }
    this.#isFull = true
    for (const call of this.#calls.values()) call.pause()
  }

  #drained(): void {
    this.#isFull = false
    for (const call of this.#calls.values()) call.resume()
    this.#assign()
  }
}

function kindOf(kind: SubscriptionKind): ChannelKind {
  if (kind === SubscriptionKind.SUBSCRIPTION_KIND_PATTERN) return 'pattern'
  return kind === SubscriptionKind.SUBSCRIPTION_KIND_SHARDED ? 'sharded' : 'channel'
}
