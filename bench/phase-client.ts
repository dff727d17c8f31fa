// XADD through the TypeScript client: what an application gets, promises and retries included, beside bare frames of
// the same session with as many in flight.

import { sessionProtocol } from '../src/bench-grpc.ts'
import { type Client, connect } from '../src/client/index.ts'
import { type Context, ourContender, startCluster, VALUE_BYTES } from './bench-context.ts'
import { type Contender, compete, cpuOf, type Driven, perSecond } from './contender.ts'
import { OUR_LOAD, ourLoad } from './phase-brokers.ts'
import { least, makeRow } from './report.ts'

const IN_FLIGHT = 64
const FRAMES_IN_FLIGHT = 8
const AT_LEAST = 80_000
const KEY = 'bench-client'

export async function clientPhase(context: Context): Promise<void> {
  const cluster = await startCluster(context, 'client')
  let client: Client | undefined
  const throughClient = (inFlight: number): Promise<Contender> =>
    ourContender(cluster, KEY, async (seconds, { grpc }) => {
      client ??= await connect({ seeds: [`127.0.0.1:${grpc}`] })
      return append(client, seconds, inFlight)
    })
  const bare = await ourContender(cluster, KEY, (seconds, { grpc }) =>
    ourLoad({
      ...OUR_LOAD,
      protocol: sessionProtocol,
      clients: 1,
      pipeline: IN_FLIGHT,
      frame: 0,
      keyPrefix: KEY,
      address: `127.0.0.1:${grpc}`,
      seconds,
    }),
  )
  try {
    for (const frames of [1, FRAMES_IN_FLIGHT]) {
      const inFlight = IN_FLIGHT * frames
      const [own = []] = await compete([await throughClient(inFlight)], context.plan)
      const [other] = frames === 1 ? await compete([bare], context.plan) : []
      context.row(
        makeRow({
          phase: 'client',
          what: `XADD, ${inFlight} in flight${other === undefined ? '' : ' : bare frames'}`,
          unit: '/s',
          ours: perSecond(own),
          ...(other === undefined ? {} : { peer: perSecond(other) }),
          judged: perSecond(own),
          bound: least(AT_LEAST),
          cpu: cpuOf(own),
        }),
      )
    }
  } finally {
    await client?.close()
    await cluster.stop()
  }
}

async function append(client: Client, seconds: number, inFlight: number): Promise<Driven> {
  const fields = { item: Buffer.alloc(VALUE_BYTES, 'x') }
  const from = performance.now()
  const until = from + seconds * 1_000
  let commands = 0
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      await client.streams.append(KEY, fields)
      commands += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  return { commands, seconds: (performance.now() - from) / 1_000 }
}
