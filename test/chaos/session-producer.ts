// A producer over gRPC: one Session, many calls a frame, each marked, so that a call
// whose answer was lost is sent again and still done once.

import { setTimeout as sleep } from 'node:timers/promises'
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import {
  type CallResult,
  CommandServiceClient,
  type SessionRequest,
  type SessionResponse,
} from '../../src/gen/slotcast/v1/command_service.ts'
import type { Notes } from './actors.ts'
import type { LocalCluster } from './cluster.ts'

const CALLS_A_FRAME = 64
const REST_MS = 20
/** When nothing of a frame was done. */
const PAUSE_MS = 200
const ANSWER_MS = 5_000
/** Error words that say: send it again as it is. */
const AGAIN = new Set(['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'INDOUBT'])

type Open = { readonly sequence: number; readonly value: string; t0: number }
type Stream = ClientDuplexStream<SessionRequest, SessionResponse>

export class SessionProducer {
  readonly #cluster: LocalCluster
  readonly #notes: Notes
  readonly #key: string
  readonly #id: string
  #sequence = 0
  #node = 1
  #client: CommandServiceClient | null = null
  #stream: Stream | null = null
  readonly #open = new Map<number, Open>()
  /** Calls of the frame under way that got no answer yet. */
  #unanswered = 0
  #isStopped = false
  #ends: Promise<void> | null = null
  #wake: (() => void) | null = null
  /** Calls that were sent again with the mark they had. */
  repeated = 0

  constructor(cluster: LocalCluster, notes: Notes, key: string) {
    this.#cluster = cluster
    this.#notes = notes
    this.#key = key
    this.#id = `producer-of-${key}`
  }

  start(): void {
    this.#ends = this.#run()
  }

  /** Begins nothing new, and repeats what is open until it is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ends
    this.#hangUp()
  }

  async #run(): Promise<void> {
    while ((!this.#isStopped || this.#open.size > 0) && !this.#cluster.isOver) {
      while (!this.#isStopped && this.#open.size < CALLS_A_FRAME) {
        this.#sequence += 1
        const value = `${this.#id}:${this.#sequence}`
        this.#open.set(this.#sequence, { sequence: this.#sequence, value, t0: 0 })
      }
      const before = this.#open.size
      this.#send()
      await this.#answered()
      await sleep(this.#open.size < before ? REST_MS : PAUSE_MS)
    }
  }

  #send(): void {
    const stream = this.#stream ?? this.#dial()
    const now = performance.now()
    const calls = [...this.#open.values()].map(open => {
      if (open.t0 > 0) this.repeated += 1
      else open.t0 = now
      const words = ['XADD', this.#key, '*', 'v', open.value]
      return {
        tag: BigInt(open.sequence),
        argv: words.map(word => Buffer.from(word)),
        producer: { producerId: this.#id, epoch: 1, sequence: BigInt(open.sequence) },
      }
    })
    stream.write({ calls })
  }

  #dial(): Stream {
    const address = this.#cluster.grpcAddress(this.#node)
    this.#client = new CommandServiceClient(address, credentials.createInsecure())
    const stream = this.#client.session()
    this.#stream = stream
    this.#unanswered = 0
    stream.on('data', (frame: SessionResponse) => {
      if (this.#stream !== stream) return
      for (const result of frame.results) this.#take(result)
      if (this.#unanswered <= 0) this.#wake?.()
    })
    stream.on('error', () => this.#broke(stream))
    stream.on('end', () => this.#broke(stream))
    return stream
  }

  /** Waits until every call of the frame got an answer, or the stream broke. */
  async #answered(): Promise<void> {
    this.#unanswered = this.#open.size
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#wake = resolve
      timer = setTimeout(() => {
        if (this.#stream !== null) this.#broke(this.#stream)
        resolve()
      }, ANSWER_MS)
    })
    clearTimeout(timer)
    this.#wake = null
  }

  #take({ tag, outcome }: CallResult): void {
    this.#unanswered -= 1
    const open = this.#open.get(Number(tag))
    if (open === undefined || outcome === undefined) return
    if (outcome.$case === 'reply') {
      const { kind } = outcome.value
      this.#open.delete(open.sequence)
      if (kind?.$case === 'bulk') this.#note(open, kind.value.toString())
      else this.#notes.surprises.push(`XADD over gRPC answers ${kind?.$case}`)
    } else if (outcome.$case === 'redirect') {
      const node = this.#cluster.nodeAt(Number(outcome.value.text.split(':').at(-1)))
      if (node !== this.#node) {
        this.#node = node
        queueMicrotask(() => this.#hangUp())
      }
    } else if (!AGAIN.has(outcome.value.code)) {
      this.#notes.surprises.push(`XADD over gRPC: ${outcome.value.text}`)
      this.#open.delete(open.sequence)
    }
  }

  #note(open: Open, id: string): void {
    const t1 = performance.now()
    this.#notes.history.push({
      process: -1,
      key: this.#key,
      t0: open.t0,
      t1,
      outcome: 'ok',
      op: 'add',
      value: open.value,
      // However often it was sent.
      attempts: 1,
      maxlen: null,
      id,
    })
    this.#notes.acknowledged.push({ key: this.#key, t1, node: this.#node })
  }

  #broke(stream: Stream): void {
    if (this.#stream !== stream) return
    this.#hangUp()
    this.#node = (this.#node % this.#cluster.nodes.length) + 1
  }

  #hangUp(): void {
    const stream = this.#stream
    this.#stream = null
    stream?.cancel()
    this.#client?.close()
    this.#client = null
    this.#wake?.()
  }
}
