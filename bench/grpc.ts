// What the gRPC door itself costs: unary calls and sessions against a desk that
// answers with the next turn, beside an empty grpc-js echo in the same run.
//
//   node bench/grpc.ts [seconds] [rounds]
//
// Client and door are two processes, as in life. Printed: calls a second, and the
// door's CPU a call, which is what counts where cores are shared.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import type { Argv } from '../src/base/argv.ts'
import type { Logger } from '../src/base/log.ts'
import { OUTPUT_LIMITS } from '../src/broker/output-limits.ts'
import type { Desk, DeskClient } from '../src/doors/grpc/desk.ts'
import { GrpcDoor } from '../src/doors/grpc/server.ts'
import { SessionRequest } from '../src/gen/slotcast/v1/command_service.ts'
import { StreamServiceService } from '../src/gen/slotcast/v1/stream_service.ts'
import { ONE, type Reply } from '../src/machine/reply.ts'

const VALUE = Buffer.alloc(128, 0x78)
const IN_FLIGHT_UNARY = 64
const FRAMES_IN_FLIGHT = 16
const WARM_UP_MS = 2000

const identity = (bytes: Buffer): Buffer => bytes
const ECHO: ServiceDefinition = {
  echo: {
    path: '/bench.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
}

/** Answers whatever it is asked with an ID, all of a turn at its end. */
class InstantDesk implements Desk<DeskClient> {
  readonly #listeners: (() => void)[] = []
  #clients: DeskClient[] = []
  #tickets: number[] = []
  #sequence = 0
  readonly settings = { outputLimits: OUTPUT_LIMITS }
  readonly #view = { epoch: 1, clusterId: '', nodes: new Map(), shards: new Map() }

  connect(client: DeskClient): DeskClient {
    return client
  }

  execute(client: DeskClient, argv: Argv, ticket: number): boolean {
    if (argv.end <= argv.start) throw new Error('no words')
    if (this.#clients.length === 0) setImmediate(() => this.#turn())
    this.#clients.push(client)
    this.#tickets.push(ticket)
    return true
  }

  #turn(): void {
    const clients = this.#clients
    const tickets = this.#tickets
    this.#clients = []
    this.#tickets = []
    for (let i = 0; i < clients.length; i += 1) {
      this.#sequence += 1
      const reply: Reply = { kind: 'id', id: { ms: 1_700_000_000_000, seq: this.#sequence } }
      clients[i]?.answer(tickets[i] ?? 0, reply)
    }
    for (const listener of this.#listeners) listener()
  }

  disconnect(): void {}
  onFlush(listener: () => void): void {
    this.#listeners.push(listener)
  }
  map() {
    return this.#view
  }
  leaderOf(): number {
    return 1
  }
  health(): string | null {
    return null
  }
  watchTopology(): () => void {
    return () => {}
  }
}

const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quiet,
}

/** The process under test: says its ports, and its CPU time when asked. */
function serve(): void {
  const door = new GrpcDoor(new InstantDesk(), {
    host: '127.0.0.1',
    port: 0,
    nodeName: 'n1',
    logger: quiet,
  })
  const echo = new Server()
  const answer = Buffer.from(String(ONE))
  echo.addService(ECHO, { echo: (_call: unknown, callback: Callback) => callback(null, answer) })
  door.listen((_error, doorPort) => {
    echo.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_failed, echoPort) => {
      process.send?.({ doorPort, echoPort })
    })
  })
  process.on('message', () => process.send?.(process.cpuUsage()))
  process.on('disconnect', () => process.exit(0))
}

type Callback = (error: Error | null, value?: unknown) => void
type Measured = { perSecond: number; cpuMicros: number }

async function cpu(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [usage] = (await once(child, 'message')) as [{ user: number; system: number }]
  return usage.user + usage.system
}

async function measure(
  child: ChildProcess,
  seconds: number,
  run: (until: number) => Promise<number>,
): Promise<Measured> {
  const cpuBefore = await cpu(child)
  const began = process.hrtime.bigint()
  const calls = await run(Date.now() + seconds * 1000)
  const took = Number(process.hrtime.bigint() - began) / 1e9
  const cpuMicros = ((await cpu(child)) - cpuBefore) / calls
  return { perSecond: calls / took, cpuMicros }
}

/** Keeps `IN_FLIGHT_UNARY` calls under way; resolves to how many were answered. */
function unaryLoad(client: Client, path: string, request: Buffer) {
  return (until: number): Promise<number> =>
    new Promise((resolve, reject) => {
      let answered = 0
      let open = IN_FLIGHT_UNARY
      const next = (): void => {
        client.makeUnaryRequest(path, identity, identity, request, error => {
          if (error !== null) return reject(error)
          answered += 1
          if (Date.now() < until) return next()
          open -= 1
          if (open === 0) resolve(answered)
        })
      }
      for (let i = 0; i < IN_FLIGHT_UNARY; i += 1) next()
    })
}

/** Keeps some frames of `size` calls under way on one session. */
function sessionLoad(client: Client, size: number) {
  const argv = ['XADD', 'orders', '*', 'item', ''].map(word => Buffer.from(word))
  argv[4] = VALUE
  const calls = Array.from({ length: size }, (_, i) => ({
    tag: BigInt(i),
    argv,
    producer: undefined,
  }))
  // The same bytes again and again: the load generator must not be what is measured.
  const frame = Buffer.from(SessionRequest.encode({ calls }).finish())
  return (until: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = client.makeBidiStreamRequest(
        '/slotcast.v1.CommandService/Session',
        identity,
        identity,
      )
      let owed = 0
      let answered = 0
      const send = (): void => {
        owed += size
        stream.write(frame)
      }
      stream.on('data', (bytes: Buffer) => {
        const count = countResults(bytes)
        answered += count
        owed -= count
        if (Date.now() < until) while (owed <= (FRAMES_IN_FLIGHT - 1) * size) send()
        else if (owed === 0) stream.end()
      })
      stream.on('error', reject)
      stream.on('end', () => resolve(answered))
      for (let i = 0; i < FRAMES_IN_FLIGHT; i += 1) send()
    })
}

