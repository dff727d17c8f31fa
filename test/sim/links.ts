// The wires between simulated machines: which are cut, and how long a thing takes on one.
//
// A link is directed, so that a cut can be one-way. Everything on one link comes
// out in the order in which it went in, as on one TCP connection, unless a knob
// says otherwise. Machines are numbered; clients have numbers from CLIENTS_FROM on.

import type { NodeId } from '../../src/base/types.ts'
import type { Prng } from './prng.ts'
import type { Scheduler, Us } from './scheduler.ts'

export type LinkKnobs = {
  /** Time on the wire, in us: at least, and what is added on average. */
  readonly delayMin: Us
  readonly delayMean: Us
  /** Chance that one envelope vanishes although nothing is cut. */
  readonly loss: number
  /** Chance that one envelope takes `spike` longer, and all behind it too. */
  readonly spikeChance: number
  readonly spike: Us
  /** Chance that an envelope comes a second time, later. Breaks the port's contract on purpose. */
  readonly duplicate: number
  /** Chance that an envelope overtakes those before it. Breaks the port's contract on purpose. */
  readonly overtake: number
  /** Bytes a link may hold before `send` refuses. */
  readonly bufferBytesMax: number
  /** Until one end notices that the other is silent. */
  readonly keepalive: Us
}

export const CALM: LinkKnobs = {
  delayMin: 100,
  delayMean: 200,
  loss: 0,
  spikeChance: 0,
  spike: 0,
  duplicate: 0,
  overtake: 0,
  bufferBytesMax: 64 * 1024 * 1024,
  keepalive: 400_000,
}

class Link {
  cut = false
  /** While clogged everything waits, and then comes at once. */
  cloggedUntil: Us = 0
  lastArrival: Us = 0
  bytesInFlight = 0
}

export class Links {
  readonly #scheduler: Scheduler
  readonly #prng: Prng
  readonly #links = new Map<number, Link>()
  knobs: LinkKnobs = CALM

  constructor(scheduler: Scheduler, prng: Prng) {
    this.#scheduler = scheduler
    this.#prng = prng
  }

  #link(from: NodeId, to: NodeId): Link {
    const key = from * 1_000_000 + to
    let link = this.#links.get(key)
    if (link === undefined) {
      link = new Link()
      this.#links.set(key, link)
    }
    return link
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#link(from, to).cut
  }

  setCut(from: NodeId, to: NodeId, cut: boolean): void {
    this.#link(from, to).cut = cut
  }

  clog(from: NodeId, to: NodeId, until: Us): void {
    this.#link(from, to).cloggedUntil = until
  }

  /** Ends every cut and every clog. */
  heal(): void {
    for (const link of this.#links.values()) {
      link.cut = false
      link.cloggedUntil = 0
    }
  }

  isFull(from: NodeId, to: NodeId): boolean {
    return this.#link(from, to).bytesInFlight >= this.knobs.bufferBytesMax
  }

  /**
   * Sends `bytes` bytes on their way; `arrive` runs at the other end, if at all.
   *
   * @param faithful no loss, duplicates or overtaking beyond cuts: a client's connection
   */
  carry(from: NodeId, to: NodeId, bytes: number, faithful: boolean, arrive: () => void): void {
    const link = this.#link(from, to)
    const knobs = this.knobs
    const prng = this.#prng
    let delay = knobs.delayMin + prng.exponential(knobs.delayMean)
    if (prng.chance(knobs.spikeChance)) delay += prng.below(knobs.spike + 1)
    const lost = prng.chance(knobs.loss)
    const overtakes = prng.chance(knobs.overtake)
    const again = prng.chance(knobs.duplicate)
    if (link.cut || (lost && !faithful)) return
    const free = this.#scheduler.now + delay
    const inOrder = Math.max(free, link.lastArrival, link.cloggedUntil)
    const due = overtakes && !faithful ? free : inOrder
    link.lastArrival = Math.max(link.lastArrival, due)
    link.bytesInFlight += bytes
    this.#scheduler.at(due, 0, 'wire', () => {
      link.bytesInFlight -= bytes
      // What is under way when a cut begins is lost with it.
      if (!link.cut) arrive()
    })
    if (again && !faithful) {
      const later = due + prng.exponential(knobs.delayMean * 20)
      this.#scheduler.at(later, 0, 'wire-again', () => {
        if (!link.cut) arrive()
      })
    }
  }
}
