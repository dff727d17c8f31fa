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
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  payloadCount,
  payloadNow,
  readProducerMark,
} from '../base/payload.ts'
import type { Index, Ms, Slot } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import { type CommandSpec, isError, type Occasion } from './command.ts'
import { machineTable } from './commands/table.ts'
import { Keyspace } from './keyspace.ts'
import { fail, type Reply } from './reply.ts'
import { isKnown, Sessions, sequenceTooLarge } from './sessions.ts'
import { SnapshotBuilder, SnapshotCut, type State } from './snapshot.ts'

/** Spreads an index over 32 bits (2^32 / golden ratio). */
const SPREAD = 0x9e3779b1

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
  readonly #at: { now: Ms; asked: boolean } = { now: 0, asked: false }

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
    let digest = crc32c(payload, (this.#digest ^ Math.imul(index, SPREAD)) >>> 0)
    let position = PAYLOAD_HEADER_BYTES
    const observer = outcomes === null ? null : this.observer
    this.#watching = observer
    if (observer !== null) observer.entry()
    for (let i = 0; i < count; i += 1) {
      this.#position = i
      let outcome: Reply | Wait
      if (payload[position] === PRODUCER_MARK) {
        outcome = this.#applyOfProducer(payload, position, index)
      } else {
        this.#parse(payload, position)
        outcome = this.#execute(at)
      }
      position = this.#argv.end
      if (outcome instanceof Wait === false && outcome.kind === 'id')
        digest = mixId(digest, outcome.id.ms, outcome.id.seq)
      if (outcomes !== null) outcomes.push(outcome)
    }
    if (observer !== null) observer.entryDone()
    assert(position === payload.length, 'an entry ends with its last command')
    this.#digest = (digest ^ Math.imul(this.#keyspace.size, SPREAD)) >>> 0
    this.#index = index
  }

  #parse(payload: Buffer, position: number): void {
    const end = parseMultibulk(this.#argv, payload, position, payload.length)
    assert(end > 0 && this.#argv.count > 0, () => `command at ${position} is broken: ${end}`)
  }

  /** Runs the command in `#argv`. */
  #execute(at: Occasion): Reply | Wait {
    const spec = machineTable.find(this.#argv)
    if (isError(spec)) return spec
    if (spec.apply === undefined) return notAWrite
    const observer = this.#watching
    if (observer !== null) observer.begin(spec, this.#position)
    const args = spec.parse === undefined ? undefined : spec.parse(this.#argv)
    const outcome = isError(args) ? args : spec.apply(this.#keyspace, args, at)
    if (observer !== null) observer.end(this.#argv, outcome)
    return outcome
  }

  #applyOfProducer(payload: Buffer, position: number, index: Index): Reply | Wait {
    const mark = readProducerMark(payload, position)
    this.#parse(payload, mark.end)
    if (mark.sequence < 0) return sequenceTooLarge
    const known = this.#sessions.begin(mark.id, mark.epoch, mark.sequence, index)
    if (isKnown(known)) return known
    // The reply is kept, so it must be whole even where nobody asks now.
    const outcome = this.#execute({ now: this.#at.now, asked: true })
    if (!(outcome instanceof Wait)) this.#sessions.remember(known, mark.sequence, outcome)
    return outcome
  }

  /** Answers a command that only reads. May be run again with the same `args` after a Wait. */
  query(spec: CommandSpec, args: unknown, now: Ms): Reply | Wait {
    assert(spec.query !== undefined, () => `${spec.name} is no query`)
    return spec.query(this.#keyspace, args, { now: Math.max(0, Math.floor(now)), asked: true })
  }

  /** Keys (latin1) that changed since the last call in a way that may end a wait. */
  takeReadyKeys(): readonly string[] {
    return this.#keyspace.takeReady()
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

function mixId(digest: number, ms: number | bigint, seq: number | bigint): number {
  const low = typeof ms === 'number' ? ms % 0x1_0000_0000 : Number(BigInt.asUintN(32, ms))
  const high = typeof seq === 'number' ? seq % 0x1_0000_0000 : Number(BigInt.asUintN(32, seq))
  return Math.imul(digest ^ low, SPREAD) ^ high
}
