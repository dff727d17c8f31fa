// Unary calls: request → words → the desk → reply → response.
//
// Each call under way has a session at the desk to itself, so that ending the one
// call, by deadline, cancellation or a lost connection, forgets its wait and
// nothing else. Typed commands leave no trace in a session, so those that need not
// wait take theirs from a row of idle ones; commands of Execute may (READONLY,
// CLIENT SETNAME), so it always gets a fresh one.

import type { handleUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { Producer as ProducerMessage } from '../../gen/slotcast/v1/producer.ts'
import { fail, type Reply } from '../../machine/reply.ts'
import type { Desk, DeskClient, DeskSessionOptions } from './desk.ts'
import { producerFault, producerOf } from './producer.ts'
import { type CallStatus, invalid, statusOf } from './status.ts'
import { slotMoved } from './topology.ts'
import { Words } from './words.ts'

/** Sessions kept for the next calls. As many unary calls at once are as fast as unary gets. */
const IDLE_LANES_MAX = 256
/** A kept session serves whoever comes, so it names nobody. */
const POOL_ADDRESS = '0.0.0.0:0'

/** What one rpc means as a command. */
export type Mapping<Q, A> = {
  /** Writes the command's words. Returns what is wrong with the request, or null. */
  words(request: Q, words: Words): string | null
  /** The response for a reply that is no error. */
  answer(reply: Reply, request: Q): A
  /** The command may wait, or change its session: it gets a session of its own. */
  alone?(request: Q): boolean
}

/** One session at the desk, which serves one call at a time. */
class Lane implements DeskClient {
  readonly session: unknown
  readonly #lanes: Lanes
  /** Who is owed the answer; null: nobody any more. */
  settle: ((reply: Reply) => void) | null = null
  /** False: ends with its call. */
  kept = true

  constructor(lanes: Lanes, desk: Desk, options: DeskSessionOptions) {
    this.#lanes = lanes
    this.session = desk.connect(this, options)
  }

  answer(_ticket: number, reply: Reply): void {
    const settle = this.settle
    this.settle = null
    this.#lanes.release(this)
    settle?.(reply)
  }

  resume(): void {}

  close(reason: string): void {
    this.kept = false
    const settle = this.settle
    this.settle = null
    settle?.(fail(`INDOUBT the session ended before its answer: ${reason}`))
  }
}

/** The lanes of one door. */
class Lanes {
  readonly #desk: Desk
  readonly #localAddress: string
  readonly #idle: Lane[] = []
  /** The desk must not be called back from within `answer`; these end with the turn. */
  #ending: Lane[] = []

  constructor(desk: Desk, localAddress: string) {
    this.#desk = desk
    this.#localAddress = localAddress
    desk.onFlush(() => this.#endAll())
  }

  take(): Lane {
    for (let lane = this.#idle.pop(); lane !== undefined; lane = this.#idle.pop()) {
      if (lane.kept) return lane
      this.#desk.disconnect(lane.session)
    }
    return this.open(POOL_ADDRESS, true)
  }

  open(address: string, kept: boolean): Lane {
    const options = { door: 'grpc', ordered: false, address, localAddress: this.#localAddress }
    const lane = new Lane(this, this.#desk, options as DeskSessionOptions)
    lane.kept = kept
    return lane
  }

  /** The lane's call was answered. */
  release(lane: Lane): void {
    if (lane.kept && this.#idle.length < IDLE_LANES_MAX) {
      this.#idle.push(lane)
      return
    }
    this.#ending.push(lane)
    // An answer given at once comes in no turn; whatever comes first ends the lane.
    if (this.#ending.length === 1) setImmediate(() => this.#endAll())
  }

  /** The lane's call is gone; its command, if it waits, is forgotten. */
  drop(lane: Lane): void {
    lane.settle = null
    this.#desk.disconnect(lane.session)
  }

  #endAll(): void {
    if (this.#ending.length === 0) return
    const ending = this.#ending
    this.#ending = []
    for (const lane of ending) this.#desk.disconnect(lane.session)
  }
}

export class Unary {
  readonly #desk: Desk
  readonly #lanes: Lanes
  readonly #words = new Words()

  constructor(desk: Desk, localAddress: string) {
    this.#desk = desk
    this.#lanes = new Lanes(desk, localAddress)
  }

  /** The handler of one rpc. */
  handler<Q extends object, A>(mapping: Mapping<Q, A>): handleUnaryCall<Q, A> {
    return (call, callback) => {
      const words = this.#words
      words.begin()
      const request: Q & { producer?: ProducerMessage | undefined } = call.request
      const producer = producerOf(request.producer)
      const fault =
        mapping.words(request, words) ??
        (producer === null ? null : producerFault(producer)) ??
        words.finish()
      if (fault !== null) {
        callback(invalid(fault))
        return
      }
      const alone = mapping.alone?.(request) === true
      const lane = alone ? this.#lanes.open(call.getPeer(), false) : this.#lanes.take()
      lane.settle = reply => this.#settle(mapping, reply, request, callback)
      if (alone) {
        // Also fires after a normal end, when nobody is owed anything any more.
        call.on('cancelled', () => {
          if (lane.settle !== null) this.#lanes.drop(lane)
        })
      }
      const taken = this.#desk.execute(lane.session, words.argv, 0, producer)
      if (!taken) lane.kept = false
    }
  }

  #settle<Q, A>(
    mapping: Mapping<Q, A>,
    reply: Reply,
    request: Q,
    callback: sendUnaryData<A>,
  ): void {
    if (reply.kind === 'error') callback(this.#failure(reply))
    else callback(null, mapping.answer(reply, request))
  }

  #failure(reply: Reply & { kind: 'error' }): CallStatus {
    const { redirect } = reply
    return statusOf(reply, redirect === undefined ? null : slotMoved(this.#desk, redirect))
  }
}
