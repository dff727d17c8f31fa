// The state machine of one shard: applies entries, answers queries, makes and takes snapshots.
//
// Everything that changes state comes through `apply`, which reads commands in
// place out of an entry's bytes: one Argv, one Occasion and no copies for a batch of
// thousands. Equal entries in equal order make equal states on every replica.

import { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { limits } from '../base/limits.ts'
import { parseMultibulk } from '../base/multibulk.ts'
import {
  AGAIN_MARK,
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  payloadCount,
  payloadNow,
  readProducerMark,
} from '../base/payload.ts'
import { readTransaction, TRANSACTION_MARK, type Watched } from '../base/transaction.ts'
import type { Index, Ms, Slot } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import { Chance } from './chance.ts'
import { type CommandSpec, type Feed, isError, type Occasion } from './command.ts'
import { buryCommand } from './commands/bury.ts'
import { machineTable } from './commands/table.ts'
import { Keyspace } from './keyspace.ts'
import { array, EMPTY_ARRAY, fail, NULL_ARRAY, type Reply } from './reply.ts'
import { isKnown, Sessions, sequenceTooLarge } from './sessions.ts'
import { SnapshotBuilder, SnapshotCut, type State } from './snapshot.ts'

/** Spreads an index over 32 bits (2^32 / golden ratio). */
const SPREAD = 0x9e3779b1

/** Keys that one entry buries, and about how many bytes of their names: a flood is spread over entries. */
const BURIED_MAX = 500
const BURIED_BYTES_MAX = 64 * 1024
const NO_FEEDS: readonly Feed[] = []

const notAWrite = fail('ERR the command does not change anything')

/**
 * Told of the commands that are applied and that somebody asked for, one after the
 * other. It counts and measures; it cannot change what they do.
 */
export interface Observer {
  /** The commands of an entry begin. */
  entry(): void
  /** @param position which command of the entry, from 0 */
  begin(spec: CommandSpec, position: number): void
  /** @param argv points into the entry, and is filled again for the next command */
  end(argv: Argv, outcome: Reply | Wait): void
  entryDone(): void
}

export class Machine {
  /** Null: nobody watches. */
  observer: Observer | null = null
  /** Whether a leader here proposes to bury dead keys; dead they are all the same. */
  activeExpire = true
  /** One and the same for ever: queries that wait hold on to it. */
  readonly #keyspace = new Keyspace()
  #sessions = new Sessions()
  #digest = 0
  #index: Index = 0
  readonly #argv = new Argv()
  /** The observer, while an entry that somebody asked for is applied. */
  #watching: Observer | null = null
  /** Which command of the entry is applied. */
  #position = 0
  /** Where in its payload the command ends that was run last. */
  #end = 0
  readonly #at: { -readonly [K in keyof Occasion]: Occasion[K] } = {
    now: 0,
    asked: false,
    chance: new Chance(),
    blocks: true,
    again: false,
    kept: false,
  }
  /** Of queries, which need not agree. */
  readonly #queryChance = new Chance()
  readonly #chore = new Argv()

  /** Number of keys. */
  get size(): number {
    return this.#keyspace.size
  }

  /** The keys, for whoever reads them outside a command. Nobody else changes them. */
  get keyspace(): Keyspace {
    return this.#keyspace
  }

  countKeysInSlot(slot: Slot): number {
    return this.#keyspace.countInSlot(slot)
  }

  /** At most `count` keys (latin1) of `slot`. */
  keysInSlot(slot: Slot, count: number): readonly string[] {
    return this.#keyspace.keysInSlot(slot, count)
  }

  /**
   * Applies the commands of one entry in order.
   *
   * @param outcomes gets one outcome a command, or null where nobody asked
   */
  apply(payload: Buffer, index: Index, outcomes: (Reply | Wait)[] | null): void {
    const count = payloadCount(payload)
    const at = this.#at
    // A clock may count fractions; IDs do not.
    at.now = Math.max(0, Math.floor(payloadNow(payload)))
    at.asked = outcomes !== null
    at.chance.seed(this.#digest ^ Math.imul(index, SPREAD))
    this.#keyspace.begin(at.now, index)
    this.#digest = crc32c(payload, (this.#digest ^ Math.imul(index, SPREAD)) >>> 0)
    this.#index = index
    let position = PAYLOAD_HEADER_BYTES
    const observer = outcomes === null ? null : this.observer
    this.#watching = observer
    if (observer !== null) observer.entry()
    for (let i = 0; i < count; i += 1) {
      this.#position = i
      const outcome =
        payload[position] === PRODUCER_MARK
          ? this.#applyOfProducer(payload, position, index)
          : this.#applyOne(payload, position, at)
      position = this.#end
      if (outcomes !== null) outcomes.push(outcome)
    }
    if (observer !== null) observer.entryDone()
    assert(position === payload.length, 'an entry ends with its last command')
    this.#keyspace.rest()
    this.#digest = (this.#digest ^ Math.imul(this.#keyspace.size, SPREAD)) >>> 0
  }

  #parse(payload: Buffer, position: number): void {
    const end = parseMultibulk(this.#argv, payload, position, payload.length)
    assert(end > 0 && this.#argv.count > 0, () => `command at ${position} is broken: ${end}`)
  }

  /** Goes past what begins at `position` without doing it. */
  #skip(payload: Buffer, position: number): void {
    if (payload[position] === TRANSACTION_MARK) {
      this.#end = readTransaction(payload, position).end
      return
    }
    this.#parse(payload, payload[position] === AGAIN_MARK ? position + 1 : position)
    this.#end = this.#argv.end
  }

  /** The command or transaction that begins at `position`. */
  #applyOne(payload: Buffer, position: number, at: Occasion): Reply | Wait {
    const mark = payload[position]
    if (mark === TRANSACTION_MARK)
      return this.#applyTransaction(payload, position, { ...at, blocks: false })
    if (mark !== AGAIN_MARK) {
      this.#parse(payload, position)
      this.#end = this.#argv.end
      return this.#execute(at)
    }
    this.#parse(payload, position + 1)
    this.#end = this.#argv.end
    return this.#execute({ ...at, again: true })
  }

  /** Runs the command in `#argv`, which changes something. */
  #execute(at: Occasion): Reply | Wait {
    const spec = machineTable.find(this.#argv)
    if (isError(spec)) return spec
    if (spec.apply === undefined) return notAWrite
    const observer = this.#watching
    if (observer !== null) observer.begin(spec, this.#position)
    const args = spec.parse === undefined ? undefined : spec.parse(this.#argv)
    const outcome = isError(args) ? args : this.#change(spec, args, at)
    if (observer !== null) observer.end(this.#argv, outcome)
    return outcome
  }

  #change(spec: CommandSpec, args: unknown, at: Occasion): Reply | Wait {
    assert(spec.apply !== undefined, () => `${spec.name} changes nothing`)
    this.#keyspace.moment += 1
    const outcome = this.#seen(spec.apply(this.#keyspace, args, at))
    if (outcome instanceof Wait === false && outcome.kind === 'id')
      this.#digest = mixId(this.#digest, outcome.id.ms, outcome.id.seq)
    return outcome
  }

  #seen(outcome: Reply | Wait): Reply | Wait {
    if (outcome instanceof Wait) outcome.seen = this.#keyspace.moment
    return outcome
  }

  /**
   * Commands with nothing between them, each of which sees those before it. One that
   * fails takes nothing back of the others.
   *
   * @returns their replies, or the null array if a watched key changed and nothing was done
   */
  #applyTransaction(payload: Buffer, from: number, at: Occasion): Reply {
    const { watches, count, start, end } = readTransaction(payload, from)
    this.#end = end
    if (this.isChanged(watches, at.now)) return NULL_ARRAY
    const replies: Reply[] = []
    let position = start
    for (let left = count; left > 0; left -= 1) {
      this.#parse(payload, position)
      position = this.#argv.end
      const reply = this.#executeInTransaction(at)
      if (at.asked) replies.push(reply)
    }
    assert(position === end, 'a transaction ends with its last command')
    return at.asked ? array(replies) : EMPTY_ARRAY
  }

  /** Runs the command in `#argv`, which may also read. It never waits. */
  #executeInTransaction(at: Occasion): Reply {
    const spec = machineTable.find(this.#argv)
    if (isError(spec)) return spec
    let outcome: Reply | Wait
    if (spec.query === undefined) {
      outcome = this.#execute(at)
    } else {
      // Reads change nothing and draw from a chance of their own, so where nobody asked they are left
      // out. Where the reply is kept every replica runs them, and draws from the entry's chance.
      if (!at.asked) return NULL_ARRAY
      const observer = this.#watching
      if (observer !== null) observer.begin(spec, this.#position)
      const args = spec.parse === undefined ? undefined : spec.parse(this.#argv)
      if (isError(args)) outcome = args
      else outcome = at.kept ? this.#query(spec, args, at) : this.query(spec, args, at.now)
      if (observer !== null) observer.end(this.#argv, outcome)
      this.#keyspace.begin(at.now, this.#index)
    }
    return outcome instanceof Wait ? unserved(spec) : outcome
  }

  /** Whether one of the watched keys is another than it was known to be. */
  isChanged(watches: readonly Watched[], now: Ms): boolean {
    for (const { key, existed, index } of watches)
      if (this.#keyspace.isChanged(key, existed, index, now)) return true
    return false
  }

  /** What is known of `key` now, for a transaction that is to find it so. */
  watch(key: string, now: Ms): Watched {
    return { key, index: this.#index, existed: this.#keyspace.isAlive(key, now) }
  }

  #applyOfProducer(payload: Buffer, position: number, index: Index): Reply | Wait {
    const mark = readProducerMark(payload, position)
    const { sequence, end } = mark
    const known =
      sequence < 0 ? sequenceTooLarge : this.#sessions.begin(mark.id, mark.epoch, sequence, index)
    if (isKnown(known)) {
      this.#skip(payload, end)
      return known
    }
    // The reply is kept, so it must be whole even where nobody asks now.
    const at = { ...this.#at, asked: true, kept: true }
    const outcome = this.#applyOne(payload, end, at)
    if (outcome instanceof Wait) this.#sessions.noteWait(known, sequence)
    else this.#sessions.remember(known, sequence, outcome)
    return outcome
  }

  /**
   * Answers a command that only reads. May be run again with the same `args` after a Wait.
   *
   * @param quiet what it reads does not count as used
   */
  query(spec: CommandSpec, args: unknown, now: Ms, quiet = false): Reply | Wait {
    const at = {
      now: Math.max(0, Math.floor(now)),
      asked: true,
      chance: this.#queryChance,
      blocks: true,
      again: false,
      kept: false,
    }
    at.chance.stir(at.now)
    return this.#query(spec, args, at, quiet)
  }

  #query(spec: CommandSpec, args: unknown, at: Occasion, quiet = false): Reply | Wait {
    assert(spec.query !== undefined, () => `${spec.name} is no query`)
    this.#keyspace.begin(at.now, null, quiet)
    return this.#seen(spec.query(this.#keyspace, args, at))
  }

  /** What the leader should propose of its own accord: to bury keys whose time has come. Valid until the next call. */
  chore(now: Ms): Argv | null {
    if (!this.activeExpire) return null
    const keys = this.#keyspace.due(Math.floor(now), BURIED_MAX)
    if (keys.length === 0) return null
    let bytes = 0
    const few = keys.filter(key => {
      const fits = bytes < BURIED_BYTES_MAX
      bytes += key.length
      return fits
    })
    buryCommand(this.#chore, few)
    return this.#chore
  }

  /** Keys (latin1) that changed since the last call in a way that may end a wait. */
  takeReadyKeys(): readonly string[] {
    return this.#keyspace.takeReady()
  }

  /** How many commands had run when `key`, of those taken last, changed. Compares with `Wait.seen`. */
  changedAt(key: string): number {
    return this.#keyspace.touchedAt(key)
  }

  /** The most commands that `key` can serve that wait for a list. */
  servable(key: string): number {
    const list = this.#keyspace.list(key)
    return list === null || list === 'wrong-type' ? 0 : list.length
  }

  /** The lists and streams that a command lengthens if it is not refused. */
  feeds(argv: Argv): readonly Feed[] {
    // What a transaction adds is handed out once it is applied as a whole.
    if (argv.count === 0) return NO_FEEDS
    const spec = machineTable.find(argv)
    return isError(spec) ? NO_FEEDS : (spec.feeds?.(argv) ?? NO_FEEDS)
  }

  /**
   * A running hash over every applied entry, the IDs it gave and the number of keys it
   * left: equal index, equal digest, on every replica. Goes into snapshots, which check
   * the rest of the state by being equal bytes.
   */
  digest(): number {
    return this.#digest
  }

  /** The state as of now, read in slices while entries are applied. */
  snapshot(): SnapshotCut {
    return new SnapshotCut(this.#state())
  }

  /** Takes a snapshot's bytes; its state takes the place of this one at `finish`. */
  restore(): SnapshotBuilder {
    return new SnapshotBuilder(state => {
      this.#keyspace.become(state.keyspace)
      this.#sessions = state.sessions
      this.#digest = state.digest
      this.#index = state.index
    })
  }

  /**
   * Writes the state as a snapshot and becomes what that says, at once.
   *
   * @returns whether the new state's snapshot has the same bytes
   */
  reload(): boolean {
    const chunks: Buffer[] = []
    const before = this.#readSnapshot(chunk => chunks.push(Buffer.from(chunk)))
    const builder = this.restore()
    for (const chunk of chunks) builder.write(chunk)
    builder.finish()
    return this.#readSnapshot(() => {}) === before
  }

  /** Of the state as a snapshot of now would have it: the same on all replicas and after a reload. */
  checksum(): number {
    return this.#readSnapshot(() => {})
  }

  /** Reads a whole snapshot of now. @returns its checksum */
  #readSnapshot(visit: (chunk: Uint8Array) => void): number {
    const cut = this.snapshot()
    let checksum = 0
    for (;;) {
      const chunk = cut.next(limits.snapshotChunkBytes)
      if (chunk === null) break
      checksum = crc32c(chunk, checksum)
      visit(chunk)
    }
    cut.close()
    return checksum
  }

  #state(): State {
    return {
      keyspace: this.#keyspace,
      sessions: this.#sessions,
      digest: this.#digest,
      index: this.#index,
    }
  }
}

/** What a command answers in a transaction where it would wait, or has waited in vain. */
export function unserved(spec: CommandSpec): Reply {
  return spec.unserved ?? NULL_ARRAY
}

function mixId(digest: number, ms: number | bigint, seq: number | bigint): number {
  const low = typeof ms === 'number' ? ms % 0x1_0000_0000 : Number(BigInt.asUintN(32, ms))
  const high = typeof seq === 'number' ? seq % 0x1_0000_0000 : Number(BigInt.asUintN(32, seq))
  return Math.imul(digest ^ low, SPREAD) ^ high
}
