// The road's first half: from the words of a command to the replica that carries it out.
//
//   name -> arity -> hold? -> keys to shard -> memory -> parse -> propose or read
//
// The order of refusals is Redis' own (COMMANDS 1.3). Nothing here allocates for a
// write with one key, beyond what its parse does.

import type { Argv } from '../base/argv.ts'
import { limits } from '../base/limits.ts'
import type { Counter } from '../base/metrics.ts'
import { type Ms, NO_NODE, type ShardId } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import { type CommandFacts, isError } from '../machine/command.ts'
import { wrongArity } from '../machine/commands/table.ts'
import { keysOf } from '../machine/keys-of.ts'
import { type ErrorReply, NULL_ARRAY, OK, type Reply, syntaxError } from '../machine/reply.ts'
import type { Query, Refusal } from '../replica/ports.ts'
import {
  CROSS_SLOT,
  commonSlot,
  type DoorName,
  elsewhere,
  NO_KEYS,
  slotOfWord,
} from '../topology/route.ts'
import { UNASSIGNED } from '../topology/slot-map.ts'
import type { Entry } from './command-index.ts'
import { type Desk, type DeskCommand, LATER, NO_PLACE } from './desk.ts'
import { WatchQuery } from './exec.ts'
import { GatheringRoad } from './gathering-road.ts'
import type { MachinePort, Producer, Shard } from './ports.ts'
import { ReadQuery } from './read-query.ts'
import * as refusals from './refusals.ts'
import type { Session } from './session.ts'
import { Watch } from './transaction.ts'
import {
  isReadable,
  KEY_TOO_LONG,
  mustHoldExec,
  TransactionRoad,
  type Way,
} from './transaction-road.ts'
import { textsOf } from './work-meter.ts'

/** In place of a reply: the command may run on this node. */
const HERE = Symbol('here')
/** How long a command waits for its shard to have a leader, before CLUSTERDOWN. */
const PARK_MS: Ms = 1_000

/** Whether these words of a command that can wait ask for it. */
function mayBlock(entry: Entry, argv: Argv): boolean {
  if (entry.blocks !== 'option') return entry.blocks === 'always'
  for (let i = 1; i < argv.count; i += 1) {
    if (argv.is(i, 'BLOCK')) return true
    if (argv.is(i, 'STREAMS')) return false
  }
  return false
}

export class Road implements Way {
  readonly #desk: Desk
  readonly #transactions: TransactionRoad
  readonly #gathering: GatheringRoad
  readonly #clusterEnabled: boolean
  readonly #redirects: Counter
  readonly #refusals: Counter
  /** The command that is on its way, until it is carried out or on its way to a replica. */
  #found: CommandFacts | null = null

  constructor(desk: Desk) {
    this.#desk = desk
    this.#transactions = new TransactionRoad(desk, this)
    this.#gathering = new GatheringRoad(desk)
    this.#clusterEnabled = desk.ports.options.clusterEnabled
    const { metrics } = desk.ports
    this.#redirects = metrics.counter('broker_redirects_total', 'Commands answered with MOVED')
    this.#refusals = metrics.counter('broker_refused_total', 'Commands the desk turned down')
  }

