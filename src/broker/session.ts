// One client's standing at the desk: who it is, what it speaks, and what it is owed.
//
// A session is its own asker: replicas answer it by place, and it hands replies
// to its door, in an ordered session in the order of the commands. The desk owns
// all fields; doors read `protocol` and add to the byte counts.

import type { Argv } from '../base/argv.ts'
import type { Ms } from '../base/types.ts'
import type { CommandFacts } from '../machine/command.ts'
import type { Reply } from '../machine/reply.ts'
import type { Asker, Lost } from '../replica/ports.ts'
import type { DoorName } from '../topology/route.ts'
import { EXECS, Owed, READS, SILENT, WAITS } from './owed.ts'
import type { Producer, ReplicaPort } from './ports.ts'
import type { Listener, Moved, Subscriber } from './pubsub/listener.ts'
import type { Publication } from './pubsub/publication.ts'
import type { Transaction, Watch } from './transaction.ts'

/** A door's end of a session. */
export interface Client {
  /** Once for each execute; in ordered sessions in the order of the calls. Must not call the desk back. */
  answer(ticket: number, reply: Reply): void
  /** A command was done of which the client hears nothing (CLIENT REPLY). */
  unheard?(): void
  /** The session takes commands again after execute returned false; it may execute at once. */
  resume(): void
  /** The desk ends the session (QUIT, CLIENT KILL): write what was answered, then close and disconnect. */
  close(reason: string): void
  /** A message that the session listens for. Absent: nothing can be pushed to this client. */
  deliver?(publication: Publication): void
  /** A subscription to a sharded channel is gone. Absent: `push` tells it in Redis' words. */
  moved?(notice: Moved): void
  /** Something that no command asked for. */
  push?(reply: Reply): void
  /** Until `release` what is delivered is kept, to come behind the answer that is given meanwhile. */
  hold?(): void
  release?(): void
  /** Bytes that wait: half received, and not written yet. Absent: the door does not count them. */
  buffers?(): { readonly input: number; readonly output: number }
}

/** What can end a command's wait: a replica, or what the desk itself waits for. */
export type WaitEnder = Pick<ReplicaPort, 'forget' | 'unblock'>

export type SessionOptions = {
  readonly door: DoorName
  /** Answers come in the order of the calls. */
  readonly ordered: boolean
  /** Remote `host:port`. */
  readonly address: string
  readonly localAddress: string
}

/** A command that may not go yet: the session is paused until it may. */
export type Held = {
  readonly argv: Argv
  readonly place: number
  readonly producer: Producer | null
}

/** Whom a session tells. */
export interface SessionOwner {
  /** A command, perhaps EXEC, was answered with `reply`. */
  settled(session: Session, reply: Reply, isExec: boolean): void
  /** The reply for a command that its replica lost. */
  lostReply(session: Session, place: number, why: Lost): Reply
}

export class Session implements Asker<Reply> {
  /** Rising, from 1, for the life of the process. */
  readonly id: number
  readonly client: Client
  readonly options: SessionOptions
  readonly ordered: boolean
  readonly connectedAt: Ms
  readonly #owner: SessionOwner
  readonly #owed: Owed

  /** RESP's version. Replies are encoded in the one that holds when they are given. */
  protocol: 2 | 3 = 2
  name = ''
  libName = ''
  libVersion = ''
  /** READONLY: reads may be served by a follower. */
  readonly = false
  noEvict = false
  noTouch = false
  /** CLIENT REPLY: off until ON, or for the next command. */
  silence: 'none' | 'next' | 'all' = 'none'
  /** Between MULTI and EXEC. */
  transaction: Transaction | null = null
  watch: Watch | null = null
  /** Made at the first subscription. */
  listener: Listener | null = null
  /** What is published now comes behind the reply to it. */
  holds = false
  /** Name of the last command, for CLIENT LIST. */
  lastCommand = 'NULL'
  lastAt: Ms
  commandCount = 0
  bytesIn = 0
  bytesOut = 0
  /** What a reply may be expected to take: the largest of late. Told by the door, or 0. */
  replyBytes = 0

