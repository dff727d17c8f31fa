// What one XADD costs at the RESP door and the desk, without sockets and without Raft.
//
//   npx node bench/resp.ts [--cpu-prof]     nanoseconds a command, best of a few rounds
//
// The replica here only takes the words and answers with an ID, as the turn would;
// what is left is the decoder, the road of the desk, the session and the encoder.

import { Argv } from '../src/base/argv.ts'
import { Metrics } from '../src/base/metrics.ts'
import { Broker } from '../src/broker/broker.ts'
import type { ReplicaPort } from '../src/broker/ports.ts'
import { CarryBudget, COMMAND, Decoder } from '../src/doors/resp/decoder.ts'
import { Encoder } from '../src/doors/resp/encoder.ts'
import { Machine } from '../src/machine/machine.ts'
import type { Reply } from '../src/machine/reply.ts'
import type { Asker } from '../src/replica/ports.ts'
import { SlotMap } from '../src/topology/slot-map.ts'
import { idleProcess } from '../test/idle-process.ts'

const PIPELINE = 64
const CONNECTIONS = 50
const TURNS = 400
const ROUNDS = 6
const VALUE_BYTES = 128

const command = Argv.of('XADD', 'mystream', '*', 'field', Buffer.alloc(VALUE_BYTES, 'x'))
const chunk = Buffer.concat(
  Array.from({ length: PIPELINE }, () => command.buffer.subarray(command.start, command.end)),
)

/** Keeps who asked, and answers all at the end of the turn. */
class AnswersLater implements ReplicaPort {
  readonly shard = 1
  readonly leader = 1
  readonly isLeader = true
  readonly applied = 0
  readonly commit = 0
  readonly #askers: Asker<Reply>[] = []
  readonly #tickets: number[] = []
  #sequence = 0

  propose(asker: Asker<Reply>, ticket: number): null {
    this.#askers.push(asker)
    this.#tickets.push(ticket)
    return null
  }

  settle(ms: number): void {
    for (let i = 0; i < this.#askers.length; i += 1) {
      this.#sequence += 1
      const reply: Reply = { kind: 'id', id: { ms, seq: this.#sequence % 1000 } }
      this.#askers[i]?.answer(this.#tickets[i] as number, reply)
    }
    this.#askers.length = 0
    this.#tickets.length = 0
  }

  read(): null {
    return null
  }
  forget(): void {}
  unblock(): boolean {
    return false
  }
}

function makeDesk(): { broker: Broker; replica: AnswersLater } {
  const replica = new AnswersLater()
  const node = { id: 1, name: 'n1', incarnation: '1'.repeat(32), hostLabel: 'h' }
  const address = { host: '127.0.0.1', port: 7001 }
  const facts = { ...node, resp: address, grpc: address, peer: address, admin: address }
  const map = new SlotMap(
    1,
    'c',
    [facts],
    [{ id: 1, voters: [1], ranges: [{ first: 0, last: 16_383 }] }],
  )
  const shard = { replica, machine: new Machine() }
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
  const broker = new Broker({
    clock: {
      now: () => 0,
      monotonic: () => 0,
      after: () => ({ cancel() {} }),
      soon() {},
    },
    random: { below: () => 0, bytes: count => new Uint8Array(count) },
    logger: quiet,
    metrics: new Metrics(),
    self: 1,
    directory: { map: () => map, leaderOf: () => 1 },
    options: {
      clusterEnabled: true,
      version: '0',
      sessionInFlightMax: 10_000,
      nodeInFlightMax: 1_000_000,
    },
    shard: () => shard,
    health: () => null,
    memoryFull: () => false,
    process: idleProcess,
  })
  return { broker, replica }
}

/** Best of the rounds, in nanoseconds a command. */
function measure(name: string, commands: number, round: () => void): void {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < ROUNDS; i += 1) {
    const start = process.hrtime.bigint()
    round()
    best = Math.min(best, Number(process.hrtime.bigint() - start) / commands)
  }
  process.stdout.write(`${name.padEnd(34)} ${best.toFixed(0).padStart(6)} ns a command\n`)
}

function benchDecoder(): void {
  const decoder = new Decoder(new CarryBudget(1 << 30))
  measure('decode', TURNS * CONNECTIONS * PIPELINE, () => {
    for (let i = 0; i < TURNS * CONNECTIONS; i += 1) {
      decoder.feed(chunk)
      while (decoder.next() === COMMAND);
    }
  })
}

function benchEncoder(): void {
  const encoder = new Encoder()
  measure('encode an ID', TURNS * CONNECTIONS * PIPELINE, () => {
    for (let turn = 0; turn < TURNS * CONNECTIONS; turn += 1) {
      for (let i = 0; i < PIPELINE; i += 1)
        encoder.encode({ kind: 'id', id: { ms: 1_700_000_000_000 + turn, seq: i } }, 2)
      encoder.clear()
    }
  })
}

function benchWhole(): void {
  const { broker, replica } = makeDesk()
  const connections = Array.from({ length: CONNECTIONS }, () => {
    const encoder = new Encoder()
    const decoder = new Decoder(new CarryBudget(1 << 30))
    const client = {
      answer: (_ticket: number, reply: Reply) => encoder.encode(reply, session.protocol),
      resume() {},
      close() {},
    }
    const session = broker.connect(client, {
      door: 'resp',
      ordered: true,
      address: '127.0.0.1:1',
      localAddress: '127.0.0.1:2',
    })
    return { encoder, decoder, session }
  })
  measure('decode, desk, answer, encode', TURNS * CONNECTIONS * PIPELINE, () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const { decoder, session } of connections) {
        let ticket = 0
        decoder.feed(chunk)
        while (decoder.next() === COMMAND) broker.execute(session, decoder.argv, ticket++, null)
      }
      replica.settle(1_700_000_000_000 + turn)
      for (const { encoder } of connections) encoder.clear()
    }
  })
}

benchDecoder()
benchEncoder()
benchWhole()
