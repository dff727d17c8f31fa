// The door between nodes: a gRPC server for peers that want to hear, and a link for each peer.
//
// What arrives is handed to the turn as it comes; what the turn sends is dropped
// when the link is down or its buffer full, for Raft repeats what it needs and
// knows best what is stale by then.

import { Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js'
import { OperationalError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Counter, Metrics } from '../../base/metrics.ts'
import type { NodeId } from '../../base/types.ts'
import type { Hello } from '../../gen/slotcast/peer/v1/peer.ts'
import type { Envelope, Network, NetworkListener } from '../../replica/ports.ts'
import { FRAME_BYTES_MAX, type Frame, peerService } from './frames.ts'
import { helloOf, type PeerIdentity, refusalOf } from './hello.ts'
import { Link } from './link.ts'
import { Outlet } from './outlet.ts'

export type PeerAddress = { readonly host: string; readonly port: number }

export type PeerDoorOptions = {
  readonly listener: NetworkListener
  readonly identity: PeerIdentity
  readonly listen: PeerAddress
  /** The other nodes; this one may be among them. */
  readonly peers: readonly (PeerAddress & { readonly id: NodeId })[]
  /** Bytes that may wait for one peer. */
  readonly bufferBytesMax: number
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Chunks wait for their receiver's word, so few are ever under way. */
const BULK_BUFFER_BYTES_MAX = 16 * 1024 * 1024
/** How long a stopping node waits for its goodbyes to leave. */
const GOODBYE_MS = 200

type Call = ServerWritableStream<{ hello: Hello | undefined }, Frame>

export class PeerDoor implements Network {
  readonly #options: PeerDoorOptions
  readonly #links = new Map<NodeId, Link>()
  readonly #server: Server
  readonly #sentBytes: Counter
  readonly #dropped: Counter

  constructor(options: PeerDoorOptions) {
    this.#options = options
    const { metrics, identity, listener, logger } = options
    this.#sentBytes = metrics.counter(
      'peer_sent_bytes_total',
      'Bytes of envelopes handed to peer links.',
    )
    this.#dropped = metrics.counter(
      'peer_dropped_envelopes_total',
      'Envelopes dropped because a link was down or its buffer full.',
    )
    const received = metrics.counter(
      'peer_received_bytes_total',
      'Bytes of envelopes received from peers.',
    )
    for (const { id, host, port } of options.peers) {
      if (id === identity.id) continue
      const link = new Link({
        peer: id,
        address: { host, port },
        hello: helloOf(identity),
        listener,
        logger,
        refusal: hello => this.#refusal(hello),
        received: bytes => received.add(bytes),
      })
      this.#links.set(id, link)
    }
    metrics.gauge({
      name: 'peer_up',
      help: 'Whether the link to a peer works in both directions.',
      label: 'peer',
      read: () => new Map([...this.#links].map(([id, link]) => [`n${id}`, link.isUp ? 1 : 0])),
    })
    this.#server = this.#makeServer()
  }

  /** Listens, and begins to dial. @param done gets null, or why this node cannot listen there */
  open(done: (error: OperationalError | null) => void): void {
    const { host, port } = this.#options.listen
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    this.#server.bindAsync(address, ServerCredentials.createInsecure(), error => {
      if (error !== null) {
        const reason = /EADDRINUSE/.test(error.message) ? 'the port is in use' : error.message
        done(
          new OperationalError('PORT', `cannot listen for peers on ${address}: ${reason}`, error),
        )
        return
      }
      for (const link of this.#links.values()) link.start()
      done(null)
    })
  }

  send(to: NodeId, envelope: Envelope): boolean {
    const bytes = this.#links.get(to)?.send(envelope) ?? 0
    if (bytes === 0) this.#dropped.add()
    else this.#sentBytes.add(bytes)
    return bytes > 0
  }

  room(to: NodeId): number {
    return this.#links.get(to)?.room ?? 0
  }

  /** Says goodbye, so that others know at once, and closes. */
  close(done: () => void): void {
    for (const link of this.#links.values()) link.stop()
    let closed = false
    const finish = (): void => {
      if (closed) return
      closed = true
      clearTimeout(timer)
      this.#server.forceShutdown()
      done()
    }
    const timer = setTimeout(finish, GOODBYE_MS)
    this.#server.tryShutdown(finish)
  }

  #makeServer(): Server {
    const server = new Server({
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': FRAME_BYTES_MAX,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': 1000,
      'grpc.keepalive_timeout_ms': 2000,
    })
    server.addService(peerService, {
      receive: (call: Call) => {
        const link = this.#admit(call)
        if (link === null) return
        const outlet = this.#outlet(call, link, this.#options.bufferBytesMax)
        link.speak(outlet)
      },
      receiveBulk: (call: Call) => {
        const link = this.#admit(call)
        if (link === null) return
        link.speakBulk(this.#outlet(call, link, BULK_BUFFER_BYTES_MAX))
      },
    })
    return server
  }

  #outlet(call: Call, link: Link, bufferBytesMax: number): Outlet {
    const hello = helloOf(this.#options.identity)
    const outlet: Outlet = new Outlet(call, hello, bufferBytesMax, () => link.silence(outlet))
    return outlet
  }

  #admit(call: Call): Link | null {
    const hello = call.request.hello
    const reason = this.#refusal(hello)
    const link = hello === undefined ? undefined : this.#links.get(hello.node)
    if (reason === null && link !== undefined) return link
    const details = reason ?? 'unknown node'
    if (link !== undefined) link.refused(details)
    else this.#options.logger.warn({ from: call.getPeer(), reason: details }, 'stranger refused')
    call.emit('error', { code: status.FAILED_PRECONDITION, details })
    return null
  }

  #refusal(hello: Hello | undefined): string | null {
    return refusalOf(this.#options.identity, hello, node => this.#links.has(node))
  }
}
