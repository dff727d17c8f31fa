// The load of `slotcast bench`: clients that keep commands in flight, follow redirects, and time each command.
//
// A client has `pipeline` calls. A free call takes the next key and is sent, `frame`
// of them in one write, to the node that is known to serve the key; when it is
// answered it is free again. With a rate, a call counts from when it should have
// been sent, so that a server that stalls cannot hide it (coordinated omission).

import { LatencyHistogram } from './bench-histogram.ts'
import {
  type BenchWire,
  findId,
  type WireCommand,
  type WireListener,
  type WireProtocol,
} from './bench-wire.ts'

export type LoadOptions = {
  readonly address: string
  readonly protocol: WireProtocol
  readonly mix: 'xadd' | 'group'
  readonly clients: number
  /** Commands in flight, a client. */
  readonly pipeline: number
  /** Commands of one write; 0: those whose turn it is, as answers come. */
  readonly frame: number
  readonly valueBytes: number
  readonly keys: number
  readonly keyPrefix: string
  /** What runs before anything is counted, in seconds. */
  readonly warmUpSeconds: number
  /** The run ends after this time or this many commands, whichever comes first. */
  readonly seconds: number
  readonly count: number
  /** Calls begun a second by all clients together; 0: as fast as answers come. */
  readonly rate: number
}

export type CommandName = 'XADD' | 'XREADGROUP' | 'XACK'

export type LoadResult = {
  readonly seconds: number
  readonly commands: number
  readonly errors: number
  readonly redirects: number
  /** The first error of each kind, and how often it came. */
  readonly errorTexts: ReadonlyMap<string, number>
  readonly latencies: ReadonlyMap<CommandName, LatencyHistogram>
}

export const GROUP = 'bench'
const RETRY_MS = 100
const RATE_TICK_MS = 1
const DRAIN_MS = 5_000

type Call = {
  readonly tag: number
  key: number
  name: CommandName
  command: WireCommand
  /** When it was sent or should have been, as performance.now(). */
  since: number
}

/** What the clients of a run share: the plan, the clock, the routes and the counts. */
class Run {
  readonly options: LoadOptions
  readonly xadd: WireCommand[] = []
  readonly xreadgroup: WireCommand[] = []
  readonly keyNames: Buffer[] = []
  /** By key; null: not known, ask at the address that was given. */
  readonly routes: (string | null)[]
  latencies = new Map<CommandName, LatencyHistogram>()
  errorTexts = new Map<string, number>()
  commands = 0
  errors = 0
  redirects = 0
  begun = 0
  startedAt = 0
  isOver = false
  #nextKey = 0
  onCount: (() => void) | null = null

  constructor(options: LoadOptions) {
    this.options = options
    const { keys, keyPrefix, valueBytes, protocol } = options
    const value = Buffer.alloc(valueBytes, 'x')
    for (let i = 0; i < keys; i += 1) {
      const key = Buffer.from(keys === 1 ? keyPrefix : `${keyPrefix}:${i}`)
      this.keyNames.push(key)
      this.xadd.push(protocol.encode([...words('XADD'), key, ...words('* item'), value]))
      this.xreadgroup.push(
        protocol.encode([
          ...words(`XREADGROUP GROUP ${GROUP} worker COUNT 1 STREAMS`),
          key,
          ...words('>'),
        ]),
      )
    }
    this.routes = Array.from({ length: keys }, () => null)
  }

  nextKey(): number {
    const key = this.#nextKey
    this.#nextKey = key + 1 === this.options.keys ? 0 : key + 1
    return key
  }

  count(name: CommandName, ms: number): void {
    this.commands += 1
    let histogram = this.latencies.get(name)
    if (histogram === undefined) {
      histogram = new LatencyHistogram()
      this.latencies.set(name, histogram)
    }
    histogram.add(ms)
    if (this.commands === this.options.count) this.onCount?.()
  }

  fail(text: string): void {
    this.errors += 1
    const kind = text.replaceAll(/\d+/g, 'N')
    this.errorTexts.set(kind, (this.errorTexts.get(kind) ?? 0) + 1)
  }

  /** Forgets what was counted: the warm-up is over. */
  restart(now: number): void {
    this.latencies = new Map()
    this.errorTexts = new Map()
    this.commands = 0
    this.errors = 0
    this.redirects = 0
    this.begun = 0
    this.startedAt = now
  }

  forget(address: string): void {
    for (const [i, route] of this.routes.entries()) if (route === address) this.routes[i] = null
  }

