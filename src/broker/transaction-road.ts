// The road of a transaction: what is checked when a command is queued, and how EXEC reaches its shard.
//
// The order of refusals is Redis' own (COMMANDS 1.3, 4). A command that is refused while
// it is queued makes the transaction dirty; a redirect of EXEC is answered as it is, any
// other refusal of EXEC as an EXECABORT.

import type { Argv } from '../base/argv.ts'
import { NO_NODE, type ShardId, type Slot } from '../base/types.ts'
import { wrongArity } from '../machine/commands/table.ts'
import { EMPTY_ARRAY, NULL_ARRAY, type Reply } from '../machine/reply.ts'
import { CROSS_SLOT, NO_KEYS } from '../topology/route.ts'
import { UNASSIGNED } from '../topology/slot-map.ts'
import type { Entry } from './command-index.ts'
import type { Desk } from './desk.ts'
import { Splice, TransactionQuery } from './exec.ts'
import { shardCursor } from './gathering.ts'
import type { Producer, Shard } from './ports.ts'
import * as refusals from './refusals.ts'
import type { Session } from './session.ts'
import { joinSlots, type Step, type Transaction, type Watch } from './transaction.ts'

const QUEUED: Reply = { kind: 'simple', text: 'QUEUED' }

/** A key is over its limit; beside route's own codes. */
export const KEY_TOO_LONG = -3

/** What the road of single commands lends. */
export interface Way {
  /** The slot of the command's keys, or what is wrong with them. */
  slotOf(entry: Entry, argv: Argv): number
  /** Standalone: the one shard there is. */
  onlyShard(): ShardId
  redirect(session: Session, slot: number): Reply
  /** Holds the command until its shard has a leader. @returns false: it has waited long enough */
  park(session: Session, argv: Argv, place: number, producer: Producer | null): boolean
  /** Answers a command that needs no shard in particular. */
  runHere(session: Session, argv: Argv, entry: Entry): Reply
}

/** One call of EXEC. */
export type ExecCall = {
  readonly session: Session
  readonly argv: Argv
  readonly place: number
  readonly producer: Producer | null
}

/** Whether this copy may serve reads that may be stale. */
export function isReadable(shard: Shard | undefined): shard is Shard {
  return shard !== undefined && shard.replica.amnesiac !== true
}

/** Whether EXEC has to wait for what came before it. */
export function mustHoldExec(session: Session): boolean {
  const { transaction, watch } = session
  if (transaction === null || session.unanswered <= 1) return false
  if (transaction.hereCount > 0) return true
  return (transaction.writes || watch !== null) && session.reads > 0
}

export class TransactionRoad {
  readonly #desk: Desk
  readonly #way: Way
  readonly #clusterEnabled: boolean
  readonly #runHere: (session: Session, step: Step) => Reply

  constructor(desk: Desk, way: Way) {
    this.#desk = desk
    this.#way = way
    this.#clusterEnabled = desk.ports.options.clusterEnabled
    this.#runHere = (session, { entry, here }) =>
      here === null ? NULL_ARRAY : way.runHere(session, here, entry)
  }

  /** Takes a command between MULTI and EXEC. */
  queue(session: Session, argv: Argv, entry: Entry, transaction: Transaction): Reply {
    const refusal = this.#queueRefusal(session, argv, entry, transaction)
    if (refusal === null) return QUEUED
    transaction.dirty = true
    return refusal
  }

