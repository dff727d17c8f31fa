// What an operator may change while the node runs: the live values behind CONFIG SET.
//
// They begin as the configuration has them and last until the process ends; nothing
// is written back into files. Doors and the desk read the fields where they need
// them; who must act on a change listens.

import type { Ms } from '../base/types.ts'
import { OUTPUT_LIMITS, type OutputLimits } from './output-limits.ts'

/** Redis' words for what is logged. */
export const LOG_LEVELS = ['debug', 'verbose', 'notice', 'warning', 'nothing'] as const
export type RedisLogLevel = (typeof LOG_LEVELS)[number]

export type FirstSettings = {
  /** Bytes that a node may hold before it refuses what adds data; 0: no bound. */
  readonly memoryBytesMax: number
  readonly clientsMax: number
  /** Microseconds; below 0: nothing is logged. */
  readonly slowerThanMicros: number
  readonly slowLogLengthMax: number
  readonly logLevel: RedisLogLevel
}

export const DEFAULT_SETTINGS: FirstSettings = {
  memoryBytesMax: 0,
  clientsMax: 10_000,
  slowerThanMicros: 10_000,
  slowLogLengthMax: 128,
  logLevel: 'notice',
}

export class Settings {
  memoryBytesMax: number
  /** RESP connections; those there are stay when it goes down. */
  clientsMax: number
  /** Seconds after which a silent RESP client is cut off; 0: never. */
  idleSecondsMax = 0
  slowerThanMicros: number
  slowLogLengthMax: number
  /** From which time on a command is an event for LATENCY; 0: none is. */
  latencyThreshold: Ms = 0
  /** Whether latencies are kept by command. */
  latencyTracking = true
  percentiles: readonly number[] = [50, 99, 99.9]
  logLevel: RedisLogLevel
  /** What may wait to be written to one client. */
  outputLimits: OutputLimits = OUTPUT_LIMITS
  /** Of which keyspace events clients are told (keyspace-events.ts); 0: of none. */
  keyEvents = 0
  /** What was set of the settings that have no effect here, by name. */
  readonly idle = new Map<string, string>()
  readonly #listeners: (() => void)[] = []

  constructor(first: Partial<FirstSettings> = {}) {
    const all = { ...DEFAULT_SETTINGS, ...first }
    this.memoryBytesMax = all.memoryBytesMax
    this.clientsMax = all.clientsMax
    this.slowerThanMicros = all.slowerThanMicros
    this.slowLogLengthMax = all.slowLogLengthMax
    this.logLevel = all.logLevel
  }

  /** Runs `listener` after each change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
