// A simulated client: sends operations, follows redirects, tries again where that is safe,
// and says of each operation how it ended.
//
// The three outcomes are the point (history.ts). An error that promises "not
// done" is tried again until the patience ends; an answer that never came makes
// the outcome `info`, unless the operation reads only or carries a producer
// session, in which case it is sent again. Clients live outside the cluster:
// their time is the world's, and they never crash by themselves.

import { slotOf } from '../../src/base/slot.ts'
import type { NodeId } from '../../src/base/types.ts'
import type { Producer } from '../../src/broker/ports.ts'
import type { Outcome } from '../checkers/history.ts'
import { Connection, type Front, type Words } from './connection.ts'
import type { Links } from './links.ts'
import { formatPlain, type Plain, Refused } from './plain.ts'
import type { Prng } from './prng.ts'
import type { Scheduler, Us } from './scheduler.ts'

/** Clients' machines are numbered from here. */
export const CLIENTS_FROM = 1_000

/** What a client needs of the cluster. */
export interface World {
  readonly scheduler: Scheduler
  readonly links: Links
  readonly nodes: readonly NodeId[]
  /** Null: nobody listens there. */
  front(node: NodeId): Front | null
  /** An answer that no client should ever see. */
  unexpected(words: Words, reply: Plain): void
}

export type Task = {
  readonly words: Words
  readonly key: string
  readonly producer: Producer | null
  /** Whether it may be sent again although it may have been done: it reads only, or twice is fine. */
  readonly repeatable: boolean
  /** How long the server may hold the answer back, in ms; 0 does not block. */
  readonly block: number
  /** Error words that are a legal answer, or any. */
  readonly expects?: readonly string[] | 'any'
  /** The commands between MULTI and the EXEC that `words` says. */
  readonly transaction?: readonly Words[]
  /** Sent here or not at all: what the connection watches counts. */
  readonly pinned?: Connection | null
}

export type Ending = {
  readonly outcome: Outcome
  readonly t0: number
  readonly t1: number
  readonly reply: Plain
  /** How often it may have taken effect. */
  readonly attempts: number
  /** Where it was answered. */
  readonly connection: Connection | null
}

/** Errors that promise that nothing was done. */
const NOT_DONE = new Set([
  'CLUSTERDOWN',
  'EXECABORT',
  'LOADING',
  'MISCONF',
  'OOM',
  'TRYAGAIN',
  'UNBLOCKED',
])
/** An impatient client goes elsewhere while the leader it spoke to still believes in itself. */
const ANSWER_WITHIN: readonly [Us, Us] = [200_000, 3_000_000]
const RETRY_MEAN: Us = 60_000

type Flight = {
  readonly task: Task
  readonly begun: Us
  readonly done: (ending: Ending) => void
  /** The attempt that is under way; answers to older ones are ignored. */
  ticket: number
  connection: Connection | null
  sent: boolean
  unknown: number
  /** Nodes that were asked by chance: the next is another, since some may know nothing for long. */
  readonly tried: Set<NodeId>
}

export class Client {
  readonly id: number
  readonly #world: World
  readonly #prng: Prng
  readonly #leaders = new Map<number, NodeId>()
  readonly #connections = new Map<NodeId, Connection>()
  readonly #flights = new Map<number, Flight>()
  readonly #answerWithin: Us
  #ticket = 0
  /** How long an operation is tried before it is given up. Infinity: until it is answered. */
  patience: Us = 8_000_000

  constructor(world: World, prng: Prng, id: number) {
    this.#world = world
    this.#prng = prng
    this.id = id
    this.#answerWithin = prng.logBetween(...ANSWER_WITHIN)
  }

  /** Operations without an outcome. */
  get open(): number {
    return this.#flights.size
  }

