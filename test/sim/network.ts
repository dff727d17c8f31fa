// The network between simulated nodes: implements the Network port over `Links`.
//
// An end of a connection learns of the other's fate as with TCP: a process that
// died on a living machine refuses the next connection ("down"), everything else
// is silence until the keepalive notices ("unreachable"). Envelopes go through
// the real codec, so that a node reads views of a received buffer and never
// shares an object with another.

import type { NodeId } from '../../src/base/types.ts'
import { decodeEnvelopeFrame, encodeEnvelopeFrame } from '../../src/doors/peer/codec.ts'
import { helloOf, type PeerIdentity, refusalOf } from '../../src/doors/peer/hello.ts'
import type { Envelope, Network, NetworkListener } from '../../src/replica/ports.ts'
import type { Process } from './host.ts'
import type { Links } from './links.ts'
import type { Prng } from './prng.ts'
import type { Scheduler, Us } from './scheduler.ts'

/** What one end believes of the other. */
type Belief = 'unknown' | 'up' | 'down' | 'unreachable'

class End {
  readonly process: Process
  readonly listener: NetworkListener
  readonly identity: PeerIdentity
  readonly beliefs = new Map<NodeId, Belief>()
  /** Rises when this end's connection to a peer is made anew. */
  readonly connection = new Map<NodeId, number>()
  /** Which life of a peer the connection leads to. */
  readonly lives = new Map<NodeId, End>()

  constructor(process: Process, listener: NetworkListener, identity: PeerIdentity) {
    this.process = process
    this.listener = listener
    this.identity = identity
  }
}

/** Sees every envelope as it is sent; may replace it, or drop it with null. */
export type Filter = (from: NodeId, to: NodeId, envelope: Envelope) => Envelope | null

export type NetworkKnobs = {
  /** Chance that what was under way on a broken connection still arrives, perhaps after a new one was made. */
  readonly ghosts: number
  /** Time to make a connection again, on average. */
  readonly reconnect: Us
  /** Time until a closed connection is noticed and a new one refused, on average. */
  readonly refusal: Us
}

export class SimNetwork {
  readonly #scheduler: Scheduler
  readonly #links: Links
  readonly #prng: Prng
  readonly #ends = new Map<NodeId, End>()
  /** Machines that answer no one, not even with a refusal. */
  readonly #dark = new Set<NodeId>()
  readonly #nodes: readonly NodeId[]
  readonly #checks = new Map<string, number>()
  knobs: NetworkKnobs = { ghosts: 0.5, reconnect: 20_000, refusal: 2_000 }
  filters: Filter[] = []
  /** Sees each envelope that really leaves, after the filters. */
  onSend: ((from: NodeId, to: NodeId, envelope: Envelope) => void) | null = null
  envelopesSent = 0

  constructor(scheduler: Scheduler, links: Links, prng: Prng, nodes: readonly NodeId[]) {
    this.#scheduler = scheduler
    this.#links = links
    this.#prng = prng
    this.#nodes = nodes
  }

