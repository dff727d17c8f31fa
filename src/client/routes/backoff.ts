// How long to wait before another attempt: full jitter, so that clients that failed together do not come back together.

/** 0 up to, not including, 1. */
export type Chance = () => number

/**
 * Anything from 0 to `base` doubled with each attempt, at most `cap`. Milliseconds.
 *
 * @param attempt from 0
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog
 */
export function fullJitter(attempt: number, base: number, cap: number, chance: Chance): number {
  return chance() * Math.min(cap, base * 2 ** Math.min(attempt, 30))
}
