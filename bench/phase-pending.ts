// A group with a million pending entries: what its reads and a sweep of XAUTOCLAIM take, one client, beside Redis.

import { type Context, startCluster } from './bench-context.ts'
import { command, fillBy, Pipe } from './pipe.ts'
import { hasRedis, RedisServer } from './redis.ts'
import { makeRow, most } from './report.ts'
import { ratios } from './statistics.ts'

const KEY = 'bench-pending'
const GROUP = 'g'
const MOST_SWEEP_MS = 2
const MOST_INFO_MS = 1
const CALLS = 200
/** Calls before those that are timed: cold code is not the question. */
const WARM_UP_CALLS = 100
const READ_BATCH = 1_000

type Probe = {
  readonly words: (i: number, entries: number) => (string | number)[]
  readonly mostMs: number
}

const PROBES: Readonly<Record<string, Probe>> = {
  'XPENDING, 100 from the middle': {
    words: (i, entries) => ['XPENDING', KEY, GROUP, `${middle(i, entries)}-0`, '+', 100],
    mostMs: MOST_SWEEP_MS,
  },
  'XPENDING IDLE of one consumer': {
    words: (i, entries) => [
      ...['XPENDING', KEY, GROUP, 'IDLE', 0, `${middle(i, entries)}-0`, '+', 100, 'worker-1'],
    ],
    mostMs: MOST_SWEEP_MS,
  },
  'XPENDING, summary': { words: () => ['XPENDING', KEY, GROUP], mostMs: MOST_SWEEP_MS },
  'XAUTOCLAIM COUNT 100': {
    words: (i, entries) => [
      ...['XAUTOCLAIM', KEY, GROUP, 'worker-2', 0, `${middle(i, entries)}-0`, 'COUNT', 100],
    ],
    mostMs: MOST_SWEEP_MS,
  },
  'XINFO STREAM': { words: () => ['XINFO', 'STREAM', KEY], mostMs: MOST_INFO_MS },
}

/** Everywhere, so that no call finds what the call before warmed. */
function middle(i: number, entries: number): number {
  return 1 + ((i * 7_919) % (entries - 100))
}

export async function pendingPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server is not installed')
    return
  }
  const cluster = await startCluster(context, 'pending')
  const server = await RedisServer.start()
  try {
    const { resp } = await cluster.leaderOf(KEY)
    context.say(`${context.entries} entries, all pending`)
    const ours = await fill(resp, context.entries)
    const theirs = await fill(server.port, context.entries)
    for (const [what, { words, mostMs }] of Object.entries(PROBES)) {
      const own = await callTimes(ours, i => words(i, context.entries))
      const other = await callTimes(theirs, i => words(i, context.entries))
      context.row(
        makeRow({
          ...{ phase: 'pending', what, unit: 'ms', ours: own, peer: other, judged: own },
          bound: most(mostMs),
          note: `${ratios(own, other)
            .sort((a, b) => a - b)
            [CALLS >> 1]?.toFixed(1)} times Redis'`,
        }),
      )
    }
    ours.close()
    theirs.close()
  } finally {
    await server.stop()
    await cluster.stop()
  }
}

/** Entries 1-0, 2-0, ..., each delivered to one of four consumers. */
async function fill(port: number, entries: number): Promise<Pipe> {
  const pipe = await Pipe.open(port)
  await fillBy(pipe, 1, entries + 1, i => command('XADD', KEY, `${i}-0`, 'item', 'x'))
  await pipe.ask('XGROUP', 'CREATE', KEY, GROUP, '0')
  const group = ['XREADGROUP', 'GROUP', GROUP] as const
  for (let i = 0; i < entries; i += READ_BATCH) {
    const consumer = `worker-${(i / READ_BATCH) % 4}`
    await pipe.ask(...group, consumer, 'COUNT', READ_BATCH, 'STREAMS', KEY, '>')
  }
  return pipe
}

async function callTimes(pipe: Pipe, words: (i: number) => (string | number)[]): Promise<number[]> {
  const times: number[] = []
  for (let i = -WARM_UP_CALLS; i < CALLS; i += 1) {
    const from = performance.now()
    await pipe.ask(...words(i + WARM_UP_CALLS))
    if (i >= 0) times.push(performance.now() - from)
  }
  return times
}
