// One node as the client knows it: a connection that is made when it is needed, a session for calls that are answered
// at once, and further ones for those that block, so that giving up a wait ends it at the leader, too.

import { type ChannelCredentials, Client, credentials } from '@grpc/grpc-js'
import { type Chance, fullJitter } from '../routes/backoff.ts'
import type { Call } from './call.ts'
import {
  type Patience,
  type SessionHost,
  type SessionLimits,
  SessionStream,
} from './session-stream.ts'

/** Sessions for blocking calls that are kept for the next. */
const IDLE_LANES_MAX = 16
const PATIENCE_DOUBLINGS = 3
const DOWN_BASE_MS = 50
const DOWN_CAP_MS = 2_000
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024
/** On its way to us at most, of a stream and of a connection: HTTP/2's 64 KiB are a few milliseconds of messages. */
const WINDOW_BYTES = 1024 * 1024
const KEEPALIVE_MS = 10_000
const KEEPALIVE_TIMEOUT_MS = 3_000

export const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': -1,
  'grpc-node.flow_control_window': WINDOW_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.keepalive_permit_without_calls': 1,
  // Its own backoff does not know that we have one.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
} as const

export function dial(address: string, secrets: ChannelCredentials | null): Client {
  return new Client(address, secrets ?? credentials.createInsecure(), CHANNEL_OPTIONS)
}

/** Who hears of what becomes of calls. */
export interface NodeHost extends SessionHost {
  /** The connection is gone, and with it whether `calls` were done. In the order in which they were made. */
  lost(node: Node, calls: readonly Call[], reason: Error): void
}

export type NodeOptions = SessionLimits & {
  readonly credentials: ChannelCredentials | null
  readonly chance: Chance
}

export class Node implements Patience {
  readonly address: string
  readonly #host: NodeHost
  readonly #options: NodeOptions
  #client: Client | null = null
  #main: SessionStream | null = null
  readonly #lanes = new Set<SessionStream>()
  readonly #idle: SessionStream[] = []
  readonly #laneOf = new Map<Call, SessionStream>()
  #failures = 0
  #downUntil = 0

  constructor(address: string, host: NodeHost, options: NodeOptions) {
    this.address = address
    this.#host = host
    this.#options = options
  }

  /** The last connection failed, and it is not time for another attempt. */
  isDown(now: number): boolean {
    return now < this.#downUntil
  }

  get downUntil(): number {
    return this.#downUntil
  }

  /** A node that is silent because it has too much to do must not be given up again and again, with all that costs it. */
  get factor(): number {
    return 2 ** Math.min(this.#failures, PATIENCE_DOUBLINGS)
  }

  /** The node answered: it is well. */
  heard(): void {
    this.#failures = 0
  }

  send(call: Call): void {
    if (call.blocks) this.#sendBlocking(call)
    else {
      this.#main ??= this.#open()
      this.#main.send(call)
    }
  }

  /** A blocking call is done with: its session serves another, unless the call was given up while it waited. */
  settled(call: Call): void {
    const lane = this.#laneOf.get(call)
    if (lane === undefined) return
    this.#laneOf.delete(call)
    if (!call.isSent && this.#idle.length < IDLE_LANES_MAX) {
      this.#idle.push(lane)
      return
    }
    this.#lanes.delete(lane)
    lane.close()
  }

  /** Ends everything. @returns the calls that were not answered */
  close(): Call[] {
    const calls: Call[] = []
    for (const stream of [this.#main, ...this.#lanes])
      if (stream !== null) calls.push(...stream.close())
    this.#main = null
    this.#lanes.clear()
    this.#laneOf.clear()
    this.#idle.length = 0
    this.#client?.close()
    this.#client = null
    return calls.sort((a, b) => a.order - b.order)
  }

  #sendBlocking(call: Call): void {
    let lane = this.#idle.pop()
    if (lane === undefined) {
      lane = this.#open()
      this.#lanes.add(lane)
    }
    this.#laneOf.set(call, lane)
    lane.send(call)
  }

  #open(): SessionStream {
    this.#client ??= dial(this.address, this.#options.credentials)
    return new SessionStream(this.#client, this.#host, this.#options, this, reason =>
      this.#broke(reason),
    )
  }

  #broke(reason: Error): void {
    const calls = this.close()
    const wait = fullJitter(this.#failures, DOWN_BASE_MS, DOWN_CAP_MS, this.#options.chance)
    this.#failures += 1
    this.#downUntil = performance.now() + wait
    this.#host.lost(this, calls, reason)
  }
}
