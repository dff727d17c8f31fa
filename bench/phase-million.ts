// One stream of a million entries: what it takes of memory, how long the loop stalls while it is written
// as a snapshot, and how soon the cluster is back after all its processes were killed.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runLoad } from '../src/bench-load.ts'
import { respProtocol } from '../src/bench-resp.ts'
import { type Context, startCluster, VALUE_BYTES } from './bench-context.ts'
import type { Cluster } from './cluster.ts'
import { OUR_LOAD } from './phase-brokers.ts'
import { pause, settledMiB } from './processes.ts'
import { ask, hasRedis, RedisServer, redisBenchmark, xadd } from './redis.ts'
import { makeRow, most } from './report.ts'

const KEY = 'bench-million'
const MOST_MEMORY = 1.3
const MOST_STALL_MS = 50
const MOST_RESTART_SECONDS = 5
const SETTLE_SECONDS = 30
/** Writes a second while a snapshot is taken: enough to be load, and little enough to leave the nodes CPU. */
const SNAPSHOT_RATE = 20_000
const SNAPSHOT_SECONDS_MAX = 120
const PROBE_MS = 500
const LOOP_DELAY = 'nodejs_eventloop_delay_seconds{quantile="1"}'

export const MILLION_PHASES = ['memory', 'stall', 'restart'] as const

export async function millionPhase(context: Context, wanted: ReadonlySet<string>): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server and redis-benchmark are not installed')
    return
  }
  const cluster = await startCluster(context, 'million')
  try {
    const ours = await fill(context, cluster)
    if (wanted.has('memory')) await memory(context, cluster, ours)
    if (wanted.has('stall')) await stall(context, cluster)
    if (wanted.has('restart')) await restart(context, cluster)
  } finally {
    await cluster.stop()
  }
}

async function load(port: number, count: number): Promise<void> {
  const command = xadd(KEY, VALUE_BYTES)
  await redisBenchmark({ port, command, clients: 50, pipeline: 16, count })
}

/** @returns growth of each node's resident memory, n1 first, in MiB */
async function fill(context: Context, cluster: Cluster): Promise<number[]> {
  const leader = await cluster.leaderOf(KEY)
  const before = await settledMiB(cluster.pids(), SETTLE_SECONDS)
  context.say(`${context.entries} entries`)
  await load(leader.resp, context.entries)
  const after = await settledMiB(cluster.pids(), SETTLE_SECONDS)
  return after.map((mib, i) => mib - (before[i] ?? 0))
}

async function memory(context: Context, cluster: Cluster, ours: readonly number[]): Promise<void> {
  const leader = await cluster.leaderOf(KEY)
  const heaps = await cluster.metric('nodejs_heap_used_bytes')
  const buffers = await cluster.metric('nodejs_array_buffers_bytes')
  const server = await RedisServer.start()
  try {
    const [before = 0] = await settledMiB([server.pid], SETTLE_SECONDS)
    await load(server.port, context.entries)
    const [after = 0] = await settledMiB([server.pid], SETTLE_SECONDS)
    const mib = (bytes: readonly number[]): string =>
      bytes.map(each => (each / 2 ** 20).toFixed(0)).join('/')
    context.row(
      makeRow({
        phase: 'memory',
        what: 'growth, worst node : redis',
        unit: 'MiB',
        ours: [Math.max(...ours)],
        peer: [after - before],
        judged: [Math.max(...ours) / (after - before)],
        bound: most(MOST_MEMORY),
        note: `n1/n2/n3 grew by ${ours.map(each => each.toFixed(0)).join('/')} MiB, n${leader.node} leads; heap ${mib(heaps)}, buffers ${mib(buffers)} MiB`,
      }),
    )
  } finally {
    await server.stop()
  }
}

async function stall(context: Context, cluster: Cluster): Promise<void> {
  const leader = await cluster.leaderOf(KEY)
  const names = cluster.snapshots().map(({ name }) => name)
  const taken = names.map(() => false)
  const during: number[] = []
  const other: number[] = []
  let isOver = false
  const probe = async (): Promise<void> => {
    await cluster.metric(LOOP_DELAY)
    while (!isOver) {
      const atStart = unfinished(cluster)
      await pause(PROBE_MS)
      const delays = await cluster.metric(LOOP_DELAY)
      const atEnd = unfinished(cluster)
      for (const [i, { name }] of cluster.snapshots().entries()) {
        const isNew = name !== '' && name !== names[i]
        if (isNew) taken[i] = true
        const ms = (delays[i] ?? 0) * 1000
        if (isNew || atStart[i] || atEnd[i]) during.push(ms)
        else other.push(ms)
        names[i] = name
      }
    }
  }
  const probing = probe()
  const until = performance.now() + SNAPSHOT_SECONDS_MAX * 1000
  while (!taken.every(Boolean) && performance.now() < until) {
    await runLoad({
      ...OUR_LOAD,
      address: `127.0.0.1:${leader.resp}`,
      protocol: respProtocol,
      keyPrefix: KEY,
      rate: SNAPSHOT_RATE,
      seconds: 2,
    })
  }
  isOver = true
  await probing
  const worst = (delays: readonly number[]): number => Math.max(0, ...delays)
  context.row(
    makeRow({
      phase: 'stall',
      what: 'longest stall during a snapshot',
      unit: 'ms',
      ours: [worst(during)],
      peer: [worst(other)],
      judged: [during.length === 0 ? Number.NaN : worst(during)],
      bound: most(MOST_STALL_MS),
      note: `peer: the longest while no snapshot was taken, under the same load; nodes with a new snapshot: ${taken.filter(Boolean).length}; largest ${Math.max(...cluster.snapshots().map(({ bytes }) => bytes)) >> 20} MiB`,
    }),
  )
}

/** Whether each node is writing a snapshot just now. */
function unfinished(cluster: Cluster): boolean[] {
  return cluster
    .pids()
    .map((_, i) =>
      readdirSync(join(cluster.dataDir, `n${i + 1}`, 'snapshots')).some(name =>
        name.endsWith('.tmp'),
      ),
    )
}

async function restart(context: Context, cluster: Cluster): Promise<void> {
  const before = await entries(cluster)
  await cluster.kill()
  const seconds = await cluster.startAgain()
  const after = await entries(cluster)
  if (after !== before) throw new Error(`${before} entries before the restart, ${after} after it`)
  context.row(
    makeRow({
      phase: 'restart',
      what: `all killed, ${before.toLocaleString('en')} entries, to ready`,
      unit: 's',
      ours: [seconds],
      judged: [seconds],
      bound: most(MOST_RESTART_SECONDS),
    }),
  )
}

async function entries(cluster: Cluster): Promise<number> {
  const { resp } = await cluster.leaderOf(KEY)
  return Number((await ask(resp, ['XLEN', KEY])).slice(1))
}
