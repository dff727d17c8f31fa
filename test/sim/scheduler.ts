// The simulator's only loop: events ordered by virtual time, then by when they were asked for.
//
// Everything that happens in a simulated cluster is an event in this one queue.
// Nothing waits for real time, nothing runs beside it: two runs of one seed are
// the same list of events, and `digest` is a hash over that list to prove it.
// Time is counted in whole microseconds, so that no rounding differs anywhere.

/** Virtual microseconds since the run began. */
export type Us = number

export type SimEvent = {
  readonly time: Us
  readonly sequence: number
  /** The node it belongs to; 0: the world. */
  readonly node: number
  readonly label: string
  run: (() => void) | null
}

/** One line of the story, for people. */
export type TraceLine = { readonly time: Us; readonly node: number; readonly text: string }

const TRACE_LINES_KEPT = 4_000

export class Scheduler {
  #now: Us = 0
  #sequence = 0
  #executed = 0
  #digestLow = 0x811c9dc5
  #digestHigh = 0x9e3779b9
  readonly #heap: SimEvent[] = []
  readonly #trace: TraceLine[] = []
  #traceNext = 0
  /** Called after each event that ran, with the event's node. */
  afterEvent: ((node: number) => void) | null = null
  /** Gets each line of the story as it happens. */
  onTrace: ((line: TraceLine) => void) | null = null

  get now(): Us {
    return this.#now
  }

  get executed(): number {
    return this.#executed
  }

  /** A hash over all events so far. Equal seeds must give equal digests. */
  get digest(): string {
    const high = (this.#digestHigh >>> 0).toString(16).padStart(8, '0')
    return high + (this.#digestLow >>> 0).toString(16).padStart(8, '0')
  }

  /** Runs `run` at `time`, or now when that has passed; never before the current event is over. */
  at(time: Us, node: number, label: string, run: () => void): SimEvent {
    const due = Math.max(this.#now, Math.round(time))
    this.#sequence += 1
    const event: SimEvent = { time: due, sequence: this.#sequence, node, label, run }
    this.#push(event)
    return event
  }

  after(delay: Us, node: number, label: string, run: () => void): SimEvent {
    return this.at(this.#now + delay, node, label, run)
  }

  /** The event will not run. */
  cancel(event: SimEvent): void {
    event.run = null
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    const event = this.#pop()
    if (event === undefined) return false
    this.#now = event.time
    if (event.run === null) return true
    const run = event.run
    event.run = null
    this.#executed += 1
    this.note(event.time)
    this.note(event.node)
    this.noteText(event.label)
    run()
    this.afterEvent?.(event.node)
    return true
  }

  /** Runs everything up to and including `time`, and leaves the clock there. */
  runUntil(time: Us): void {
    while (this.#heap.length > 0 && (this.#heap[0] as SimEvent).time <= time) this.step()
    this.#now = Math.max(this.#now, time)
  }

  /** Runs on until `done` holds; false when `deadline` passed or nothing is left to happen. */
  runWhile(going: () => boolean, deadline: Us): boolean {
    while (going()) {
      const next = this.#heap[0]
      if (next === undefined || next.time > deadline) return false
      this.step()
    }
    return true
  }

  /** Adds a number to the digest. */
  note(value: number): void {
    // Times pass 2^32 us after 71 minutes; both halves count.
    this.#digestLow = Math.imul(this.#digestLow ^ (value | 0), 0x01000193)
    this.#digestHigh = Math.imul(
      this.#digestHigh ^ Math.floor(value / 2 ** 32) ^ (this.#digestLow >>> 13),
      0x85ebca6b,
    )
  }

  noteText(text: string): void {
    for (let i = 0; i < text.length; i += 1) {
      this.#digestLow = Math.imul(this.#digestLow ^ text.charCodeAt(i), 0x01000193)
    }
  }

  /** Adds a line to the story and to the digest. */
  tell(node: number, text: string): void {
    this.noteText(text)
    const line = { time: this.#now, node, text }
    this.#trace[this.#traceNext % TRACE_LINES_KEPT] = line
    this.#traceNext += 1
    this.onTrace?.(line)
  }

  /** The last lines of the story, oldest first. */
  story(count: number): readonly TraceLine[] {
    const end = this.#traceNext
    const from = Math.max(0, end - Math.min(count, TRACE_LINES_KEPT))
    const lines: TraceLine[] = []
    for (let i = from; i < end; i += 1) {
      lines.push(this.#trace[i % TRACE_LINES_KEPT] as TraceLine)
    }
    return lines
  }

  #push(event: SimEvent): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent] as SimEvent
      if (!isBefore(event, above)) break
      heap[i] = above
      i = parent
    }
    heap[i] = event
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as SimEvent, heap[child] as SimEvent))
        child += 1
      if (!isBefore(heap[child] as SimEvent, last)) break
      heap[i] = heap[child] as SimEvent
      i = child
    }
    heap[i] = last
    return first
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.time !== b.time ? a.time < b.time : a.sequence < b.sequence
}

export function formatTrace(line: TraceLine): string {
  const who = line.node === 0 ? '--' : `n${line.node}`
  return `${(line.time / 1000).toFixed(3).padStart(12)} ${who} ${line.text}`
}