/** Results of a frame, counted without decoding: field 1 from the start on. */
function countResults(bytes: Buffer): number {
  let position = 0
  let count = 0
  while (position < bytes.length && bytes[position] === 0x0a) {
    position += 2 + (bytes[position + 1] ?? 0)
    count += 1
  }
  return count
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

type Load = { name: string; run: (until: number) => Promise<number> }

/**
 * Prints medians of the rounds, and of the ratios to the echo of the same round: on a
 * busy machine a figure means little, and one beside another taken later, nothing.
 */
function show(loads: readonly Load[], rounds: readonly (readonly Measured[])[]): void {
  for (const [i, { name }] of loads.entries()) {
    const of = (pick: (own: Measured, echo: Measured) => number): number[] =>
      rounds.map(round => pick(round[i] as Measured, round[0] as Measured))
    const cpus = of(own => own.cpuMicros)
    const rate = Math.round(median(of(own => own.perSecond))).toLocaleString('en')
    const range = `${Math.min(...cpus).toFixed(2)}..${Math.max(...cpus).toFixed(2)}`
    const byRate = median(of((own, echo) => own.perSecond / echo.perSecond)).toFixed(2)
    const byCpu = median(of((own, echo) => echo.cpuMicros / own.cpuMicros)).toFixed(2)
    console.log(
      `${name.padEnd(20)}${rate.padStart(10)}/s ${median(cpus).toFixed(2).padStart(8)} us CPU`,
      `(${range}), x echo: ${byRate} by rate, ${byCpu} by CPU`,
    )
  }
}

async function main(): Promise<void> {
  const seconds = Number(process.argv[2] ?? 2)
  const roundCount = Number(process.argv[3] ?? 5)
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { stdio: 'inherit' })
  const [ports] = (await once(child, 'message')) as [{ doorPort: number; echoPort: number }]
  const echoClient = new Client(`127.0.0.1:${ports.echoPort}`, credentials.createInsecure())
  const doorClient = new Client(`127.0.0.1:${ports.doorPort}`, credentials.createInsecure())
  const append = StreamServiceService.append
  const request = append.requestSerialize({
    key: Buffer.from('orders'),
    id: '',
    fields: [{ name: Buffer.from('item'), value: VALUE }],
    noCreate: false,
    trim: undefined,
    producer: undefined,
    idempotence: undefined,
  })
  const loads: Load[] = [
    { name: 'empty echo, unary', run: unaryLoad(echoClient, '/bench.Echo/Echo', request) },
    { name: 'Append, unary', run: unaryLoad(doorClient, append.path, request) },
    ...[1, 16, 64].map(size => ({
      name: `XADD, session of ${size}`,
      run: sessionLoad(doorClient, size),
    })),
  ]
  // All code is hot before anything is counted.
  for (const { run } of loads) await run(Date.now() + WARM_UP_MS)
  const rounds: Measured[][] = []
  for (let i = 0; i < roundCount; i += 1) {
    const round: Measured[] = []
    for (const { run } of loads) round.push(await measure(child, seconds, run))
    rounds.push(round)
  }
  show(loads, rounds)
  child.disconnect()
  echoClient.close()
  doorClient.close()
}

if (process.argv[2] === 'serve') serve()
else await main()
