// Sends calls to the leaders of their slots and sees each to its end: an answer, or a typed error.
//
// What a node surely did not do is sent again where it belongs. What may have been done is sent again only if that
// cannot do it twice: it reads, or it carries the mark of the producer session. Everything else ends in doubt.

import type { Error as ErrorMessage, Redirect } from '../../gen/slotcast/v1/reply.ts'
import {
  AbortedError,
  ClosedError,
  DeadlineError,
  FencedError,
  InDoubtError,
  QueueFullError,
  ReplyError,
  type SlotcastError,
} from '../errors.ts'
import type { Settings } from '../options.ts'
import { type Chance, fullJitter } from '../routes/backoff.ts'
import { RetryBudget } from '../routes/retry-budget.ts'
import { SlotCache } from '../routes/slot-cache.ts'
import { TopologyWatch } from '../routes/topology.ts'
import { type As, Call, NO_SLOT, type Word } from './call.ts'
import { Deadlines } from './deadlines.ts'
import { Node, type NodeHost } from './node.ts'
import { Parking } from './parking.ts'
import type { Value } from './value.ts'
import { KEY_WINDOW, SHARD_WINDOW, Window } from './window.ts'

const RETRY_BASE_MS = 25
const RETRY_CAP_MS = 1_000
const TICK_MS = 10
/** Redirects that are followed at once; nodes that send a call in circles know no better for now. */
const REDIRECTS_AT_ONCE = 3
/** How long to wait before looking again for a leader that nobody has told. */
const LOOK_MS = 50
const BULKY = '/b'
const FORGOTTEN = 'no longer remembered'
const STALE_EPOCH = 'ERR producer epoch is older'

export type Request = {
  readonly words: readonly Word[]
  readonly as: As
  /** -1: none. */
  readonly slot: number
  readonly reads: boolean
  readonly blocks: boolean
  readonly isBulky: boolean
  /** Write it under the producer session. */
  readonly marked: boolean
  /** Milliseconds; Infinity: none. */
  readonly lifetime: number
  readonly signal: AbortSignal | null
  /** The stream whose idempotent IDs bound how far later ones may run ahead; empty: none. */
  readonly windowKey: string
}

export type Stats = {
  sent: number
  redirects: number
  retries: number
  /** Connections that broke. */
  lost: number
  /** Questions for the map, and nodes that were asked to push it. */
  questions: number
  watches: number
}

export class Dispatcher implements NodeHost {
  readonly cache = new SlotCache()
  readonly topology: TopologyWatch
  readonly producerEpoch: number
  readonly stats: Stats = {
    ...{ sent: 0, redirects: 0, retries: 0, lost: 0 },
    ...{ questions: 0, watches: 0 },
  }
  readonly #settings: Settings
  readonly #chance: Chance
  readonly #nodes = new Map<string, Node>()
  readonly #budget: RetryBudget
  readonly #parking: Parking
  readonly #deadlines: Deadlines
  readonly #shardWindows = new Map<number, Window>()
  readonly #keyWindows = new Map<string, Window>()
  readonly #listeners = new Set<() => void>()
  readonly #bulkyId: string
  #open = 0
  #order = 0
  #sequence = 0
  #isClosed = false

