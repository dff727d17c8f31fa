// What EXEC and WATCH do at a shard.
//
// An EXEC that writes is one proposal, in the form of base/transaction.ts; one that
// only reads is one read. Commands that need no shard are answered in their place
// when the others have been: a session that has such ones in its transaction gets
// nothing done meanwhile.

import type { Ms, ShardId } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import { isError } from '../machine/command.ts'
import { unserved } from '../machine/machine.ts'
import { array, NULL_ARRAY, OK, type Reply, syntaxError } from '../machine/reply.ts'
import type { Asker, Lost, Query } from '../replica/ports.ts'
import { nodeCursor } from './gathering.ts'
import type { MachinePort } from './ports.ts'
import { tooManyWatched } from './refusals.ts'
import type { Session } from './session.ts'
import type { Step, Transaction, Watch } from './transaction.ts'
import { type Sender, textsOf, type WorkMeter } from './work-meter.ts'

/** Learns of keys what a transaction is to find again. */
export class WatchQuery implements Query<Reply> {
  readonly #machine: MachinePort
  readonly #watch: Watch
  readonly #keys: readonly string[]
  readonly #onRun: () => void

  /** @param onRun the call is done, and counts */
  constructor(machine: MachinePort, watch: Watch, keys: readonly string[], onRun: () => void) {
    this.#machine = machine
    this.#watch = watch
    this.#keys = keys
    this.#onRun = onRun
  }

  run(now: Ms): Reply {
    this.#onRun()
    const known = this.#keys.map(key => this.#machine.watch(key, now))
    return this.#watch.note(known) ? OK : tooManyWatched
  }
}

/** A transaction that only reads. */
export class TransactionQuery implements Query<Reply> {
  readonly #machine: MachinePort
  readonly #transaction: Transaction
  readonly #watch: Watch | null
  readonly #meter: WorkMeter
  readonly #sender: Sender

  constructor(
    machine: MachinePort,
    transaction: Transaction,
    watch: Watch | null,
    meter: WorkMeter,
    sender: Sender,
  ) {
    this.#machine = machine
    this.#transaction = transaction
    this.#watch = watch
    this.#meter = meter
    this.#sender = sender
  }

  run(now: Ms): Reply {
    if (this.#watch !== null && this.#machine.isChanged(this.#watch.all, now)) return NULL_ARRAY
    const replies: Reply[] = []
    this.#transaction.forShard(({ spec }, argv) => {
      const meter = this.#meter
      const since = meter.start(spec)
      const args = spec.query === undefined ? syntaxError : spec.parse?.(argv)
      const outcome = isError(args) ? args : this.#machine.query(spec, args, now)
      const reply = outcome instanceof Wait ? unserved(spec) : outcome
      const tooLong = meter.stop(spec, since, reply)
      if (tooLong >= 0) meter.note(spec, tooLong, textsOf(argv), argv.count, this.#sender)
      replies.push(reply)
    })
    return array(replies)
  }
}

/** Puts the answers that need no shard between those of the shard. */
export class Splice implements Asker<Reply> {
  readonly #session: Session
  readonly #steps: readonly Step[]
  readonly #shard: ShardId
  readonly #runHere: (session: Session, step: Step) => Reply

  constructor(
    session: Session,
    steps: readonly Step[],
    shard: ShardId,
    runHere: (session: Session, step: Step) => Reply,
  ) {
    this.#session = session
    this.#steps = steps
    this.#shard = shard
    this.#runHere = runHere
  }

  get closed(): boolean {
    return this.#session.closed
  }

  /** The whole reply, from what the shard says. */
  spliced(reply: Reply): Reply {
    if (reply.kind !== 'array') return reply
    let next = 0
    return array(
      this.#steps.map(step => {
        if (step.here !== null) return this.#runHere(this.#session, step)
        next += 1
        const item = reply.items[next - 1] as Reply
        // Only a standalone node has SCAN in a transaction, and it has one shard.
        return step.entry.gathering === 'scan' ? nodeCursor(item, this.#shard, 0) : item
      }),
    )
  }

  answer(place: number, reply: Reply): void {
    const session = this.#session
    if (session.closed) return
    session.answer(place, this.spliced(reply))
    if (session.holds) session.release()
    // CLIENT KILL of itself: closed behind its own reply.
    if (session.closing !== null) session.client.close(session.closing)
  }

  lose(place: number, why: Lost): void {
    this.#session.lose(place, why)
  }
}
