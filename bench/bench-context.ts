// What a phase is given: how long to measure, where, and whom to tell.

import { join } from 'node:path'
import { Cluster, type Leader } from './cluster.ts'
import type { Contender, Driven, Plan } from './contender.ts'
import { redisBenchmark } from './redis.ts'
import type { Row } from './report.ts'

export const VALUE_BYTES = 128

export type Context = {
  /** Empty at the start, removed at the end; on the filesystem that is measured. */
  readonly directory: string
  readonly plan: Plan
  /** Entries of the stream whose memory, snapshot and restart are measured. */
  readonly entries: number
  say(text: string): void
  row(row: Row): void
}

export async function startCluster(context: Context, name: string): Promise<Cluster> {
  return Cluster.start(join(context.directory, name))
}

/** Our nodes under a load of `key`, its leader told apart. Leaders may move between rounds. */
export async function ourContender(
  cluster: Cluster,
  key: string,
  drive: (seconds: number, leader: Leader) => Promise<Driven>,
): Promise<Contender> {
  let leader = await cluster.leaderOf(key)
  return {
    name: 'slotcast',
    prepare: async () => {
      leader = await cluster.leaderOf(key)
    },
    processes: () =>
      cluster
        .pids()
        .map((pid, i) => ({ name: i + 1 === leader.node ? 'leader' : 'follower', pid })),
    drive: seconds => drive(seconds, leader),
    hold: () => cluster.hold(),
    release: () => cluster.release(),
  }
}

const COUNT_FIRST = 2_000

/** Runs redis-benchmark for about so long: the speed of the run before says how many commands that is. */
export function redisDrive(
  command: readonly string[],
  clients: number,
  pipeline: number,
): (seconds: number, port: number) => Promise<Driven> {
  let speed = 0
  return async (seconds, port) => {
    const load = { port, command, clients, pipeline }
    if (speed === 0) speed = (await redisBenchmark({ ...load, count: COUNT_FIRST })).perSecond
    const count = Math.max(COUNT_FIRST, Math.round(speed * seconds))
    const result = await redisBenchmark({ ...load, count })
    speed = result.perSecond
    return { commands: count, seconds: count / speed, p50Ms: result.p50Ms }
  }
}
