// One CommandService.Session: calls are gathered for a turn of the event loop, leave in frames, and are answered by tag.
//
// A node that owes answers and says nothing is asked with a PING, and taken for dead when it does not answer that
// either; so a call that blocks for an hour is told apart from a node that hangs.

import type { Client, ClientDuplexStream } from '@grpc/grpc-js'
import { CommandServiceService } from '../../gen/slotcast/v1/command_service.ts'
import type { Error as ErrorMessage, Redirect } from '../../gen/slotcast/v1/reply.ts'
import { type As, bytesHint, Call, NO_SLOT } from './call.ts'
import { Fifo } from './fifo.ts'
import { type AnswerListener, FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import type { Value } from './value.ts'

/** Calls of a frame: more bring nothing, and make the node's turns uneven. */
const FRAME_CALLS_MAX = 64
/** Bytes at which a frame is sent; one large call may make it larger. */
const FRAME_BYTES_SOFT_MAX = 512 * 1024

/** Who hears of answers. */
export interface SessionHost {
  /** Name and epoch of the producer session that the call is numbered in. */
  producerOf(call: Call): string
  readonly producerEpoch: number
  answered(call: Call, value: Value): void
  redirected(call: Call, redirect: Redirect): void
  failed(call: Call, error: ErrorMessage): void
  /** The config epoch of the node's map. */
  heardEpoch(epoch: number): void
}

export type SessionLimits = { readonly maxInFlight: number; readonly silenceMs: number }

/** The node that the session is with, as far as the session knows it. */
export interface Patience {
  /** By how much more silence is borne than `silenceMs`. */
  readonly factor: number
  /** The node answered. */
  heard(): void
}

const identity = (bytes: Buffer): Buffer => bytes

export class SessionStream implements AnswerListener {
  readonly #host: SessionHost
  readonly #limits: SessionLimits
  readonly #stream: ClientDuplexStream<Buffer, Buffer>
  readonly #patience: Patience
  readonly #broke: (reason: Error) => void
  readonly #writer = new FrameWriter()
  readonly #reader = new FrameReader()
  readonly #waiting = new Fifo<Call>()
  /** By tag; from 1, since protobuf may leave a zero out. */
  readonly #sent: (Call | null)[] = [null]
  readonly #freeTags: number[] = []
  #inFlight = 0
  #isScheduled = false
  #isFull = false
  #isOver = false
  /** When something was heard last, or began to be owed. */
  #heardAt = 0
  #ping: Call | null = null
  readonly #watch: NodeJS.Timeout

  /** @param broke told once; nothing is heard of this session afterwards */
  constructor(
    client: Client,
    host: SessionHost,
    limits: SessionLimits,
    patience: Patience,
    broke: (reason: Error) => void,
  ) {
    this.#host = host
    this.#limits = limits
    this.#patience = patience
    this.#broke = broke
    const { path } = CommandServiceService.session
    this.#stream = client.makeBidiStreamRequest(path, identity, identity)
    this.#stream.on('data', (frame: Buffer) => this.#take(frame))
    this.#stream.on('drain', () => {
      this.#isFull = false
      this.#flush()
    })
    this.#stream.on('error', error => this.#break(error))
    this.#stream.on('end', () => this.#break(new Error('the node ended the session')))
    this.#watch = setInterval(() => this.#listen(), limits.silenceMs / 4)
    this.#watch.unref()
  }

  /** Calls that were not answered, waiting ones included. */
  get load(): number {
    return this.#inFlight + this.#waiting.length
  }

  /** Sends the call with the end of this turn, or as soon as there is room. */
  send(call: Call): void {
    this.#waiting.push(call)
    this.#schedule()
  }

  /** Ends the session. @returns the calls that were not answered, in the order in which they were made */
  close(): Call[] {
    this.#isOver = true
    clearInterval(this.#watch)
    this.#stream.on('error', () => {})
    this.#stream.cancel()
    const calls = this.#sent.filter(call => call !== null && call !== this.#ping) as Call[]
    this.#sent.length = 0
    this.#inFlight = 0
    calls.push(...this.#waiting.drain())
    return calls.sort((a, b) => a.order - b.order)
  }

  #break(reason: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#broke(reason)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isFull) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const { maxInFlight } = this.#limits
    const writer = this.#writer
    let calls = 0
    if (this.#inFlight === 0) this.#heardAt = performance.now()
    while (this.#waiting.length > 0 && this.#inFlight < maxInFlight && !this.#isFull) {
      if (this.#isOver) return
      const call = this.#waiting.shift() as Call
      if (call.isSettled) continue
      const ahead = bytesHint(call)
      if (calls > 0 && (calls >= FRAME_CALLS_MAX || writer.length + ahead > FRAME_BYTES_SOFT_MAX)) {
        this.#write()
        calls = 0
      }
      this.#add(call)
      calls += 1
    }
    if (calls > 0) this.#write()
  }

  #add(call: Call): void {
    const tag = this.#freeTags.pop() ?? this.#sent.length
    this.#sent[tag] = call
    this.#inFlight += 1
    call.isSent = true
    const host = this.#host
    const id = call.sequence > 0 ? host.producerOf(call) : ''
    this.#writer.add(call, tag, id, host.producerEpoch)
  }

  #write(): void {
    if (!this.#stream.write(this.#writer.take())) this.#isFull = true
  }

  #take(frame: Buffer): void {
    if (this.#isOver) return
    this.#heardAt = performance.now()
    this.#patience.heard()
    try {
      const epoch = this.#reader.read(frame, this)
      this.#host.heardEpoch(epoch)
    } catch (error) {
      this.#break(error as Error)
      return
    }
    if (this.#waiting.length > 0) this.#schedule()
  }

  formOf(tag: number): As | null {
    const call = this.#sent[tag]
    if (call === undefined || call === null) return null
    if (!call.isSettled && call !== this.#ping) return call.as
    this.#done(tag)
    return null
  }

  answered(tag: number, value: Value): void {
    const call = this.#done(tag)
    if (call !== null) this.#host.answered(call, value)
  }

  redirected(tag: number, redirect: Redirect): void {
    const call = this.#done(tag)
    if (call !== null) this.#host.redirected(call, redirect)
  }

  failed(tag: number, error: ErrorMessage): void {
    const call = this.#done(tag)
    if (call !== null) this.#host.failed(call, error)
  }

  /** The call under `tag` is answered. @returns null: nobody waits for it */
  #done(tag: number): Call | null {
    const call = this.#sent[tag] ?? null
    if (call === null) return null
    this.#sent[tag] = null
    this.#freeTags.push(tag)
    this.#inFlight -= 1
    if (call === this.#ping) {
      this.#ping = null
      return null
    }
    return call.isSettled ? null : call
  }

  /** Whether the node is still there. */
  #listen(): void {
    if (this.#isOver || this.#inFlight === 0) return
    const heardAt = this.#heardAt
    const silent = performance.now() - heardAt
    const limitMs = this.#limits.silenceMs * this.#patience.factor
    if (silent > limitMs && this.#ping !== null) {
      // What came while this process itself was busy is read first.
      setImmediate(() => {
        if (this.#heardAt === heardAt)
          this.#break(new Error(`the node was silent for ${Math.round(silent)} ms`))
      })
    } else if (silent > limitMs / 2 && this.#ping === null && !this.#isFull) {
      this.#ping = new Call(['PING'], 'text', NO_SLOT, true, false, none, none, null)
      this.#add(this.#ping)
      this.#write()
    }
  }
}

function none(): void {}