  /** Commands that got no answer yet. */
  unanswered = 0
  /** Of these: reads. */
  reads = 0
  /** Places of commands that may wait long, and where; null: at several shards. */
  readonly waits = new Map<number, WaitEnder | null>()
  /** Which commands these are, where they are counted when they end. */
  readonly waiting = new Map<number, CommandFacts>()
  /** Of these: places of commands that found nothing yet and really wait. */
  readonly blocked = new Set<number>()
  /** Waits that CLIENT UNBLOCK ends with an error. */
  readonly unblockErrors = new Set<number>()
  held: Held | null = null
  /** The held command waits for its shard to have a leader, no longer than to this time (monotonic). */
  parkedUntil: Ms | null = null
  /** execute returned false; the client waits for resume. */
  paused = false
  /** The desk will look at it at the end of the turn. */
  waking = false
  /** Why it ends once what it is owed is written; null: it goes on. */
  closing: string | null = null
  closed = false

  constructor(id: number, client: Client, options: SessionOptions, owner: SessionOwner, now: Ms) {
    this.id = id
    this.client = client
    this.options = options
    this.ordered = options.ordered
    this.#owner = owner
    this.#owed = new Owed(options.ordered)
    this.connectedAt = now
    this.lastAt = now
  }

  /** Takes a place in line for a command. */
  owe(ticket: number): number {
    this.unanswered += 1
    this.commandCount += 1
    return this.#owed.open(ticket)
  }

  /** Commands that hold a place: unanswered, or answered before their turn. */
  get owedCount(): number {
    return this.#owed.count
  }

  markSlot(place: number, slot: number): void {
    this.#owed.markSlot(place, slot)
  }

  /** The slot that the command at `place` was routed by, or -1. */
  slotAt(place: number): number {
    return this.#owed.slot(place)
  }

  markRead(place: number): void {
    this.#owed.mark(place, READS)
    this.reads += 1
  }

  /** @param command is counted when its wait ends without an answer from a shard */
  markWait(place: number, ender: WaitEnder | null, command: CommandFacts | null = null): void {
    this.#owed.mark(place, WAITS)
    this.waits.set(place, ender)
    if (command !== null) this.waiting.set(place, command)
  }

  markExec(place: number): void {
    this.#owed.mark(place, EXECS)
  }

  markSilent(place: number): void {
    this.#owed.mark(place, SILENT)
  }

  markHeard(place: number): void {
    this.#owed.unmark(place, SILENT)
  }

  /** Whether it listens to anything. */
  get subscribed(): boolean {
    return this.listener !== null && this.listener.total > 0
  }

  /** The session publishes, and may be among those who get it. */
  hold(): void {
    if (this.holds) return
    this.holds = true
    this.client.hold?.()
  }

  /** What was published was answered. */
  release(): void {
    this.holds = false
    this.client.release?.()
  }

  /** Out of MULTI, and nothing is watched any more. */
  dropTransaction(): void {
    this.transaction = null
    this.watch = null
  }

  answer(place: number, reply: Reply): void {
    if (this.closed) return
    const marks = this.#owed.marks(place)
    if ((marks & READS) !== 0) this.reads -= 1
    if ((marks & WAITS) !== 0) {
      this.waits.delete(place)
      this.waiting.delete(place)
      this.blocked.delete(place)
    }
    this.unanswered -= 1
    if (this.#owed.isNext(place)) {
      this.#hand(place, reply)
      for (let next = this.#owed.nextEarly(); next >= 0; next = this.#owed.nextEarly())
        this.#hand(next, this.#owed.takeEarly(next))
    } else {
      this.#owed.keep(place, reply)
    }
    this.#owner.settled(this, reply, (marks & EXECS) !== 0)
  }

  /** For replicas: the command at `place` waits. */
  blocks(place: number): void {
    this.blocked.add(place)
  }

  lose(place: number, why: Lost): void {
    if (this.closed) return
    this.answer(place, this.#owner.lostReply(this, place, why))
  }

  #hand(place: number, reply: Reply): void {
    const ticket = this.#owed.ticket(place)
    const silent = (this.#owed.marks(place) & SILENT) !== 0
    this.#owed.close(place)
    if (silent) this.client.unheard?.()
    else this.client.answer(ticket, reply)
  }
}

/** A session as the registry of subscriptions sees it. */
export class SessionSubscriber implements Subscriber {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  deliver(publication: Publication): void {
    this.#session.client.deliver?.(publication)
  }

  moved(notice: Moved): void {
    const { client } = this.#session
    if (client.moved !== undefined) {
      client.moved(notice)
      return
    }
    const { channel, left } = notice
    const items: readonly Reply[] = [
      { kind: 'text', text: 'sunsubscribe' },
      { kind: 'bulk', bytes: Buffer.from(channel, 'latin1') },
      { kind: 'integer', value: left },
    ]
    client.push?.({ kind: 'pushes', pushes: [items] })
  }
}
