// One CommandService.Session: frames of calls in, frames of answers out.
//
// Calls go to the desk as they are read; answers are written into the frame that
// is being gathered and leave with the end of the turn, one message a turn. Nothing
// here waits for anything: what the desk or the client cannot take is left
// unread in the request stream, which HTTP/2 flow control holds back at the client.

import { status as codes, type Metadata } from '@grpc/grpc-js'
import { SlotMoved } from '../../gen/slotcast/v1/topology.ts'
import { type ErrorReply, fail, type Reply } from '../../machine/reply.ts'
import type { Desk, DeskClient } from './desk.ts'
import type { ReplyWriter } from './reply-writer.ts'
import { FrameFault, SessionReader } from './session-reader.ts'
import { errorWord, retryDelay } from './status.ts'
import { slotMoved } from './topology.ts'
import { Frame, varintBytes } from './wire.ts'
import type { Words } from './words.ts'

// Tags (number << 3 | wire type) of SessionResponse, CallResult, Redirect, Error and Duration.
const FRAME_RESULTS = 0x0a
const FRAME_CONFIG_EPOCH = 0x10
const RESULT_TAG = 0x08
const RESULT_REPLY = 0x12
const RESULT_REDIRECT = 0x1a
const RESULT_ERROR = 0x22
const REDIRECT_TEXT = 0x0a
const REDIRECT_MOVED = 0x12
const ERROR_CODE = 0x0a
const ERROR_TEXT = 0x12
const ERROR_RETRY_DELAY = 0x1a
const DURATION_NANOS = 0x10

/** Tags and lengths around a reply: two tags, two lengths, the call's tag. */
const AROUND_BYTES = 32
/** A frame is sent before the end of the turn when it is this large: clients take 4 MiB by default. */
const FRAME_BYTES_SOFT_MAX = 1024 * 1024
/** Answers that wait for a client that does not read. Beyond, the stream is cut off. */
const UNSENT_BYTES_MAX = 256 * 1024 * 1024

/** The part of grpc-js' call that a session uses; messages are raw bytes both ways. */
export interface SessionCall {
  on(event: 'data', listener: (frame: Buffer) => void): unknown
  on(event: 'end' | 'drain' | 'cancelled' | 'error', listener: () => void): unknown
  /** False: full until `drain`. */
  write(frame: Buffer, written: () => void): boolean
  end(metadata?: Metadata): unknown
  /** Ends the call with the error's `code` and `details`. */
  emit(event: 'error', error: Error): unknown
  pause(): unknown
  resume(): unknown
}

/** What all sessions of a door share. The words and the writer hold nothing between two calls. */
export type SessionTools = {
  readonly desk: Desk
  readonly words: Words
  readonly writer: ReplyWriter
  /** The session has something to send at the end of the turn. */
  gathered(session: SessionStream): void
}

export class SessionStream implements DeskClient {
  readonly #call: SessionCall
  readonly #tools: SessionTools
  readonly #session: unknown
  readonly #reader: SessionReader
  readonly #frame: Frame
  /** Calls that are not answered yet. */
  #owed = 0
  /** The desk takes no more for now. */
  #held = false
  /** The client takes no more for now. */
  #full = false
  #unsent = 0
  /** The client has sent its last frame. */
  #halfClosed = false
  /** The door stops. */
  #finishing = false
  /** The desk has ended the session, or a frame was wrong. */
  #closing = false
  #ended = false

