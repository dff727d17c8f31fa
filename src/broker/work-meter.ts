// Measures what commands cost: their own work, not the wait for disk and majority.
//
// Reading the clock takes as long as a tenth of a cheap command, so it is not read
// for each. What Redis calls fast is applied in runs of up to RUN_MAX commands that
// share one reading; anything else is timed alone. Fast commands that come singly
// are timed one in SAMPLE_EVERY. When a run took longer than the slow log's bound,
// its longest command is logged for it, and for a while every command is timed
// alone, so that the next one is named for sure; with a bound below a millisecond
// every command always is.

import { Argv } from '../base/argv.ts'
import type { Clock } from '../base/clock.ts'
import { parseMultibulk } from '../base/multibulk.ts'
import type { Ms } from '../base/types.ts'
import { Wait } from '../base/wait.ts'
import type { CommandFacts } from '../machine/command.ts'
import type { Observer } from '../machine/machine.ts'
import type { Reply } from '../machine/reply.ts'
import { type CommandStats, StatsTable } from './command-stats.ts'
import { LatencyMonitor } from './latency-monitor.ts'
import type { Settings } from './settings.ts'
import { loggedWords, type SlowEntry, SlowLog } from './slow-log.ts'

const RUN_MAX = 64
const SAMPLE_EVERY = 16
const SINGLY_BELOW_MICROS = 1_000
/** How long each command is timed alone after a run was slow. */
const SINGLY_FOR_MS: Ms = 10_000
const NS_PER_MS = 1e6
const MICROS_PER_MS = 1e3

/** Who sent a command, for the slow log. */
export type Sender = {
  readonly options: { readonly address: string }
  readonly name: string
}

export class WorkMeter implements Observer {
  readonly stats = new StatsTable()
  readonly slowLog: SlowLog
  readonly monitor = new LatencyMonitor()
  readonly #clock: Clock
  readonly #settings: Settings
  #run: CommandStats[] = []
  /** Where the commands of the run begin in `#bytes`, and which of the entry they are. */
  readonly #starts = new Int32Array(RUN_MAX)
  readonly #positions = new Int32Array(RUN_MAX)
  #bytes: Buffer = EMPTY
  #since: Ms = 0
  #singlyUntil: Ms = 0
  #current: CommandStats | null = null
  #position = 0
  #singly = false
  /** Slow commands of the entry whose senders are not known yet. */
  #nameless: { readonly position: number; readonly entry: SlowEntry }[] = []

  constructor(clock: Clock, settings: Settings) {
    this.#clock = clock
    this.#settings = settings
    this.slowLog = new SlowLog(settings.slowLogLengthMax)
  }

  // ── what a shard applies ─────────────────────────────────────────

  entry(): void {
    this.#since = this.#clock.monotonic()
    this.#singly = this.#timesSingly(this.#since)
    this.#nameless = []
  }