  #queueRefusal(
    session: Session,
    argv: Argv,
    entry: Entry,
    transaction: Transaction,
  ): Reply | null {
    const { desk, gathering, spec } = entry
    if (desk !== null && desk.run === undefined) return wrongArity(desk)
    if (entry.noMulti) return refusals.notInsideMulti
    const hasSlot = desk === null || entry.sharded
    const slot = hasSlot ? this.#way.slotOf(entry, argv) : NO_KEYS
    if (slot === KEY_TOO_LONG) return refusals.keyTooLong
    if (this.#clusterEnabled && hasSlot) {
      if (gathering !== null) return refusals.notInOneSlot(spec.name)
      if (slot === CROSS_SLOT) return refusals.crossSlot
      const elsewhere = slot === NO_KEYS ? null : this.#elsewhere(session, entry.writes, slot)
      if (elsewhere !== null) return elsewhere
    }
    // What is queued takes memory, whatever it will do.
    if (this.#desk.ports.memoryFull()) return refusals.outOfMemory
    if (transaction.isFull(argv.end - argv.start)) return refusals.transactionTooLarge
    if (desk !== null || (this.#clusterEnabled && slot === NO_KEYS))
      transaction.addHere(entry, argv, slot)
    else transaction.add(entry, gathering === 'scan' ? shardCursor(argv) : argv, slot)
    return null
  }

  /** Where a command that may not run now would have to go to anyway. Null: it may be for this node. */
  elsewhere(session: Session, argv: Argv, entry: Entry): Reply | null {
    if (!this.#clusterEnabled || entry.desk !== null || entry.gathering !== null) return null
    const slot = this.#way.slotOf(entry, argv)
    if (slot === CROSS_SLOT) return refusals.crossSlot
    return slot < 0 ? null : this.#elsewhere(session, entry.writes, slot)
  }

  /** Where a queued command's slot is known to be led elsewhere. Null: perhaps here, EXEC will see. */
  #elsewhere(session: Session, writes: boolean, slot: Slot): Reply | null {
    const { directory, self } = this.#desk.ports
    const shardId = directory.map().ownerOf(slot)
    if (shardId === UNASSIGNED) return refusals.slotNotServed
    const leader = directory.leaderOf(shardId)
    if (leader === self || leader === NO_NODE) return null
    const shard = this.#desk.ports.shard(shardId)
    if (shard?.replica.isLeader === true) return null
    if (session.readonly && !writes && isReadable(shard)) return null
    return this.#way.redirect(session, slot)
  }

  /** @returns the reply, or null: it is on its way, or held */
  exec(call: ExecCall, full: boolean): Reply | null {
    const { session, place } = call
    const { transaction, watch } = session
    if (transaction === null) return refusals.execWithoutMulti
    session.dropTransaction()
    session.markExec(place)
    const reply = this.#exec(call, transaction, watch, full)
    // It comes here again.
    if (session.held !== null) {
      session.transaction = transaction
      session.watch = watch
    }
    return reply
  }

  #exec(
    call: ExecCall,
    transaction: Transaction,
    watch: Watch | null,
    full: boolean,
  ): Reply | null {
    const { session, place } = call
    if (transaction.dirty) return refusals.execAborted
    if (watch !== null && !watch.isSure) return NULL_ARRAY
    if (full) return refusals.abortedBy(refusals.overloaded)
    if (transaction.shardCount === 0 && watch === null) {
      const { slot } = transaction
      if (slot === CROSS_SLOT) return refusals.crossSlot
      // Sharded channels only: they belong to the leader of their slot.
      if (slot !== NO_KEYS && !this.#desk.leadsSlot(slot)) {
        session.markSlot(place, slot)
        return this.#notHere(call, transaction, watch, undefined)
      }
      return new Splice(session, transaction.steps, UNASSIGNED, this.#runHere).spliced(EMPTY_ARRAY)
    }
    let shardId: ShardId
    if (this.#clusterEnabled) {
      const slot = joinSlots(transaction.slot, watch?.slot ?? NO_KEYS)
      if (slot === CROSS_SLOT) return refusals.crossSlot
      session.markSlot(place, slot)
      shardId = this.#desk.ports.directory.map().ownerOf(slot)
      if (shardId === UNASSIGNED) return refusals.slotNotServed
    } else {
      shardId = this.#way.onlyShard()
    }
    const shard = this.#desk.ports.shard(shardId)
    if (shard === undefined || !shard.replica.isLeader)
      return this.#notHere(call, transaction, watch, shard)
    if (transaction.grows && this.#desk.ports.memoryFull())
      return refusals.abortedBy(refusals.outOfMemory)
    return this.#atShard(call, transaction, watch, shard)
  }

  #atShard(
    { session, place, producer }: ExecCall,
    transaction: Transaction,
    watch: Watch | null,
    { replica, machine }: Shard,
  ): Reply | null {
    const { steps, writes, grows, hereCount } = transaction
    const isSpliced = hereCount > 0 || steps.some(({ entry }) => entry.gathering === 'scan')
    const asker = isSpliced ? new Splice(session, steps, replica.shard, this.#runHere) : session
    // What is answered here may change the session: nothing else is taken until it was.
    if (hereCount > 0) session.markWait(place, null)
    const afterWrites = session.unanswered - 1 > session.reads
    if (!writes) session.markRead(place)
    const refusal = writes
      ? replica.propose(asker, place, transaction.sealed(watch), producer, grows)
      : replica.read(
          asker,
          place,
          new TransactionQuery(machine, transaction, watch, this.#desk.meter, session),
          afterWrites,
        )
    if (refusal === null) return null
    if (refusal === 'not-leader') return this.#redirect(session, place)
    return refusals.abortedBy(refusal === 'disk-full' ? refusals.diskFull : refusals.overloaded)
  }

  /** This node does not lead the shard: stale reads for who asked for them, a redirect for others. */
  #notHere(
    { session, argv, place, producer }: ExecCall,
    transaction: Transaction,
    watch: Watch | null,
    shard: Shard | undefined,
  ): Reply | null {
    const { clock, directory, self } = this.#desk.ports
    if (session.readonly && !transaction.writes && isReadable(shard)) {
      const query = new TransactionQuery(
        shard.machine,
        transaction,
        watch,
        this.#desk.meter,
        session,
      )
      const { steps } = transaction
      const splice = new Splice(session, steps, shard.replica.shard, this.#runHere)
      return splice.spliced(query.run(clock.now()))
    }
    const slot = session.slotAt(place)
    if (slot >= 0) {
      const leader = directory.leaderOf(directory.map().ownerOf(slot))
      // Not serving yet what is said to be led here: nobody else does, either.
      if (leader === self || leader === NO_NODE)
        return this.#way.park(session, argv, place, producer) ? null : refusals.clusterDown
    }
    return this.#redirect(session, place)
  }

  #redirect(session: Session, place: number): Reply {
    return this.#clusterEnabled
      ? this.#way.redirect(session, session.slotAt(place))
      : refusals.abortedBy(refusals.loading)
  }
}
