// One socket of the RESP door: bytes in, commands to the desk, replies out.
//
// Replies and messages gather in buffers and leave with one write a turn (`flush`).
// Reading stops while the session is paused, while too much waits to be written, or
// when the connection ends; a reader so slow that what it gets piles up to the bound
// of its class, or that takes nothing for long, is cut off.

import type { Socket } from 'node:net'
import type { Broker } from '../../broker/broker.ts'
import { OutputGauge, type OutputLimit } from '../../broker/output-limits.ts'
import type { Publication } from '../../broker/pubsub/publication.ts'
import type { Client, Session } from '../../broker/session.ts'
import { fail, type Reply } from '../../machine/reply.ts'
import { type CarryBudget, COMMAND, Decoder, FAULT, MORE } from './decoder.ts'
import { Encoder, SHARED_BYTES_MIN } from './encoder.ts'
import { encodePublication } from './publications.ts'

export type ConnectionLimits = {
  /** Replies that wait to be written; beyond, no more commands are read. */
  readonly outputPauseBytes: number
  /** Replies that wait to be written; beyond, the connection is cut. */
  readonly outputBytesMax: number
  /** Input that is kept for a paused session; beyond, the socket is not read. */
  readonly inputPauseBytes: number
  /** Input that is kept behind a command that waits; beyond, the connection is cut. */
  readonly inputWaitBytesMax: number
  /** How long one write may take before the connection is cut. */
  readonly writeStallMs: number
}

/** What a connection needs of its door. */
export interface Door {
  readonly broker: Broker
  readonly limits: ConnectionLimits
  /** As much may wait for any client, whatever its class. */
  readonly quietBytes: number
  readonly budget: CarryBudget
  /** Replies that wait to be written, of all connections. */
  readonly outputs: CarryBudget
  /** `connection` has replies to write at the end of the turn. */
  dirty(connection: Connection): void
  closed(connection: Connection, reason: string): void
  /** `connection` is cut because too much waits for its client. */
  slow(connection: Connection, reason: string): void
}

/** What the first reply may take as far as one knows: a new client's pipeline begins slowly. */
const FIRST_REPLY_BYTES = 256 * 1024
/** How long a connection that we ended may stay half open. */
const LINGER_MS = 1_000

const now = (): number => performance.now()

const tooMuchPending = fail('ERR Protocol error: too much input is pending, try again later')

export class Connection implements Client {
  readonly #socket: Socket
  readonly #door: Door
  readonly #session: Session
  readonly #decoder: Decoder
  /** Replies gather in one and are written from the other. */
  #output = new Encoder()
  #spare = new Encoder()
  /** Bytes that the socket was given and has not taken. */
  #writingBytes = 0
  readonly #gauge = new OutputGauge()
  /** Messages that come behind the answer that is given now. */
  #held: Encoder | null = null
  readonly #onWritten: () => void
  #ticket = 0
  /** After the answer to this ticket the connection ends; -1: it goes on. */
  #lastTicket = -1
  /** Of what waits, bytes of replies that count among those of all clients. */
  #counted = 0
  #isDirty = false
  #writing = false
  #writingSince = 0
  /** The session takes no commands. */
  #paused = false
  /** Commands wait because too much waits to be written. */
  #choked = false
  /** The client closed its side: it still gets what it asked for. */
  #inputEnded = false
  /** No more commands are read; when all is written, the socket ends. */
  #ending = false
  /** The socket was ended from our side; then it is destroyed. */
  #lingering: NodeJS.Timeout | null = null
  #closed = false
  #reason = 'the client closed the connection'

