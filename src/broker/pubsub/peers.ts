// What other nodes want to hear, and what is on its way to them.
//
// Each node tells its peers of every channel (by hash) and every pattern that somebody
// on it listens to: all of it when a link comes up, then changes. Changes are counted, and
// the count is told every second: who missed one, for links lose words, asks for all again.
// Messages go where somebody listens, once a node, in the parcel of the turn.
// A peer that takes nothing costs a bound of bytes and then its messages, which are
// counted; nobody waits for it.

import type { Counter, Metrics } from '../../base/metrics.ts'
import type { Ms, NodeId } from '../../base/types.ts'
import { channelHash } from './channel-hash.ts'
import { type Interest, Parcel } from './parcel.ts'
import { PatternIndex } from './pattern-index.ts'
import type { Registry, SubjectKind } from './registry.ts'

/** Messages that one turn gathers for one peer: what a link takes at once, and no more memory than that. */
export const PARCEL_BYTES_MAX = 8 * 1024 * 1024

/** How often peers are told the count of changes, if nothing changes. */
const TELL_EVERY_MS: Ms = 1_000

/** A peer, as far as pub/sub goes. */
export class Peer {
  readonly id: NodeId
  readonly parcel = new Parcel()
  /** Hashes of the channels that somebody there listens to. */
  readonly channels = new Set<number>()
  readonly patterns = new PatternIndex<true>()
  up = false
  /** It does not know what is wanted here: it must be told everything. */
  untold = false
  /** Nor is known what it wants: it is to be asked. */
  unasked = false
  /** Up to which of its changes it is known what it wants; -1: not at all. */
  known = -1

  constructor(id: NodeId) {
    this.id = id
  }

  wants(name: string, hash: number): boolean {
    return this.channels.has(hash) || this.patterns.matchesAny(name)
  }
}

export class Peers {
  readonly #registry: Registry
  readonly #peers = new Map<NodeId, Peer>()
  /** By hash of channels here, how many of them: two channels may share one. */
  readonly #hashes = new Map<number, number>()
  /** What changed since the last turn: whether it is wanted now. */
  readonly #changedChannels = new Map<number, boolean>()
  readonly #changedPatterns = new Map<string, boolean>()
  /** Counts the changes of what is wanted here. */
  #version: number
  /** When the version was last told to all. */
  #toldAt: Ms
  readonly #sentMessages: Counter
  readonly #sentBytes: Counter
  readonly #interestBytes: Counter
  readonly #dropped: Counter

