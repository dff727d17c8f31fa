// Messages from those who publish to those who listen, here and on other nodes.
//
// A message goes to the listeners of this node at once and to each interested peer in
// the parcel of the turn, so one publisher's messages on a channel stay in order
// everywhere. Nothing of it is in a log: whoever is not there misses it.
//
// Where the messages of a channel go is worked out once and remembered as its route,
// until somewhere a name gets its first listener or loses its last.

import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Counter, Metrics } from '../../base/metrics.ts'
import type { Random } from '../../base/random.ts'
import type { NodeId, Slot } from '../../base/types.ts'
import { channelHash } from './channel-hash.ts'
import type { Listener, Subject } from './listener.ts'
import { type Interest, type ParcelReader, readParcel } from './parcel.ts'
import { type Peer, Peers } from './peers.ts'
import { Publication } from './publication.ts'
import { Registry } from './registry.ts'

export type PubSubPorts = {
  readonly self: NodeId
  readonly logger: Logger
  readonly metrics: Metrics
  /** Something waits for a peer: a turn should end soon. */
  readonly schedule: () => void
  readonly clock: Pick<Clock, 'monotonic'>
  readonly random: Pick<Random, 'below'>
}

/** Where the messages of one channel go. */
type Route = {
  /** Of the version of everybody's subscriptions it was worked out for. */
  version: number
  channel: Subject | null
  patterns: readonly Subject[]
  peers: readonly Peer[]
  /** Messages that were published here since the route was first made. */
  sequence: number
}

/** Remembered routes; then all are forgotten, and sequences begin anew. */
const ROUTES_MAX = 65_536
const ROUTE_NAMES_BYTES_MAX = 8 * 1024 * 1024
/** Where the count of changes begins, at most: far from where one ends. */
const FIRST_VERSION_MAX = 2 ** 40
const NO_PEERS: readonly Peer[] = []

export class PubSub implements ParcelReader {
  readonly registry: Registry
  readonly #ports: PubSubPorts
  readonly #peers: Peers
  readonly #routes = new Map<string, Route>()
  #routeNamesBytes = 0
  /** Rises with every change of what anybody listens to. */
  #version = 1
  readonly #publication = new Publication()
  /** Whose parcel is read. */
  #from: Peer | null = null
  readonly #published: Counter
  readonly #delivered: Counter
  readonly #received: Counter
  readonly #receivedBytes: Counter
  readonly #moved: Counter

