// The state machine alone as a target: no log, no broker, no sockets.
//
// It does what the road does around the machine, for one shard: finds the command,
// applies or queries, keeps those who wait in the order they came, and runs them
// again when a key they wait for was touched.

import { Argv } from '../../src/base/argv.ts'
import { AGAIN_MARK, PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../../src/base/payload.ts'
import { Wait } from '../../src/base/wait.ts'
import { type CommandSpec, isError } from '../../src/machine/command.ts'
import { machineTable } from '../../src/machine/commands/table.ts'
import { Machine } from '../../src/machine/machine.ts'
import { NULL_ARRAY, type Reply } from '../../src/machine/reply.ts'
import type { Target } from './target.ts'
import { type Protocol, toWire, type Wire } from './wire.ts'

/** Where the clock of every run stands at first. */
const BEGIN = 1_700_000_000_000

type Waiter = {
  readonly connection: number
  readonly again: () => Reply | Wait
  readonly wait: Wait
  /** Infinity: for ever. */
  readonly deadline: number
  /** When time alone may serve it; 0: never. */
  dueAt: number
}

export class MachineTarget implements Target {
  readonly machine = new Machine()
  now = BEGIN
  readonly #protocol: Protocol
  readonly #replies = new Map<number, Wire[]>()
  #waiters: Waiter[] = []
  #index = 0

  constructor(protocol: Protocol) {
    this.#protocol = protocol
  }

  /** Runs a command once, as if nobody waited. */
  run(argv: Argv): Reply | Wait {
    return this.#prepare(argv)(false)
  }

  /** @returns what runs the command, for the first time or again */
  #prepare(argv: Argv): (again: boolean) => Reply | Wait {
    const spec = machineTable.find(argv)
    if (isError(spec)) return () => spec
    const args = spec.parse === undefined ? undefined : spec.parse(argv)
    if (isError(args)) return () => args
    return spec.apply === undefined
      ? () => this.machine.query(spec as CommandSpec, args, this.now)
      : again => this.#apply(argv, again)
  }

  #apply(argv: Argv, again: boolean): Reply | Wait {
    const from = PAYLOAD_HEADER_BYTES + (again ? 1 : 0)
    const payload = Buffer.alloc(from + argv.end - argv.start, AGAIN_MARK)
    writePayloadHeader(payload, this.now, 1)
    argv.buffer.copy(payload, from, argv.start, argv.end)
    const outcomes: (Reply | Wait)[] = []
    this.#index += 1
    this.machine.apply(payload, this.#index, outcomes)
    return outcomes[0] as Reply | Wait
  }

  #answer(connection: number, reply: Reply): void {
    const replies = this.#replies.get(connection) ?? []
    replies.push(toWire(reply, this.#protocol))
    this.#replies.set(connection, replies)
  }

  async send(connection: number, words: readonly string[]): Promise<void> {
    const run = this.#prepare(Argv.of(...words.map(word => Buffer.from(word, 'latin1'))))
    const outcome = run(false)
    if (outcome instanceof Wait) {
      const deadline = outcome.timeout === 0 ? Number.POSITIVE_INFINITY : this.now + outcome.timeout
      const { dueAt } = outcome
      this.#waiters.push({ connection, again: () => run(true), wait: outcome, deadline, dueAt })
    } else {
      this.#answer(connection, outcome)
    }
    this.#wake()
  }

  /** Runs those again who wait for what was touched, first come first served. */
  #wake(): void {
    let ready = new Set(this.machine.takeReadyKeys())
    while (ready.size > 0) {
      this.#runAgain(({ wait }) => wait.keys.some(key => ready.has(key)))
      ready = new Set(this.machine.takeReadyKeys())
    }
  }

  #runAgain(isDue: (waiter: Waiter) => boolean): void {
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters) {
      const outcome = isDue(waiter) ? waiter.again() : null
      if (outcome instanceof Wait) waiter.dueAt = outcome.dueAt
      if (outcome === null || outcome instanceof Wait) waiting.push(waiter)
      else this.#answer(waiter.connection, outcome)
    }
    this.#waiters = waiting
  }

  /** Whether a command of the connection waits. */
  isWaiting(connection: number): boolean {
    return this.#waiters.some(waiter => waiter.connection === connection)
  }

  async receive(connection: number): Promise<Wire> {
    const reply = this.#replies.get(connection)?.shift()
    if (reply === undefined) throw new Error(`connection ${connection} still waits`)
    return reply
  }

  async pause(ms: number): Promise<void> {
    this.now += ms
    this.#runAgain(({ dueAt }) => dueAt > 0 && dueAt <= this.now)
    this.#wake()
    const late = this.#waiters.filter(waiter => waiter.deadline <= this.now)
    this.#waiters = this.#waiters.filter(waiter => waiter.deadline > this.now)
    for (const { connection } of late) this.#answer(connection, NULL_ARRAY)
  }

  async close(): Promise<void> {
    this.#waiters = []
  }
}
