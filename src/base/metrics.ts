// Counters as plain numbers: the room that does the thing adds to them, the admin door prints them.
//
// Names follow Prometheus: unit last, `_total` for counters. A histogram keeps
// fixed buckets, so that observing is an addition and never an allocation.

/** Upper bounds in seconds; the last bucket is +Inf. */
const SECONDS_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
]

export class Counter {
  value = 0
  readonly name: string
  readonly help: string
  constructor(name: string, help: string) {
    this.name = name
    this.help = help
  }
  add(amount = 1): void {
    this.value += amount
  }
}

/** A value that is read when asked for. */
export type Gauge = {
  readonly name: string
  readonly help: string
  /** Label name and values, or none: one sample per key. */
  readonly label?: string
  read(): number | ReadonlyMap<string, number>
}

export class Histogram {
  readonly name: string
  readonly help: string
  readonly bounds: readonly number[]
  readonly buckets: number[]
  sum = 0
  count = 0
  constructor(name: string, help: string, bounds: readonly number[] = SECONDS_BOUNDS) {
    this.name = name
    this.help = help
    this.bounds = bounds
    this.buckets = new Array<number>(bounds.length + 1).fill(0)
  }
  observe(value: number): void {
    let i = 0
    while (i < this.bounds.length && value > (this.bounds[i] as number)) i += 1
    this.buckets[i] = (this.buckets[i] as number) + 1
    this.sum += value
    this.count += 1
  }
}

/** All series of one node. Made by the roof, passed to each room that counts. */
export class Metrics {
  readonly counters = new Map<string, Counter>()
  readonly histograms = new Map<string, Histogram>()
  readonly gauges = new Map<string, Gauge>()

  counter(name: string, help: string): Counter {
    let found = this.counters.get(name)
    if (found === undefined) {
      found = new Counter(name, help)
      this.counters.set(name, found)
    }
    return found
  }

  histogram(name: string, help: string): Histogram {
    let found = this.histograms.get(name)
    if (found === undefined) {
      found = new Histogram(name, help)
      this.histograms.set(name, found)
    }
    return found
  }

  gauge(gauge: Gauge): void {
    this.gauges.set(gauge.name, gauge)
  }
}