  constructor(socket: Socket, door: Door) {
    this.#socket = socket
    this.#door = door
    this.#decoder = new Decoder(door.budget)
    this.#onWritten = () => this.#written()
    this.#session = door.broker.connect(this, {
      door: 'resp',
      ordered: true,
      address: `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`,
      localAddress: `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`,
    })
    this.#session.replyBytes = FIRST_REPLY_BYTES
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#onData(chunk))
    socket.on('end', () => this.#onEnd())
    socket.on('error', error => {
      this.#reason = error.message
    })
    socket.on('close', () => this.#onClose())
  }

  /** Of the client: `host:port`. */
  get address(): string {
    return this.#session.options.address
  }

  answer(ticket: number, reply: Reply): void {
    if (this.#closed) return
    if (!this.#mayGather()) return
    const before = this.#output.length
    this.#output.encode(reply, this.#session.protocol)
    if (!this.#account(this.#output.length - before)) return
    if (ticket === this.#lastTicket) this.#ending = true
    this.#touch()
  }

  unheard(): void {
    if (this.#inputEnded) this.#touch()
  }

  deliver(publication: Publication): void {
    if (this.#closed || this.#ending || !this.#mayGather()) return
    encodePublication(publication)
    const { resp, respBytes } = publication
    const { protocol } = this.#session
    if (this.#held !== null) {
      this.#held.message(resp, respBytes, protocol)
      return
    }
    if (respBytes < SHARED_BYTES_MIN) this.#output.message(resp, respBytes, protocol)
    else this.#output.sharedMessage(resp, respBytes, protocol)
    this.#touch()
  }

  push(reply: Reply): void {
    if (this.#closed || this.#ending || !this.#mayGather()) return
    const target = this.#held ?? this.#output
    target.encode(reply, this.#session.protocol)
    this.#touch()
  }

  hold(): void {
    this.#held = new Encoder()
  }

  release(): void {
    if (this.#held === null) return
    this.#output.append(this.#held)
    this.#held = null
    this.#touch()
  }

  resume(): void {
    this.#paused = false
    if (this.#closed) return
    this.#drain()
    // There may be nothing left to do, and nothing to write that would tell.
    if (this.#inputEnded) this.#touch()
  }

  close(reason: string): void {
    this.#reason = reason
    this.#ending = true
    this.#touch()
  }

  buffers(): { readonly input: number; readonly output: number } {
    return { input: this.#decoder.pending, output: this.#waitingBytes }
  }

  /** Ends the connection at once; what waits to be written is lost. */
  cut(reason: string): void {
    if (this.#closed) return
    this.#reason = reason
    this.#socket.destroy()
    this.#onClose()
  }

  /** Writes what gathered. Called once a turn. */
  flush(): void {
    this.#isDirty = false
    if (this.#closed || this.#writing) return
    if (this.#inputEnded && this.#isDone()) this.#ending = true
    const full = this.#output
    if (full.length === 0) {
      if (this.#ending) this.#leave()
      return
    }
    this.#output = this.#spare
    this.#spare = full
    this.#writing = true
    this.#writingBytes = full.length
    this.#session.bytesOut += this.#writingBytes
    if (full.parts.length === 0) {
      this.#socket.write(full.last(), this.#onWritten)
      return
    }
    this.#socket.cork()
    for (const bytes of full.parts) this.#socket.write(bytes)
    // Also when it is empty: what it says is that all before it is written.
    this.#socket.write(full.last(), this.#onWritten)
    this.#socket.uncork()
  }

  /** Bytes that wait to be written, and those that the socket has not taken yet. */
  get #waitingBytes(): number {
    return this.#output.length + this.#writingBytes
  }

  /** Whether more may wait for this client. If not, it is cut. */
  #mayGather(): boolean {
    const bytes = this.#waitingBytes
    if (bytes <= this.#door.quietBytes) {
      this.#gauge.clear()
      return true
    }
    const { normal, pubsub } = this.#door.broker.settings.outputLimits
    const { subscribed } = this.#session
    const reason = this.#excess(subscribed ? pubsub : normal, bytes)
    if (reason === null) return true
    const what = subscribed ? 'messages' : 'replies'
    this.#door.slow(this, `${what} piled up: ${bytes} bytes wait, ${reason}`)
    return false
  }

  /** Why `bytes` are too many to wait, or null. */
  #excess(limit: OutputLimit, bytes: number): string | null {
    const { outputBytesMax } = this.#door.limits
    if (bytes > outputBytesMax) return `more than any client may have (${outputBytesMax})`
    return this.#gauge.excess(limit, bytes, now)
  }

  /** Cuts a reader that lets a write or too many bytes wait for too long; called now and then. */
  checkStall(now: number): void {
    if (!this.#mayGather()) return
    if (!this.#writing) this.#writingSince = 0
    else if (this.#writingSince === 0) this.#writingSince = now
    else if (now - this.#writingSince > this.#door.limits.writeStallMs)
      this.cut('a write took too long: the client does not read')
  }

  #touch(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.#door.dirty(this)
  }

  #written(): void {
    this.#writing = false
    this.#writingBytes = 0
    this.#writingSince = 0
    this.#spare.clear()
    if (this.#closed) return
    this.#giveBack(this.#counted - this.#waitingBytes)
    if (this.#output.length > 0 || this.#ending || this.#inputEnded) this.flush()
    if (this.#choked && this.#output.length < this.#door.limits.outputPauseBytes) {
      this.#choked = false
      if (!this.#paused) this.#drain()
    }
  }

  #onData(chunk: Buffer): void {
    if (this.#ending || this.#closed || this.#lastTicket >= 0) return
    this.#session.bytesIn += chunk.length
    if (!this.#decoder.feed(chunk)) {
      this.#refuse(tooMuchPending)
      return
    }
    if (!this.#paused && !this.#choked) this.#drain()
    else if (this.#decoder.pending > this.#door.limits.inputPauseBytes) this.#holdBack()
  }

  /**
   * More came than is kept for a paused session. Who waits is read on all the same, perhaps for hours:
   * a socket that is not read does not tell that its client is gone, and what comes would be given to nobody.
   */
  #holdBack(): void {
    if (this.#session.waits.size === 0) this.#socket.pause()
    else if (this.#decoder.pending > this.#door.limits.inputWaitBytesMax)
      this.cut('too much input came behind a command that waits')
  }

  /** Hands commands to the desk until there are none, or no more may go. */
  #drain(): void {
    const { broker, limits } = this.#door
    const decoder = this.#decoder
    while (!this.#ending && this.#lastTicket < 0 && !this.#closed) {
      if (this.#output.length > limits.outputPauseBytes) {
        this.#choked = true
        this.#touch()
        return
      }
      const found = decoder.next()
      if (found === COMMAND) {
        const ticket = this.#ticket
        this.#ticket += 1
        if (broker.execute(this.#session, decoder.argv, ticket, null)) continue
        this.#paused = true
        if (this.#session.waits.size > 0 && this.#socket.isPaused()) this.#socket.resume()
        return
      }
      if (found === MORE) {
        if (this.#socket.isPaused()) this.#socket.resume()
        return
      }
      if (found === FAULT) this.#refuse(fail(`ERR ${decoder.fault}`))
      else this.cut('possible cross-protocol attack')
    }
  }

  /** The last answer of this connection, behind those that are owed. */
  #refuse(reply: Reply): void {
    this.#lastTicket = this.#ticket
    this.#ticket += 1
    this.#reason = 'protocol error'
    this.#door.broker.refuse(this.#session, this.#lastTicket, reply)
  }

  #onEnd(): void {
    this.#inputEnded = true
    this.#touch()
  }

  /** Whether nothing is left to answer; who closed its side waits for nothing. */
  #isDone(): boolean {
    const { waits, owedCount } = this.#session
    return waits.size > 0 || (owedCount === 0 && !this.#paused && !this.#choked)
  }

  /** Everything is written: says goodbye, and does not wait for ever for the other side to. */
  #leave(): void {
    if (this.#lingering !== null) return
    this.#door.broker.disconnect(this.#session)
    this.#socket.end()
    // Not the socket's own timeout: a client that goes on sending is never idle.
    this.#lingering = setTimeout(() => this.#socket.destroy(), LINGER_MS)
  }

  /** Counts a reply among those of all clients. @returns false: they are too many, and this client is cut */
  #account(bytes: number): boolean {
    const { limits, outputs } = this.#door
    const session = this.#session
    session.replyBytes = Math.max(bytes, session.replyBytes - (session.replyBytes >>> 3))
    if (outputs.take(bytes)) {
      this.#counted += bytes
      return true
    }
    // Who has little waiting is not to suffer for those who have much.
    if (this.#waitingBytes - bytes <= limits.outputPauseBytes) return true
    this.cut('replies of all clients piled up, of this one many: it reads too slowly')
    return false
  }

  /** Of the bytes that were counted so many wait no more. */
  #giveBack(bytes: number): void {
    if (bytes <= 0) return
    this.#counted -= bytes
    this.#door.outputs.take(-bytes)
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#lingering !== null) clearTimeout(this.#lingering)
    this.#giveBack(this.#counted)
    this.#decoder.close()
    this.#door.broker.disconnect(this.#session)
    this.#door.closed(this, this.#reason)
  }
}
