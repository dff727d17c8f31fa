// The log checker: what a stream promises, judged from what clients saw (TESTING 7A).
//
// IDs make it cheap. Since they rise strictly in the order of the log, an ID says
// where an entry stands, and no order has to be searched for: real time is one
// sweep, and a read that shows a later entry was made after every earlier one.
// Unknown outcomes never accuse: an `info` add may be there or not, an `info`
// trim may have happened at any time after it began.

import {
  type Add,
  type Anomaly,
  byKey,
  type FinalLog,
  type LogOp,
  orderOf,
  type Range,
  type Read,
  type SeenEntry,
} from './history.ts'
import { Removals } from './removals.ts'

type Seen = Range | Read | FinalLog

/** An entry that surely exists or existed, with when that was first sure. */
type Known = {
  readonly id: string
  readonly order: string
  readonly value: string
  presentBy: number
  /** When a read that should have shown it had shown that it was gone. */
  goneBy: number
}

export type LogCheckOptions = {
  /** How long after its entry was acknowledged a blocked read may take, or null when faults were about. */
  readonly wakeWithin: number | null
  /** Only for reads that ended by then. */
  readonly wakeUntil?: number
}

export function checkLog(
  history: readonly LogOp[],
  options: LogCheckOptions = { wakeWithin: null },
): Anomaly[] {
  const anomalies: Anomaly[] = []
  for (const [key, ops] of byKey(history)) {
    anomalies.push(...new LogChecker(key, ops, options).check())
  }
  return anomalies
}

class LogChecker {
  readonly #key: string
  readonly #adds: readonly Add[]
  readonly #reads: readonly Seen[]
  readonly #finals: readonly FinalLog[]
  readonly #removals: Removals
  /** When adds of unknown outcome began, sorted. */
  readonly #unknownBegins: readonly number[]
  readonly #options: LogCheckOptions
  readonly #anomalies: Anomaly[] = []
  /** By ID order. */
  #known: Known[] = []
  readonly #byId = new Map<string, Known>()
  #rank = new Map<string, number>()

  constructor(key: string, ops: readonly LogOp[], options: LogCheckOptions) {
    this.#key = key
    this.#options = options
    this.#adds = ops.filter(op => op.op === 'add')
    this.#finals = ops.filter(op => op.op === 'final-log')
    this.#reads = ops
      .filter(op => op.op === 'range' || op.op === 'read' || op.op === 'final-log')
      .filter(op => op.outcome === 'ok')
    this.#removals = new Removals(ops)
    this.#unknownBegins = this.#adds
      .filter(add => add.outcome === 'info')
      .map(add => add.t0)
      .sort((a, b) => a - b)
  }