  /** What waits for an answer, for people. */
  describeOpen(): string {
    const lines = [...this.#flights.values()].map(({ task, begun, sent, connection }) => {
      const where = sent ? `at n${connection?.node}` : 'not sent'
      return `${this.id} ${task.words.join(' ')} since ${begun / 1000}, ${where}`
    })
    return lines.join('; ')
  }

  begin(task: Task, done: (ending: Ending) => void): void {
    const begun = this.#world.scheduler.now
    const tried = new Set<NodeId>()
    const flight = {
      task,
      begun,
      done,
      ticket: 0,
      connection: null,
      sent: false,
      unknown: 0,
      tried,
    }
    this.#attempt(flight)
  }

  /** Asks `node` first for `key`. */
  prefer(key: string, node: NodeId): void {
    this.#leaders.set(slotOf(Buffer.from(key, 'latin1')), node)
  }

  /** The client's process dies: its operations have no outcome. */
  die(): void {
    for (const connection of this.#connections.values()) connection.hangUp()
    this.#connections.clear()
    for (const flight of [...this.#flights.values()]) {
      if (flight.sent) flight.unknown += 1
      this.#end(flight, flight.unknown > 0 ? 'info' : 'fail', null)
    }
  }

  /** A node's process died. */
  lost(node: NodeId): void {
    this.#connections.get(node)?.broken()
  }

  #attempt(flight: Flight): void {
    if (flight.ticket !== 0) this.#flights.delete(flight.ticket)
    this.#ticket += 1
    const ticket = this.#ticket
    flight.ticket = ticket
    flight.sent = false
    this.#flights.set(ticket, flight)
    const { task } = flight
    const connection = task.pinned ?? this.#connect(this.#target(task.key, flight.tried))
    if (connection === null || !connection.open) {
      this.#later(flight)
      return
    }
    flight.connection = connection
    flight.sent = true
    if (task.transaction === undefined) connection.send(task.words, ticket, task.producer)
    else connection.sendTransaction(task.transaction, ticket, task.producer)
    const limit = this.#answerWithin + task.block * 1000
    this.#world.scheduler.after(limit, this.id, 'client-timeout', () => {
      if (this.#flights.get(ticket) !== flight || !flight.sent) return
      // Whatever it was stuck on, the next attempt takes another connection.
      this.#drop(connection)
    })
  }

  #target(key: string, tried: Set<NodeId>): NodeId {
    const slot = slotOf(Buffer.from(key, 'latin1'))
    const leader = this.#leaders.get(slot)
    if (leader !== undefined) return leader
    const { nodes } = this.#world
    if (tried.size >= nodes.length) tried.clear()
    const node = this.#prng.pick(nodes.filter(each => !tried.has(each)))
    tried.add(node)
    return node
  }

  #connect(node: NodeId): Connection | null {
    const known = this.#connections.get(node)
    if (known?.open) return known
    const front = this.#world.front(node)
    if (front === null) {
      this.#forget(node)
      return null
    }
    const connection: Connection = new Connection(
      this.#world.scheduler,
      this.#world.links,
      this.id,
      front,
      {
        reply: (ticket, reply) => this.#reply(ticket, reply),
        closed: () => this.#drop(connection),
      },
    )
    this.#connections.set(node, connection)
    return connection
  }

  #forget(node: NodeId): void {
    for (const [slot, leader] of this.#leaders) if (leader === node) this.#leaders.delete(slot)
  }

  #drop(connection: Connection): void {
    connection.hangUp()
    if (this.#connections.get(connection.node) === connection)
      this.#connections.delete(connection.node)
    this.#forget(connection.node)
    for (const flight of [...this.#flights.values()]) {
      if (flight.connection === connection && flight.sent) this.#lostAnswer(flight)
    }
  }

  #lostAnswer(flight: Flight): void {
    flight.sent = false
    flight.unknown += 1
    if (flight.task.repeatable || flight.task.producer !== null) this.#later(flight)
    else this.#end(flight, 'info', null)
  }

  #reply(ticket: number, reply: Plain): void {
    const flight = this.#flights.get(ticket)
    if (flight === undefined) return
    const { task } = flight
    flight.sent = false
    if (!(reply instanceof Refused)) {
      this.#end(flight, 'ok', reply)
    } else if (reply.word === 'MOVED') {
      this.#leaders.set(slotOf(Buffer.from(task.key, 'latin1')), reply.leader)
      this.#later(flight, 200)
    } else if (NOT_DONE.has(reply.word)) {
      this.#leaders.delete(slotOf(Buffer.from(task.key, 'latin1')))
      this.#later(flight)
    } else if (reply.word === 'INDOUBT') {
      this.#lostAnswer(flight)
    } else if (task.expects === 'any' || task.expects?.includes(reply.word)) {
      this.#end(flight, 'ok', reply)
    } else {
      this.#world.unexpected(task.words, reply)
      this.#end(flight, 'info', reply)
    }
  }

  #later(flight: Flight, mean: Us = RETRY_MEAN): void {
    const { scheduler } = this.#world
    flight.connection = null
    const isPinned = flight.task.pinned !== undefined
    if (isPinned || scheduler.now - flight.begun > this.patience) {
      this.#end(flight, flight.unknown > 0 ? 'info' : 'fail', null)
      return
    }
    const { ticket } = flight
    scheduler.after(200 + this.#prng.exponential(mean), this.id, 'client-retry', () => {
      if (this.#flights.get(ticket) === flight) this.#attempt(flight)
    })
  }

  #end(flight: Flight, outcome: Outcome, reply: Plain): void {
    const { scheduler } = this.#world
    this.#flights.delete(flight.ticket)
    const t1 = outcome === 'info' ? Infinity : scheduler.now / 1000
    scheduler.tell(this.id, `${flight.task.words.join(' ')} -> ${outcome} ${formatPlain(reply)}`)
    const attempts =
      flight.task.producer === null ? flight.unknown + (outcome === 'fail' ? 0 : 1) : 1
    const { begun, connection } = flight
    const ending = { outcome, t0: begun / 1000, t1, reply, connection }
    flight.done({ ...ending, attempts: Math.max(1, attempts) })
  }
}
