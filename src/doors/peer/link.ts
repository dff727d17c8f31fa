// One peer as this node sees it: two directions, and one word for the turn on whether it works.
//
// A direction is a stream. This node hears by the stream it opened on the peer,
// and speaks by the one the peer opened here. The link is up when both stand.

import type { Logger } from '../../base/log.ts'
import type { NodeId } from '../../base/types.ts'
import type { Hello } from '../../gen/slotcast/peer/v1/peer.ts'
import type { Envelope, NetworkListener } from '../../replica/ports.ts'
import { Dialer, type DialerOptions } from './dialer.ts'
import type { Outlet } from './outlet.ts'

export type LinkOptions = {
  readonly peer: NodeId
  readonly address: DialerOptions['address']
  readonly hello: Hello
  readonly listener: NetworkListener
  readonly logger: Logger
  /** Why this node does not talk to who says hello, or null. */
  readonly refusal: (hello: Hello) => string | null
  readonly received: (bytes: number) => void
}

type Standing = 'unknown' | 'up' | 'unreachable' | 'down'

export class Link {
  readonly #options: LinkOptions
  readonly #dialer: Dialer
  readonly #bulkDialer: Dialer
  #outlet: Outlet | null = null
  #bulkOutlet: Outlet | null = null
  #hears = false
  #bulkStarted = false
  #standing: Standing = 'unknown'
  #lastRefusal = ''

  constructor(options: LinkOptions) {
    this.#options = options
    const { address, hello } = options
    const welcome = (said: Hello): string | null => {
      if (said.node !== options.peer)
        return `n${said.node} answers at the address of n${options.peer}`
      return options.refusal(said)
    }
    const refused = (reason: string): void => this.refused(reason)
    this.#dialer = new Dialer(
      { address, hello, method: 'receive' },
      {
        welcome: said => {
          const reason = welcome(said)
          if (reason === null) this.#heard()
          return reason
        },
        frame: (frame, bytes) => {
          if (frame.kind === 'envelope') this.#receive(frame.envelope, bytes)
          else if (frame.kind === 'goodbye') this.#gone('it said goodbye')
        },
        closed: reason => this.#deaf(reason),
        gone: () => this.#gone('its connection closed and a new one is refused'),
        refused,
      },
    )
    this.#bulkDialer = new Dialer(
      { address, hello, method: 'receiveBulk' },
      {
        welcome,
        frame: (frame, bytes) => {
          if (frame.kind === 'envelope') this.#receive(frame.envelope, bytes)
        },
        closed: () => undefined,
        gone: () => undefined,
        refused,
      },
    )
  }

  get isUp(): boolean {
    return this.#standing === 'up'
  }

  start(): void {
    this.#dialer.start()
  }

  /** The peer opened its stream; an older one of it is dead or about to be. */
  speak(outlet: Outlet): void {
    this.#outlet?.end()
    this.#outlet = outlet
    this.#lastRefusal = ''
    this.#dialer.hurry()
    this.#look()
  }

  speakBulk(outlet: Outlet): void {
    this.#bulkOutlet?.end()
    this.#bulkOutlet = outlet
  }

  /** The peer's stream ended. */
  silence(outlet: Outlet): void {
    if (this.#bulkOutlet === outlet) this.#bulkOutlet = null
    if (this.#outlet !== outlet) return
    this.#outlet = null
    this.#look()
  }

  /** @returns bytes taken; 0 when the envelope, or a part of it, is lost */
  send(envelope: Envelope): number {
    if (envelope.chunks.length === 0) return this.#outlet?.send(envelope) ?? 0
    const chunks = this.#bulkOutlet?.send({ ...envelope, ...NOTHING }) ?? 0
    const { messages, acks, leads, facts, pubsub } = envelope
    if (messages.length + acks.length + leads.length + facts.length + pubsub.length === 0)
      return chunks
    const rest = this.#outlet?.send({ ...envelope, chunks: [] }) ?? 0
    return chunks === 0 || rest === 0 ? 0 : chunks + rest
  }

  /** Bytes that are left for what may be lost. */
  get room(): number {
    return this.#outlet?.room ?? 0
  }

  /** Takes leave of the peer. */
  stop(): void {
    this.#dialer.stop()
    this.#bulkDialer.stop()
    this.#outlet?.goodbye()
    this.#endOutlets()
  }

  /** Told once for each new reason, since a refused peer comes back every second. */
  refused(reason: string): void {
    if (reason === this.#lastRefusal) return
    this.#lastRefusal = reason
    this.#options.logger.warn({ peer: this.#options.peer, reason }, 'peer refused')
  }

  #receive(envelope: Envelope, bytes: number): void {
    this.#options.received(bytes)
    this.#options.listener.receive(this.#options.peer, envelope)
  }

  #heard(): void {
    this.#hears = true
    this.#lastRefusal = ''
    if (!this.#bulkStarted) {
      this.#bulkStarted = true
      this.#bulkDialer.start()
    }
    this.#look()
  }

  #deaf(reason: string): void {
    this.#hears = false
    this.#options.logger.debug({ peer: this.#options.peer, reason }, 'peer stream closed')
    this.#look()
  }

  #gone(why: string): void {
    this.#hears = false
    // Should it live after all, it sees its streams end and opens new ones.
    this.#endOutlets()
    if (this.#standing === 'down') return
    const known = this.#standing !== 'unknown'
    this.#standing = 'down'
    const { peer, listener, logger } = this.#options
    if (known) logger.warn({ peer, why }, 'peer is gone')
    listener.down(peer)
  }

  #endOutlets(): void {
    this.#outlet?.end()
    this.#bulkOutlet?.end()
    this.#outlet = null
    this.#bulkOutlet = null
  }

  #look(): void {
    const { peer, listener, logger } = this.#options
    const works = this.#hears && this.#outlet !== null
    if (works && this.#standing !== 'up') {
      this.#standing = 'up'
      logger.info({ peer }, 'peer link is up')
      listener.up(peer)
    } else if (!works && this.#standing === 'up') {
      this.#standing = 'unreachable'
      logger.warn({ peer }, 'peer link broke')
      listener.unreachable(peer)
    }
  }
}

/** All of an envelope but its chunks. */
const NOTHING = {
  messages: [],
  acks: [],
  leads: [],
  facts: Buffer.alloc(0),
  pubsub: Buffer.alloc(0),
} as const
