// One load on our slot's leader and on a bare redis-server, in turns, as one row.

import { type Context, ourContender } from './bench-context.ts'
import type { Cluster } from './cluster.ts'
import { type Contender, compete, cpuOf, type Driven, perSecond } from './contender.ts'
import { ask, RedisServer } from './redis.ts'
import { least, makeRow } from './report.ts'
import { ratios } from './statistics.ts'

export type Drive = (seconds: number, port: number) => Promise<Driven>

export type Race = {
  readonly phase: string
  readonly what: string
  readonly key: string
  /** The least ratio of ours to Redis' that was promised, or null. */
  readonly bound: number | null
  /** Fills the key with what the load needs. */
  fill?(port: number): Promise<void>
  /** Called once for each server: a drive keeps what it learnt of its own. */
  drive(): Drive
}

export async function besideRedis(context: Context, cluster: Cluster, race: Race): Promise<void> {
  context.say(race.what)
  const driveOurs = race.drive()
  const driveRedis = race.drive()
  const ours = await ourContender(cluster, race.key, (seconds, { resp }) =>
    driveOurs(seconds, resp),
  )
  const server = await RedisServer.start()
  try {
    await race.fill?.((await cluster.leaderOf(race.key)).resp)
    await race.fill?.(server.port)
    const [own = [], other = []] = await compete(
      [ours, redisContender(server, driveRedis)],
      context.plan,
    )
    context.row(
      makeRow({
        phase: race.phase,
        what: race.what,
        unit: '/s',
        ours: perSecond(own),
        peer: perSecond(other),
        judged: ratios(perSecond(own), perSecond(other)),
        ...(race.bound === null ? {} : { bound: least(race.bound) }),
        cpu: { ...cpuOf(own), redis: cpuOf(other)['redis'] ?? Number.NaN },
      }),
    )
  } finally {
    await server.stop()
    await ask((await cluster.leaderOf(race.key)).resp, ['UNLINK', race.key])
  }
}

export function redisContender(server: RedisServer, drive: Drive): Contender {
  return {
    name: 'redis',
    processes: () => [{ name: 'redis', pid: server.pid }],
    drive: seconds => drive(seconds, server.port),
    hold: () => process.kill(server.pid, 'SIGSTOP'),
    release: () => process.kill(server.pid, 'SIGCONT'),
  }
}