  /** When the next call should begin under a rate; as soon as it can without one. */
  due(now: number): number {
    const { rate } = this.options
    return rate === 0 ? now : this.startedAt + (this.begun * 1000) / rate
  }
}

function words(text: string): Buffer[] {
  return text.split(' ').map(word => Buffer.from(word))
}

class BenchClient {
  readonly #run: Run
  readonly #calls: Call[] = []
  readonly #free: Call[] = []
  readonly #wires = new Map<string, BenchWire>()
  /** Calls to be sent and on their way, by address. */
  readonly #waiting = new Map<string, Call[]>()
  readonly #sent = new Map<string, Set<Call>>()
  #inFlight = 0
  #now = 0

  constructor(run: Run) {
    this.#run = run
    for (let tag = 0; tag < run.options.pipeline; tag += 1) {
      const call: Call = { tag, key: 0, name: 'XADD', command: Buffer.alloc(0), since: 0 }
      this.#calls.push(call)
      this.#free.push(call)
    }
  }

  get isIdle(): boolean {
    return this.#free.length === this.#calls.length
  }

  /** Begins calls while some are free and due, and sends what makes whole frames. */
  fill(): void {
    const run = this.#run
    this.#now = performance.now()
    while (!run.isOver && this.#free.length > 0) {
      const due = run.due(this.#now)
      if (due > this.#now) break
      const call = this.#free.pop() as Call
      call.key = run.nextKey()
      call.name = 'XADD'
      call.command = run.xadd[call.key] as WireCommand
      call.since = due
      run.begun += 1
      this.#queue(call)
    }
    this.#flush()
  }

  close(): void {
    for (const wire of this.#wires.values()) wire.close()
  }

  #queue(call: Call): void {
    const address = this.#run.routes[call.key] ?? this.#run.options.address
    const waiting = this.#waiting.get(address)
    if (waiting === undefined) this.#waiting.set(address, [call])
    else waiting.push(call)
  }

  #flush(): void {
    const { frame, rate } = this.#run.options
    if (frame === 0 || rate > 0) {
      this.#flushRest()
      return
    }
    for (const [address, waiting] of this.#waiting) {
      let from = 0
      while (waiting.length - from >= frame) {
        this.#send(address, waiting.slice(from, from + frame))
        from += frame
      }
      if (from > 0) waiting.splice(0, from)
    }
    // A frame that cannot become whole goes as it is: nothing would complete it.
    if (this.#inFlight === 0 || this.#run.isOver) this.#flushRest()
  }

  #flushRest(): void {
    for (const [address, waiting] of this.#waiting) {
      if (waiting.length > 0) this.#send(address, waiting.splice(0))
    }
  }

  #send(address: string, calls: readonly Call[]): void {
    const commands: WireCommand[] = []
    const tags: number[] = []
    const sent = this.#sentTo(address)
    for (const call of calls) {
      commands.push(call.command)
      tags.push(call.tag)
      sent.add(call)
    }
    this.#inFlight += calls.length
    this.#wireTo(address).send(commands, tags)
  }

  #sentTo(address: string): Set<Call> {
    let sent = this.#sent.get(address)
    if (sent === undefined) {
      sent = new Set()
      this.#sent.set(address, sent)
    }
    return sent
  }

  #wireTo(address: string): BenchWire {
    let wire = this.#wires.get(address)
    if (wire === undefined) {
      wire = this.#run.options.protocol.connect(address, this.#listener(address))
      this.#wires.set(address, wire)
    }
    return wire
  }

  #listener(address: string): WireListener {
    const sent = this.#sentTo(address)
    const taken = (tag: number): Call => {
      const call = this.#calls[tag] as Call
      sent.delete(call)
      this.#inFlight -= 1
      return call
    }
    let now = 0
    return {
      done: (tag, bytes, from, to) => {
        if (now === 0) now = performance.now()
        this.#done(taken(tag), now, bytes, from, to)
      },
      moved: (tag, target) => {
        const call = taken(tag)
        this.#run.redirects += 1
        this.#run.routes[call.key] = target
        this.#send(target, [call])
      },
      failed: (tag, text) => this.#failed(taken(tag), text),
      batch: () => {
        now = 0
        this.fill()
      },
      broken: reason => {
        this.#wires.delete(address)
        this.#run.forget(address)
        for (const call of [...sent]) this.#failed(taken(call.tag), `${address}: ${reason}`)
      },
    }
  }

  #done(call: Call, now: number, bytes: Buffer, from: number, to: number): void {
    const run = this.#run
    run.count(call.name, now - call.since)
    if (run.options.mix === 'xadd' || call.name === 'XACK') {
      this.#free.push(call)
      return
    }
    call.since = now
    if (call.name === 'XADD') {
      call.name = 'XREADGROUP'
      call.command = run.xreadgroup[call.key] as WireCommand
      this.#queue(call)
      return
    }
    const id = findId(bytes, from, to)
    if (id === null) {
      this.#free.push(call)
      return
    }
    const key = run.keyNames[call.key] as Buffer
    call.name = 'XACK'
    call.command = run.options.protocol.encode([...words('XACK'), key, ...words(`${GROUP} ${id}`)])
    this.#queue(call)
  }

  /** It is not repeated: what came of it may be unknown. The call rests a little and begins anew. */
  #failed(call: Call, text: string): void {
    this.#run.fail(text)
    this.#run.routes[call.key] = null
    setTimeout(() => {
      this.#free.push(call)
      this.fill()
    }, RETRY_MS)
  }
}

