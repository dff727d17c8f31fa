// 800 commands in flight: XADD over RESP and over gRPC sessions, beside NATS JetStream and RabbitMQ quorum queues.
//
// Each has 50 connections with 16 in flight, from this process, and a new command
// for each answer; the driver's CPU time stands beside the servers', because a heavy
// client library is part of what is measured.

import { sessionProtocol } from '../src/bench-grpc.ts'
import { type LoadOptions, runLoad } from '../src/bench-load.ts'
import { respProtocol } from '../src/bench-resp.ts'
import { type Context, ourContender, startCluster, VALUE_BYTES } from './bench-context.ts'
import type { Cluster } from './cluster.ts'
import { type Contender, compete, cpuOf, type Driven, perSecond, type Round } from './contender.ts'
import { hasNats, NatsCluster, natsLoad } from './nats.ts'
import { hasRabbit, RabbitCluster, rabbitLoad } from './rabbit.ts'
import { least, makeRow } from './report.ts'
import { ratios } from './statistics.ts'

const CONNECTIONS = 50
const IN_FLIGHT = 16
const AT_LEAST_TIMES = 5
const PAYLOAD = Buffer.alloc(VALUE_BYTES, 'x')

/** What the loads of ours have in common. */
export const OUR_LOAD: Omit<LoadOptions, 'address' | 'protocol' | 'seconds' | 'keyPrefix'> = {
  mix: 'xadd',
  clients: CONNECTIONS,
  pipeline: IN_FLIGHT,
  frame: 0,
  valueBytes: VALUE_BYTES,
  keys: 1,
  warmUpSeconds: 0,
  count: Number.POSITIVE_INFINITY,
  rate: 0,
}

export async function ourLoad(options: LoadOptions): Promise<Driven> {
  const { commands, seconds, errors, errorTexts, latencies } = await runLoad(options)
  if (errors > 0) throw new Error(`${errors} errors: ${[...errorTexts.keys()].join('; ')}`)
  return { commands, seconds, p50Ms: latencies.get('XADD')?.percentileMs(50) ?? Number.NaN }
}

export async function brokersPhase(context: Context): Promise<void> {
  const cluster = await startCluster(context, 'brokers')
  const stops: (() => Promise<void>)[] = [() => cluster.stop()]
  try {
    const contenders = await ours(cluster)
    if (hasNats()) contenders.push(await natsContender(context, stops))
    else context.say('NATS left out: nats-server is not installed')
    if (hasRabbit()) contenders.push(await rabbitContender(context, stops))
    else context.say('RabbitMQ left out: rabbitmq-server is not installed')
    const rounds = await compete(contenders, context.plan)
    const byName = new Map(contenders.map(({ name }, i) => [name, rounds[i] ?? []]))
    for (const way of ['RESP', 'Session']) {
      for (const peer of ['NATS R3', 'RabbitMQ quorum']) {
        compare(context, way, byName.get(way) ?? [], peer, byName.get(peer))
      }
    }
  } finally {
    for (const stop of stops) await stop()
  }
}

function compare(
  context: Context,
  way: string,
  own: readonly Round[],
  peer: string,
  other: readonly Round[] | undefined,
): void {
  const rates = perSecond(own)
  context.row(
    makeRow({
      phase: 'brokers',
      what: other === undefined ? `${way}, 800 in flight` : `${way}, 800 in flight : ${peer}`,
      unit: '/s',
      ours: rates,
      ...(other === undefined ? {} : { peer: perSecond(other), bound: least(AT_LEAST_TIMES) }),
      judged: other === undefined ? rates : ratios(rates, perSecond(other)),
      cpu: { ...cpuOf(own), ...(other === undefined ? {} : cpuOf(other, 'peer ')) },
    }),
  )
}

async function ours(cluster: Cluster): Promise<Contender[]> {
  const key = 'bench-brokers'
  const load = (protocol: LoadOptions['protocol'], door: 'resp' | 'grpc') =>
    ourContender(cluster, key, (seconds, leader) => {
      const address = `127.0.0.1:${leader[door]}`
      return ourLoad({ ...OUR_LOAD, address, protocol, seconds, keyPrefix: key })
    })
  return [
    { ...(await load(respProtocol, 'resp')), name: 'RESP' },
    { ...(await load(sessionProtocol, 'grpc')), name: 'Session' },
  ]
}

async function natsContender(context: Context, stops: (() => Promise<void>)[]): Promise<Contender> {
  const nats = await NatsCluster.start(context.directory)
  stops.push(() => nats.stop())
  const load = (seconds: number) =>
    natsLoad(nats.port(nats.leader), CONNECTIONS, IN_FLIGHT, PAYLOAD, seconds)
  return { name: 'NATS R3', ...processesOf(nats.pids(), nats.leader), drive: timed(load) }
}

async function rabbitContender(
  context: Context,
  stops: (() => Promise<void>)[],
): Promise<Contender> {
  const rabbit = await RabbitCluster.start(context.directory)
  stops.push(() => rabbit.stop())
  const load = (seconds: number) =>
    rabbitLoad(rabbit.port, CONNECTIONS, IN_FLIGHT, PAYLOAD, seconds)
  return { name: 'RabbitMQ quorum', ...processesOf(rabbit.pids(), 0), drive: timed(load) }
}

function processesOf(
  pids: readonly number[],
  leader: number,
): Pick<Contender, 'processes' | 'hold' | 'release'> {
  const processes = pids.map((pid, i) => ({ name: i === leader ? 'leader' : 'follower', pid }))
  const signal = (name: NodeJS.Signals) => (): void => {
    for (const pid of pids) process.kill(pid, name)
  }
  return { processes: () => processes, hold: signal('SIGSTOP'), release: signal('SIGCONT') }
}

function timed(load: (seconds: number) => Promise<number>) {
  return async (seconds: number): Promise<Driven> => {
    const from = performance.now()
    const commands = await load(seconds)
    return { commands, seconds: (performance.now() - from) / 1000 }
  }
}
