// The latency monitor: when commands took longer than a threshold, second by second.
//
// As in Redis: of each kind of event the worst of a second is a sample, and the
// last 160 of them are kept.

import type { Ms } from '../base/types.ts'

const SAMPLES_MAX = 160

/** Redis' names for what it watches; we have these of them. */
export type LatencyEvent = 'command' | 'fast-command'

/** Unix seconds, and whole ms. */
export type LatencySample = { readonly at: number; latency: number }

export type LatencySeries = { readonly samples: LatencySample[]; worst: number }

export class LatencyMonitor {
  readonly #series = new Map<string, LatencySeries>()

  /** By name. */
  get series(): ReadonlyMap<string, LatencySeries> {
    return this.#series
  }

  add(event: LatencyEvent, now: Ms, latency: Ms): void {
    const at = Math.floor(now / 1000)
    const whole = Math.floor(latency)
    let series = this.#series.get(event)
    if (series === undefined) {
      series = { samples: [], worst: 0 }
      this.#series.set(event, series)
    }
    series.worst = Math.max(series.worst, whole)
    const last = series.samples.at(-1)
    if (last !== undefined && last.at === at) {
      last.latency = Math.max(last.latency, whole)
      return
    }
    series.samples.push({ at, latency: whole })
    if (series.samples.length > SAMPLES_MAX) series.samples.shift()
  }

  /** Forgets `events`, or all. @returns how many there were of them */
  reset(events: readonly string[]): number {
    const chosen = events.length === 0 ? [...this.#series.keys()] : events
    let count = 0
    for (const event of chosen) if (this.#series.delete(event)) count += 1
    return count
  }
}
