// Sensors write measurements, workers store and acknowledge them; one worker dies with some in its hands, and a reclaimer
// stores those.
//
//   node examples/typescript/sensor-pipeline.ts 127.0.0.1:7101 [seconds]

import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from 'slotcast/client'

const [seed = '127.0.0.1:7101', seconds = '6'] = process.argv.slice(2)
const seeds = [seed]
const end = AbortSignal.timeout(Number(seconds) * 1_000)
const streams = ['sensor:{a}', 'sensor:{b}', 'sensor:{c}']
const plan = { group: 'store', streams, credit: 50 }
const stored = new Map<string, string>()
const client = await connect({ seeds })

async function store(client: Client, name: string, claimMinIdleMs?: number): Promise<void> {
  const idle = claimMinIdleMs === undefined ? {} : { claimMinIdleMs }
  for await (const found of client.consume({ ...plan, ...idle, consumer: name, signal: end })) {
    // Storing twice is harmless: the place is made of stream and ID.
    stored.set(`${found.stream} ${found.id}`, name)
    await found.ack()
  }
}

/** Takes some and never says anything again. */
async function die(client: Client): Promise<void> {
  let taken = 0
  for await (const _found of client.consume({ ...plan, consumer: 'mortal' })) {
    taken += 1
    if (taken === 20) break
  }
  console.log(`one worker died with ${taken} measurements`)
}

const dying = die(client)
const working = [store(client, 'worker-1'), store(client, 'reclaimer', 1_000)]
let written = 0
const quiet = Date.now() + Number(seconds) * 1_000 - 3_000
while (Date.now() < quiet) {
  const stream = streams[written % streams.length] as string
  await client.streams.append(stream, { celsius: 20 + Math.random() })
  written += 1
  await sleep(5)
}
await dying
await Promise.all(working)
console.log(`${written} measured, ${stored.size} stored`)
await client.close()
