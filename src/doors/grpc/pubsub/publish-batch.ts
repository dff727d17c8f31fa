// One PubSubService.PublishBatch: publications in order, and what became of each.
//
// It has a session at the desk to itself, so that a call that is cancelled while a
// sharded channel waits for its leader leaves nothing behind.

import type { handleUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type {
  Publication,
  PublishBatchRequest,
  PublishBatchResponse,
  PublishOutcome,
} from '../../../gen/slotcast/v1/pubsub_service.ts'
import { fail, type Reply } from '../../../machine/reply.ts'
import type { Desk, DeskClient } from '../desk.ts'
import { failureOf } from '../failure.ts'
import { writePublication } from '../mapping/pubsub.ts'
import * as read from '../mapping/reading.ts'
import { invalid } from '../status.ts'
import { Words } from '../words.ts'

const PUBLICATIONS_MAX = 10_000
const IN_DOUBT = fail('INDOUBT the session ended before its answer')
const NOT_DONE = fail('TRYAGAIN the session ended before this was published')

type Done = sendUnaryData<PublishBatchResponse>

class Batch implements DeskClient {
  readonly #desk: Desk
  readonly #words: Words
  readonly #session: unknown
  readonly #publications: readonly Publication[]
  readonly #outcomes: PublishOutcome[]
  #next = 0
  #left: number
  #held = false
  /** Null: nobody is owed an answer any more. */
  #done: Done | null

  constructor(
    desk: Desk,
    words: Words,
    publications: readonly Publication[],
    addresses: { readonly address: string; readonly localAddress: string },
    done: Done,
  ) {
    this.#desk = desk
    this.#words = words
    this.#publications = publications
    this.#outcomes = publications.map(() => ({ outcome: undefined }))
    this.#left = publications.length
    this.#done = done
    this.#session = desk.connect(this, { door: 'grpc', ordered: false, ...addresses })
  }

  /** Publishes as far as the desk takes it. */
  go(): void {
    while (!this.#held && this.#done !== null) {
      const ticket = this.#next
      const publication = this.#publications[ticket]
      if (publication === undefined) return
      this.#next += 1
      this.#words.begin()
      const fault = writePublication(this.#words, publication) ?? this.#words.finish()
      if (fault !== null) this.answer(ticket, fail(`ERR ${fault}`))
      else if (!this.#desk.execute(this.#session, this.#words.argv, ticket, null)) this.#held = true
    }
  }

  answer(ticket: number, reply: Reply): void {
    this.#outcomes[ticket] = { outcome: this.#outcomeOf(reply) }
    this.#left -= 1
    if (this.#left === 0) this.#end()
  }

  resume(): void {
    this.#held = false
    this.go()
  }

  close(): void {
    for (const [i, { outcome }] of this.#outcomes.entries()) {
      if (outcome !== undefined) continue
      this.#outcomes[i] = { outcome: this.#outcomeOf(i < this.#next ? IN_DOUBT : NOT_DONE) }
    }
    this.#end()
  }

  /** The call is gone; what was not published yet is not. */
  drop(): void {
    if (this.#done === null) return
    this.#done = null
    this.#desk.disconnect(this.#session)
  }

  #end(): void {
    const done = this.#done
    if (done === null) return
    this.#done = null
    // The desk must not be called back from within an answer.
    setImmediate(() => this.#desk.disconnect(this.#session))
    done(null, { outcomes: this.#outcomes })
  }

  #outcomeOf(reply: Reply): PublishOutcome['outcome'] {
    if (reply.kind !== 'error') return { $case: 'receivers', value: read.count(reply) }
    return failureOf(this.#desk, reply)
  }
}

/** The handler of PublishBatch. */
export function publishBatch(
  desk: Desk,
  localAddress: () => string,
): handleUnaryCall<PublishBatchRequest, PublishBatchResponse> {
  const words = new Words()
  return (call, callback) => {
    const { publications } = call.request
    if (publications.length === 0 || publications.length > PUBLICATIONS_MAX) {
      callback(invalid(`publications are not between 1 and ${PUBLICATIONS_MAX}`))
      return
    }
    const addresses = { address: call.getPeer(), localAddress: localAddress() }
    const batch = new Batch(desk, words, publications, addresses, callback)
    // Also fires after a normal end, when nobody is owed anything any more.
    call.on('cancelled', () => batch.drop())
    batch.go()
  }
}