  constructor(settings: Settings, chance: Chance = Math.random) {
    this.#settings = settings
    this.#chance = chance
    this.producerEpoch = settings.producerEpoch
    this.#bulkyId = settings.producerId + BULKY
    this.#budget = new RetryBudget(settings.retriesPerSecond, performance.now())
    this.#parking = new Parking(TICK_MS, () => this.#release())
    this.#deadlines = new Deadlines(call => this.#expire(call))
    this.topology = new TopologyWatch({ ...settings, chance }, this.cache, this.stats, () => {
      for (const listener of this.#listeners) listener()
      this.#release()
    })
  }

  /** Calls that are not settled. */
  get open(): number {
    return this.#open
  }

  /** Tells `listener` of each change of the map. @returns ends that */
  onTopology(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  submit(request: Request): Promise<Value> {
    return new Promise((resolve, reject) => this.#submit(request, resolve, reject))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.topology.close()
    const calls: Call[] = []
    for (const node of this.#nodes.values()) calls.push(...node.close())
    for (const call of calls) this.#fail(call, this.#unproven(call) ?? new ClosedError())
    for (const line of this.#parking.take(Number.POSITIVE_INFINITY))
      for (const call of line) this.#fail(call, this.#unproven(call) ?? new ClosedError())
  }

  #submit(request: Request, resolve: (value: Value) => void, reject: (error: Error) => void): void {
    const { words, as, slot, reads, blocks, signal, lifetime } = request
    const refusal = this.#refusal(signal)
    if (refusal !== null) {
      reject(refusal)
      return
    }
    const call = new Call(words, as, slot, reads, blocks, resolve, reject, signal)
    this.#order += 1
    call.order = this.#order
    this.#open += 1
    this.#deadlines.add(call, lifetime, performance.now())
    if (signal !== null) {
      call.onAbort = () => this.#fail(call, this.#unproven(call) ?? new AbortedError(signal.reason))
      signal.addEventListener('abort', call.onAbort, { once: true })
    }
    if (request.marked && slot !== NO_SLOT) {
      this.#sequence += 1
      call.sequence = this.#sequence
      call.isBulky = request.isBulky
      if (!this.#enterWindows(call, request.windowKey)) return
    }
    this.#route(call)
  }

  /** Why a call is not taken; null: it is. */
  #refusal(signal: AbortSignal | null): SlotcastError | null {
    const { maxQueued } = this.#settings
    if (this.#isClosed) return new ClosedError()
    if (this.#open >= maxQueued) return new QueueFullError(maxQueued)
    return signal?.aborted === true ? new AbortedError(signal.reason) : null
  }

  /** @returns false: it waits for earlier ones, and goes on by itself */
  #enterWindows(call: Call, key: string): boolean {
    const shard = this.cache.shardOf(call.slot)
    let window = this.#shardWindows.get(shard)
    if (window === undefined) {
      window = new Window(SHARD_WINDOW, waiting => this.#route(waiting))
      this.#shardWindows.set(shard, window)
    }
    call.shardWindow = window
    if (key === '') return window.enter(call)
    let ofKey = this.#keyWindows.get(key)
    if (ofKey === undefined) {
      const next = window
      ofKey = new Window(KEY_WINDOW, waiting => {
        if (next.enter(waiting)) this.#route(waiting)
      })
      this.#keyWindows.set(key, ofKey)
    }
    call.keyWindow = ofKey
    call.windowKey = key
    return ofKey.enter(call) && window.enter(call)
  }

  #route(call: Call): void {
    if (call.isSettled) return
    if (this.#isClosed) {
      this.#fail(call, new ClosedError())
      return
    }
    if (this.#parking.has(call.slot)) {
      this.#parking.add(call, 0)
      return
    }
    const now = performance.now()
    const node = this.#nodeFor(call, now)
    if (node === null) this.#parking.add(call, now + LOOK_MS)
    else this.#send(node, call)
  }

  #send(node: Node, call: Call): void {
    if (call.blocks) call.node = node
    this.stats.sent += 1
    node.send(call)
  }

  /** null: nobody can be asked now. */
  #nodeFor(call: Call, now: number): Node | null {
    const address = call.slot === NO_SLOT ? this.#anyAddress(now) : this.cache.leaderOf(call.slot)
    if (address === '') {
      this.topology.refresh()
      return null
    }
    const node = this.#nodeAt(address)
    if (!node.isDown(now)) return node
    this.topology.refresh()
    return null
  }

  #nodeAt(address: string): Node {
    let node = this.#nodes.get(address)
    if (node === undefined) {
      node = new Node(address, this, { ...this.#settings, chance: this.#chance })
      this.#nodes.set(address, node)
    }
    return node
  }

  #anyAddress(now: number): string {
    const watched = this.topology.address
    const isWell = (address: string): boolean => this.#nodes.get(address)?.isDown(now) !== true
    if (watched !== '' && isWell(watched)) return watched
    const all = this.cache.addresses.length > 0 ? this.cache.addresses : this.#settings.seeds
    const well = all.filter(isWell)
    return well[Math.floor(this.#chance() * well.length)] ?? ''
  }

  /** Sends what waited and can go on. */
  #release(): void {
    const now = performance.now()
    for (const line of this.#parking.take(now)) {
      for (const [i, call] of line.entries()) {
        const node = this.#nodeFor(call, now)
        if (node === null || (call.isRetry && !this.#budget.take(now))) {
          const dueAt = now + (node === null ? LOOK_MS : TICK_MS)
          for (const rest of line.slice(i)) this.#parking.add(rest, dueAt)
          break
        }
        if (call.isRetry) this.stats.retries += 1
        call.isRetry = false
        this.#send(node, call)
      }
    }
  }

  // What nodes answer.

  producerOf(call: Call): string {
    return call.isBulky ? this.#bulkyId : this.#settings.producerId
  }

  heardEpoch(epoch: number): void {
    if (epoch > this.cache.epoch) this.topology.refresh()
  }

  answered(call: Call, value: Value): void {
    this.#budget.succeeded()
    this.#leave(call)
    this.#settle(call)
    call.resolve(value)
  }

  redirected(call: Call, { text, moved }: Redirect): void {
    this.#leave(call)
    this.stats.redirects += 1
    call.redirects += 1
    call.lastError = new ReplyError(text, true)
    const isNews = this.cache.redirect(moved)
    if (!isNews) this.topology.refresh()
    if (isNews && call.redirects <= REDIRECTS_AT_ONCE) this.#route(call)
    else this.#again(call, 0)
  }

  failed(call: Call, { code, text, retryDelay }: ErrorMessage): void {
    this.#leave(call)
    if (code === 'INDOUBT') {
      call.isDoubtful = true
      call.lastError = new ReplyError(text)
      if (call.isRepeatable && !text.includes(FORGOTTEN)) this.#again(call, 0)
      else this.#fail(call, new InDoubtError(text))
    } else if (retryDelay !== undefined) {
      call.lastError = new ReplyError(text, true)
      this.#again(call, Number(retryDelay.seconds) * 1_000 + retryDelay.nanos / 1e6)
    } else if (text.startsWith(STALE_EPOCH)) this.#fail(call, new FencedError(text))
    else this.#fail(call, new ReplyError(text))
  }

  lost(node: Node, calls: readonly Call[], reason: Error): void {
    this.stats.lost += 1
    this.cache.forget(node.address)
    this.topology.suspect(node.address)
    for (const call of calls) {
      if (call.isSettled) continue
      const wasSent = call.isSent
      this.#leave(call)
      call.lastError = reason
      if (!wasSent) this.#park(call, 0)
      else if (call.isRepeatable) {
        call.isDoubtful = true
        this.#again(call, 0)
      } else {
        this.#fail(
          call,
          new InDoubtError(`no answer from ${node.address}: ${reason.message}`, reason),
        )
      }
    }
    if (!this.#isClosed) this.topology.refresh()
  }

  /** The call is at no node any more. */
  #leave(call: Call): void {
    call.isSent = false
    if (call.node === null) return
    call.node.settled(call)
    call.node = null
  }

  /** Sends the call again after a while. */
  #again(call: Call, leastMs: number): void {
    const wait = fullJitter(call.failures, RETRY_BASE_MS, RETRY_CAP_MS, this.#chance)
    call.failures += 1
    call.isRetry = true
    this.#park(call, performance.now() + Math.max(leastMs, wait))
  }

  #park(call: Call, dueAt: number): void {
    this.#parking.add(call, dueAt)
  }

  // Ends.

  #expire(call: Call): void {
    const last = call.lastError
    const why = last === null ? 'no leader was found, or it did not answer' : last.message
    const error = this.#unproven(call) ?? new DeadlineError(`the deadline passed: ${why}`, last)
    this.#fail(call, error)
  }

  /** What becomes of a call that is given up: in doubt if it may have been done. */
  #unproven(call: Call): SlotcastError | null {
    if (call.reads || !(call.isSent || call.isDoubtful)) return null
    const why = call.lastError?.message ?? 'no answer came'
    return new InDoubtError(`given up while its outcome was open: ${why}`, call.lastError)
  }

  #fail(call: Call, error: Error): void {
    if (call.isSettled) return
    // The node of a call that blocks must hear of it while it knows that it was not answered.
    if (call.node !== null) {
      call.node.settled(call)
      call.node = null
    }
    this.#settle(call)
    call.reject(error)
  }

  #settle(call: Call): void {
    call.isSettled = true
    this.#open -= 1
    this.#deadlines.remove(call)
    if (call.onAbort !== null) call.signal?.removeEventListener('abort', call.onAbort)
    call.shardWindow?.settled()
    if (call.keyWindow === null) return
    call.keyWindow.settled()
    if (call.keyWindow.isIdle && this.#keyWindows.get(call.windowKey) === call.keyWindow)
      this.#keyWindows.delete(call.windowKey)
  }
}