  /** @param version where counting begins: chance tells one life of a node from another */
  constructor(registry: Registry, metrics: Metrics, version: number, now: Ms) {
    this.#registry = registry
    this.#version = version
    this.#toldAt = now
    this.#sentMessages = metrics.counter(
      'pubsub_peer_sent_messages_total',
      'Messages on channels sent to peers where somebody listens.',
    )
    this.#sentBytes = metrics.counter(
      'pubsub_peer_sent_bytes_total',
      'Bytes of messages on channels sent to peers.',
    )
    this.#interestBytes = metrics.counter(
      'pubsub_peer_interest_bytes_total',
      'Bytes with which peers were told what somebody here listens to.',
    )
    this.#dropped = metrics.counter(
      'pubsub_peer_dropped_messages_total',
      'Messages on channels that did not go to a peer because its link was down or slow.',
    )
  }

  all(): IterableIterator<Peer> {
    return this.#peers.values()
  }

  peer(id: NodeId): Peer {
    let peer = this.#peers.get(id)
    if (peer === undefined) {
      peer = new Peer(id)
      this.#peers.set(id, peer)
    }
    return peer
  }

  /** The link to `peer` broke; or it is `gone`, and wants nothing until it says so. */
  lost(peer: Peer, gone: boolean): void {
    peer.up = false
    this.#drop(peer)
    if (!gone) return
    peer.channels.clear()
    peer.patterns.clear()
    peer.known = -1
  }

  #drop({ parcel }: Peer): void {
    this.#dropped.add(parcel.publications)
    parcel.clear()
  }

  /** A name got its first listener here, or lost its last. */
  changed(kind: SubjectKind, name: string, here: boolean): void {
    if (kind === 'pattern') {
      this.#changedPatterns.set(name, here)
      return
    }
    const hash = channelHash(name)
    const before = this.#hashes.get(hash) ?? 0
    const now = here ? before + 1 : before - 1
    if (now === 0) this.#hashes.delete(hash)
    else this.#hashes.set(hash, now)
    if ((before === 0) !== (now === 0)) this.#changedChannels.set(hash, now > 0)
  }

  /** What a peer says of itself. @returns whether anything changed */
  heard(peer: Peer, interest: Interest): boolean {
    const { anew, channels, leftChannels, patterns, leftPatterns, version, base } = interest
    if (anew) {
      peer.channels.clear()
      peer.patterns.clear()
    } else if (base !== peer.known) {
      peer.unasked = true
      return false
    } else if (base === version) return false
    peer.known = version
    for (const hash of channels) peer.channels.add(hash)
    for (const hash of leftChannels) peer.channels.delete(hash)
    for (const pattern of patterns) peer.patterns.set(pattern, true)
    for (const pattern of leftPatterns) peer.patterns.delete(pattern)
    return true
  }

  /** Puts a message into the parcel of `peer`, unless it is full. */
  publish(
    peer: Peer,
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
    sequence: number,
  ): void {
    const { parcel } = peer
    // An empty parcel takes a message of any size.
    const isFull = parcel.length > 0 && parcel.length + payloadTo - payloadFrom > PARCEL_BYTES_MAX
    if (!peer.up || isFull) this.#dropped.add()
    else parcel.publish(source, channelFrom, channelTo, payloadFrom, payloadTo, sequence)
  }

  /**
   * The end of a turn: hands out what gathered.
   *
   * @param room bytes that the link to a peer has left for pub/sub
   */
  collect(now: Ms, room: (to: NodeId) => number, send: (to: NodeId, bytes: Buffer) => void): void {
    const change = this.#takeChange(now)
    for (const peer of this.#peers.values()) {
      if (!peer.up) continue
      const { parcel, untold, unasked } = peer
      if (parcel.length === 0 && change === null && !untold && !unasked) continue
      const left = room(peer.id)
      // Nothing waits: what was sent before is on its way as bytes of the link's own.
      if (left === Number.POSITIVE_INFINITY) parcel.reclaim()
      if (parcel.length > left || left === 0) {
        this.#drop(peer)
        if (change !== null) peer.untold = true
        continue
      }
      this.#sentMessages.add(parcel.publications)
      this.#sentBytes.add(parcel.length)
      const before = parcel.length
      if (unasked) parcel.ask()
      if (untold) parcel.interest(this.#everything())
      else if (change !== null) parcel.interest(change)
      peer.unasked = false
      peer.untold = false
      this.#interestBytes.add(parcel.length - before)
      send(peer.id, parcel.take())
    }
  }

  /** A parcel did not go: what was said in it is said again, messages are not. */
  undelivered(id: NodeId): void {
    const peer = this.peer(id)
    peer.untold = true
    peer.unasked = true
  }

  /** What changed since the last turn; nothing but the version when that is due; or null. */
  #takeChange(now: Ms): Interest | null {
    const base = this.#version
    if (this.#changedChannels.size > 0 || this.#changedPatterns.size > 0) this.#version += 1
    else if (now - this.#toldAt < TELL_EVERY_MS) return null
    this.#toldAt = now
    const change = {
      anew: false,
      channels: namesOf(this.#changedChannels, true),
      leftChannels: namesOf(this.#changedChannels, false),
      patterns: namesOf(this.#changedPatterns, true),
      leftPatterns: namesOf(this.#changedPatterns, false),
      version: this.#version,
      base,
    }
    this.#changedChannels.clear()
    this.#changedPatterns.clear()
    return change
  }

  #everything(): Interest {
    return {
      anew: true,
      channels: [...this.#hashes.keys()],
      leftChannels: [],
      patterns: [...this.#registry.patterns.patterns()],
      leftPatterns: [],
      version: this.#version,
      base: 0,
    }
  }
}

function namesOf<T>(changes: ReadonlyMap<T, boolean>, here: boolean): T[] {
  const names: T[] = []
  for (const [name, isHere] of changes) if (isHere === here) names.push(name)
  return names
}
