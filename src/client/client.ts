// The client of a cluster: typed methods, any command, consumers and readers, over one connection a node.

import { factsOf, slotOfKey } from './command-facts.ts'
import { type ConsumeOptions, Consumer } from './consume/consumer.ts'
import { DeadlineError } from './errors.ts'
import type { CallOptions, ExecuteOptions, Executor } from './executor.ts'
import { type ClientOptions, type Settings, settingsOf } from './options.ts'
import type { Atlas } from './routes/atlas.ts'
import type { Word } from './session/call.ts'
import { Dispatcher, type Stats } from './session/dispatcher.ts'
import type { Value } from './session/value.ts'
import type { ChannelName, SubscribeOptions } from './subscribe/options.ts'
import { Subscription } from './subscribe/subscription.ts'
import { type TailEntry, type TailOptions, tail } from './tail.ts'
import { Groups } from './typed/groups.ts'
import { Keys } from './typed/keys.ts'
import { Lists } from './typed/lists.ts'
import {
  type Publication,
  type PublishOptions,
  type PublishOutcome,
  publish,
  publishBatch,
} from './typed/publish.ts'
import { Sets } from './typed/sets.ts'
import { Streams } from './typed/streams.ts'
import { Strings } from './typed/strings.ts'

const CONNECT_POLL_MS = 10

export class Client implements Executor {
  readonly streams: Streams
  readonly groups: Groups
  readonly lists: Lists
  readonly keys: Keys
  readonly sets: Sets
  readonly strings: Strings
  readonly #settings: Settings
  readonly #dispatcher: Dispatcher
  readonly #atlas: Atlas
  readonly #readers = new Set<{ stop(): Promise<void> }>()

  /** Made by `connect`. */
  constructor(settings: Settings) {
    this.#settings = settings
    this.#dispatcher = new Dispatcher(settings)
    const { cache, topology } = this.#dispatcher
    this.#atlas = {
      addresses: () => cache.addresses,
      leaderOf: slot => cache.leaderOf(slot),
      redirect: moved => cache.redirect(moved),
      refresh: () => topology.refresh(),
      suspect: address => topology.suspect(address),
      onTopology: listener => this.#dispatcher.onTopology(listener),
    }
    topology.start()
    const { propagator, isNamed, producerId } = settings
    this.streams = new Streams(
      this,
      propagator,
      isNamed ? producerId : null,
      (words, key, options) =>
        this.#execute(words, options, Buffer.from(key as string).toString('latin1')),
    )
    this.groups = new Groups(this)
    this.lists = new Lists(this)
    this.keys = new Keys(this)
    this.sets = new Sets(this)
    this.strings = new Strings(this)
  }

  /** Waits for the first map. */
  async ready(): Promise<void> {
    const { topology, cache } = this.#dispatcher
    const end = performance.now() + this.#settings.deadlineMs
    while (cache.addresses.length === 0) {
      if (performance.now() > end)
        throw new DeadlineError('no seed told the map of the cluster', topology.lastError)
      await new Promise(resolve => setTimeout(resolve, CONNECT_POLL_MS))
    }
  }

  /** Any command; strings of the answer as text. */
  command(...words: Word[]): Promise<Value> {
    return this.execute(words)
  }

  /** Any command, with options. */
  execute(words: readonly Word[], options: ExecuteOptions = {}): Promise<Value> {
    return this.#execute(words, options, '')
  }

  #execute(words: readonly Word[], options: ExecuteOptions, windowKey: string): Promise<Value> {
    const facts = factsOf(words)
    return this.#dispatcher.submit({
      words,
      as: options.as ?? 'text',
      slot: slotOfKey(options.key === undefined ? facts.key : options.key),
      reads: facts.reads,
      blocks: facts.blocks,
      isBulky: facts.isBulky,
      marked: options.marked !== false && !facts.reads,
      lifetime: options.deadlineMs ?? this.#settings.deadlineMs,
      signal: options.signal ?? null,
      windowKey,
    })
  }

  /** A consumer of a group over any streams: every entry goes to one of the group. */
  consume(options: ConsumeOptions): Consumer {
    // One that is aborted already ends before it is known here.
    const ended = (): void => queueMicrotask(() => this.#readers.delete(consumer))
    const consumer = new Consumer(this.#atlas, this.#settings, options, ended)
    this.#readers.add(consumer)
    return consumer
  }

  /** Messages of channels, patterns and sharded channels from now on, and gaps where messages are missing. */
  subscribe(options: SubscribeOptions): Subscription {
    const { credentials } = this.#settings
    const ended = (): void => queueMicrotask(() => this.#readers.delete(subscription))
    const subscription = new Subscription(this.#atlas, credentials, options, ended)
    this.#readers.add(subscription)
    return subscription
  }

  /** Publishes a message, at most once. @returns subscriptions of the node that it was published on that got it */
  publish(channel: ChannelName, payload: Word, options: PublishOptions = {}): Promise<number> {
    return publish(this, channel, payload, options)
  }

  /** Publishes messages in one go, in order, each with an outcome of its own. */
  publishBatch(
    items: readonly Publication[],
    options: CallOptions = {},
  ): Promise<PublishOutcome[]> {
    return publishBatch(this, items, options)
  }

  /** All entries of streams as they come, for each who reads. */
  tail(options: TailOptions): AsyncGenerator<TailEntry, void, void> {
    return tail(this, this.#settings.propagator, options)
  }

  /** What went over the wire so far. */
  get stats(): Readonly<Stats> {
    return this.#dispatcher.stats
  }

  /** Stops subscriptions and consumers, which settles their acks; calls that are not answered fail. */
  async close(): Promise<void> {
    await Promise.all([...this.#readers].map(reader => reader.stop()))
    this.#dispatcher.close()
  }
}

/** Makes a client, and waits until it knows the cluster. */
export async function connect(options: ClientOptions): Promise<Client> {
  const client = new Client(settingsOf(options))
  try {
    await client.ready()
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}
