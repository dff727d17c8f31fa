// A client's connection to a simulated node, with a door of its own in between.
//
// The client's end counts as a machine of its own: its link to the node can be
// slow or cut. What was sent on a connection that broke may have been done.

import { Argv } from '../../src/base/argv.ts'
import type { NodeId } from '../../src/base/types.ts'
import type { Broker } from '../../src/broker/broker.ts'
import type { Producer } from '../../src/broker/ports.ts'
import type { Session } from '../../src/broker/session.ts'
import type { Process } from './host.ts'
import type { Links } from './links.ts'
import { type Plain, plainOf, Refused } from './plain.ts'
import type { Scheduler } from './scheduler.ts'

/** A node as clients reach it. */
export type Front = { readonly process: Process; readonly broker: Broker }

/** Bytes only where a word is no text. */
export type Words = readonly (string | Buffer)[]

export interface ConnectionListener {
  reply(ticket: number, reply: Plain): void
  /** Nothing comes on this connection any more. */
  closed(): void
}

type Waiting = {
  readonly words: Words
  readonly ticket: number
  readonly producer: Producer | null
}

export class Connection {
  readonly node: NodeId
  readonly #scheduler: Scheduler
  readonly #links: Links
  readonly #client: number
  readonly #front: Front
  readonly #listener: ConnectionListener
  #session: Session | null = null
  /** What the door has read but may not hand on yet. */
  readonly #waiting: Waiting[] = []
  /** What was refused first between a MULTI and its EXEC, by the ticket of the EXEC. */
  readonly #refusals = new Map<number, Refused>()
  #paused = false
  #open = true

  constructor(
    scheduler: Scheduler,
    links: Links,
    client: number,
    front: Front,
    listener: ConnectionListener,
  ) {
    this.#scheduler = scheduler
    this.#links = links
    this.#client = client
    this.#front = front
    this.#listener = listener
    this.node = front.process.node
    this.#toNode(64, () => {
      const address = `10.0.1.${client % 250}:${client}`
      const options = { door: 'resp' as const, ordered: true, address, localAddress: '10.0.0.1:1' }
      this.#session = front.broker.connect(
        {
          answer: (ticket, reply) => this.#take(ticket, plainOf(reply)),
          resume: () => this.#resume(),
          close: () => this.hangUp(),
        },
        options,
      )
    })
  }

  get open(): boolean {
    return this.#open
  }

  send(words: Words, ticket: number, producer: Producer | null): void {
    if (!this.#open) return
    const bytes = words.reduce((sum, word) => sum + word.length + 10, 0)
    this.#toNode(bytes, () => {
      this.#waiting.push({ words, ticket, producer })
      this.#resumeWaiting()
    })
  }

  /** Sends a whole transaction at once; it is answered by its EXEC, or by why that cannot be. */
  sendTransaction(commands: readonly Words[], ticket: number, producer: Producer | null): void {
    if (!this.#open) return
    const queued = [['MULTI'], ...commands].map(words => ({
      words,
      ticket: -ticket,
      producer: null,
    }))
    const bytes = commands.flat().reduce((sum, word) => sum + word.length + 10, 50)
    this.#toNode(bytes, () => {
      this.#waiting.push(...queued, { words: ['EXEC'], ticket, producer })
      this.#resumeWaiting()
    })
  }

  /** The client goes away; what it asked for may still happen. */
  hangUp(): void {
    if (!this.#open) return
    this.#open = false
    this.#toNode(1, () => {
      if (this.#session !== null) this.#front.broker.disconnect(this.#session)
    })
  }

  /** The node's process died. The client hears of it if the link works. */
  broken(): void {
    if (!this.#open) return
    this.#links.carry(this.node, this.#client, 1, true, () => this.#closed())
  }

  #closed(): void {
    if (!this.#open) return
    this.#open = false
    this.#listener.closed()
  }

  #toNode(bytes: number, arrive: () => void): void {
    this.#links.carry(this.#client, this.node, bytes, true, () =>
      this.#front.process.deliver(0, 'client', arrive),
    )
  }

  #take(ticket: number, reply: Plain): void {
    if (ticket < 0) {
      if (reply instanceof Refused && !this.#refusals.has(-ticket))
        this.#refusals.set(-ticket, reply)
      return
    }
    const refusal = this.#refusals.get(ticket)
    this.#refusals.delete(ticket)
    this.#answer(ticket, refusal ?? reply)
  }

  #answer(ticket: number, reply: Plain): void {
    this.#links.carry(this.node, this.#client, 100, true, () => {
      if (this.#open) this.#listener.reply(ticket, reply)
    })
  }

  #resume(): void {
    this.#paused = false
    this.#resumeWaiting()
  }

  #resumeWaiting(): void {
    const session = this.#session
    while (!this.#paused && session !== null && !session.closed) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#scheduler.noteText(String(next.words[0]))
      const more = this.#front.broker.execute(
        session,
        Argv.of(...next.words),
        next.ticket,
        next.producer,
      )
      if (!more) this.#paused = true
    }
  }
}