  constructor(ports: PubSubPorts) {
    this.#ports = ports
    const { clock, metrics, random } = ports
    this.registry = new Registry((kind, name, here) => {
      this.#version += 1
      this.#peers.changed(kind, name, here)
      ports.schedule()
    })
    this.#peers = new Peers(
      this.registry,
      metrics,
      1 + random.below(FIRST_VERSION_MAX),
      clock.monotonic(),
    )
    this.#published = metrics.counter(
      'pubsub_published_total',
      'Messages that clients of this node published.',
    )
    this.#delivered = metrics.counter(
      'pubsub_delivered_total',
      'Messages handed to subscribers of this node, once for each subscription.',
    )
    this.#received = metrics.counter(
      'pubsub_peer_received_messages_total',
      'Messages on channels that came from peers.',
    )
    this.#receivedBytes = metrics.counter(
      'pubsub_peer_received_bytes_total',
      'Bytes of messages on channels, and of the names of these, that came from peers.',
    )
    this.#moved = metrics.counter(
      'pubsub_moved_total',
      'Subscriptions to sharded channels that ended because the channel is led elsewhere now.',
    )
    this.#gauge('pubsub_channels', 'Channels with subscribers on this node.', () => {
      return this.registry.channels.size
    })
    this.#gauge('pubsub_patterns', 'Patterns with subscribers on this node.', () => {
      return this.registry.patterns.size
    })
    this.#gauge('pubsub_shard_channels', 'Sharded channels with subscribers on this node.', () => {
      return this.registry.shardChannels.size
    })
    this.#gauge('pubsub_subscribers', 'Clients of this node with subscriptions.', () => {
      return this.registry.listeners
    })
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#ports.metrics.gauge({ name, help, read })
  }

  /**
   * Publishes on `name` (latin1), which stands with the payload in `source`, on every node.
   *
   * @returns how many subscriptions of this node got it
   */
  publish(
    name: string,
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
  ): number {
    this.#published.add()
    const route = this.#route(name)
    route.sequence += 1
    if (route.peers.length > 0) {
      for (const peer of route.peers)
        this.#peers.publish(
          peer,
          source,
          channelFrom,
          channelTo,
          payloadFrom,
          payloadTo,
          route.sequence,
        )
      this.#ports.schedule()
    }
    if (route.channel === null && route.patterns.length === 0) return 0
    const publication = this.#publication
    publication.fill(source, channelFrom, channelTo, payloadFrom, payloadTo)
    publication.origin = this.#ports.self
    publication.sequence = route.sequence
    return this.#deliver(route)
  }

  /** Publishes on this node only: what other nodes must not hear of. Both are latin1 text. */
  publishHere(name: string, payload: string): void {
    const route = this.#route(name)
    if (route.channel === null && route.patterns.length === 0) return
    const publication = this.#publication
    const source = Buffer.from(name + payload, 'latin1')
    publication.fill(source, 0, name.length, name.length, source.length)
    publication.origin = this.#ports.self
    route.sequence += 1
    publication.sequence = route.sequence
    this.#deliver(route)
  }

  /** Publishes on a sharded channel that is led here. @returns how many subscriptions got it */
  publishSharded(
    name: string,
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
  ): number {
    this.#published.add()
    const channel = this.registry.shardChannels.get(name)
    if (channel === undefined) return 0
    const publication = this.#publication
    publication.fill(source, channelFrom, channelTo, payloadFrom, payloadTo)
    publication.origin = this.#ports.self
    channel.sequence += 1
    publication.sequence = channel.sequence
    const count = this.#deliverTo(channel, publication.as('smessage'))
    publication.clear()
    this.#delivered.add(count)
    return count
  }

  /** Leaders or slots changed: subscriptions to sharded channels that are not led here any more end. */
  moveShards(stays: (slot: Slot) => boolean): void {
    const moved = this.registry.moveShards(stays)
    if (moved > 0) this.#moved.add(moved)
  }

  leave(listener: Listener): void {
    this.registry.leave(listener)
  }

  // ── other nodes ─────────────────────────────────────────────────────────────

  /** The link to a peer works, perhaps a new one: what was said on an older one may not have come, either way. */
  up(id: NodeId): void {
    const peer = this.#peers.peer(id)
    peer.up = true
    peer.unasked = true
    peer.untold = true
    this.#ports.schedule()
  }

  /** The link broke, or the peer is `gone`. It says what it wants to hear when it comes back. */
  down(id: NodeId, gone: boolean): void {
    this.#peers.lost(this.#peers.peer(id), gone)
    if (gone) this.#version += 1
  }

  receive(from: NodeId, bytes: Buffer): void {
    this.#from = this.#peers.peer(from)
    if (!readParcel(bytes, this))
      this.#ports.logger.error(
        { from, bytes: bytes.length },
        'a peer sent unreadable pub/sub bytes',
      )
    this.#from = null
  }

  /** The end of a turn: hands out what there is for each peer. */
  collect(room: (to: NodeId) => number, send: (to: NodeId, bytes: Buffer) => void): void {
    this.#peers.collect(this.#ports.clock.monotonic(), room, send)
  }

  undelivered(id: NodeId): void {
    this.#peers.undelivered(id)
  }

  /** For the parcel: a message of another node. */
  publication(
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
    sequence: number,
  ): void {
    this.#received.add()
    this.#receivedBytes.add(channelTo - channelFrom + payloadTo - payloadFrom)
    const route = this.#route(source.latin1Slice(channelFrom, channelTo))
    if (route.channel === null && route.patterns.length === 0) return
    const publication = this.#publication
    publication.fill(source, channelFrom, channelTo, payloadFrom, payloadTo)
    publication.origin = this.#from?.id ?? 0
    publication.sequence = sequence
    this.#deliver(route)
  }

  /** For the parcel: what another node wants to hear. */
  interest(interest: Interest): void {
    if (this.#from === null) return
    if (this.#peers.heard(this.#from, interest)) this.#version += 1
  }

  /** For the parcel: another node asks what somebody here listens to. */
  asked(): void {
    if (this.#from === null) return
    this.#from.untold = true
    this.#ports.schedule()
  }

  // ── ways ────────────────────────────────────────────────────────────────────

  #route(name: string): Route {
    let route = this.#routes.get(name)
    if (route === undefined) {
      this.#routeNamesBytes += name.length
      if (this.#routes.size >= ROUTES_MAX || this.#routeNamesBytes > ROUTE_NAMES_BYTES_MAX) {
        this.#routes.clear()
        this.#routeNamesBytes = name.length
      }
      route = { version: 0, channel: null, patterns: [], peers: NO_PEERS, sequence: 0 }
      this.#routes.set(name, route)
    }
    if (route.version !== this.#version) this.#workOut(name, route)
    return route
  }

  #workOut(name: string, route: Route): void {
    route.version = this.#version
    route.channel = this.registry.channels.get(name) ?? null
    route.patterns = this.registry.patterns.matching(name)
    let peers: Peer[] | null = null
    let hash = -1
    for (const peer of this.#peers.all()) {
      if (peer.channels.size === 0 && peer.patterns.size === 0) continue
      if (hash < 0) hash = channelHash(name)
      if (!peer.wants(name, hash)) continue
      peers ??= []
      peers.push(peer)
    }
    route.peers = peers ?? NO_PEERS
  }

  #deliver(route: Route): number {
    const publication = this.#publication
    let count = 0
    if (route.channel !== null) count += this.#deliverTo(route.channel, publication.as('message'))
    for (const pattern of route.patterns)
      count += this.#deliverTo(pattern, publication.as('pmessage', pattern.bytes))
    publication.clear()
    this.#delivered.add(count)
    return count
  }

  #deliverTo({ listeners }: Subject, publication: Publication): number {
    const count = listeners.size
    for (const { subscriber } of listeners) subscriber.deliver(publication)
    return count
  }
}
