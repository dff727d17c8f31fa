// One GroupService.Consume: a consumer of a group on one node, over any number of streams.
//
// Each stream is read by a StreamReader of its own; what they bring and what became
// of acks is gathered and leaves with the end of the turn, one frame a turn. The node sends no
// more than it was allowed, and reads no further frames while the desk takes no commands
// or the client takes no answers.

import { status as codes } from '@grpc/grpc-js'
import type {
  ConsumedEntries,
  ConsumeRequest,
  ConsumeResponse,
  ConsumeSettled,
  ConsumeStream,
} from '../../../gen/slotcast/v1/consume.ts'
import type { ErrorReply, Reply } from '../../../machine/reply.ts'
import type { Desk, DeskClient, DeskSessionOptions } from '../desk.ts'
import { failureOf } from '../failure.ts'
import * as read from '../mapping/reading.ts'
import { keyFault } from '../mapping/writing.ts'
import type { Words } from '../words.ts'
import { Credit, NO_SHARE } from './credit.ts'
import {
  type Opened,
  type Operation,
  openedBy,
  operationsOf,
  tokenOf,
  writeOperation,
} from './request.ts'
import { type ReaderHost, StreamReader } from './stream-reader.ts'

/** Streams of one call. */
const STREAMS_MAX = 1_024
/** With less credit than streams, those that wait for something new take turns. */
const ROTATE_MS = 500
/** A frame is sent before the end of the turn when it has so much: many clients take at most 4 MiB. */
const FRAME_BYTES_SOFT_MAX = 1024 * 1024
/** After an answer that leaves the fate of a read or an ack open, which may be repeated: an election is over by then. */
const IN_DOUBT_DELAY = { seconds: 0n, nanos: 100_000_000 }
const MS_PER_SECOND = 1_000
const NANOS_PER_MS = 1_000_000

/** The part of grpc-js' call that is used here. */
export interface ConsumeChannel {
  on(event: 'data', listener: (frame: ConsumeRequest) => void): unknown
  on(event: 'end' | 'drain' | 'cancelled' | 'error', listener: () => void): unknown
  /** False: full until `drain`. */
  write(frame: ConsumeResponse): boolean
  end(): unknown
  /** Ends the call with the error's `code` and `details`. */
  emit(event: 'error', error: Error): unknown
  pause(): unknown
  resume(): unknown
}

/** What all calls of a door share. The words hold nothing between two commands. */
export type ConsumeTools = {
  readonly desk: Desk
  readonly words: Words
  readonly nodeName: string
  /** The call has something to do at the end of the turn. */
  gathered(call: ConsumeCall): void
}

type Owed = { readonly tag: bigint; readonly kind: Operation['kind'] }

export class ConsumeCall implements DeskClient, ReaderHost {
  readonly #channel: ConsumeChannel
  readonly #tools: ConsumeTools
  readonly #options: DeskSessionOptions
  /** For acks, nacks and claims; readers have their own. */
  readonly #session: unknown
  readonly #credit = new Credit()
  readonly #readers = new Map<string, StreamReader>()
  /** Readers that do not ask, the one that waits longest first. */
  #idle: StreamReader[] = []
  /** Readers that are done with; the desk may not be told from within an answer. */
  #ending: StreamReader[] = []
  #opened: Opened | null = null
  #heartbeat: NodeJS.Timeout | null = null
  /** Frames were sent since the last beat. */
  #sent = false
  /** What the desk has yet to take, in order. */
  #operations: Operation[] = []
  readonly #owed = new Map<number, Owed>()
  #ticket = 0
  #held = false
  #full = false
  #out: ConsumeResponse = emptyFrame()
  #outBytes = 0
  #isGathered = false
  /** Why the call ends once nothing is owed; null: it goes on. */
  #leaving: string | null = null
  #ended = false

