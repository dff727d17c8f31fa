// The RESP door: listens, counts its connections, and writes once a turn for each.

import { createServer, type Server, type Socket } from 'node:net'
import { OperationalError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Counter, Metrics } from '../../base/metrics.ts'
import type { Broker } from '../../broker/broker.ts'
import { unlimitedBytes } from '../../broker/output-limits.ts'
import { Connection, type ConnectionLimits, type Door } from './connection.ts'
import { CarryBudget } from './decoder.ts'

const KiB = 1024
const MiB = 1024 * KiB

export type RespLimits = ConnectionLimits & {
  /** Parts of commands that all connections together may have half received. */
  readonly carryBytesMax: number
  /** Replies that wait to be written of all connections together; beyond, those with many are cut. */
  readonly outputTotalBytesMax: number
}

export const RESP_LIMITS: RespLimits = {
  carryBytesMax: 512 * MiB,
  outputPauseBytes: 1 * MiB,
  outputBytesMax: 64 * MiB,
  outputTotalBytesMax: 256 * MiB,
  inputPauseBytes: 256 * KiB,
  inputWaitBytesMax: 32 * MiB,
  writeStallMs: 60_000,
}

export type RespDoorOptions = {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits?: RespLimits
}

const BACKLOG = 1024
const STALL_CHECK_MS = 5_000
const KEEP_ALIVE_MS = 60_000
/** A message to all of ten thousand clients is written in slices, between which Raft gets its turn. */
const FLUSHED_AT_ONCE_MAX = 1024
/** How long `stop` waits for replies to be taken. */
const CLOSE_GRACE_MS = 1_000

export class RespDoor implements Door {
  readonly broker: Broker
  readonly limits: RespLimits
  readonly budget: CarryBudget
  readonly outputs: CarryBudget
  quietBytes: number
  readonly #options: RespDoorOptions
  readonly #logger: Logger
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #rejected: Counter
  readonly #slow: Counter
  #dirty: Connection[] = []
  #flushAsked = false
  readonly #onImmediate = () => {
    this.#flushAsked = false
    this.#flush()
  }
  #stallTimer: NodeJS.Timeout | null = null

  constructor(broker: Broker, options: RespDoorOptions) {
    this.broker = broker
    this.limits = options.limits ?? RESP_LIMITS
    this.budget = new CarryBudget(this.limits.carryBytesMax)
    this.outputs = new CarryBudget(this.limits.outputTotalBytesMax)
    this.quietBytes = this.#quietBytes()
    broker.settings.onChange(() => {
      this.quietBytes = this.#quietBytes()
    })
    this.#options = options
    this.#logger = options.logger
    const { metrics } = options
    // Half-open: who sends its commands and closes its side still gets the replies.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket =>
      this.#accept(socket),
    )
    this.#rejected = metrics.counter('resp_rejected_total', 'Connections over the limit')
    this.#slow = metrics.counter(
      'resp_output_limit_total',
      'Connections cut because too much waited for their client (client-output-buffer-limit)',
    )
    metrics.gauge({
      name: 'resp_connections',
      help: 'Open RESP connections',
      read: () => this.#connections.size,
    })
    metrics.gauge({
      name: 'resp_carry_bytes',
      help: 'Memory that holds parts of commands',
      read: () => this.budget.bytes,
    })
    metrics.gauge({
      name: 'resp_output_bytes',
      help: 'Replies that wait to be written',
      read: () => this.outputs.bytes,
    })
    broker.onFlush(() => this.#flush())
  }

  /** The port that is listened on. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Opens the door. `done` gets null, or why it cannot be opened. */
  listen(done: (error: OperationalError | null) => void): void {
    const { host, port } = this.#options
    const onError = (error: Error) =>
      done(
        new OperationalError(
          'PORT',
          `cannot listen for RESP on ${host}:${port}: ${reasonOf(error)}`,
          error,
        ),
      )
    this.#server.once('error', onError)
    this.#server.listen({ host, port, backlog: BACKLOG }, () => {
      this.#server.off('error', onError)
      this.#server.on('error', error => this.#logger.error({ error: error.message }, 'RESP door'))
      this.#stallTimer = setInterval(() => this.#checkStalls(), STALL_CHECK_MS)
      this.#stallTimer.unref()
      done(null)
    })
  }

  /** Closes the door: no more commands are read, what was answered is written, then all ends. */
  stop(done: () => void): void {
    if (this.#stallTimer !== null) clearInterval(this.#stallTimer)
    const grace = setTimeout(() => {
      for (const connection of [...this.#connections]) connection.cut('the node stops')
    }, CLOSE_GRACE_MS)
    this.#server.close(() => {
      clearTimeout(grace)
      done()
    })
    for (const connection of this.#connections) connection.close('the node stops')
    while (this.#dirty.length > 0) this.#flush()
  }

  dirty(connection: Connection): void {
    this.#dirty.push(connection)
    // Mostly the desk's flush comes first; this one is for what happens outside of turns.
    this.#askFlush()
  }

  #askFlush(): void {
    if (this.#flushAsked) return
    this.#flushAsked = true
    setImmediate(this.#onImmediate)
  }

  closed(connection: Connection, reason: string): void {
    this.#connections.delete(connection)
    this.#logger.debug({ reason }, 'RESP connection closed')
  }

  slow(connection: Connection, reason: string): void {
    this.#slow.add()
    this.#logger.warn({ address: connection.address, reason }, 'slow client cut off')
    connection.cut(reason)
  }

  #quietBytes(): number {
    return Math.min(this.limits.outputBytesMax, unlimitedBytes(this.broker.settings.outputLimits))
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.broker.settings.clientsMax) {
      this.#rejected.add()
      socket.on('error', () => {})
      socket.end('-ERR max number of clients reached\r\n')
      return
    }
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#connections.add(new Connection(socket, this))
  }

  #flush(): void {
    if (this.#dirty.length === 0) return
    const dirty = this.#dirty
    if (dirty.length <= FLUSHED_AT_ONCE_MAX) {
      this.#dirty = []
      for (const connection of dirty) connection.flush()
      return
    }
    this.#dirty = dirty.slice(FLUSHED_AT_ONCE_MAX)
    for (let i = 0; i < FLUSHED_AT_ONCE_MAX; i += 1) dirty[i]?.flush()
    this.#askFlush()
  }

  #checkStalls(): void {
    const now = performance.now()
    for (const connection of [...this.#connections]) connection.checkStall(now)
  }
}

function reasonOf(error: Error & { readonly code?: string }): string {
  return error.code === 'EADDRINUSE' ? 'the port is in use' : error.message
}
