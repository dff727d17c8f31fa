// Keyspace notifications: what happens to keys, published on this node's channels.
//
// A shard's leader publishes them as it applies, and only on its own node, as a Redis
// Cluster does. They are gathered while a turn applies and published at its end, so
// that a client that changes what it listens to hears of it behind its reply. While
// the setting is off nothing of this is called.

import { EVENT, type KeyListener } from '../machine/key-events.ts'
import type { Shard } from './ports.ts'
import type { PubSub } from './pubsub/pubsub.ts'
import type { Settings } from './settings.ts'

const KEYSPACE = 1 << 0
const KEYEVENT = 1 << 1
const HASH = 1 << 6
const ZSET = 1 << 7
const EVICTED = 1 << 9
const MODULE = 1 << 13

/** In the order in which Redis writes them. Types that are not here have no events. */
const CLASSES: readonly (readonly [string, number])[] = [
  ['g', EVENT.GENERIC],
  ['$', EVENT.STRING],
  ['l', EVENT.LIST],
  ['s', EVENT.SET],
  ['h', HASH],
  ['z', ZSET],
  ['x', EVENT.EXPIRED],
  ['e', EVICTED],
  ['t', EVENT.STREAM],
  ['d', MODULE],
]
const ALL = CLASSES.reduce((flags, [, bit]) => flags | bit, 0)
const WAYS: readonly (readonly [string, number])[] = [
  ['K', KEYSPACE],
  ['E', KEYEVENT],
  ['m', EVENT.MISS],
]
const BITS = new Map<string, number>([...CLASSES, ...WAYS, ['n', EVENT.NEW], ['A', ALL]])

/** Reads notify-keyspace-events. @returns its bits, or why not in Redis' words */
export function readKeyEvents(value: string): number | string {
  let flags = 0
  for (const letter of value) {
    const bit = BITS.get(letter)
    if (bit === undefined) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
    flags |= bit
  }
  return flags
}

/** The setting as Redis writes it: `n` is not named beside `A`. */
export function showKeyEvents(flags: number): string {
  const named = (classes: typeof CLASSES) =>
    classes.map(([letter, bit]) => ((flags & bit) === 0 ? '' : letter)).join('')
  const all = (flags & ALL) === ALL
  const classes = all ? 'A' : named([...CLASSES, ['n', EVENT.NEW]])
  return classes + named(WAYS)
}

/** What one shard's keys tell. */
class ShardEar implements KeyListener {
  readonly #events: KeyspaceEvents
  readonly #shard: Shard

  constructor(events: KeyspaceEvents, shard: Shard) {
    this.#events = events
    this.#shard = shard
  }

  get classes(): number {
    return this.#events.flags
  }

  heard(event: string, key: string): void {
    if (this.#shard.replica.isLeader) this.#events.gather(event, key)
  }
}

export class KeyspaceEvents {
  readonly #pubsub: PubSub
  readonly #settings: Settings
  readonly #shards: Shard[] = []
  flags = 0
  /** Event and key by turns. */
  #gathered: string[] = []

  constructor(pubsub: PubSub, settings: Settings) {
    this.#pubsub = pubsub
    this.#settings = settings
    settings.onChange(() => this.#changed())
  }

  /** From now on `shard` is on this node. */
  attach(shard: Shard): void {
    this.#shards.push(shard)
    if (this.flags !== 0) shard.machine.keyspace.listener = new ShardEar(this, shard)
  }

  gather(event: string, key: string): void {
    const { channels, patterns } = this.#pubsub.registry
    if (channels.size > 0 || patterns.size > 0) this.#gathered.push(event, key)
  }

  /** Publishes what gathered. */
  flush(): void {
    if (this.#gathered.length === 0) return
    const gathered = this.#gathered
    this.#gathered = []
    for (let i = 0; i < gathered.length; i += 2) {
      const event = gathered[i] as string
      const key = gathered[i + 1] as string
      if ((this.flags & KEYSPACE) !== 0) this.#pubsub.publishHere(`__keyspace@0__:${key}`, event)
      if ((this.flags & KEYEVENT) !== 0) this.#pubsub.publishHere(`__keyevent@0__:${event}`, key)
    }
  }

  #changed(): void {
    const { keyEvents } = this.#settings
    if (keyEvents === this.flags) return
    this.flags = keyEvents
    for (const shard of this.#shards)
      shard.machine.keyspace.listener = keyEvents === 0 ? null : new ShardEar(this, shard)
  }
}
