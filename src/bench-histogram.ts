// Latencies of millions of commands in a few kilobytes: buckets that grow by 1/64 of a power of two.
//
// A percentile read from it is at most 1.6 % too high. The greatest value is kept as it is.

const SUB_BITS = 6
const SUB = 1 << SUB_BITS
/** Microseconds up to 2^31: more than half an hour. */
const BUCKETS = (31 - SUB_BITS + 1) * SUB

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS)
  count = 0
  sumMs = 0
  maxMs = 0

  add(ms: number): void {
    this.#counts[bucketOf(ms * 1000)] = (this.#counts[bucketOf(ms * 1000)] ?? 0) + 1
    this.count += 1
    this.sumMs += ms
    if (ms > this.maxMs) this.maxMs = ms
  }

  get meanMs(): number {
    return this.count === 0 ? 0 : this.sumMs / this.count
  }

  /** The latency that `percent` of the commands did not exceed, in ms. */
  percentileMs(percent: number): number {
    const rank = Math.ceil((this.count * percent) / 100)
    let seen = 0
    for (let i = 0; i < BUCKETS; i += 1) {
      seen += this.#counts[i] ?? 0
      if (seen >= rank && seen > 0) return Math.min(highest(i) / 1000, this.maxMs)
    }
    return this.maxMs
  }
}

function bucketOf(us: number): number {
  const value = Math.min(Math.max(0, Math.floor(us)), 2 ** 31 - 1)
  if (value < SUB) return value
  const shift = 31 - Math.clz32(value) - SUB_BITS
  return (shift + 1) * SUB + ((value >>> shift) - SUB)
}

/** The greatest whole number of microseconds that falls into a bucket, and the rest of that microsecond. */
function highest(bucket: number): number {
  if (bucket < SUB) return bucket + 1
  const shift = Math.floor(bucket / SUB) - 1
  return ((bucket % SUB) + SUB + 1) * 2 ** shift
}
