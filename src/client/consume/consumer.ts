// A consumer of a group over any streams: an async iterable that lives through the death of leaders.
//
// There is one call to each node that leads some of the streams. A stream that loses its node is taken up again at the
// next leader with its resume token; deeds that were not settled go there, too. Entries in the application's hands stay there.

import type {
  ConsumedEntries,
  ConsumedEntry,
  ConsumeEnded,
  ConsumeResponse,
} from '../../gen/slotcast/v1/consume.ts'
import { slotOfKey } from '../command-facts.ts'
import { Entry } from '../entry.ts'
import { ClosedError, ReplyError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { contextOf } from '../propagator.ts'
import type { Atlas } from '../routes/atlas.ts'
import { fullJitter } from '../routes/backoff.ts'
import { Fifo } from '../session/fifo.ts'
import { ConsumeCall, type ConsumeCallHost } from './consume-call.ts'
import { type Deed, Delivery, type DeliveryHost } from './delivery.ts'
import { Ledger } from './ledger.ts'
import { type ConsumeOptions, type ConsumePlan, planOf } from './options.ts'

export type { ConsumeEvent, ConsumeOptions } from './options.ts'

const TICK_MS = 25
const AGAIN_BASE_MS = 50
const AGAIN_CAP_MS = 1_000
/** Credit of a call for each of its streams, at least: an idle stream holds one. */
const CREDIT_A_STREAM = 2
/** An entry beside its names and values, as ConsumeCredit has it. */
const ENTRY_BYTES = 32

type Stream = {
  readonly name: string
  readonly key: Buffer
  readonly slot: number
  token: Buffer
  call: ConsumeCall | null
  wasServed: boolean
  dueAt: number
  failures: number
  /** By ID: what is queued, or in the application's hands. */
  readonly held: Map<string, ConsumeCall>
}

type Next = IteratorResult<Delivery, void>

export class Consumer implements AsyncIterable<Delivery>, ConsumeCallHost, DeliveryHost {
  readonly #atlas: Atlas
  readonly #settings: Settings
  readonly #options: ConsumeOptions
  readonly #plan: ConsumePlan
  readonly #streams = new Map<string, Stream>()
  readonly #calls = new Map<string, ConsumeCall>()
  /** Calls that settle what they owe, and nothing else. */
  readonly #leaving = new Set<ConsumeCall>()
  readonly #queue = new Fifo<Delivery>()
  readonly #waiting = new Fifo<{ resolve(next: Next): void; reject(error: Error): void }>()
  readonly #ledger = new Ledger()
  readonly #timer: NodeJS.Timeout
  readonly #unlisten: () => void
  readonly #ended: () => void
  #fault: Error | null = null
  #stopped: Promise<void> | null = null
  #isClosed = false

  constructor(atlas: Atlas, settings: Settings, options: ConsumeOptions, ended: () => void) {
    this.#atlas = atlas
    this.#settings = settings
    this.#options = options
    this.#plan = planOf(options)
    this.#ended = ended
    for (const name of options.streams) {
      const key = Buffer.from(name)
      this.#streams.set(key.toString('latin1'), {
        ...{ name, key, slot: slotOfKey(name), token: Buffer.alloc(0) },
        ...{ call: null, wasServed: false, dueAt: 0, failures: 0, held: new Map() },
      })
    }
    this.#timer = setInterval(() => this.#assign(), TICK_MS)
    this.#unlisten = atlas.onTopology(() => this.#assign())
    options.signal?.addEventListener('abort', () => void this.stop(), { once: true })
    this.#assign()
    if (options.signal?.aborted === true) void this.stop()
  }

  /** Acks of this consumer that took an entry off the pending list. */
  get acked(): number {
    return this.#ledger.acked
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery, void, void> {
    return {
      next: () => this.next(),
      return: async () => {
        await this.stop()
        return { done: true, value: undefined }
      },
    }
  }

  /** The next entry. May be called by several workers at once. */
  next(): Promise<Next> {
    const delivery = this.#queue.shift()
    if (delivery !== undefined) return Promise.resolve(this.#handed(delivery))
    if (this.#fault !== null) return Promise.reject(this.#fault)
    if (this.#stopped !== null) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /**
   * Takes nothing more, gives back what nobody has taken yet, and ends when all acks are settled. What the application
   * still has in its hands stays pending.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    for (const delivery of this.#queue.drain()) void delivery.nack('silent')
    for (const { resolve } of this.#waiting.drain()) resolve({ done: true, value: undefined })
    const end = performance.now() + this.#plan.stopMs
    while (!this.#ledger.isEmpty && performance.now() < end)
      await new Promise(resolve => setTimeout(resolve, TICK_MS / 2))
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#unlisten()
    for (const call of [...this.#calls.values(), ...this.#leaving]) call.close()
    this.#ledger.abandon(new ClosedError())
    this.#ended()
  }

  #handed(delivery: Delivery): Next {
    if (this.#plan.open.noAck) delivery.release()
    return { done: false, value: delivery }
  }

  // Where streams are served.

  /** Takes up streams that nobody serves, where their leaders are, and sends what waits. */
  #assign(): void {
    if (this.#isClosed) return
    const now = performance.now()
    for (const stream of this.#streams.values()) {
      if (stream.call !== null || stream.dueAt > now) continue
      const address = this.#atlas.leaderOf(stream.slot)
      if (address === '') {
        this.#atlas.refresh()
        continue
      }
      stream.call = this.#callTo(address)
      stream.call.add(stream.key.toString('latin1'), stream.key, stream.token)
      this.#tell({ type: 'served', stream: stream.name, node: address, resumed: stream.wasServed })
      stream.wasServed = true
    }
    if (this.#ledger.hasUnsent) for (const call of this.#calls.values()) call.schedule()
  }

  #callTo(address: string): ConsumeCall {
    let call = this.#calls.get(address)
    if (call === undefined) {
      const { open, heartbeatMs } = this.#plan
      call = new ConsumeCall(address, this, open, heartbeatMs, this.#settings.credentials)
      this.#calls.set(address, call)
    }
    return call
  }

  gather(call: ConsumeCall): void {
    const now = performance.now()
    for (const name of call.streams) {
      const stream = this.#streams.get(name)
      if (stream === undefined) continue
      for (const { tag, batch } of this.#ledger.take(name, now)) call.tell(tag, stream.key, batch)
    }
    if (call.isLeaving || this.#stopped !== null) return
    const { credit, creditBytes } = this.#plan
    const part = call.streams.size / this.#streams.size
    const share = Math.max(Math.ceil(credit * part), call.streams.size * CREDIT_A_STREAM)
    const missing = Math.max(0, share - call.granted)
    const missingBytes =
      creditBytes === 0 ? 0 : Math.max(0, Math.ceil(creditBytes * part) - call.grantedBytes)
    if (missing + missingBytes > 0) call.grant(missing, missingBytes)
  }

  received(call: ConsumeCall, frame: ConsumeResponse): void {
    for (const found of frame.entries) this.#deliver(call, found)
    for (const settled of frame.settled) {
      call.owed.delete(settled.tag)
      if (settled.outcome?.$case === 'redirect') this.#atlas.redirect(settled.outcome.value.moved)
      this.#ledger.settle(settled)
    }
    for (const ended of frame.ended) this.#end(call, ended)
    if (frame.goAway !== undefined) this.#leave(call)
  }

  broke(call: ConsumeCall, reason: Error): void {
    this.#tell({ type: 'broken', node: call.address, reason: reason.message })
    this.#leave(call)
    this.#leaving.delete(call)
    for (const tag of call.owed) this.#ledger.repeat(tag, 0)
    call.owed.clear()
    this.#atlas.suspect(call.address)
    this.#atlas.refresh()
  }

  /** The node delivers nothing any more: its streams are taken up elsewhere. */
  #leave(call: ConsumeCall): void {
    if (!call.isLeaving) {
      call.isLeaving = true
      this.#leaving.add(call)
      if (this.#calls.get(call.address) === call) this.#calls.delete(call.address)
    }
    for (const name of call.streams) {
      const stream = this.#streams.get(name)
      if (stream?.call === call) this.#lose(stream, 0)
    }
    call.streams.clear()
  }

  #end(call: ConsumeCall, { key, reason }: ConsumeEnded): void {
    const name = key.toString('latin1')
    const stream = this.#streams.get(name)
    call.streams.delete(name)
    if (stream === undefined || stream.call !== call) return
    if (reason?.$case === 'redirect') {
      const isNews = this.#atlas.redirect(reason.value.moved)
      this.#tell({ type: 'moved', stream: stream.name, from: call.address })
      this.#lose(stream, 0)
      if (isNews && stream.failures === 1) stream.dueAt = 0
      if (!isNews) this.#atlas.refresh()
      return
    }
    const { retryDelay, text = 'ERR the stream ended' } = reason?.value ?? {}
    if (retryDelay === undefined) this.#fail(new ReplyError(text))
    else this.#lose(stream, Number(retryDelay.seconds) * 1_000 + retryDelay.nanos / 1e6)
  }

  #lose(stream: Stream, leastMs: number): void {
    const wait = fullJitter(stream.failures, AGAIN_BASE_MS, AGAIN_CAP_MS, Math.random)
    stream.call = null
    stream.failures += 1
    stream.dueAt = performance.now() + Math.max(leastMs, wait)
  }

  #fail(error: Error): void {
    this.#fault ??= error
    for (const { reject } of this.#waiting.drain()) reject(error)
  }

  // What is delivered, and what becomes of it.

  #deliver(call: ConsumeCall, { key, entries, resumeToken }: ConsumedEntries): void {
    const stream = this.#streams.get(key.toString('latin1'))
    if (stream === undefined || stream.call !== call) return
    stream.token = resumeToken
    stream.failures = 0
    for (const found of entries) this.#take(call, stream, found)
  }

  #take(call: ConsumeCall, stream: Stream, found: ConsumedEntry): void {
    const id = found.entry?.id ?? ''
    if (stream.held.has(id) || this.#stopped !== null) {
      // It is in the application's hands already, or nobody takes it any more.
      call.giveBack(this.#bytesOf(found.entry?.fields.flatMap(({ name, value }) => [name, value])))
      if (this.#stopped !== null && !this.#isClosed && !this.#plan.open.noAck)
        void this.#ledger.add(stream.key.toString('latin1'), 'nack-silent', id)
      return
    }
    const fields: Buffer[] = []
    for (const { name, value } of found.entry?.fields ?? []) fields.push(name, value)
    const entry = new Entry(id, fields)
    const { redelivered, deliveriesBefore } = found
    const deliveries = deliveriesBefore === undefined ? null : Number(deliveriesBefore)
    const context = contextOf(this.#settings.propagator, entry)
    const delivery = new Delivery(this, stream.name, entry, { redelivered, deliveries }, context)
    stream.held.set(id, call)
    if (redelivered) this.#tell({ type: 'redelivered', stream: stream.name, id })
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#queue.push(delivery)
    else waiting.resolve(this.#handed(delivery))
  }

  settle(delivery: Delivery, deed: Deed): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(new ClosedError())
    const name = Buffer.from(delivery.stream).toString('latin1')
    const settled = this.#ledger.add(name, deed, delivery.id)
    this.#streams.get(name)?.call?.schedule()
    return settled
  }

  finished(delivery: Delivery): void {
    const stream = this.#streams.get(Buffer.from(delivery.stream).toString('latin1'))
    const call = stream?.held.get(delivery.id)
    stream?.held.delete(delivery.id)
    call?.giveBack(this.#bytesOf(delivery.entry.fields))
  }

  /** What an entry costs of the credit in bytes, as nodes count it. */
  #bytesOf(fields: readonly Buffer[] = []): number {
    if (this.#plan.creditBytes === 0) return 0
    return fields.reduce((sum, bytes) => sum + bytes.length, ENTRY_BYTES)
  }

  #tell(event: Parameters<NonNullable<ConsumeOptions['onEvent']>>[0]): void {
    this.#options.onEvent?.(event)
  }
}
