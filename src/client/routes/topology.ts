// Keeps the slot cache fresh: one node at a time pushes the map to us, and another is asked once when it seems to be wrong.
//
// Who is pushed the map waits for that: a leader that is missing is told as soon as there is one, and whoever asks before
// learns nothing. Every attempt after a failure, and every question after another, waits a jittered while, longer each time,
// so that two thousand clients of a node that died ask the others over seconds and not at once; and however many calls find
// a route missing, one question is under way.

import type { ChannelCredentials, Client, ClientReadableStream } from '@grpc/grpc-js'
import {
  ClusterServiceService,
  type GetTopologyResponse,
  type WatchTopologyResponse,
} from '../../gen/slotcast/v1/cluster_service.ts'
import type { Topology } from '../../gen/slotcast/v1/topology.ts'
import { dial } from '../session/node.ts'
import { type Chance, fullJitter } from './backoff.ts'
import type { SlotCache } from './slot-cache.ts'

const WATCH_BASE_MS = 200
const WATCH_CAP_MS = 5_000
const PATIENCE_DOUBLINGS = 3
/** Between two questions of one client, longer with each. */
const ASK_BASE_MS = 250
const ASK_CAP_MS = 4_000
/** Without questions for so long, the next is a first one again. */
const ASK_FORGET_MS = 10_000
/** How long whoever is pushed the map leaves it at that, at least, and as much again at random. */
const PUSHED_MS = 500

export type TopologyOptions = {
  readonly seeds: readonly string[]
  readonly credentials: ChannelCredentials | null
  /** How long a node may take to tell its map. */
  readonly silenceMs: number
  readonly chance: Chance
  /** Makes a connection; tests have another. */
  readonly dial?: (address: string, secrets: ChannelCredentials | null) => Client
}

type Source = { readonly address: string; end(): void }

export class TopologyWatch {
  readonly #options: TopologyOptions
  readonly #cache: SlotCache
  readonly #counts: { questions: number; watches: number }
  readonly #changed: () => void
  #watched: Source | null = null
  #watchTimer: NodeJS.Timeout | null = null
  #failures = 0
  #isAsking = false
  #asks = 0
  #askNotBefore = 0
  #askedAt = 0
  /** The node that pushes the map has told it. */
  #isPushed = false
  #askTimer: NodeJS.Timeout | null = null
  #isClosed = false
  /** Why the last attempt to watch failed. */
  lastError: Error | null = null

  /** @param changed told after each map that was taken over */
  constructor(
    options: TopologyOptions,
    cache: SlotCache,
    counts: { questions: number; watches: number },
    changed: () => void,
  ) {
    this.#options = options
    this.#cache = cache
    this.#counts = counts
    this.#changed = changed
  }

  start(): void {
    this.#watch(this.#pick(''))
  }

  /** The node that pushes the map; empty while there is none. */
  get address(): string {
    return this.#watched?.address ?? ''
  }

