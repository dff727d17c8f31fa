// Many clients of one process, each with keys on every node: they write all the time, and tell how long it took after a node
// was killed until each had written to each of its keys again.
//
//   node test/chaos/client-crowd.ts <clients> <name> <keys, by commas> <seeds, by commas>      (a child with a channel)

import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '../../src/client/index.ts'

/** Seldom: what is measured is the loss, not the load. */
const WRITE_EVERY_MS = 5_000
const DEADLINE_MS = 60_000
/** Clients that are made at once. */
const TOGETHER = 20

export type CrowdReport = {
  /** For each client: ms from the notice until all of its keys were written. */
  readonly backMs: readonly number[]
  readonly failures: readonly string[]
  readonly questions: number
  readonly watches: number
  readonly retries: number
  readonly redirects: number
  readonly lost: number
}

type Count = 'questions' | 'watches' | 'retries' | 'redirects' | 'lost'

class Member {
  readonly #client: Client
  readonly #keys: readonly string[]
  readonly failures: string[] = []
  isOver = false

  constructor(client: Client, keys: readonly string[]) {
    this.#client = client
    this.#keys = keys
  }

  get stats() {
    return this.#client.stats
  }

  /** Writes to each key once. */
  async write(): Promise<void> {
    await Promise.all(this.#keys.map(key => this.#client.strings.increment(key)))
  }

  async live(): Promise<void> {
    await sleep(Math.random() * WRITE_EVERY_MS)
    while (!this.isOver) {
      await this.write().catch(error => {
        if (!this.isOver) this.failures.push(String(error))
      })
      await sleep(WRITE_EVERY_MS)
    }
  }

  async close(): Promise<void> {
    this.isOver = true
    await this.#client.close()
  }
}

async function main(): Promise<void> {
  const [count = '1', name = '', keys = '', seeds = ''] = process.argv.slice(2)
  const members: Member[] = []
  while (members.length < Number(count)) {
    const some = Array.from({ length: Math.min(TOGETHER, Number(count) - members.length) }, () =>
      connect({ seeds: seeds.split(','), deadlineMs: DEADLINE_MS }),
    )
    for (const client of await Promise.all(some)) {
      const own = keys.split(',').map(key => `{${key}}${name}-${members.length}`)
      members.push(new Member(client, own))
    }
    await Promise.all(members.slice(-TOGETHER).map(member => member.write()))
  }
  const living = members.map(member => member.live())
  const sum = (of: Count): number => members.reduce((total, { stats }) => total + stats[of], 0)
  const before = { questions: sum('questions'), watches: sum('watches') }
  process.on('disconnect', () => process.exit(0))
  process.once('message', async () => {
    const since = performance.now()
    const backMs = await Promise.all(
      members.map(async member => {
        await member.write().catch(error => member.failures.push(String(error)))
        return performance.now() - since
      }),
    )
    const report: CrowdReport = {
      backMs,
      failures: members.flatMap(({ failures }) => failures),
      questions: sum('questions') - before.questions,
      watches: sum('watches') - before.watches,
      retries: sum('retries'),
      redirects: sum('redirects'),
      lost: sum('lost'),
    }
    process.send?.(report)
    await Promise.all(members.map(member => member.close()))
    await Promise.all(living)
    process.exit(0)
  })
  process.send?.('ready')
}

await main()
