// A dashboard: every viewer sees every event, and goes on where it was when a node dies. Alerts are of use only now: they
// are published, kept nowhere, and a viewer that may have missed some is told so.
//
//   node examples/typescript/dashboard.ts 127.0.0.1:7101 [seconds]

import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'slotcast/client'

const [seed = '127.0.0.1:7101', seconds = '5'] = process.argv.slice(2)
const client = await connect({ seeds: [seed] })
const end = AbortSignal.timeout(Number(seconds) * 1_000)
const streams = ['events:web', 'events:shop', 'events:billing']

async function view(name: string): Promise<void> {
  let seen = 0
  for await (const _event of client.tail({ streams, from: '0', signal: end })) seen += 1
  console.log(`${name} saw ${seen} events`)
}

const alerts = client.subscribe({ patterns: ['alerts:*'], signal: end })
async function watch(): Promise<void> {
  let shown = 0
  for await (const alert of alerts) {
    if (alert.type === 'gap') console.log('alerts may be missing: look at the whole state again')
    else shown += 1
  }
  console.log(`${shown} alerts shown`)
}

const viewing = [...['left screen', 'right screen'].map(view), watch()]
await alerts.ready
let written = 0
const quiet = Date.now() + Number(seconds) * 1_000 - 1_000
while (Date.now() < quiet) {
  const stream = streams[written % streams.length] as string
  // About the last ten thousand are kept.
  await client.streams.append(stream, { n: written }, { maxLength: 10_000 })
  if (written % 100 === 0) await client.publish('alerts:load', `${written} events`)
  written += 1
  await sleep(5)
}
await Promise.all(viewing)
console.log(`${written} events written`)
await client.close()