  /**
   * Sends a command on its way; its answer comes by `session.answer(place, …)`,
   * perhaps at once. A command that must wait for those before it is held instead.
   *
   * @param full the node has too much in flight: only what the desk answers itself goes on
   */
  take(
    session: Session,
    argv: Argv,
    place: number,
    producer: Producer | null,
    full: boolean,
  ): void {
    this.#found = null
    const reply = this.#go(session, argv, place, producer, full)
    if (reply === null) return
    if (reply.kind === 'error') {
      // Still set: it did not come as far as its own work.
      if (this.#found !== null) this.#desk.meter.rejected(this.#found)
      this.#refusals.add()
      this.#desk.tally.refused += 1
    }
    session.answer(place, reply)
    if (session.holds) session.release()
    // QUIT, or CLIENT KILL of itself: closed behind its own reply.
    if (session.closing !== null) session.client.close(session.closing)
  }

  /** Where a command of `slot` should go instead; -1: it has no slot. */
  redirect(session: Session, slot: number): ErrorReply {
    return this.redirectTo(session.options.door, slot)
  }

  /** The same for who came through `door`. */
  redirectTo(door: DoorName, slot: number): ErrorReply {
    if (slot < 0) return this.#clusterEnabled ? refusals.clusterDown : refusals.loading
    const { directory } = this.#desk.ports
    const map = directory.map()
    const to = elsewhere(map, shard => directory.leaderOf(shard), slot, door)
    if (to === 'unserved') return refusals.slotNotServed
    if (to === 'leaderless') return refusals.clusterDown
    this.#redirects.add()
    return refusals.moved(slot, map.epoch, to)
  }

  /** @returns the reply, or null: it is on its way, or held */
  #go(
    session: Session,
    argv: Argv,
    place: number,
    producer: Producer | null,
    full: boolean,
  ): Reply | null {
    if (argv.count === 0) return refusals.emptyCommand
    const entry = this.#desk.commands.find(argv)
    const { transaction } = session
    if ('kind' in entry) {
      this.#found = this.#desk.commands.facts(argv.latin1(0))
      // With surplus words it ends the transaction all the same.
      if (argv.is(0, 'EXEC')) {
        session.dropTransaction()
        return refusals.abortedBy(entry)
      }
      if (transaction !== null) transaction.dirty = true
      return entry
    }
    this.#found = entry.spec
    session.lastCommand = entry.spec.name
    if (session.listener !== null && mayNot(session, entry))
      return (
        this.#transactions.elsewhere(session, argv, entry) ?? refusals.subscribed(entry.spec.name)
      )
    if (transaction !== null && !entry.immediate) {
      if (this.#isPaused(session, argv, entry, place, producer)) return null
      return this.#transactions.queue(session, argv, entry, transaction)
    }
    if (mustHold(session, entry)) {
      session.held = { argv: argv.copy(), place, producer }
      return null
    }
    if (entry.errand === 'exec') return this.#exec(session, argv, entry, place, producer, full)
    if (entry.errand === 'watch') {
      if (transaction !== null) return refusals.watchInsideMulti
      if (!session.ordered) return refusals.needsOrder
    } else if (entry.desk !== null) {
      if (entry.sharded && this.#clusterEnabled) {
        const reply = this.#channelElsewhere(session, argv, entry, place, producer)
        if (reply !== HERE) return reply
      }
      if (this.#isPaused(session, argv, entry, place, producer)) return null
      return this.#atDesk(session, argv, entry.desk, place)
    }
    if (full) return refusals.overloaded
    if (entry.gathering !== null && this.#isPaused(session, argv, entry, place, producer))
      return null
    if (entry.gathering !== null)
      return this.#gathering.take(session, argv, entry, entry.gathering, place)
    return this.#toShard(session, argv, entry, place, producer)
  }

  /** Sharded channels belong to the leader of their slot. @returns HERE, or as #go does */
  #channelElsewhere(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    producer: Producer | null,
  ): Reply | null | typeof HERE {
    const slot = this.slotOf(entry, argv)
    if (slot === KEY_TOO_LONG) return refusals.keyTooLong
    if (slot === NO_KEYS) return HERE
    if (slot === CROSS_SLOT) return refusals.crossSlot
    session.markSlot(place, slot)
    const { directory } = this.#desk.ports
    const shardId = directory.map().ownerOf(slot)
    if (shardId === UNASSIGNED) return refusals.slotNotServed
    if (this.#desk.leadsSlot(slot)) return HERE
    return this.#notHere(session, argv, entry, place, producer, this.#desk.ports.shard(shardId))
  }

  #atDesk(session: Session, argv: Argv, command: DeskCommand, place: number): Reply | null {
    if (command.run === undefined) return wrongArity(command)
    const reply = this.#run(session, argv, command, place)
    if (reply === LATER) return null
    if (reply === null) session.markSilent(place)
    else if (command.heardInSilence === true) session.markHeard(place)
    return reply ?? OK
  }

  /** Answers a command here, and measures that. */
  #run(
    session: Session,
    argv: Argv,
    command: DeskCommand,
    place: number,
  ): Reply | null | typeof LATER {
    this.#found = null
    const { meter } = this.#desk
    const since = meter.start(command)
    const reply = command.run?.(this.#desk, session, argv, place) ?? null
    const tooLong = meter.stop(command, since, reply === LATER ? null : reply)
    if (tooLong >= 0) {
      const words = command.redacted?.(argv) ?? textsOf(argv)
      meter.note(command, tooLong, words, argv.count, session)
    }
    return reply
  }

  /** CLIENT PAUSE: holds the command, unless it may go on. */
  #isPaused(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    producer: Producer | null,
  ): boolean {
    const { pause } = this.#desk
    if (!pause.active || !pause.holds(entry, session)) return false
    session.held = { argv: argv.copy(), place, producer }
    pause.keep(session)
    return true
  }

  #exec(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    producer: Producer | null,
    full: boolean,
  ): Reply | null {
    if (this.#isPaused(session, argv, entry, place, producer)) return null
    this.#found = null
    const reply = this.#transactions.exec({ session, argv, place, producer }, full)
    // Its commands are counted and timed where they are done.
    if (session.held === null) this.#desk.meter.stop(entry.spec, -1, reply)
    return reply
  }

  runHere(session: Session, argv: Argv, entry: Entry): Reply {
    if (entry.desk === null) return this.#keyless(session, argv, entry)
    const reply = this.#run(session, argv, entry.desk, NO_PLACE)
    return reply === LATER ? OK : (reply ?? OK)
  }

  #toShard(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    producer: Producer | null,
  ): Reply | null {
    const slot = this.slotOf(entry, argv)
    if (slot === KEY_TOO_LONG) return refusals.keyTooLong
    if (slot === NO_KEYS) return this.#keyless(session, argv, entry)
    let shardId: ShardId
    if (this.#clusterEnabled) {
      if (slot === CROSS_SLOT) return refusals.crossSlot
      session.markSlot(place, slot)
      shardId = this.#desk.ports.directory.map().ownerOf(slot)
      if (shardId === UNASSIGNED) return refusals.slotNotServed
    } else {
      shardId = this.onlyShard()
    }
    const shard = this.#desk.ports.shard(shardId)
    if (shard === undefined || !shard.replica.isLeader)
      return this.#notHere(session, argv, entry, place, producer, shard)
    if (entry.grows && this.#desk.ports.memoryFull()) return refusals.outOfMemory
    if (this.#isPaused(session, argv, entry, place, producer)) return null
    return entry.writes
      ? this.#propose(session, argv, entry, place, producer, shard)
      : this.#read(session, argv, entry, place, shard)
  }

  /** The slot of the command's keys, or what is wrong with them. */
  slotOf(entry: Entry, argv: Argv): number {
    if (entry.soleKey > 0) {
      if (argv.length(entry.soleKey) > limits.keyBytesMax) return KEY_TOO_LONG
      return slotOfWord(argv, entry.soleKey)
    }
    const words = keysOf(entry.spec, argv)
    for (const word of words) if (argv.length(word) > limits.keyBytesMax) return KEY_TOO_LONG
    return commonSlot(argv, words)
  }

  /** Standalone: the one shard there is. */
  onlyShard(): ShardId {
    for (const id of this.#desk.ports.directory.map().shards.keys()) return id
    return UNASSIGNED
  }

  #propose(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    producer: Producer | null,
    shard: Shard,
  ): Reply | null {
    // A mistake is answered here, so that it costs no log entry; apply parses again.
    const parsed = entry.spec.parse?.(argv)
    if (isError(parsed)) return this.#misspelt(entry, parsed)
    if (mayBlock(entry, argv)) session.markWait(place, shard.replica, entry.spec)
    const refusal = shard.replica.propose(session, place, argv, producer, entry.grows)
    return refusal === null ? null : this.#turnedDown(session, place, refusal)
  }

  #read(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    { replica, machine }: Shard,
  ): Reply | null {
    const query = this.#query(session, argv, entry, place, machine)
    if (isError(query)) return this.#misspelt(entry, query)
    // Writes of this session that are on their way come before what it reads.
    const afterWrites = session.ordered && session.unanswered - 1 > session.reads
    session.markRead(place)
    if (mayBlock(entry, argv)) session.markWait(place, replica, entry.spec)
    const refusal = replica.read(session, place, query, afterWrites)
    return refusal === null ? null : this.#turnedDown(session, place, refusal)
  }

  #misspelt(entry: Entry, error: ErrorReply): Reply {
    this.#found = null
    this.#desk.meter.misspelt(entry.spec)
    return error
  }

