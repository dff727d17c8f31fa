// A circular queue: workers take the job at the head, do a little of it and put it back at the tail, in one step, so that no
// job is ever lost or done by two at once for longer than a step.
//
//   node examples/typescript/circular-queue.ts 127.0.0.1:7101 [seconds]

import { connect } from 'slotcast/client'

const [seed = '127.0.0.1:7101', seconds = '3'] = process.argv.slice(2)
const client = await connect({ seeds: [seed] })
const end = Date.now() + Number(seconds) * 1_000
const ring = 'ring'
const jobs = ['alpha', 'beta', 'gamma', 'delta']
const rounds = new Map<string, number>()

await client.keys.delete([ring])
await client.lists.push(ring, 'right', jobs)

async function work(): Promise<void> {
  while (Date.now() < end) {
    const job = await client.lists.move(ring, ring, 'left', 'right')
    if (job === null) return
    rounds.set(String(job), (rounds.get(String(job)) ?? 0) + 1)
  }
}

await Promise.all([work(), work(), work()])
for (const [job, count] of rounds) console.log(`${job}: ${count} turns`)
console.log(`${await client.lists.length(ring)} jobs in the ring`)
await client.close()
