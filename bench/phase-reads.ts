// Reads of streams and lists, and a list as a queue, by redis-benchmark beside a bare redis-server: 50 x 16.

import { type Context, redisDrive, startCluster, VALUE_BYTES } from './bench-context.ts'
import { besideRedis, type Drive } from './beside-redis.ts'
import { hasRedis, redisBenchmark, xadd } from './redis.ts'

const CLIENTS = 50
const PIPELINE = 16
const READ_BOUND = 0.4
const QUEUE_BOUND = 0.2
const LENGTH = 1_000
const FEW = 10
const MANY = 100
const VALUE = 'x'.repeat(VALUE_BYTES)

export async function readsPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server and redis-benchmark are not installed')
    return
  }
  const cluster = await startCluster(context, 'reads')
  try {
    const race = (what: string, fill: string[], read: string[], bound: number | null) =>
      besideRedis(context, cluster, {
        phase: 'reads',
        what: `${what}, ${CLIENTS} x ${PIPELINE}`,
        key: fill[1] ?? '',
        bound,
        fill: async port => {
          await redisBenchmark({ port, command: fill, clients: 1, pipeline: 100, count: LENGTH })
        },
        drive: () => redisDrive(read, CLIENTS, PIPELINE),
      })
    const stream = xadd('bench-reads', VALUE_BYTES)
    const list = ['RPUSH', 'bench-reads', VALUE]
    const range = (count: number): string[] => [
      'XRANGE',
      'bench-reads',
      '-',
      '+',
      'COUNT',
      `${count}`,
    ]
    await race(`XRANGE of ${FEW}`, stream, range(FEW), READ_BOUND)
    await race(`XRANGE of ${MANY}`, stream, range(MANY), null)
    await race(`LRANGE of ${FEW}`, list, ['LRANGE', 'bench-reads', '0', `${FEW - 1}`], READ_BOUND)
  } finally {
    await cluster.stop()
  }
}

export async function listsPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server and redis-benchmark are not installed')
    return
  }
  const cluster = await startCluster(context, 'lists')
  try {
    await besideRedis(context, cluster, {
      phase: 'lists',
      what: `LPUSH, then RPOP of all, ${CLIENTS} x ${PIPELINE}`,
      key: 'bench-queue',
      bound: QUEUE_BOUND,
      drive: pushThenPop,
    })
  } finally {
    await cluster.stop()
  }
}

/** As many pushes as take about half of the time, then a pop for each. */
function pushThenPop(): Drive {
  const push = redisDrive(['LPUSH', 'bench-queue', VALUE], CLIENTS, PIPELINE)
  const pop = ['RPOP', 'bench-queue']
  return async (seconds, port) => {
    const pushed = await push(seconds / 2, port)
    const count = pushed.commands
    const { perSecond } = await redisBenchmark({
      ...{ port, command: pop, clients: CLIENTS, pipeline: PIPELINE, count },
    })
    return { commands: 2 * count, seconds: pushed.seconds + count / perSecond }
  }
}
