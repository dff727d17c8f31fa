// XADD through the TypeScript client, 64 in flight: what an application gets, promises and retries included.

import { Client, connect } from '../src/client/index.ts'
import { type Context, ourContender, startCluster, VALUE_BYTES } from './bench-context.ts'
import { compete, cpuOf, type Driven, perSecond } from './contender.ts'
import { least, makeRow } from './report.ts'

const IN_FLIGHT = 64
const AT_LEAST = 80_000

export async function clientPhase(context: Context): Promise<void> {
  const cluster = await startCluster(context, 'client')
  let client: Client | null = null
  try {
    const key = 'bench-client'
    const ours = await ourContender(cluster, key, async (seconds, { grpc }) => {
      client ??= await connect({ seeds: [`127.0.0.1:${grpc}`] })
      return append(client, key, seconds)
    })
    const [own = []] = await compete([ours], context.plan)
    context.row(
      makeRow({
        phase: 'client',
        what: `XADD, ${IN_FLIGHT} in flight`,
        unit: '/s',
        ours: perSecond(own),
        judged: perSecond(own),
        bound: least(AT_LEAST),
        cpu: cpuOf(own),
      }),
    )
  } finally {
    await (client as Client | null)?.close()
    await cluster.stop()
  }
}

async function append(client: Client, key: string, seconds: number): Promise<Driven> {
  const fields = { item: Buffer.alloc(VALUE_BYTES, 'x') }
  const from = performance.now()
  const until = from + seconds * 1_000
  let commands = 0
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      await client.streams.append(key, fields)
      commands += 1
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, one))
  return { commands, seconds: (performance.now() - from) / 1_000 }
}
