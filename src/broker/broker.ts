// The front desk: every command of every client passes here, once down and once up.
//
// Down: `execute` takes a place in the session's line and sends the command on its
// road (road.ts). Up: the session releases replies in order. What may go on after
// a pause goes on at the end of the turn, in `flush`, and never from inside a
// replica's call.

import type { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import type { Timer } from '../base/clock.ts'
import type { Counter } from '../base/metrics.ts'
import { slotOf } from '../base/slot.ts'
import type { Ms, NodeId, ShardId, Slot } from '../base/types.ts'
import type { CommandSpec } from '../machine/command.ts'
import { COMMANDS } from '../machine/commands/table.ts'
import { type ErrorReply, NULL_ARRAY, type Reply } from '../machine/reply.ts'
import type { Lost } from '../replica/ports.ts'
import type { DoorName } from '../topology/route.ts'
import type { SlotMap } from '../topology/slot-map.ts'
import { AuthLog } from './auth-log.ts'
import { CommandIndex } from './command-index.ts'
import { DESK_COMMANDS } from './commands/table.ts'
import type { Tally } from './desk.ts'
import { ErrorCounts } from './error-counts.ts'
import { KeyspaceEvents } from './keyspace-events.ts'
import { Pause } from './pause.ts'
import type { BrokerPorts, Producer, Shard } from './ports.ts'
import { type Kind, refusalOf, SHARD_CHANNELS } from './pubsub/kinds.ts'
import type { Listener } from './pubsub/listener.ts'
import { PubSub } from './pubsub/pubsub.ts'
import { Rate } from './rates.ts'
import { inDoubt, outOfMemory, unblocked, unblockedByClient } from './refusals.ts'
import { Road } from './road.ts'
import { type Client, Session, type SessionOptions, type SessionOwner } from './session.ts'
import { Settings } from './settings.ts'
import { WordRing } from './word-ring.ts'
import { WorkMeter } from './work-meter.ts'

/** Replies that a session is owed, if they are like those it got: so many reads run at once, before any is written. */
const OWED_BYTES_MAX = 4 * 1024 * 1024

/** Parked commands are tried again this often, if nothing changed before: some have waited long enough. */
const PARK_LOOK_MS: Ms = 50
/** How often clients that are silent for too long are looked for. */
const IDLE_LOOK_MS: Ms = 1_000

export class Broker implements SessionOwner {
  readonly #ports: BrokerPorts
  readonly #road: Road
  readonly #sessions = new Map<number, Session>()
  readonly #tally: Tally = {
    connections: 0,
    commands: 0,
    errors: 0,
    refused: 0,
    bytesIn: 0,
    bytesOut: 0,
  }
  readonly #errorCounts = new ErrorCounts()
  readonly #commandRate: Rate
  readonly #pause: Pause
  /** What may be changed while the node runs; doors read it. */
  readonly settings: Settings
  /** Measures commands; machines are given it as their observer. */
  readonly meter: WorkMeter
  /** Who listens to what; the roof joins it to other nodes. */
  readonly pubsub: PubSub
  /** Shards on this node are attached to it. */
  readonly keyspaceEvents: KeyspaceEvents
  readonly #inDoubt: Counter
  readonly #flushListeners: (() => void)[] = []
  readonly #topologyListeners = new Set<() => void>()
  readonly #onSoon: () => void
  #lastId = 0
  /** Commands of all sessions that got no answer yet. */
  #inFlight = 0
  /** Sessions that may go on, looked at in `flush`. */
  #waking: Session[] = []
  /** Sessions whose held command waits for its shard to have a leader. */
  readonly #parked = new Set<Session>()
  #parkTimer: Timer | null = null
  #idleTimer: Timer | null = null
  #flushWanted = false
  #soonAsked = false
  /** The clock as of the last flush: fine enough for `idle`. */
  #now: Ms

  constructor(ports: BrokerPorts, commands: Iterable<CommandSpec> = COMMANDS) {
    this.#ports = ports
    this.#now = ports.clock.monotonic()
    this.#commandRate = new Rate(this.#now)
    this.#pause = new Pause(ports.clock, session => {
      this.#wakeSoon(session)
      if (!this.#flushWanted) this.#wantFlush()
    })
    this.settings = ports.settings ?? new Settings()
    this.meter = new WorkMeter(ports.clock, this.settings)
    this.settings.onChange(() => this.#settingsChanged())
    this.#onSoon = () => {
      this.#soonAsked = false
      if (this.#flushWanted) this.flush()
    }
    const { clock, metrics, logger, random, self } = ports
    const schedule = ports.schedule ?? (() => {})
    this.pubsub = new PubSub({ clock, logger, metrics, random, schedule, self })
    this.keyspaceEvents = new KeyspaceEvents(this.pubsub, this.settings)
    this.#road = new Road({
      ports,
      sessions: this.#sessions,
      commands: new CommandIndex(commands, DESK_COMMANDS),
      tally: this.#tally,
      errorCounts: this.#errorCounts,
      authLog: new AuthLog(),
      settings: this.settings,
      meter: this.meter,
      words: new WordRing(),
      pause: this.#pause,
      pubsub: this.pubsub,
      keyspaceEvents: this.keyspaceEvents,
      commandRate: this.#commandRate,
      peak: { bytes: 0 },
      startedAt: this.#now,
      shards: () => this.#shards(),
      leadsSlot: slot => this.#leadsSlot(slot),
      unblock: (session, withError) => this.#unblock(session, withError),
      kill: (session, reason) => this.#kill(session, reason),
      park: session => this.#park(session),
    })
    this.#inDoubt = metrics.counter('broker_in_doubt_total', 'Commands answered with INDOUBT')
    metrics.gauge({
      name: 'broker_commands',
      help: 'Commands taken since the start or CONFIG RESETSTAT',
      read: () => this.#tally.commands,
    })
    metrics.gauge({
      name: 'broker_sessions',
      help: 'Clients that are connected',
      read: () => this.#sessions.size,
    })
    metrics.gauge({
      name: 'broker_in_flight',
      help: 'Commands that got no answer yet',
      read: () => this.#inFlight,
    })
  }

  connect(client: Client, options: SessionOptions): Session {
    this.#lastId += 1
    this.#tally.connections += 1
    this.#now = this.#ports.clock.monotonic()
    const session = new Session(this.#lastId, client, options, this, this.#now)
    this.#sessions.set(session.id, session)
    return session
  }

  /**
   * Takes one command. The words are read at once; what is kept is copied.
   *
   * @param ticket   the caller's, echoed in `answer`
   * @param producer makes the command safe to repeat; null: it is done as often as it comes
   * @returns false: take no more commands of this session until `client.resume()`
   */
  execute(session: Session, argv: Argv, ticket: number, producer: Producer | null): boolean {
    assert(!session.ordered || !session.paused, 'a command came from a paused session')
    const place = this.#owe(session, ticket)
    if (session.silence !== 'none') {
      session.markSilent(place)
      if (session.silence === 'next') session.silence = 'none'
    }
    const full = this.#inFlight > this.#ports.options.nodeInFlightMax
    this.#road.take(session, argv, place, producer, full)
    return this.#mayGoOn(session)
  }

  /** Gives `reply` its place among the answers, for what a door has to say itself (a protocol error). */
  refuse(session: Session, ticket: number, reply: Reply): void {
    this.#tally.refused += 1
    session.answer(this.#owe(session, ticket), reply)
  }

  /** The client is gone: its waits end, what it is still owed is dropped. */
  disconnect(session: Session): void {
    if (session.closed) return
    session.closed = true
    session.held = null
    this.#pause.forget(session)
    this.#tally.bytesIn += session.bytesIn
    this.#tally.bytesOut += session.bytesOut
    session.dropTransaction()
    if (session.listener !== null) this.pubsub.leave(session.listener)
    this.#sessions.delete(session.id)
    this.#inFlight -= session.unanswered
    for (const replica of new Set(session.waits.values())) replica?.forget(session)
    session.waits.clear()
    session.waiting.clear()
    session.blocked.clear()
  }

  /**
   * Lets `listener` listen to `name` (latin1), for doors that have no SUBSCRIBE. It hears
   * until it leaves (`pubsub.leave`), or is told that its sharded channel moved.
   *
   * @returns why it may not: a redirect where a sharded channel is led elsewhere; else null
   */
  listen(listener: Listener, kind: Kind, name: string, door: DoorName): ErrorReply | null {
    if (this.#ports.memoryFull()) return outOfMemory
    const { registry } = this.pubsub
    const refusal = refusalOf(kind, registry, listener, 1, name.length)
    if (refusal !== null) return refusal
    if (kind === SHARD_CHANNELS) {
      const slot = slotOf(Buffer.from(name, 'latin1'))
      if (!this.#leadsSlot(slot)) return this.#road.redirectTo(door, slot)
    }
    kind.join(registry, listener, name)
    return null
  }

  /** Runs `listener` at the end of each turn: doors write what they gathered, once a socket. */
  onFlush(listener: () => void): void {
    this.#flushListeners.push(listener)
  }

  /**
   * The end of a turn: paused sessions go on, doors write.
   *
   * The roof calls it after each turn; after answers outside of one the desk
   * calls it itself, once the input that waits was handled.
   */
  flush(): void {
    this.#flushWanted = false
    this.#now = this.#ports.clock.monotonic()
    this.keyspaceEvents.flush()
    this.#commandRate.look(this.#now, this.#tally.commands)
    if (this.#waking.length > 0) {
      const waking = this.#waking
      this.#waking = []
      for (const session of waking) {
        session.waking = false
        this.#wake(session)
      }
    }
    for (const listener of this.#flushListeners) listener()
  }

  map(): SlotMap {
    return this.#ports.directory.map()
  }

  /** 0: unknown. */
  leaderOf(shard: ShardId): NodeId {
    return this.#ports.directory.leaderOf(shard)
  }

  /** Null: the node serves; otherwise why not. */
  health(): string | null {
    return this.#ports.health()
  }

  /** @returns the unsubscribe */
  watchTopology(listener: () => void): () => void {
    this.#topologyListeners.add(listener)
    return () => this.#topologyListeners.delete(listener)
  }

  /** Called by the roof when the map or a leader changed. */
  topologyChanged(): void {
    this.#unpark()
    this.pubsub.moveShards(slot => this.#leadsSlot(slot))
    for (const listener of this.#topologyListeners) listener()
  }

  /** For sessions: a command was answered. */
  settled(session: Session, reply: Reply, isExec: boolean): void {
    this.#inFlight -= 1
    if (reply.kind === 'error') this.#countError(reply)
    else if (isExec && reply.kind === 'array') {
      for (const item of reply.items) if (item.kind === 'error') this.#countError(item)
    }
    if (session.paused) this.#wakeSoon(session)
    if (!this.#flushWanted) this.#wantFlush()
  }

  #countError(reply: ErrorReply): void {
    this.#tally.errors += 1
    this.#errorCounts.add(reply)
  }

  /** For sessions: how the desk words what a replica lost. */
  lostReply(session: Session, place: number, why: Lost): Reply {
    switch (why) {
      case 'timeout':
        return this.#ended(
          session,
          place,
          session.unblockErrors.delete(place) ? unblockedByClient : NULL_ARRAY,
        )
      case 'unblocked':
        return this.#ended(session, place, unblocked)
      case 'in-doubt':
        this.#inDoubt.add()
        return inDoubt
      case 'moved':
        return this.#road.redirect(session, session.slotAt(place))
    }
  }

  /** A wait that no shard answered is a call all the same. */
  #ended(session: Session, place: number, reply: Reply): Reply {
    const command = session.waiting.get(place)
    if (command !== undefined) this.meter.stop(command, -1, reply)
    return reply
  }

  /** The shards with a replica here, by number. */
  #shards(): readonly Shard[] {
    const ids = [...this.map().shards.keys()].sort((a, b) => a - b)
    return ids.map(id => this.#ports.shard(id)).filter(shard => shard !== undefined)
  }

  #leadsSlot(slot: Slot): boolean {
    const { directory, options, self, shard } = this.#ports
    if (!options.clusterEnabled) return true
    const owner = directory.map().ownerOf(slot)
    return directory.leaderOf(owner) === self && shard(owner)?.replica.isLeader === true
  }

  #owe(session: Session, ticket: number): number {
    session.lastAt = this.#now
    this.#inFlight += 1
    this.#tally.commands += 1
    return session.owe(ticket)
  }

  /** Whether `session` takes another command; if not, it is paused. */
  #mayGoOn(session: Session): boolean {
    const stop =
      session.held !== null ||
      session.closing !== null ||
      (session.ordered && session.waits.size > 0) ||
      session.owedCount >= this.#ports.options.sessionInFlightMax ||
      session.owedCount * session.replyBytes > OWED_BYTES_MAX
    session.paused = stop
    return !stop
  }

  #wakeSoon(session: Session): void {
    if (session.waking) return
    session.waking = true
    this.#waking.push(session)
  }

  #park(session: Session): void {
    this.#parked.add(session)
    this.#parkTimer ??= this.#ports.clock.after(PARK_LOOK_MS, () => {
      this.#parkTimer = null
      this.#unpark()
    })
  }

  /** Lets all parked commands try again; those that still find no leader come back here. */
  #unpark(): void {
    if (this.#parked.size === 0) return
    for (const session of this.#parked) this.#wakeSoon(session)
    this.#parked.clear()
    if (!this.#flushWanted) this.#wantFlush()
  }

  #wake(session: Session): void {
    if (session.closed || session.closing !== null) return
    const { held } = session
    if (held !== null) {
      session.held = null
      // An answer at once must not ask for a second look.
      session.paused = false
      this.#road.take(session, held.argv, held.place, held.producer, false)
      if (session.held === null) session.parkedUntil = null
    }
    if (this.#mayGoOn(session)) session.client.resume()
  }

  #wantFlush(): void {
    this.#flushWanted = true
    if (this.#soonAsked) return
    this.#soonAsked = true
    this.#ports.clock.soon(this.#onSoon)
  }

  /** CLIENT KILL. The session whose command runs now is closed by the road, after its reply. */
  #kill(session: Session, reason: string): void {
    if (session.closing !== null) return
    session.closing = reason
    session.client.close(reason)
  }

  #settingsChanged(): void {
    this.meter.slowLog.lengthMax = this.settings.slowLogLengthMax
    if (this.#idleTimer === null && this.settings.idleSecondsMax > 0) this.#watchIdle()
  }

  /** Cuts off RESP clients that were silent for too long; who waits for something is not. */
  #watchIdle(): void {
    this.#idleTimer = this.#ports.clock.after(IDLE_LOOK_MS, () => {
      this.#idleTimer = null
      const { idleSecondsMax } = this.settings
      if (idleSecondsMax === 0) return
      const lastAt = this.#ports.clock.monotonic() - idleSecondsMax * 1000
      for (const session of [...this.#sessions.values()]) {
        const isIdle = session.unanswered === 0 && !session.subscribed && session.lastAt < lastAt
        if (isIdle && session.options.door === 'resp') this.#kill(session, 'idle for too long')
      }
      this.#watchIdle()
    })
  }

  #unblock(session: Session, withError: boolean): boolean {
    let ended = false
    for (const [place, replica] of [...session.waits]) {
      if (replica === null) continue
      if (withError) session.unblockErrors.add(place)
      if (replica.unblock(session, place)) ended = true
      else session.unblockErrors.delete(place)
    }
    return ended
  }
}