  /** The Network port of a process that has just been started. */
  attach(process: Process, listener: NetworkListener, identity: PeerIdentity): Network {
    const end = new End(process, listener, identity)
    this.#dark.delete(process.node)
    this.#ends.set(process.node, end)
    this.#recheck(process.node)
    return { send: (to, envelope) => this.#send(end, to, envelope) }
  }

  /** The process is dead. `dark`: the machine with it, so that nobody is refused. */
  detach(node: NodeId, dark: boolean): void {
    this.#ends.delete(node)
    if (dark) this.#dark.add(node)
    this.#recheck(node)
  }

  /** Cuts both ways between the two sides. */
  partition(left: readonly NodeId[], right: readonly NodeId[]): void {
    for (const a of left) {
      for (const b of right) {
        this.#links.setCut(a, b, true)
        this.#links.setCut(b, a, true)
        this.#checkPair(a, b)
      }
    }
  }

  cutOneWay(from: NodeId, to: NodeId): void {
    this.#links.setCut(from, to, true)
    this.#checkPair(from, to)
  }

  /** Ends every cut between nodes, or only those among `core`. */
  heal(core: readonly NodeId[] = this.#nodes): void {
    for (const a of core) {
      for (const b of core) {
        if (a === b) continue
        this.#links.setCut(a, b, false)
        this.#links.clog(a, b, 0)
        this.#checkPair(a, b)
      }
    }
  }

  /** Delivers `envelope` to `to` as if `from` had sent it long ago. Tests of old duplicates. */
  inject(from: NodeId, to: NodeId, envelope: Envelope): void {
    const target = this.#ends.get(to)
    const bytes = Buffer.from(encodeEnvelopeFrame(envelope))
    target?.process.deliver(0, 'injected', () => {
      target.listener.receive(from, decodeEnvelopeFrame(bytes))
    })
  }

  #send(end: End, to: NodeId, envelope: Envelope): boolean {
    const from = end.process.node
    // An old process has no sockets any more.
    if (this.#ends.get(from) !== end || end.beliefs.get(to) !== 'up') return false
    if (this.#links.isFull(from, to)) return false
    let sent: Envelope | null = envelope
    for (const filter of this.filters) {
      sent = filter(from, to, sent)
      if (sent === null) return true
    }
    // The codec's buffer is the next call's, as grpc-js has copied it by then.
    const bytes = Buffer.from(encodeEnvelopeFrame(sent))
    this.onSend?.(from, to, sent)
    this.envelopesSent += 1
    this.#scheduler.note(bytes.length)
    const connection = end.connection.get(to) ?? 0
    const ghost = this.#prng.chance(this.knobs.ghosts)
    const receiver = this.#ends.get(to)
    // The connection leads to a process that is no more; nobody has noticed yet.
    if (end.lives.get(to) !== receiver) return true
    this.#links.carry(from, to, bytes.length, false, () => {
      const target = this.#ends.get(to)
      if (target === undefined) return
      const broken =
        this.#ends.get(from) !== end ||
        target !== receiver ||
        (end.connection.get(to) ?? 0) !== connection
      // A connection that broke loses what it carried, or the other end had it already.
      if (broken && (!ghost || target !== receiver)) return
      target.process.deliver(0, 'envelope', () => {
        target.listener.receive(from, decodeEnvelopeFrame(bytes))
      })
    })
    return true
  }

  #recheck(node: NodeId): void {
    for (const peer of this.#nodes) if (peer !== node) this.#checkPair(node, peer)
  }

  #checkPair(a: NodeId, b: NodeId): void {
    this.#checkLater(a, b)
    this.#checkLater(b, a)
  }

  #truth(a: NodeId, b: NodeId): Belief {
    if (this.#links.isCut(a, b) || this.#links.isCut(b, a) || this.#dark.has(b))
      return 'unreachable'
    const peer = this.#ends.get(b)
    if (peer === undefined) return 'down'
    const own = this.#ends.get(a)
    return own === undefined || this.#agree(own, peer) ? 'up' : 'unreachable'
  }

  /** The handshake, by both ends, as the real door has it. */
  #agree(one: End, other: End): boolean {
    const isPeer = (node: NodeId): boolean => this.#nodes.includes(node)
    return (
      refusalOf(one.identity, helloOf(other.identity), isPeer) === null &&
      refusalOf(other.identity, helloOf(one.identity), isPeer) === null
    )
  }

  /** `observer` will find out about `peer` after the time that takes. */
  #checkLater(observer: NodeId, peer: NodeId): void {
    const key = `${observer}>${peer}`
    const check = (this.#checks.get(key) ?? 0) + 1
    this.#checks.set(key, check)
    const truth = this.#truth(observer, peer)
    const mean = truth === 'up' ? this.knobs.reconnect : this.knobs.refusal
    const delay =
      truth === 'unreachable'
        ? this.#links.knobs.keepalive * (1 + this.#prng.float())
        : 100 + this.#prng.exponential(mean)
    const end = this.#ends.get(observer)
    if (end === undefined) return
    this.#scheduler.after(delay, 0, 'connection', () => {
      if (this.#checks.get(key) !== check || this.#ends.get(observer) !== end) return
      // The handshake happens now, with what both ends know now.
      const now = this.#truth(observer, peer)
      this.#believe(end, peer, now, this.#ends.get(peer))
      if (now !== truth) this.#checkLater(observer, peer)
    })
  }

  #believe(end: End, peer: NodeId, truth: Belief, peerEnd: End | undefined): void {
    const before = end.beliefs.get(peer) ?? 'unknown'
    // A process that died and came back before anyone looked has closed its connections all the same.
    const anew = truth === 'up' && before === 'up' && end.lives.get(peer) !== peerEnd
    if (before === truth && !anew) return
    end.connection.set(peer, (end.connection.get(peer) ?? 0) + 1)
    end.beliefs.set(peer, truth)
    if (truth === 'up' && peerEnd !== undefined) end.lives.set(peer, peerEnd)
    const { process, listener } = end
    process.deliver(0, `link-${truth}`, () => {
      if (anew) listener.unreachable(peer)
      if (truth === 'up') listener.up(peer)
      else if (truth === 'down') listener.down(peer)
      else listener.unreachable(peer)
    })
  }
}