  begin(facts: CommandFacts, position: number): void {
    const stats = this.stats.of(facts)
    this.#current = stats
    this.#position = position
    if (this.#run.length > 0 && (this.#singly || !stats.fast)) this.#endRun()
  }

  end(argv: Argv, outcome: Reply | Wait): void {
    const stats = this.#current
    if (stats === null) return
    this.#current = null
    // One that waits counts when it is served.
    if (outcome instanceof Wait) return
    stats.calls += 1
    if (outcome.kind === 'error') stats.failed += 1
    this.#bytes = argv.buffer
    this.#starts[this.#run.length] = argv.start
    this.#positions[this.#run.length] = this.#position
    this.#run.push(stats)
    if (this.#singly || !stats.fast || this.#run.length === RUN_MAX) this.#endRun()
  }

  entryDone(): void {
    if (this.#run.length > 0) this.#endRun()
    this.#bytes = EMPTY
  }

  /** Who sent the commands of the entry that was just applied, by position. */
  settling(senders: readonly unknown[]): void {
    if (this.#nameless.length === 0) return
    for (const { position, entry } of this.#nameless) name(entry, senders[position])
    this.#nameless = []
  }

  #endRun(): void {
    const now = this.#clock.monotonic()
    const elapsed = now - this.#since
    this.#since = now
    const run = this.#run
    const share = (elapsed * NS_PER_MS) / run.length
    const { latencyTracking } = this.#settings
    let from = 0
    for (let i = 1; i <= run.length; i += 1) {
      if (i < run.length && run[i] === run[from]) continue
      run[from]?.time(share, i - from, latencyTracking)
      from = i
    }
    if (this.#isSlow(elapsed)) this.#noteRun(now, elapsed)
    run.length = 0
  }

  /** The longest of a slow run has most words to work on. */
  #noteRun(now: Ms, elapsed: Ms): void {
    const run = this.#run
    if (run.length > 1) {
      this.#singlyUntil = now + SINGLY_FOR_MS
      this.#singly = true
    }
    const argv = new Argv()
    let longest = 0
    let bytes = -1
    for (let i = 0; i < run.length; i += 1) {
      const from = this.#starts[i] as number
      const end = parseMultibulk(argv, this.#bytes, from, this.#bytes.length)
      if (end - from <= bytes) continue
      bytes = end - from
      longest = i
    }
    const from = this.#starts[longest] as number
    parseMultibulk(argv, this.#bytes, from, this.#bytes.length)
    const entry = this.#note(run[longest] as CommandStats, elapsed, textsOf(argv), argv.count)
    if (entry !== null) this.#nameless.push({ position: this.#positions[longest] as number, entry })
  }

  // ── what the desk does itself, and reads ─────────────────────────

  /** Whether words are worth keeping: something may be logged. */
  get logs(): boolean {
    return this.#settings.slowerThanMicros >= 0
  }

  /** @returns for `stop`; below 0: this call is not timed */
  start(facts: CommandFacts): Ms {
    const stats = this.stats.of(facts)
    if (!stats.fast || stats.calls % SAMPLE_EVERY === 0) return this.#clock.monotonic()
    const { slowerThanMicros: bound } = this.#settings
    return bound >= 0 && bound < SINGLY_BELOW_MICROS ? this.#clock.monotonic() : -1
  }

  /** A call ended. @returns how long it took, if that was too long and is to be noted; else -1 */
  stop(facts: CommandFacts, since: Ms, outcome: Reply | null): Ms {
    const stats = this.stats.of(facts)
    stats.calls += 1
    if (outcome !== null && outcome.kind === 'error') stats.failed += 1
    if (since < 0) return -1
    const elapsed = this.#clock.monotonic() - since
    stats.time(elapsed * NS_PER_MS, 1, this.#settings.latencyTracking)
    return this.#isSlow(elapsed) ? elapsed : -1
  }

  /** @param words the first words of the command, which has `count` of them */
  note(
    facts: CommandFacts,
    elapsed: Ms,
    words: readonly string[],
    count: number,
    sender: Sender,
  ): void {
    const entry = this.#note(this.stats.of(facts), elapsed, words, count)
    if (entry !== null) name(entry, sender)
  }

  /** A command was turned down before it began. */
  rejected(facts: CommandFacts): void {
    this.stats.of(facts).rejected += 1
  }

  /** The words of a command were wrong: it is over before any work. */
  misspelt(facts: CommandFacts): void {
    const stats = this.stats.of(facts)
    stats.calls += 1
    stats.failed += 1
  }

  #timesSingly(now: Ms): boolean {
    const { slowerThanMicros: bound } = this.#settings
    return (bound >= 0 && bound < SINGLY_BELOW_MICROS) || now < this.#singlyUntil
  }

  #isSlow(elapsed: Ms): boolean {
    const { slowerThanMicros, latencyThreshold } = this.#settings
    if (latencyThreshold > 0 && elapsed >= latencyThreshold) return true
    return slowerThanMicros >= 0 && elapsed * MICROS_PER_MS >= slowerThanMicros
  }

  #note(
    stats: CommandStats,
    elapsed: Ms,
    words: readonly string[],
    count: number,
  ): SlowEntry | null {
    const { slowerThanMicros, latencyThreshold } = this.#settings
    const now = this.#clock.now()
    if (latencyThreshold > 0 && elapsed >= latencyThreshold)
      this.monitor.add(stats.fast ? 'fast-command' : 'command', now, elapsed)
    const micros = elapsed * MICROS_PER_MS
    if (slowerThanMicros < 0 || micros < slowerThanMicros || stats.unlogged) return null
    return this.slowLog.add(now, micros, loggedWords(words, count))
  }
}

const EMPTY = Buffer.alloc(0)

/** Words as text of one character a byte. */
export function textsOf(argv: Argv): string[] {
  return Array.from({ length: argv.count }, (_, i) => argv.latin1(i))
}

/** Askers that are no sessions (several shards at once) stay nameless. */
function name(entry: SlowEntry, sender: unknown): void {
  const { options, name: clientName } = sender as Partial<Sender>
  entry.client = options?.address ?? ''
  entry.clientName = clientName ?? ''
}
