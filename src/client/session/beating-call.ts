// A call in both directions to one node that beats: frames out, frames in, and an end that is told once.
//
// Silence for two heartbeats means that the node is gone, unless we are the one who does not read.

import type { ChannelCredentials, ClientDuplexStream } from '@grpc/grpc-js'
import { dial } from './node.ts'

const BEATS_OF_SILENCE = 2
/** How often one listens in a heartbeat. */
const LISTENS_A_BEAT = 4

type Method<Q, A> = {
  readonly path: string
  readonly requestSerialize: (frame: Q) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => A
}

export interface BeatingCallHost<A> {
  received(frame: A): void
  /** Told once; the call is over. Not told of a call that was closed. */
  broke(reason: Error): void
}

export class BeatingCall<Q, A> {
  readonly #host: BeatingCallHost<A>
  readonly #stream: ClientDuplexStream<Q, A>
  readonly #hangUp: () => void
  readonly #watch: NodeJS.Timeout
  #heardAt = performance.now()
  #isPaused = false
  #isOver = false

  constructor(
    address: string,
    secrets: ChannelCredentials | null,
    method: Method<Q, A>,
    heartbeatMs: number,
    host: BeatingCallHost<A>,
  ) {
    this.#host = host
    const client = dial(address, secrets)
    const { path, requestSerialize, responseDeserialize } = method
    this.#stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    this.#stream.on('data', (frame: A) => {
      this.#heardAt = performance.now()
      if (!this.#isOver) this.#host.received(frame)
    })
    this.#stream.on('error', error => this.#break(error))
    this.#stream.on('end', () => this.#break(new Error('the node ended the call')))
    this.#hangUp = () => {
      this.#stream.on('error', () => {})
      this.#stream.cancel()
      client.close()
    }
    const limitMs = heartbeatMs * BEATS_OF_SILENCE
    this.#watch = setInterval(() => this.#listen(limitMs), heartbeatMs / LISTENS_A_BEAT)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  write(frame: Q): void {
    this.#stream.write(frame)
  }

  /** Reads nothing: HTTP/2 holds the node back. */
  pause(): void {
    this.#isPaused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#heardAt = performance.now()
    this.#stream.resume()
  }

  close(): void {
    this.#isOver = true
    clearInterval(this.#watch)
    this.#hangUp()
  }

  #break(reason: Error): void {
    if (this.#isOver) return
    this.close()
    this.#host.broke(reason)
  }

  #listen(limitMs: number): void {
    const heardAt = this.#heardAt
    const silent = performance.now() - heardAt
    if (silent <= limitMs) return
    // What came while this process itself was busy is read first.
    setImmediate(() => {
      if (this.#heardAt === heardAt && !this.#isPaused)
        this.#break(new Error(`the node was silent for ${Math.round(silent)} ms`))
    })
  }
}
