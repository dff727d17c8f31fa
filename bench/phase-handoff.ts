// From LPUSH to the answer of the BLPOP that waits for it, one pair of clients, beside a bare redis-server.

import { type Context, ourContender, startCluster, VALUE_BYTES } from './bench-context.ts'
import { type Drive, redisContender } from './beside-redis.ts'
import { compete } from './contender.ts'
import { Pipe } from './pipe.ts'
import { pause } from './processes.ts'
import { hasRedis, RedisServer } from './redis.ts'
import { makeRow } from './report.ts'
import { medianOf, ratios } from './statistics.ts'

const KEY = 'bench-handoff'
const VALUE = 'x'.repeat(VALUE_BYTES)
/** Between the request of the waiter and the push: it must be waiting by then. */
const WAIT_MS = 3

export async function handoffPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server is not installed')
    return
  }
  const cluster = await startCluster(context, 'handoff')
  const server = await RedisServer.start()
  try {
    const ours = await ourContender(cluster, KEY, (seconds, { resp }) => handOff(seconds, resp))
    const [own = [], other = []] = await compete(
      [ours, redisContender(server, handOff)],
      context.plan,
    )
    const p50 = (rounds: typeof own): number[] => rounds.map(({ p50Ms }) => p50Ms)
    context.row(
      makeRow({
        phase: 'handoff',
        what: 'LPUSH to the waiting BLPOP, p50',
        unit: 'ms',
        ours: p50(own),
        peer: p50(other),
        judged: ratios(p50(own), p50(other)),
      }),
    )
  } finally {
    await server.stop()
    await cluster.stop()
  }
}

const handOff: Drive = async (seconds, port) => {
  const waiter = await Pipe.open(port)
  const pusher = await Pipe.open(port)
  const times: number[] = []
  const from = performance.now()
  while (performance.now() < from + seconds * 1000) {
    const answer = waiter.ask('BLPOP', KEY, 0)
    await pause(WAIT_MS)
    const pushedAt = performance.now()
    const pushed = pusher.ask('LPUSH', KEY, VALUE)
    await answer
    times.push(performance.now() - pushedAt)
    await pushed
  }
  waiter.close()
  pusher.close()
  return { commands: times.length, seconds, p50Ms: medianOf(times.sort((a, b) => a - b)) }
}