/** Runs the load to its end. `progress` is told the commands of each second. */
export async function runLoad(
  options: LoadOptions,
  progress: ((commands: number) => void) | null = null,
): Promise<LoadResult> {
  const run = new Run(options)
  await prepare(run)
  const clients = Array.from({ length: options.clients }, () => new BenchClient(run))
  run.startedAt = performance.now()
  const timers = [
    ...(options.rate > 0
      ? [setInterval(() => clients.forEach(client => void client.fill()), RATE_TICK_MS)]
      : []),
    ...(progress === null ? [] : [everySecond(run, progress)]),
  ]
  for (const client of clients) client.fill()
  // Without warm-up everything counts, also what is answered before a timer has fired.
  if (options.warmUpSeconds > 0) {
    await pause(options.warmUpSeconds * 1000)
    run.restart(performance.now())
  }
  await new Promise<void>(resolve => {
    run.onCount = resolve
    setTimeout(resolve, Math.min(options.seconds * 1000, 2 ** 31 - 1)).unref()
  })
  const seconds = (performance.now() - run.startedAt) / 1000
  // What is answered from now on is not counted.
  const { commands, errors, redirects, errorTexts, latencies } = run
  run.restart(performance.now())
  run.isOver = true
  for (const timer of timers) clearInterval(timer)
  const until = performance.now() + DRAIN_MS
  while (performance.now() < until && !clients.every(client => client.isIdle)) await pause(10)
  for (const client of clients) client.close()
  return { seconds, commands, errors, redirects, errorTexts, latencies }
}

function everySecond(run: Run, progress: (commands: number) => void): NodeJS.Timeout {
  let before = 0
  return setInterval(() => {
    const now = run.commands
    progress(now >= before ? now - before : now)
    before = now
  }, 1000)
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Finds the node of each key, and makes the groups where they are needed. */
async function prepare(run: Run): Promise<void> {
  const { protocol, mix, address } = run.options
  const wires = new Map<string, (command: WireCommand) => Promise<string | null>>()
  const open: BenchWire[] = []
  const ask = (target: string, command: WireCommand): Promise<string | null> => {
    let send = wires.get(target)
    if (send === undefined) {
      send = asker(protocol, target, open)
      wires.set(target, send)
    }
    return send(command)
  }
  for (const [i, key] of run.keyNames.entries()) {
    const command =
      mix === 'group'
        ? protocol.encode([...words('XGROUP CREATE'), key, ...words(`${GROUP} $ MKSTREAM`)])
        : protocol.encode([...words('XLEN'), key])
    const target = await ask(address, command)
    if (target !== null) await ask(target, command)
    run.routes[i] = target ?? address
  }
  for (const wire of open) wire.close()
}

/** Sends one command at a time; resolves with the address that serves it, null: this one does. */
function asker(
  protocol: WireProtocol,
  address: string,
  open: BenchWire[],
): (command: WireCommand) => Promise<string | null> {
  let resolve: (moved: string | null) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const wire = protocol.connect(address, {
    done: () => resolve(null),
    moved: (_tag, target) => resolve(target),
    failed: (_tag, text) =>
      text.startsWith('BUSYGROUP') ? resolve(null) : reject(new Error(text)),
    batch() {},
    broken: reason => reject(new Error(`${address}: ${reason}`)),
  })
  open.push(wire)
  return command =>
    new Promise((took, failed) => {
      resolve = took
      reject = failed
      wire.send([command], [0])
    })
}
