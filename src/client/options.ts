// What may be set when a client is made, with units, defaults and reasons. Times are milliseconds.

import { randomBytes } from 'node:crypto'
import type { ChannelCredentials } from '@grpc/grpc-js'
import { UsageError } from './errors.ts'
import type { Propagator } from './propagator.ts'

export type ClientOptions = {
  /** gRPC addresses of some nodes, `host:port`. One that answers is enough. */
  readonly seeds: readonly string[]
  /** Default: no TLS. */
  readonly credentials?: ChannelCredentials
  /**
   * Who writes. Without it a random name that lasts as long as the client. With it, `epoch` must be higher than in every
   * earlier life of this id: it ends the earlier lives, which are fenced off.
   */
  readonly producer?: { readonly id: string; readonly epoch: number }
  /** How long a call may take with all of its retries. Default: 10,000. */
  readonly deadlineMs?: number
  /** Unanswered calls of the whole client; beyond, QueueFullError. Default: 16,384. */
  readonly maxQueued?: number
  /** Calls on their way to one node; the others wait in the client. Default: 1,024. */
  readonly maxInFlight?: number
  /** Silence of a node that owes answers after which it is taken for dead. Default: 2,000. */
  readonly silenceMs?: number
  /** Retries a second that the client allows itself beyond a tenth of what succeeds. Default: 200. */
  readonly retriesPerSecond?: number
  /** Carries a trace's context with entries. */
  readonly propagator?: Propagator
}

export type Settings = {
  readonly seeds: readonly string[]
  readonly credentials: ChannelCredentials | null
  readonly producerId: string
  readonly producerEpoch: number
  /** The id outlives the client. */
  readonly isNamed: boolean
  readonly deadlineMs: number
  readonly maxQueued: number
  readonly maxInFlight: number
  readonly silenceMs: number
  readonly retriesPerSecond: number
  readonly propagator: Propagator | null
}

const PRODUCER_ID = /^[\x21-\x7e]{1,240}$/
const EPOCH_MAX = 0xffff_ffff
const RANDOM_ID_BYTES = 16

export function settingsOf(options: ClientOptions): Settings {
  const { seeds, producer } = options
  if (seeds.length === 0) throw new UsageError('seeds is empty')
  for (const seed of seeds)
    if (!/^.+:\d+$/.test(seed)) throw new UsageError(`seed ${seed} is not host:port`)
  if (producer !== undefined) {
    if (!PRODUCER_ID.test(producer.id))
      throw new UsageError('producer.id must be 1 to 240 printable ASCII characters')
    if (!Number.isInteger(producer.epoch) || producer.epoch < 1 || producer.epoch > EPOCH_MAX)
      throw new UsageError('producer.epoch must be 1 to 2^32 - 1')
  }
  return {
    seeds,
    credentials: options.credentials ?? null,
    producerId: producer?.id ?? randomBytes(RANDOM_ID_BYTES).toString('base64url'),
    producerEpoch: producer?.epoch ?? 1,
    isNamed: producer !== undefined,
    deadlineMs: positive('deadlineMs', options.deadlineMs ?? 10_000),
    maxQueued: positive('maxQueued', options.maxQueued ?? 16_384),
    maxInFlight: positive('maxInFlight', options.maxInFlight ?? 1_024),
    silenceMs: positive('silenceMs', options.silenceMs ?? 2_000),
    retriesPerSecond: positive('retriesPerSecond', options.retriesPerSecond ?? 200),
    propagator: options.propagator ?? null,
  }
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new UsageError(`${name} must be above 0`)
  return value
}