  check(): readonly Anomaly[] {
    this.#gather()
    this.#checkValues()
    this.#checkRealTime()
    for (const read of this.#reads) this.#checkOrder(read)
    for (const read of this.#reads) this.#checkPresence(read)
    for (const read of this.#reads) this.#checkAbsence(read)
    this.#checkFinals()
    if (this.#options.wakeWithin !== null) this.#checkWaking(this.#options.wakeWithin)
    return this.#anomalies
  }

  #report(name: string, text: string): void {
    this.#anomalies.push({ name, key: this.#key, text })
  }

  /** Collects every entry that anyone saw; one ID means one value, for ever. */
  #gather(): void {
    for (const add of this.#adds) {
      if (add.outcome === 'ok' && add.id !== null) {
        this.#learn({ id: add.id, value: add.value }, add.t1)
      }
    }
    for (const read of this.#reads) {
      // What a replica holds when all is over was put there by someone, no later than that.
      for (const entry of read.entries) this.#learn(entry, read.t1)
    }
    this.#known = [...this.#byId.values()].sort((a, b) => (a.order < b.order ? -1 : 1))
    this.#rank = new Map(this.#known.map((known, i) => [known.id, i]))
  }

  #learn(entry: SeenEntry, time: number): void {
    const known = this.#byId.get(entry.id)
    if (known === undefined) {
      this.#byId.set(entry.id, {
        id: entry.id,
        order: orderOf(entry.id),
        value: entry.value,
        presentBy: time,
        goneBy: Infinity,
      })
      return
    }
    known.presentBy = Math.min(known.presentBy, time)
    if (known.value !== entry.value)
      this.#report('two-values', `${entry.id} is ${known.value} and ${entry.value}`)
  }

  /** Each value stands under as many IDs as it was added, and none that was not added. */
  #checkValues(): void {
    const adds = new Map(this.#adds.map(add => [add.value, add]))
    const ids = new Map<string, string[]>()
    for (const known of this.#known) {
      const of = ids.get(known.value)
      if (of === undefined) ids.set(known.value, [known.id])
      else of.push(known.id)
    }
    for (const [value, at] of ids) {
      const add = adds.get(value)
      if (add === undefined) this.#report('phantom', `${value} at ${at} was never added`)
      else if (add.outcome === 'fail')
        this.#report('failed-but-there', `${value} at ${at}, its add failed`)
      else if (at.length > add.attempts)
        this.#report('duplicate', `${value} stands at ${at.join(' and ')}`)
    }
  }

  /** What began after something was seen to exist stands behind it. */
  #checkRealTime(): void {
    const done: { time: number; order: string; id: string }[] = []
    for (const add of this.#adds) {
      if (add.outcome === 'ok' && add.id !== null)
        done.push({ time: add.t1, order: orderOf(add.id), id: add.id })
    }
    for (const read of this.#reads) {
      const last = read.entries.at(-1)
      if (last !== undefined) done.push({ time: read.t1, order: orderOf(last.id), id: last.id })
    }
    done.sort((a, b) => a.time - b.time)
    const begun = this.#adds
      .filter(add => add.outcome === 'ok' && add.id !== null)
      .sort((a, b) => a.t0 - b.t0)
    let next = 0
    let highest = { order: '', id: '' }
    for (const add of begun) {
      while (next < done.length && (done[next] as { time: number }).time < add.t0) {
        const seen = done[next] as { order: string; id: string }
        if (seen.order > highest.order) highest = seen
        next += 1
      }
      if (add.id !== null && orderOf(add.id) <= highest.order)
        this.#report('id-not-above', `${add.id} (${add.value}) began after ${highest.id} was seen`)
    }
  }

  #checkOrder(read: Seen): void {
    let before = read.op === 'read' ? orderOf(read.after) : ''
    for (const [i, entry] of read.entries.entries()) {
      const order = orderOf(entry.id)
      if (order <= before) {
        const name = i === 0 ? 'went-back' : 'disorder'
        this.#report(name, `${describe(read)} has ${entry.id} where it must not`)
      }
      before = order
    }
  }

  /** The entries that `read` speaks about, from `low` on, below `high`, by rank. */
  #covered(read: Seen): { low: number; high: number } {
    const low = read.op === 'read' ? this.#firstAfter(orderOf(read.after)) : 0
    const full = read.op === 'read' && read.count !== null && read.entries.length >= read.count
    const last = read.entries.at(-1)
    const high =
      full && last !== undefined ? (this.#rank.get(last.id) ?? -1) + 1 : this.#known.length
    return { low, high }
  }

  #firstAfter(order: string): number {
    let low = 0
    let high = this.#known.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#known[middle] as Known).order <= order) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Everything that must be in `read` is in it. */
  #checkPresence(read: Seen): void {
    const shown = new Set(read.entries.map(entry => entry.id))
    const { low, high } = this.#covered(read)
    const last = read.entries.at(-1)
    const lastOrder = last === undefined ? '' : orderOf(last.id)
    let shownBefore = false
    for (let rank = low; rank < high; rank += 1) {
      const known = this.#known[rank] as Known
      if (shown.has(known.id)) {
        shownBefore = true
        continue
      }
      const laterShown = known.order < lastOrder
      if (known.presentBy >= read.t0 && !laterShown) continue
      known.goneBy = Math.min(known.goneBy, read.t1)
      if (this.#removals.mayDelete(known.id, read.t1)) continue
      // A trim takes the oldest only: what stands behind something that is there was not trimmed.
      const behind = this.#known.length - 1 - rank + this.#unknownAdds(read.t1)
      if (!shownBefore && this.#removals.mayTrim(known.id, behind, read.t1)) continue
      this.#reportMissing(read, known, rank, laterShown)
    }
  }

  #reportMissing(read: Seen, known: Known, rank: number, laterShown: boolean): void {
    const text = `${describe(read)} lacks ${known.id} (${known.value}, there by ${known.presentBy})`
    if (read.op !== 'final-log') {
      this.#report(laterShown ? 'gap' : 'stale-read', text)
      return
    }
    const where = rank === 0 ? 'prefix' : laterShown ? 'middle' : 'suffix'
    const elsewhere = this.#finals.some(final => final.entries.some(entry => entry.id === known.id))
    this.#report(elsewhere ? 'lost-on-node' : 'lost', `${text}; ${where}`)
  }

  /** How many adds of unknown outcome began before `time`. */
  #unknownAdds(time: number): number {
    let count = 0
    while (count < this.#unknownBegins.length && (this.#unknownBegins[count] as number) < time)
      count += 1
    return count
  }

  /** What was seen to be gone, or was surely taken away, does not come back. */
  #checkAbsence(read: Seen): void {
    for (const entry of read.entries) {
      const known = this.#byId.get(entry.id) as Known
      if (known.goneBy < read.t0)
        this.#report('came-back', `${describe(read)} shows ${entry.id}, gone by ${known.goneBy}`)
      const removed = this.#removals.surelyGoneBy(entry.id)
      if (removed < read.t0)
        this.#report('not-removed', `${describe(read)} shows ${entry.id}, removed by ${removed}`)
    }
  }

  #checkFinals(): void {
    const [first, ...others] = this.#finals
    if (first === undefined) return
    const expected = first.entries.map(formatEntry).join(' ')
    for (const other of others) {
      if (other.entries.map(formatEntry).join(' ') !== expected)
        this.#report('diverged', `node ${first.node} and node ${other.node} differ`)
    }
  }

  #checkWaking(within: number): void {
    for (const read of this.#reads) {
      if (read.op !== 'read' || !read.blocking) continue
      if (read.t1 > (this.#options.wakeUntil ?? Infinity)) continue
      const { low } = this.#covered(read)
      const first = this.#known[low]
      if (first === undefined || this.#removals.any) continue
      if (Math.max(first.presentBy, read.t0) + within < read.t1)
        this.#report('woke-late', `${describe(read)} waited beside ${first.id}`)
    }
  }
}

function formatEntry(entry: SeenEntry): string {
  return `${entry.id}=${entry.value}`
}

function describe(read: Seen): string {
  const who = read.op === 'final-log' ? `node ${read.node}` : `process ${read.process}`
  const after = read.op === 'read' ? ` after ${read.after}` : ''
  return `${read.op}${after} of ${who} [${read.t0}, ${read.t1}]`
}
