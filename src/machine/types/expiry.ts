// When a key dies, worked out from what a client asked for: seconds or milliseconds, from now or since 1970.

import type { Ms } from '../../base/types.ts'
import { clampToSafe } from '../integers.ts'

export type TimeUnit = 1 | 1000

const INT64_MAX = (1n << 63n) - 1n
const INT64_MIN = -(1n << 63n)

/**
 * @param value a signed 64-bit number
 * @param unit milliseconds of one
 * @param base what it counts from: 0 or the time of the entry
 * @returns Unix ms, beyond 2^53 the nearest below (the year 287396); null where 64 bits do not hold it
 */
export function expiryAt(value: number | bigint, unit: TimeUnit, base: Ms): Ms | null {
  const near = typeof value === 'number' ? value * unit + base : Number.NaN
  if (Number.isSafeInteger(near)) return near
  const ms = BigInt(value) * BigInt(unit)
  if (ms > INT64_MAX || ms < INT64_MIN || ms > INT64_MAX - BigInt(base)) return null
  const exact = ms + BigInt(base)
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : clampToSafe(exact)
}

/** Milliseconds as seconds, as TTL and EXPIRETIME round them. */
export function toSeconds(ms: Ms): number {
  return Math.floor((ms + 500) / 1000)
}
