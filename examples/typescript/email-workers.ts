// Workers that share a stream of e-mails to be sent: each mail goes to one of them, and is sent again by another if that one dies.
//
//   node examples/typescript/email-workers.ts 127.0.0.1:7101 [seconds]

import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'slotcast/client'

const [seed = '127.0.0.1:7101', seconds = '5'] = process.argv.slice(2)
const client = await connect({ seeds: [seed] })
const end = AbortSignal.timeout(Number(seconds) * 1_000)
const sent = new Map<string, string>()

async function work(name: string): Promise<void> {
  const mails = client.consume({
    group: 'mailers',
    consumer: name,
    streams: ['mails'],
    credit: 10,
    // What a dead worker had for half a minute is taken over.
    claimMinIdleMs: 30_000,
    signal: end,
  })
  for await (const mail of mails) {
    // Here the mail would be sent.
    sent.set(mail.id, name)
    await mail.ack()
  }
}

const working = ['anna', 'ben', 'chris'].map(work)
let written = 0
while (!end.aborted) {
  await client.streams.append('mails', { to: `user-${written}@example.org`, subject: 'Hello' })
  written += 1
  await sleep(10)
}
await Promise.all(working)
const shares = new Map<string, number>()
for (const name of sent.values()) shares.set(name, (shares.get(name) ?? 0) + 1)
for (const [name, count] of shares) console.log(`${name} sent ${count}`)
console.log(`${written} mails written, ${sent.size} sent`)
await client.close()
