// XADD by redis-benchmark against the slot's leader, beside a bare redis-server; and one client beside the disk.

import { type Context, ourContender, redisDrive, startCluster } from './bench-context.ts'
import type { Cluster } from './cluster.ts'
import { type Contender, compete, cpuOf, type Driven, perSecond } from './contender.ts'
import { fdatasyncMs } from './disk-probe.ts'
import { ask, hasRedis, RedisServer } from './redis.ts'
import { least, makeRow, most } from './report.ts'
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
      await besideRedis(context, cluster, clients, pipeline, bound)
    }
  } finally {
    await cluster.stop()
  }
}

async function besideRedis(
  context: Context,
  cluster: Cluster,
  clients: number,
  pipeline: number,
  bound: number,
): Promise<void> {
  context.say(`${clients} x ${pipeline}`)
  const key = `bench-${clients}-${pipeline}`
  const driveOurs = redisDrive(key, clients, pipeline)
  const driveRedis = redisDrive(key, clients, pipeline)
  const ours = await ourContender(cluster, key, (seconds, { resp }) => driveOurs(seconds, resp))
  const server = await RedisServer.start()
  try {
    const redis: Contender = {
      name: 'redis',
      processes: () => [{ name: 'redis', pid: server.pid }],
      drive: seconds => driveRedis(seconds, server.port),
      hold: () => process.kill(server.pid, 'SIGSTOP'),
      release: () => process.kill(server.pid, 'SIGCONT'),
    }
    const [own = [], other = []] = await compete([ours, redis], context.plan)
    context.row(
      makeRow({
        phase: 'redis',
        what: `XADD ${clients} x ${pipeline}`,
        unit: '/s',
        ours: perSecond(own),
        peer: perSecond(other),
        judged: ratios(perSecond(own), perSecond(other)),
        bound: least(bound),
        cpu: { ...cpuOf(own), ...redisOnly(cpuOf(other)) },
      }),
    )
  } finally {
    await server.stop()
    await ask((await cluster.leaderOf(key)).resp, ['UNLINK', key])
  }
}

/** redis-benchmark is a process of its own: what this one used is nothing. */
function redisOnly(cpu: Record<string, number>): Record<string, number> {
  return { redis: cpu['redis'] ?? Number.NaN }
}

export async function latencyPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-benchmark is not installed')
    return
  }
  const cluster = await startCluster(context, 'latency')
  try {
    const key = 'bench-latency'
    const load = redisDrive(key, 1, 1)
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
