// XADD by redis-benchmark against the slot's leader, beside a bare redis-server; and one client beside the disk.

import { type Context, redisDrive, startCluster, VALUE_BYTES } from './bench-context.ts'
import { besideRedis } from './beside-redis.ts'
import type { Driven } from './contender.ts'
import { fdatasyncMs } from './disk-probe.ts'
import { hasRedis, xadd } from './redis.ts'
import { makeRow, most } from './report.ts'
import { ratios } from './statistics.ts'

/** Connections, commands in flight on each, and the ratio that was promised. */
const SHAPES = [
  [50, 1, 0.15],
  [256, 1, 0.3],
  [50, 16, 0.22],
  [50, 64, 0.4],
] as const

const MOST_FDATASYNCS = 3
/** One client: medians of short runs. */
const LATENCY_ROUNDS_MIN = 3

export async function redisPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server and redis-benchmark are not installed')
    return
  }
  const cluster = await startCluster(context, 'redis')
  try {
    for (const [clients, pipeline, bound] of SHAPES) {
      const key = `bench-${clients}-${pipeline}`
      await besideRedis(context, cluster, {
        phase: 'redis',
        what: `XADD ${clients} x ${pipeline}`,
        key,
        bound,
        drive: () => redisDrive(xadd(key, VALUE_BYTES), clients, pipeline),
      })
    }
  } finally {
    await cluster.stop()
  }
}

export async function latencyPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-benchmark is not installed')
    return
  }
  const cluster = await startCluster(context, 'latency')
  try {
    const key = 'bench-latency'
    const load = redisDrive(xadd(key, VALUE_BYTES), 1, 1)
    const drive = async (seconds: number): Promise<Driven> =>
      load(seconds, (await cluster.leaderOf(key)).resp)
    await drive(context.plan.warmUpSeconds)
    const own: number[] = []
    const disk: number[] = []
    for (let i = 0; i < Math.max(context.plan.rounds, LATENCY_ROUNDS_MIN); i += 1) {
      disk.push(fdatasyncMs(context.directory))
      own.push((await drive(context.plan.seconds)).p50Ms ?? Number.NaN)
    }
    context.row(
      makeRow({
        phase: 'latency',
        what: 'one client p50, in fdatasyncs',
        unit: 'ms',
        ours: own,
        peer: disk,
        judged: ratios(own, disk),
        bound: most(MOST_FDATASYNCS),
      }),
    )
  } finally {
    await cluster.stop()
  }
}
