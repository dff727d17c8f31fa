// How long the calls of one command took: counts in buckets of one sixteenth of a power of two.
//
// The relative error is at most 1/16 over nanoseconds to seconds, and recording is
// two shifts and an addition. Both INFO's percentiles and LATENCY HISTOGRAM are
// read from it.

const SUB_BITS = 4
const SUBS = 1 << SUB_BITS
/** 2.1 s; longer calls count as that long. */
const NS_MAX = 0x7fff_ffff
const BUCKETS = (31 - SUB_BITS) * SUBS + SUBS
/** Redis' first bucket holds all up to 1.024 us; each next one twice as much. */
const FIRST_BOUND_NS = 1024

function bucketOf(ns: number): number {
  const value = Math.min(Math.floor(ns), NS_MAX)
  if (value < SUBS) return Math.max(0, value)
  const exponent = 31 - Math.clz32(value)
  return (exponent - SUB_BITS) * SUBS + (value >>> (exponent - SUB_BITS))
}

/** The highest value, in ns, that counts into `bucket`. */
function topOf(bucket: number): number {
  if (bucket < SUBS * 2) return bucket
  const exponent = Math.floor(bucket / SUBS) - 1 + SUB_BITS
  const sub = (bucket % SUBS) + SUBS
  return (sub + 1) * 2 ** (exponent - SUB_BITS) - 1
}

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS)
  count = 0

  /** Counts `calls` calls of `ns` nanoseconds each. */
  record(ns: number, calls: number): void {
    const bucket = bucketOf(ns)
    this.#counts[bucket] = (this.#counts[bucket] as number) + calls
    this.count += calls
  }

  /** The value, in ns, that `percent` of the calls did not exceed. */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((percent / 100) * this.count))
    let seen = 0
    for (let i = 0; i < BUCKETS; i += 1) {
      seen += this.#counts[i] as number
      if (seen >= wanted) return topOf(i)
    }
    return 0
  }

  /** Pairs of a bound in microseconds and how many calls were not above it, where that grows. */
  cumulative(): (readonly [number, number])[] {
    const pairs: (readonly [number, number])[] = []
    let bound = FIRST_BOUND_NS
    let seen = 0
    let told = 0
    for (let i = 0; i < BUCKETS && seen < this.count; i += 1) {
      const count = this.#counts[i] as number
      if (count === 0) continue
      while (topOf(i) > bound) {
        if (seen > told) pairs.push([Math.floor(bound / 1000), seen])
        told = seen
        bound *= 2
      }
      seen += count
    }
    if (seen > told) pairs.push([Math.floor(bound / 1000), seen])
    return pairs
  }
}