  /** A route is missing, or seems to be wrong: asks a node once, other than the one that watches if there is one. */
  refresh(): void {
    if (this.#isClosed || this.#isAsking || this.#askTimer !== null) return
    const now = performance.now()
    if (now - this.#askedAt > ASK_FORGET_MS) this.#asks = 0
    const patience = this.#isPushed ? PUSHED_MS * (1 + this.#options.chance()) : 0
    const wait = Math.max(this.#askNotBefore - now, patience)
    if (wait <= 0) this.#ask()
    else
      this.#askTimer = setTimeout(() => {
        this.#askTimer = null
        this.#ask()
      }, wait)
  }

  /** A connection to the node broke: if it is the one that pushes the map, another does from now on. */
  suspect(address: string): void {
    if (this.#watched?.address === address)
      this.#lost(new Error('the node is suspected to be gone'))
  }

  close(): void {
    this.#isClosed = true
    this.#watched?.end()
    this.#watched = null
    if (this.#watchTimer !== null) clearTimeout(this.#watchTimer)
    if (this.#askTimer !== null) clearTimeout(this.#askTimer)
  }

  #watch(address: string): void {
    this.#counts.watches += 1
    const client = this.#dial(address)
    const { path, responseDeserialize } = ClusterServiceService.watchTopology
    const stream: ClientReadableStream<WatchTopologyResponse> = client.makeServerStreamRequest(
      path,
      () => Buffer.alloc(0),
      responseDeserialize,
      {},
    )
    const source: Source = {
      address,
      end: () => {
        clearTimeout(first)
        stream.on('error', () => {})
        stream.cancel()
        client.close()
      },
    }
    const isOurs = (): boolean => this.#watched === source
    const lost = (error: Error): void => {
      if (isOurs()) this.#lost(error)
    }
    const first = setTimeout(
      () => lost(new Error(`${address} does not tell the map`)),
      // Who is overloaded is given more time with each attempt.
      this.#options.silenceMs * 2 ** Math.min(this.#failures, PATIENCE_DOUBLINGS),
    )
    this.#watched = source
    stream.on('data', ({ topology }: WatchTopologyResponse) => {
      if (!isOurs() || topology === undefined) return
      clearTimeout(first)
      this.#failures = 0
      this.#isPushed = true
      // If that does not answer it, it is asked again.
      if (this.#askTimer !== null) clearTimeout(this.#askTimer)
      this.#askTimer = null
      this.#take(topology)
    })
    stream.on('error', lost)
    stream.on('end', () => lost(new Error(`${address} ended the watch`)))
  }

  #lost(error: Error): void {
    const gone = this.#watched?.address ?? ''
    this.#watched?.end()
    this.#watched = null
    this.#isPushed = false
    this.lastError = error
    if (this.#isClosed) return
    const wait = fullJitter(this.#failures, WATCH_BASE_MS, WATCH_CAP_MS, this.#options.chance)
    this.#failures += 1
    this.#watchTimer = setTimeout(() => {
      this.#watchTimer = null
      this.#watch(this.#pick(gone))
    }, wait)
  }

  #ask(): void {
    this.#counts.questions += 1
    this.#isAsking = true
    const client = this.#dial(this.#pick(this.address))
    const { path, responseDeserialize } = ClusterServiceService.getTopology
    const deadline = Date.now() + this.#options.silenceMs
    const empty = (): Buffer => Buffer.alloc(0)
    client.makeUnaryRequest(
      path,
      empty,
      responseDeserialize,
      {},
      { deadline },
      (_error: Error | null, response?: GetTopologyResponse) => {
        client.close()
        this.#isAsking = false
        // A map in which everything is led was worth the question: a node that was only slow is found again soon.
        const shards = response?.topology?.shards ?? []
        const isWhole = shards.length > 0 && shards.every(({ leaderNodeId }) => leaderNodeId !== '')
        this.#asks = isWhole ? 0 : this.#asks + 1
        this.#askedAt = performance.now()
        // Half of the time is fixed: whoever keeps asking must not be lucky each time.
        const base = ASK_BASE_MS / 2
        const jitter = fullJitter(this.#asks, ASK_BASE_MS, ASK_CAP_MS, this.#options.chance)
        this.#askNotBefore = performance.now() + base + jitter
        if (this.#isClosed) return
        if (response?.topology !== undefined) this.#take(response.topology)
        else this.#changed()
      },
    )
  }

  #take(topology: Topology): void {
    // A node that is not part of a cluster yet knows no shards.
    if (topology.shards.length > 0 && this.#cache.replace(topology)) this.#changed()
  }

  #dial(address: string): Client {
    return (this.#options.dial ?? dial)(address, this.#options.credentials)
  }

  /** Any node that is known, but not `other` if there is a choice. */
  #pick(other: string): string {
    const { seeds, chance } = this.#options
    const all = [
      ...new Set([...this.#cache.addresses, ...(this.#cache.addresses.length > 0 ? [] : seeds)]),
    ]
    // The map may name addresses that cannot be reached from here: seeds get their turn after failures.
    const pool = this.#failures > 2 ? [...new Set([...all, ...seeds])] : all
    const others = pool.filter(address => address !== other)
    const from = others.length > 0 ? others : pool
    return from[Math.floor(chance() * from.length)] ?? (seeds[0] as string)
  }
}
