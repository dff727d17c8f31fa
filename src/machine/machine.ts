// The state machine of one shard: applies entries, answers queries, makes and takes snapshots.
//
// Everything that changes state comes through `apply`, which reads commands in
// place out of an entry's bytes: one Argv, one Occasion and no copies for a batch of
// thousands. Equal entries in equal order make equal states on every replica.

import { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { parseMultibulk } from '../base/multibulk.ts'
import {
  AGAIN_MARK,
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  payloadCount,
  payloadNow,
  readProducerMark,
} from '../base/payload.ts'
import type { Index, Ms, Slot } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import { type CommandSpec, type Feed, isError, type Occasion } from './command.ts'
import { machineTable } from './commands/table.ts'
import { Keyspace } from './keyspace.ts'
import { fail, type Reply } from './reply.ts'
import { isKnown, Sessions, sequenceTooLarge } from './sessions.ts'
import { SnapshotBuilder, SnapshotCut, type State } from './snapshot.ts'

/** Spreads an index over 32 bits (2^32 / golden ratio). */
const SPREAD = 0x9e3779b1

const NO_FEEDS: readonly Feed[] = []

const notAWrite = fail('ERR the command does not change anything')

export class Machine {
  /** One and the same for ever: queries that wait hold on to it. */
  readonly #keyspace = new Keyspace()
  #sessions = new Sessions()
  #digest = 0
  #index: Index = 0
  readonly #argv = new Argv()
  readonly #at: { now: Ms; asked: boolean; readonly blocks: boolean; again: boolean } = {
    now: 0,
    asked: false,
    blocks: true,
    again: false,
  }

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
    for (let i = 0; i < count; i += 1) {
      let outcome: Reply | Wait
      if (payload[position] === PRODUCER_MARK) {
        outcome = this.#applyOfProducer(payload, position, index)
      } else {
        at.again = payload[position] === AGAIN_MARK
        this.#parse(payload, at.again ? position + 1 : position)
        outcome = this.#execute(at)
      }
      position = this.#argv.end
      if (outcome instanceof Wait === false && outcome.kind === 'id')
        digest = mixId(digest, outcome.id.ms, outcome.id.seq)
      if (outcomes !== null) outcomes.push(outcome)
    }
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
    const args = spec.parse === undefined ? undefined : spec.parse(this.#argv)
    if (isError(args)) return args
    this.#keyspace.moment += 1
    return this.#seen(spec.apply(this.#keyspace, args, at))
  }

  #seen(outcome: Reply | Wait): Reply | Wait {
    if (outcome instanceof Wait) outcome.seen = this.#keyspace.moment
    return outcome
  }

  #applyOfProducer(payload: Buffer, position: number, index: Index): Reply | Wait {
    const mark = readProducerMark(payload, position)
    this.#parse(payload, mark.end)
    if (mark.sequence < 0) return sequenceTooLarge
    const known = this.#sessions.begin(mark.id, mark.epoch, mark.sequence, index)
    if (isKnown(known)) return known
    // The reply is kept, so it must be whole even where nobody asks now.
    const at = { now: this.#at.now, asked: true, blocks: true, again: false }
    const outcome = this.#execute(at)
    if (!(outcome instanceof Wait)) this.#sessions.remember(known, mark.sequence, outcome)
    return outcome
  }

  /** Answers a command that only reads. May be run again with the same `args` after a Wait. */
  query(spec: CommandSpec, args: unknown, now: Ms): Reply | Wait {
    assert(spec.query !== undefined, () => `${spec.name} is no query`)
    const at = { now: Math.max(0, Math.floor(now)), asked: true, blocks: true, again: false }
    return this.#seen(spec.query(this.#keyspace, args, at))
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

  /** The lists that a command lengthens if it is not refused. */
  feeds(argv: Argv): readonly Feed[] {
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