  #query(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    machine: MachinePort,
  ): Query<Reply> | ErrorReply {
    const { spec } = entry
    if (entry.errand === 'watch') {
      session.watch ??= new Watch()
      session.watch.ask(session.slotAt(place))
      const keys = keysOf(spec, argv).map(word => argv.latin1(word))
      return new WatchQuery(machine, session.watch, keys, () =>
        this.#desk.meter.stop(spec, -1, null),
      )
    }
    const parsed = spec.parse?.(argv)
    if (isError(parsed)) return parsed
    if (spec.query === undefined) return syntaxError
    return new ReadQuery(spec, machine, parsed, this.#desk, session, argv)
  }

  #turnedDown(session: Session, place: number, refusal: Refusal): Reply {
    if (refusal === 'not-leader') return this.redirect(session, session.slotAt(place))
    return refusal === 'disk-full' ? refusals.diskFull : refusals.overloaded
  }

  /** This node does not lead the shard: stale reads for who asked for them, a redirect for others. */
  #notHere(
    session: Session,
    argv: Argv,
    entry: Entry,
    place: number,
    producer: Producer | null,
    shard: Shard | undefined,
  ): Reply | null {
    if (
      session.readonly &&
      isReadable(shard) &&
      !entry.writes &&
      !entry.sharded &&
      !mayBlock(entry, argv)
    ) {
      const query = this.#query(session, argv, entry, place, shard.machine)
      return isError(query) ? this.#misspelt(entry, query) : this.#runNow(query)
    }
    const slot = session.slotAt(place)
    if (slot >= 0) {
      const { directory, self } = this.#desk.ports
      const leader = directory.leaderOf(directory.map().ownerOf(slot))
      // Not serving yet what is said to be led here: nobody else does, either.
      if (leader === self || leader === NO_NODE)
        return this.park(session, argv, place, producer) ? null : refusals.clusterDown
    }
    return this.redirect(session, slot)
  }

  /**
   * Holds a command whose shard has no leader just now: elections are short, and
   * many clients take CLUSTERDOWN for the end. Only ordered sessions wait so; the
   * others are told to try again.
   *
   * @returns false: it has waited long enough
   */
  park(session: Session, argv: Argv, place: number, producer: Producer | null): boolean {
    if (!session.ordered) return false
    const now = this.#desk.ports.clock.monotonic()
    session.parkedUntil ??= now + PARK_MS
    if (now >= session.parkedUntil) return false
    session.held = { argv: argv.copy(), place, producer }
    this.#desk.park(session)
    return true
  }

  /** Reads this node's own copy at once, however old it is. */
  #runNow(query: Query<Reply>): Reply {
    this.#found = null
    const reply = query.run(this.#desk.ports.clock.now())
    return reply instanceof Wait ? NULL_ARRAY : reply
  }

  /** A machine's command without keys (HELP), or with broken words: any copy of any shard can tell. */
  #keyless(session: Session, argv: Argv, entry: Entry): Reply {
    const { spec } = entry
    const parsed = spec.parse?.(argv)
    if (isError(parsed)) return this.#misspelt(entry, parsed)
    const shard = this.#desk.shards()[0]
    if (shard === undefined) return refusals.clusterDown
    if (spec.query === undefined) return syntaxError
    return this.#runNow(new ReadQuery(spec, shard.machine, parsed, this.#desk, session, argv))
  }
}

/** Whether a RESP2 client has subscriptions, and must not call this command meanwhile. */
function mayNot(session: Session, entry: Entry): boolean {
  return session.protocol === 2 && !entry.whileSubscribed && session.subscribed
}

/**
 * Whether a command of an ordered session has to wait for those before it: a write
 * for unanswered reads, which would see it; a barrier for everything.
 */
function mustHold(session: Session, entry: Entry): boolean {
  if (!session.ordered || session.unanswered <= 1) return false
  if (entry.errand === 'exec') return mustHoldExec(session)
  return entry.writes ? session.reads > 0 || entry.gathering !== null : entry.barrier
}