  constructor(call: SessionCall, tools: SessionTools, address: string, localAddress: string) {
    this.#call = call
    this.#tools = tools
    this.#reader = new SessionReader(tools.words)
    this.#frame = new Frame()
    this.#session = tools.desk.connect(this, {
      door: 'grpc',
      ordered: false,
      address,
      localAddress,
    })
    call.on('data', frame => this.#receive(frame))
    call.on('drain', () => this.#drained())
    call.on('end', () => {
      this.#halfClosed = true
      this.#endIfDone()
    })
    call.on('cancelled', () => this.#leave())
    call.on('error', () => this.#leave())
  }

  answer(tag: number, reply: Reply): void {
    if (this.#ended) return
    this.#owed -= 1
    this.#write(tag, reply)
  }

  resume(): void {
    this.#held = false
    this.#read()
  }

  close(): void {
    this.#closing = true
    // Called by the desk, which must not be called back from here.
    setImmediate(() => this.flush())
  }

  /** Ends the session when nothing is owed, for a door that stops. */
  finish(): void {
    this.#finishing = true
    this.flush()
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.#ended) return
    if (this.#frame.length > 0) this.#send()
    this.#endIfDone()
  }

  /** Ends the session with a status. */
  fail(code: codes, details: string): void {
    if (this.#ended) return
    this.#leave()
    this.#call.emit('error', Object.assign(new Error(details), { code, details }))
  }

  #receive(frame: Buffer): void {
    if (this.#ended || this.#closing) return
    this.#reader.begin(frame)
    this.#read()
  }

  /** Hands on the calls that were received, as far as the desk takes them. */
  #read(): void {
    const { desk, words } = this.#tools
    const reader = this.#reader
    try {
      while (!this.#held && !this.#ended && !this.#closing && reader.next()) {
        this.#owed += 1
        const fault = reader.fault ?? sessionFault(words)
        if (fault !== null) this.answer(reader.tag, fail(`ERR ${fault}`))
        else if (!desk.execute(this.#session, words.argv, reader.tag, reader.producer)) {
          this.#held = true
        }
      }
    } catch (fault) {
      if (!(fault instanceof FrameFault)) throw fault
      this.fail(codes.INVALID_ARGUMENT, `malformed SessionRequest: ${fault.message}`)
      return
    }
    // Answers that were given at once, such as redirects, need not wait for a turn.
    this.flush()
    this.#pace()
  }

  /** Reads on, or lets HTTP/2 hold the client back. */
  #pace(): void {
    if (this.#ended) return
    if (this.#held || this.#full) this.#call.pause()
    else this.#call.resume()
  }

  #drained(): void {
    this.#full = false
    this.#pace()
  }

  #write(tag: number, reply: Reply): void {
    const frame = this.#frame
    if (frame.length === 0) this.#tools.gathered(this)
    if (reply.kind === 'error') this.#writeError(tag, reply)
    else {
      const writer = this.#tools.writer
      const bytes = writer.measure(reply)
      this.#begin(tag, RESULT_REPLY, bytes)
      writer.write(frame, reply)
    }
    if (frame.length >= FRAME_BYTES_SOFT_MAX) this.#send()
  }

  /** Writes what stands before an outcome of `bytes` bytes, and makes room for it. */
  #begin(tag: number, outcome: number, bytes: number): void {
    const frame = this.#frame
    frame.reserve(bytes + AROUND_BYTES)
    frame.byte(FRAME_RESULTS)
    frame.varint(1 + varintBytes(tag) + 1 + varintBytes(bytes) + bytes)
    frame.byte(RESULT_TAG)
    frame.varint(tag)
    frame.byte(outcome)
    frame.varint(bytes)
  }

  #writeError(tag: number, reply: ErrorReply): void {
    const frame = this.#frame
    const textBytes = Buffer.byteLength(reply.text)
    const ofText = 1 + varintBytes(textBytes) + textBytes
    if (reply.redirect !== undefined) {
      const moved = SlotMoved.encode(slotMoved(this.#tools.desk, reply.redirect)).finish()
      this.#begin(tag, RESULT_REDIRECT, ofText + 1 + varintBytes(moved.length) + moved.length)
      frame.byte(REDIRECT_TEXT)
      frame.varint(textBytes)
      frame.utf8(reply.text, textBytes)
      frame.byte(REDIRECT_MOVED)
      frame.varint(moved.length)
      frame.raw(moved, 0, moved.length)
      return
    }
    const word = errorWord(reply.text)
    const wordBytes = Buffer.byteLength(word)
    const nanos = retryDelay(reply.text)?.nanos ?? 0
    const delayBytes = nanos === 0 ? 0 : 1 + varintBytes(nanos)
    const ofDelay = nanos === 0 ? 0 : 2 + delayBytes
    this.#begin(tag, RESULT_ERROR, 1 + varintBytes(wordBytes) + wordBytes + ofText + ofDelay)
    frame.byte(ERROR_CODE)
    frame.varint(wordBytes)
    frame.utf8(word, wordBytes)
    frame.byte(ERROR_TEXT)
    frame.varint(textBytes)
    frame.utf8(reply.text, textBytes)
    if (nanos === 0) return
    frame.byte(ERROR_RETRY_DELAY)
    frame.varint(delayBytes)
    frame.byte(DURATION_NANOS)
    frame.varint(nanos)
  }

  #send(): void {
    const frame = this.#frame
    frame.reserve(AROUND_BYTES)
    frame.byte(FRAME_CONFIG_EPOCH)
    frame.varint(this.#tools.desk.map().epoch)
    const bytes = frame.take()
    this.#unsent += bytes.length
    const room = this.#call.write(bytes, () => {
      this.#unsent -= bytes.length
    })
    if (!room) {
      this.#full = true
      this.#call.pause()
    }
    if (this.#unsent > UNSENT_BYTES_MAX) {
      // Answers come from within the desk, which must not be called back from there.
      setImmediate(() =>
        this.fail(codes.RESOURCE_EXHAUSTED, 'the client does not read its answers'),
      )
    }
  }

  #endIfDone(): void {
    if (this.#ended || this.#frame.length > 0) return
    // Calls of a frame are left unread only while the desk holds the session.
    const idle = this.#owed <= 0 && !this.#held
    const done = idle && (this.#halfClosed || this.#finishing)
    if (!done && !this.#closing) return
    this.#leave()
    this.#call.end()
  }

  #leave(): void {
    if (this.#ended) return
    this.#ended = true
    this.#tools.desk.disconnect(this.#session)
  }
}

const CLIENT = 'CLIENT'
const REPLY = 'REPLY'

/** Commands that have no meaning where every call is answered by its tag. */
export function sessionFault(words: Words): string | null {
  const { argv } = words
  if (argv.length(0) !== CLIENT.length || argv.count < 2) return null
  if (!argv.is(0, CLIENT) || !argv.is(1, REPLY)) return null
  return 'CLIENT REPLY is not for gRPC: every call is answered'
}
