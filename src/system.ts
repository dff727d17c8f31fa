// The real clock, chance, logger and end of the process: what the ports of base/ are in production.

import { randomBytes, randomInt } from 'node:crypto'
import { machine as osMachine, type as osType, release, totalmem } from 'node:os'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js'
import { pino } from 'pino'
import { AssertionFailure } from './base/assert.ts'
import type { Clock } from './base/clock.ts'
import { OperationalError } from './base/errors.ts'
import type { LogFields, Logger } from './base/log.ts'
import type { Metrics } from './base/metrics.ts'
import type { ProcessPort } from './base/process.ts'
import type { Random } from './base/random.ts'
import type { LogLevel } from './config.ts'

/** Exit codes: a failure of the world with a one-line reason, and an invariant of ours that broke. */
export const EXIT_OPERATIONAL = 1
export const EXIT_ASSERTION = 70

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delay, callback) => {
    const timer = setTimeout(callback, delay)
    // What keeps the process alive are its open doors, never a timer.
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  soon: callback => {
    setImmediate(callback)
  },
}

export const systemRandom: Random = {
  below: bound => (bound <= 1 ? 0 : randomInt(bound)),
  bytes: count => randomBytes(count),
}

/** For the lock of the data directory. */
export const systemProcesses = {
  pid: process.pid,
  /** Whether a process with this id lives, whoever owns it. */
  alive(pid: number): boolean {
    try {
      process.kill(pid, 0)
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
  },
}

const US_PER_SECOND = 1e6

/** This process and its machine. */
export function makeProcessPort(): ProcessPort {
  // The engine offers its collector only behind a flag, which must come before the context that asks for it.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const asleep = new Int32Array(new SharedArrayBuffer(4))
  return {
    pid: process.pid,
    os: `${osType()} ${release()} ${osMachine()}`,
    executable: process.execPath,
    engine: process.version,
    machineBytes: totalmem(),
    memory: () => {
      const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
      return { resident: rss, heap: heapUsed, heapReserved: heapTotal, buffers: external }
    },
    cpu: () => {
      const { user, system } = process.cpuUsage()
      return { user: user / US_PER_SECOND, system: system / US_PER_SECOND }
    },
    collect,
    stall: ms => {
      Atomics.wait(asleep, 0, 0, ms)
    },
  }
}

export type SystemLog = {
  readonly logger: Logger
  /** Tells more or less from now on, also through loggers made before. */
  readonly setLevel: (level: LogLevel) => void
  /** Writes what is buffered, as the last thing a process does. */
  readonly flush: () => void
}

/**
 * JSON on standard output, one line each, with the node's name.
 *
 * Written synchronously: a log line is rare here, and the lines before a crash
 * are the ones that matter.
 */
export function makeLog(level: LogLevel, node: string): SystemLog {
  const destination = pino.destination({ dest: 1, sync: true })
  const root = pino(
    {
      // What is told is decided in `wrap`, for all children at once.
      level: 'debug',
      base: { node },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  )
  const least = { rank: RANKS[level] }
  return {
    logger: wrap(root, least),
    setLevel: changed => {
      least.rank = RANKS[changed]
    },
    flush: () => destination.flushSync(),
  }
}

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

function wrap(inner: pino.Logger, least: { readonly rank: number }): Logger {
  const at = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (RANKS[level] >= least.rank) inner[level](fields, message)
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields: LogFields) => wrap(inner.child(fields), least),
  }
}

/** Ends the process with its last words in the log, and once more in a line for people. */
export function exitWith(log: SystemLog, code: number, reason: string): never {
  process.stderr.write(`slotcast: ${reason}\n`)
  log.logger.error({ code }, reason)
  log.flush()
  process.exit(code)
}

/** Whatever was thrown and not caught: ours ends with 70, the world's with 1. */
export function exitOnUncaught(log: SystemLog): void {
  const end = (error: unknown): never => {
    if (error instanceof OperationalError) return exitWith(log, EXIT_OPERATIONAL, error.message)
    const kind = error instanceof AssertionFailure ? 'assertion failed' : 'unexpected error'
    const stack = error instanceof Error ? error.stack : String(error)
    log.logger.error({ stack }, kind)
    return exitWith(log, EXIT_ASSERTION, `${kind}: ${String(error)}`)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

/**
 * Tells V8 how this process uses memory: a small heap beside many short-lived buffers.
 *
 * By default every 64 MiB of new buffers start a full collection, whatever the
 * heap holds: at 120,000 XADD/s that was five a second, and the marking threads
 * took a quarter of each node's CPU. Counting buffers towards the heap's own limit
 * makes it one in two seconds; one marking thread is enough for what is left.
 */
export function tuneMemory(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  setFlagsFromString('--concurrent-marking-max-worker-num=1')
}

/** grpc-js prints to standard error in a form of its own; what it says arrives as a status as well. */
export function silenceGrpc(): void {
  setLogVerbosity(logVerbosity.NONE)
}

const NS_PER_SECOND = 1e9
const MS_PER_SECOND = 1e3
/** How fine the delay of the event loop is sampled, in ms. */
const DELAY_RESOLUTION_MS = 5

/** Series of the process itself. */
export function measureProcess(metrics: Metrics): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.gauge({ name, help, read })
  const startedAt = Date.now() / MS_PER_SECOND - process.uptime()
  gauge('process_start_time_seconds', 'When the process began, as Unix time.', () => startedAt)
  gauge('process_cpu_seconds', 'CPU time used, user and system.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / US_PER_SECOND
  })
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  gauge(
    'nodejs_heap_used_bytes',
    'Heap of the JavaScript engine.',
    () => process.memoryUsage().heapUsed,
  )
  gauge('nodejs_array_buffers_bytes', 'Memory of buffers outside that heap.', () => {
    return process.memoryUsage().arrayBuffers
  })
  measureLoop(metrics)
  const pauses = metrics.histogram('nodejs_gc_pause_seconds', 'Pauses of the garbage collector.')
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) pauses.observe(entry.duration / MS_PER_SECOND)
  }).observe({ entryTypes: ['gc'] })
}

/** The loop must not stall: its delay, by quantile, since the last time anybody asked. */
function measureLoop(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  metrics.gauge({
    name: 'nodejs_eventloop_delay_seconds',
    help: 'Lateness of the event loop since the last scrape.',
    label: 'quantile',
    read: () => {
      const seconds = (ns: number): number =>
        Math.max(0, ns / NS_PER_SECOND - DELAY_RESOLUTION_MS / MS_PER_SECOND)
      const read = new Map([
        ['0.5', seconds(delay.percentile(50))],
        ['0.99', seconds(delay.percentile(99))],
        ['0.999', seconds(delay.percentile(99.9))],
        ['1', seconds(delay.max)],
      ])
      delay.reset()
      return read
    },
  })
}
