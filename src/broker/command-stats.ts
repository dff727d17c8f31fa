// What is counted of each command: calls, the time of their own work, and how many went wrong.

import type { CommandFacts } from '../machine/command.ts'
import { LatencyHistogram } from './latency-histogram.ts'

export class CommandStats {
  readonly name: string
  /** Redis calls it fast: its work does not grow with the data. */
  readonly fast: boolean
  /** Its words or its time are nobody's business. */
  readonly unlogged: boolean
  calls = 0
  /** Of the calls whose time is known. */
  nanoseconds = 0
  timed = 0
  /** Turned down before it began. */
  rejected = 0
  /** Began and was answered with an error. */
  failed = 0
  #latency: LatencyHistogram | null = null

  constructor(facts: CommandFacts) {
    this.name = facts.name
    this.fast = facts.flags.includes('fast')
    this.unlogged = facts.flags.includes('skip_slowlog')
  }

  /** Null: no call was timed. */
  get latency(): LatencyHistogram | null {
    return this.#latency
  }

  /** `calls` calls took `ns` each. */
  time(ns: number, calls: number, keepsLatency: boolean): void {
    this.nanoseconds += ns * calls
    this.timed += calls
    if (!keepsLatency) return
    this.#latency ??= new LatencyHistogram()
    this.#latency.record(ns, calls)
  }

  /** Microseconds of all calls; those that were not timed count as the mean of those that were. */
  get micros(): number {
    return this.timed === 0 ? 0 : (this.nanoseconds / 1000 / this.timed) * this.calls
  }

  forgetLatency(): void {
    this.#latency = null
  }
}

/** The stats of all commands that were called since the start or CONFIG RESETSTAT. */
export class StatsTable {
  #stats = new Map<CommandFacts, CommandStats>()
  #last: CommandFacts | null = null
  #lastStats: CommandStats | null = null

  of(facts: CommandFacts): CommandStats {
    // Commands come in runs.
    if (this.#lastStats !== null && this.#last === facts) return this.#lastStats
    let stats = this.#stats.get(facts)
    if (stats === undefined) {
      stats = new CommandStats(facts)
      this.#stats.set(facts, stats)
    }
    this.#last = facts
    this.#lastStats = stats
    return stats
  }

  /** By name. */
  all(): readonly CommandStats[] {
    return [...this.#stats.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  named(name: string): CommandStats | null {
    for (const stats of this.#stats.values()) if (stats.name === name) return stats
    return null
  }

  reset(): void {
    this.#stats = new Map()
    this.#last = null
    this.#lastStats = null
  }
}