  constructor(channel: ConsumeChannel, tools: ConsumeTools, address: string, localAddress: string) {
    this.#channel = channel
    this.#tools = tools
    this.#options = { door: 'grpc', ordered: false, address, localAddress }
    this.#session = tools.desk.connect(this, this.#options)
    channel.on('data', frame => this.#receive(frame))
    channel.on('drain', () => {
      this.#full = false
      this.#gather()
      this.flush()
    })
    channel.on('end', () => this.finish('the client ended its side'))
    channel.on('cancelled', () => this.#leave())
    channel.on('error', () => this.#leave())
  }

  /** Delivers nothing more, and ends the call when what is owed is settled. */
  finish(reason: string): void {
    if (this.#leaving !== null || this.#ended) return
    this.#leaving = reason
    for (const reader of this.#readers.values()) this.#drop(reader)
    this.#out.goAway = { reason }
    this.#gather()
    setImmediate(() => this.flush())
  }

  /** Ends the call with a status. */
  fail(code: codes, details: string): void {
    if (this.#ended) return
    this.#leave()
    this.#channel.emit('error', Object.assign(new Error(details), { code, details }))
  }

  // What the client sends.

  #receive(frame: ConsumeRequest): void {
    if (this.#ended) return
    const fault = this.#open(frame) ?? this.#change(frame)
    if (fault !== null) {
      this.fail(codes.INVALID_ARGUMENT, fault)
      return
    }
    this.#gather()
    this.flush()
  }

  #open({ open }: ConsumeRequest): string | null {
    if (open === undefined) return this.#opened === null ? 'the first frame has no open' : null
    if (this.#opened !== null) return 'a frame that is not the first has open'
    const opened = openedBy(open)
    if (typeof opened === 'string') return opened
    this.#opened = opened
    const { heartbeatMs } = opened
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs / 2)
    this.#heartbeat.unref()
    const heartbeat = {
      seconds: BigInt(Math.floor(heartbeatMs / MS_PER_SECOND)),
      nanos: (heartbeatMs % MS_PER_SECOND) * NANOS_PER_MS,
    }
    this.#out.opened = { nodeId: this.#tools.nodeName, heartbeat }
    return null
  }

  #change(frame: ConsumeRequest): string | null {
    if (this.#leaving === null) {
      for (const stream of frame.add) {
        const fault = this.#add(stream)
        if (fault !== null) return fault
      }
      for (const key of frame.remove) {
        const reader = this.#readers.get(Buffer.from(key).toString('latin1'))
        if (reader !== undefined) this.#drop(reader)
      }
    }
    const { credit } = frame
    if (credit !== undefined) this.#credit.add(Number(credit.entries), Number(credit.bytes))
    const operations = operationsOf(frame)
    if (typeof operations === 'string') return operations
    for (const operation of operations) this.#operations.push(operation)
    return null
  }

  #add({ key, resumeToken, onlyNew }: ConsumeStream): string | null {
    const opened = this.#opened
    const name = Buffer.from(key).toString('latin1')
    const fault = keyFault(key)
    if (opened === null || fault !== null) return `add: ${fault}`
    if (this.#readers.has(name)) return 'add: the stream is consumed already'
    if (this.#readers.size >= STREAMS_MAX) return `add: over ${STREAMS_MAX} streams`
    const token = tokenOf(resumeToken)
    if (token === null) return 'add: the resume token is none of ours'
    const { desk } = this.#tools
    const from = { token, onlyNew }
    const reader = new StreamReader(this, desk, this.#options, opened.manner, key, from)
    this.#readers.set(name, reader)
    this.#idle.push(reader)
    return null
  }

  // What readers bring.

  brought(reader: StreamReader, found: ConsumedEntries, bytes: number): void {
    this.#credit.settle(reader.share, found.entries.length, bytes)
    reader.share = NO_SHARE
    this.#idle.push(reader)
    if (found.entries.length > 0) {
      this.#out.entries.push(found)
      this.#outBytes += bytes
      if (this.#outBytes >= FRAME_BYTES_SOFT_MAX) this.#send()
    }
    this.#gather()
  }

  failed(reader: StreamReader, reply: ErrorReply): void {
    this.#credit.settle(reader.share, 0, 0)
    reader.share = NO_SHARE
    this.#drop(reader)
    this.#out.ended.push({
      key: reader.key,
      reason: failureOf(this.#tools.desk, reply, IN_DOUBT_DELAY),
    })
    this.#gather()
  }

  closed(reason: string): void {
    this.finish(reason)
  }

  /** Forgets a reader; its session ends with the turn. */
  #drop(reader: StreamReader): void {
    if (!this.#readers.delete(reader.key.toString('latin1'))) return
    this.#credit.settle(reader.share, 0, 0)
    reader.share = NO_SHARE
    this.#idle = this.#idle.filter(other => other !== reader)
    this.#ending.push(reader)
    this.#gather()
  }

  // What becomes of acks, nacks and claims.

  answer(ticket: number, reply: Reply): void {
    const owed = this.#owed.get(ticket)
    this.#owed.delete(ticket)
    if (owed === undefined || this.#ended) return
    this.#out.settled.push({ tag: owed.tag, outcome: this.#outcomeOf(owed.kind, reply) })
    this.#gather()
  }

  resume(): void {
    this.#held = false
    this.#gather()
    this.#operate()
  }

  close(reason: string): void {
    this.finish(reason)
  }

  #outcomeOf(kind: Owed['kind'], reply: Reply): ConsumeSettled['outcome'] {
    if (reply.kind === 'error')
      return failureOf(this.#tools.desk, reply, kind === 'ack' ? IN_DOUBT_DELAY : undefined)
    const count = kind === 'claim' ? BigInt(read.items(reply).length) : read.count(reply)
    return { $case: 'count', value: count }
  }

  /** Hands operations to the desk, as far as it takes them. */
  #operate(): void {
    const { desk, words } = this.#tools
    const { manner } = this.#opened ?? {}
    if (manner === undefined) return
    let done = 0
    for (const operation of this.#operations) {
      if (this.#held || this.#ended) break
      done += 1
      this.#ticket += 1
      const ticket = this.#ticket
      this.#owed.set(ticket, { tag: operation.message.tag, kind: operation.kind })
      const fault = writeOperation(words, operation, manner)
      if (fault !== null) this.answer(ticket, { kind: 'error', text: `ERR ${fault}` })
      else if (!desk.execute(this.#session, words.argv, ticket, null)) this.#held = true
    }
    this.#operations.splice(0, done)
  }

  // What goes out.

  #gather(): void {
    if (this.#isGathered || this.#ended) return
    this.#isGathered = true
    this.#tools.gathered(this)
  }

  /** Sends what was gathered, and lets readers and operations go on. Not from within an answer. */
  flush(): void {
    this.#isGathered = false
    if (this.#ended) return
    const ending = this.#ending
    this.#ending = []
    for (const reader of ending) reader.end()
    this.#send()
    this.#operate()
    this.#ask()
    // What was answered at once need not wait for a turn.
    this.#send()
    this.#pace()
    this.#endIfDone()
  }

  #ask(): void {
    if (this.#leaving !== null || this.#full) return
    const { words } = this.#tools
    const waiting = this.#idle
    this.#idle = []
    for (const [i, reader] of waiting.entries()) {
      const share = reader.needsCredit ? this.#credit.take(this.#readers.size) : NO_SHARE
      if (share === null) {
        this.#idle = waiting.slice(i).concat(this.#idle)
        return
      }
      const rest = waiting.length - i - 1
      reader.ask(words, share, rest > this.#credit.entries ? ROTATE_MS : 0)
    }
  }

  #send(): void {
    const frame = this.#out
    const isEmpty =
      frame.entries.length + frame.settled.length + frame.ended.length === 0 &&
      frame.opened === undefined &&
      frame.goAway === undefined
    if (isEmpty) return
    this.#out = emptyFrame()
    this.#outBytes = 0
    this.#write(frame)
  }

  #write(frame: ConsumeResponse): void {
    this.#sent = true
    if (!this.#channel.write(frame)) this.#full = true
  }

  #beat(): void {
    if (!this.#sent && !this.#full) this.#write(emptyFrame())
    this.#sent = false
  }

  /** Reads on, or lets HTTP/2 hold the client back. */
  #pace(): void {
    if (this.#ended) return
    if (this.#held || this.#full) this.#channel.pause()
    else this.#channel.resume()
  }

  #endIfDone(): void {
    if (this.#leaving === null || this.#owed.size > 0 || this.#operations.length > 0) return
    this.#leave()
    this.#channel.end()
  }

  #leave(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    for (const reader of [...this.#readers.values(), ...this.#ending]) reader.end()
    this.#readers.clear()
    this.#tools.desk.disconnect(this.#session)
  }
}

function emptyFrame(): ConsumeResponse {
  return { opened: undefined, entries: [], settled: [], ended: [], goAway: undefined }
}
