// A stream ID: two unsigned 64-bit numbers, compared as a pair.
//
// Halves are JS numbers up to 2^53 - 1 and bigints above, always in that normal
// form, so that `===` tells equality and `<` orders across both. Real IDs stay
// on the number path; the ends of the range are exact all the same.

export type Half = number | bigint

export type StreamId = { readonly ms: Half; readonly seq: Half }

export const HALF_MAX = 0xffff_ffff_ffff_ffffn

export const MIN_ID: StreamId = { ms: 0, seq: 0 }
export const MAX_ID: StreamId = { ms: HALF_MAX, seq: HALF_MAX }

/** A half in normal form. */
export function half(value: bigint): Half {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

/** Negative, zero or positive, as `a` comes before, at or after `b`. */
export function compareIds(a: StreamId, b: StreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1
  return 0
}

export function equalIds(a: StreamId, b: StreamId): boolean {
  return a.ms === b.ms && a.seq === b.seq
}

function incrementHalf(value: Half): Half {
  return typeof value === 'number' && value < Number.MAX_SAFE_INTEGER
    ? value + 1
    : half(BigInt(value) + 1n)
}

function decrementHalf(value: Half): Half {
  return typeof value === 'number' ? value - 1 : half(value - 1n)
}

/** The ID just above `id`, or null above the highest. */
export function nextId(id: StreamId): StreamId | null {
  if (id.seq !== HALF_MAX) return { ms: id.ms, seq: incrementHalf(id.seq) }
  if (id.ms === HALF_MAX) return null
  return { ms: incrementHalf(id.ms), seq: 0 }
}

/** The ID just below `id`, or null below 0-0. */
export function previousId(id: StreamId): StreamId | null {
  if (id.seq !== 0) return { ms: id.ms, seq: decrementHalf(id.seq) }
  if (id.ms === 0) return null
  return { ms: decrementHalf(id.ms), seq: HALF_MAX }
}

export function formatId(id: StreamId): string {
  return `${id.ms}-${id.seq}`
}
