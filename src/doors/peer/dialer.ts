// The receiving end of a link: keeps one stream open to a peer, and learns soon when the peer died.
//
// Each attempt begins with a plain TCP connection, for its error is exact and
// comes at once, while a gRPC channel waits out its own backoff. A refused
// connection means that no process listens there: the peer is gone.
//
// A container that was killed refuses nothing, its address just falls silent. So
// when the connection was closed from the other side (it was heard a moment ago)
// and a new one does not stand within a short while, the peer counts as gone too.
// A wrong guess is cheap: whoever campaigns needs a majority that does not hear
// the leader either (pre-vote).

import { connect, type Socket } from 'node:net'
import { Client, type ClientReadableStream, credentials, type StatusObject } from '@grpc/grpc-js'
import type { Hello } from '../../gen/slotcast/peer/v1/peer.ts'
import { decodeFrame, FRAME_BYTES_MAX, type Frame, peerService } from './frames.ts'

export type DialerEvents = {
  /** The peer let this node in. @returns why this node does not want the peer, or null */
  welcome(hello: Hello): string | null
  frame(frame: Frame, bytes: number): void
  /** The stream that was welcomed ended. */
  closed(reason: string): void
  /** Nobody listens at the peer's address. */
  gone(): void
  /** An attempt was turned down by the peer, or by `welcome`. */
  refused(reason: string): void
}

export type DialerOptions = {
  readonly address: { readonly host: string; readonly port: number }
  readonly method: 'receive' | 'receiveBulk'
  readonly hello: Hello
}

const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 1000
/** From the connection to the peer's welcome. A stopped process accepts, and says nothing. */
const WELCOME_MS = 2000
const PROBE_MS = 1000
/** After a close from the other side, the time that a living peer needs for a new connection. */
const SILENCE_MS = 150
/** Heard within this time before the close: it came from the other side, not from our keepalive. */
const HEARD_MS = 1000

/** FAILED_PRECONDITION: the handshake was turned down, and will be again. */
const STATUS_REFUSED = 9

const CHANNEL_OPTIONS = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_time_ms': 1000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc.max_receive_message_length': FRAME_BYTES_MAX,
  // 64 KiB, the default, makes 200 MB/s on loopback and 60 MB/s at a round trip of a millisecond.
  'grpc-node.flow_control_window': 16 * 1024 * 1024,
} as const

export class Dialer {
  readonly #options: DialerOptions
  readonly #events: DialerEvents
  #client: Client | null = null
  #call: ClientReadableStream<Buffer> | null = null
  #probe: Socket | null = null
  #timer: NodeJS.Timeout | null = null
  #backoffMs = 0
  #welcomed = false
  #heardAt = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(options: DialerOptions, events: DialerEvents) {
    this.#options = options
    this.#events = events
  }

  start(): void {
    this.#later(0, () => this.#attempt())
  }

  /** The peer was just heard of: if an attempt waits for its time, that is now. */
  hurry(): void {
    if (this.#stopped || this.#call !== null || this.#probe !== null) return
    this.#backoffMs = 0
    this.start()
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  /** Ends what is open, and begins again. */
  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#probe?.destroy()
    this.#probe = null
    this.#call?.cancel()
    this.#call = null
    this.#client?.close()
    this.#client = null
  }

  #later(delayMs: number, callback: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      callback()
    }, delayMs)
    this.#timer.unref()
  }

  #attempt(): void {
    if (this.#stopped) return
    const closedByPeer = performance.now() - this.#heardAt < HEARD_MS
    const { host, port } = this.#options.address
    const probe = connect({ host, port, noDelay: true })
    this.#probe = probe
    const silence = setTimeout(() => {
      if (closedByPeer) this.#events.gone()
    }, SILENCE_MS)
    const giveUp = setTimeout(() => probe.destroy(new Error('no answer')), PROBE_MS)
    const done = (): void => {
      clearTimeout(silence)
      clearTimeout(giveUp)
      probe.removeAllListeners()
      probe.on('error', () => undefined)
      probe.destroy()
      if (this.#probe === probe) this.#probe = null
    }
    probe.once('connect', () => {
      const target = targetOf(probe)
      done()
      if (!this.#stopped) this.#dial(target)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      done()
      if (this.#stopped) return
      if (error.code === 'ECONNREFUSED' || closedByPeer) this.#events.gone()
      this.#retry()
    })
  }

  #dial(target: string): void {
    const { method, hello } = this.#options
    const { path, requestSerialize, responseDeserialize } = peerService[method]
    const client = new Client(target, credentials.createInsecure(), CHANNEL_OPTIONS)
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { hello },
      {},
    )
    this.#client = client
    this.#call = call
    this.#welcomed = false
    this.#later(WELCOME_MS, () => call.cancel())
    call.on('data', (bytes: Buffer) => {
      if (this.#call === call) this.#receive(bytes)
    })
    // The status says it all; without a listener the error would be thrown.
    call.on('error', () => undefined)
    call.on('status', (status: StatusObject) => {
      if (this.#call === call) this.#ended(status)
    })
  }

  #receive(bytes: Buffer): void {
    this.#heardAt = performance.now()
    let frame: Frame
    try {
      frame = decodeFrame(bytes)
    } catch (error) {
      this.#refuse(`unreadable frame: ${(error as Error).message}`)
      return
    }
    if (frame.kind !== 'welcome') {
      if (this.#welcomed) this.#events.frame(frame, bytes.length)
      return
    }
    const reason = this.#events.welcome(frame.hello)
    if (reason !== null) {
      this.#refuse(reason)
      return
    }
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#welcomed = true
    this.#backoffMs = 0
  }

  /** This side does not want what the peer sends. */
  #refuse(reason: string): void {
    const welcomed = this.#welcomed
    this.#cancel()
    if (welcomed) this.#events.closed(reason)
    this.#events.refused(reason)
    this.#backoffMs = BACKOFF_MAX_MS
    this.#retry()
  }

  #ended(status: StatusObject): void {
    const welcomed = this.#welcomed
    this.#cancel()
    if (welcomed) {
      this.#events.closed(status.details)
    } else if (status.code === STATUS_REFUSED) {
      this.#events.refused(status.details)
      this.#backoffMs = BACKOFF_MAX_MS
    }
    if (this.#stopped) return
    this.#retry()
  }

  /** At once after a link that worked, then slower and slower. */
  #retry(): void {
    const delayMs = this.#backoffMs
    this.#backoffMs = Math.min(Math.max(delayMs * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS)
    this.#later(delayMs, () => this.#attempt())
  }
}

/** What the probe reached, so that the channel need not resolve the name again. */
function targetOf(probe: Socket): string {
  const host = probe.remoteAddress ?? ''
  return probe.remoteFamily === 'IPv6'
    ? `ipv6:[${host}]:${probe.remotePort}`
    : `ipv4:${host}:${probe.remotePort}`
}
