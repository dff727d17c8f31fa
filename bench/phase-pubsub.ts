// PUBLISH by redis-benchmark to one subscriber, on the node it listens to and on another, beside redis-server.
//
// A round counts only if the subscriber got every message of it.

import { connect, type Socket } from 'node:net'
import { type Context, startCluster, VALUE_BYTES } from './bench-context.ts'
import { type Cluster, NODES } from './cluster.ts'
import { type Contender, compete, cpuOf, type Driven, perSecond } from './contender.ts'
import { pause } from './processes.ts'
import { hasRedis, RedisServer, redisBenchmark } from './redis.ts'
import { least, makeRow } from './report.ts'
import { ratios } from './statistics.ts'

const CLIENTS = 50
const PIPELINE = 16
const BOUND = 0.4
const COUNT_FIRST = 20_000
const CHANNEL = 'bench'
/** How long a subscriber may lag behind the last PUBLISH. */
const LAG_MS_MAX = 5_000
const LAG_LOOK_MS = 5

/** One subscriber, which counts bytes. */
export class Listener {
  readonly #socket: Socket
  #bytes = 0

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.on('data', bytes => {
      this.#bytes += bytes.length
    })
    this.#socket.write(`SUBSCRIBE ${CHANNEL}\r\n`)
  }

  forget(): void {
    this.#bytes = 0
  }

  /** Waits until `count` messages came since `forget`. */
  async got(count: number): Promise<void> {
    const message = `*3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$${VALUE_BYTES}\r\n\r\n`
    const wanted = count * (message.length + VALUE_BYTES)
    const deadline = performance.now() + LAG_MS_MAX
    while (this.#bytes < wanted) {
      if (performance.now() > deadline)
        throw new Error(`${wanted - this.#bytes} bytes of messages are missing`)
      await pause(LAG_LOOK_MS)
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Publishes at `to` for about so long, with a subscriber at `from`. */
export function publishDrive(
  to: number,
  listener: Listener,
  clients = CLIENTS,
  pipeline = PIPELINE,
): (seconds: number) => Promise<Driven> {
  let speed = 0
  const command = ['PUBLISH', CHANNEL, 'x'.repeat(VALUE_BYTES)]
  const publish = (count: number) => redisBenchmark({ port: to, command, clients, pipeline, count })
  return async seconds => {
    if (speed === 0) {
      await publish(COUNT_FIRST)
      await pause(200)
      speed = (await publish(COUNT_FIRST)).perSecond
      await pause(200)
    }
    const count = Math.max(COUNT_FIRST, Math.round(speed * seconds))
    listener.forget()
    const begun = performance.now()
    const { p50Ms } = await publish(count)
    await listener.got(count)
    const took = (performance.now() - begun) / 1000
    speed = count / took
    return { commands: count, seconds: took, p50Ms }
  }
}

export async function pubsubPhase(context: Context): Promise<void> {
  if (!hasRedis()) {
    context.say('skipped: redis-server and redis-benchmark are not installed')
    return
  }
  const cluster = await startCluster(context, 'pubsub')
  try {
    await besideRedis(context, cluster, 1, 'the same node')
    await besideRedis(context, cluster, 2, 'another node')
  } finally {
    await cluster.stop()
  }
}

/** @param listensAt the node with the subscriber; all is published on n1 */
async function besideRedis(
  context: Context,
  cluster: Cluster,
  listensAt: number,
  what: string,
): Promise<void> {
  context.say(what)
  const server = await RedisServer.start()
  const own = new Listener(cluster.respPort(listensAt))
  const other = new Listener(server.port)
  await pause(200)
  try {
    const ours: Contender = {
      name: 'slotcast',
      processes: () =>
        cluster.pids().map((pid, i) => {
          if (i === 0) return { name: 'publisher', pid }
          return { name: i + 1 === listensAt ? 'subscriber' : 'idle', pid }
        }),
      drive: publishDrive(cluster.respPort(1), own),
      hold: () => cluster.hold(),
      release: () => cluster.release(),
    }
    const redis: Contender = {
      name: 'redis',
      processes: () => [{ name: 'redis', pid: server.pid }],
      drive: publishDrive(server.port, other),
      hold: () => process.kill(server.pid, 'SIGSTOP'),
      release: () => process.kill(server.pid, 'SIGCONT'),
    }
    const [mine = [], theirs = []] = await compete([ours, redis], context.plan)
    const sent = await cluster.metric('slotcast_pubsub_peer_sent_bytes_total')
    const received = await cluster.metric('slotcast_pubsub_peer_received_bytes_total')
    const note = `bytes to peers n1 ${sent[0]}, received ${received.slice(1, NODES).join(' and ')}`
    context.row(
      makeRow({
        phase: 'pubsub',
        what: `PUBLISH ${CLIENTS} x ${PIPELINE}, subscriber on ${what}`,
        unit: '/s',
        ours: perSecond(mine),
        peer: perSecond(theirs),
        judged: ratios(perSecond(mine), perSecond(theirs)),
        bound: least(BOUND),
        cpu: { ...cpuOf(mine), redis: cpuOf(theirs)['redis'] ?? Number.NaN },
        note,
      }),
    )
  } finally {
    own.close()
    other.close()
    await server.stop()
  }
}
