// What every client goes through, on a cluster of three: all it has, then the leader of its first key ends, and it
// must get on. It does so three times, since a node ends in several ways.

import { test } from 'node:test'
import { LocalCluster, type LocalNode } from '../chaos/cluster.ts'
import { type RedisClient, STEPS } from './client.ts'
import { Program } from './program.ts'

/** All of a step, on a busy machine. */
const STEP_MS_MAX = 60_000
/** How soon after the kill a client must be at work again, as users see it. */
const RECOVERY_MS_MAX = 30_000
const END_MS_MAX = 10_000
const STORY_MS_MAX = 420_000

type Ending = {
  readonly name: string
  /** Ends a node. */
  end(node: LocalNode): Promise<unknown>
  /** Whether it is started again before the client is through. */
  readonly comesBack: boolean
}

const ENDINGS: readonly Ending[] = [
  { name: 'killed for good', end: node => node.kill(), comesBack: false },
  { name: 'killed and back at once', end: node => node.kill(), comesBack: true },
  // It hands over what it leads, and tells subscribers of sharded channels so.
  { name: 'ended in order and back at once', end: node => node.terminate(), comesBack: true },
]

/** Registers the test of a client. */
export function livesThrough(client: RedisClient): void {
  test(`${client.name} does all it can, and gets on when a leader is killed`, {
    timeout: STORY_MS_MAX,
    skip: client.missing(),
  }, async t => {
    for (const [step, reason] of Object.entries(client.without ?? {}))
      t.diagnostic(`no ${step}: ${reason}`)
    client.build()
    await LocalCluster.run({}, async cluster => {
      await client.besides?.(cluster)
      for (const [i, ending] of ENDINGS.entries()) {
        await t.test(ending.name, async subtest => {
          const keys = await cluster.keyOfEachShard(`act${i}-`)
          const times = await session(cluster, client, keys, ending)
          subtest.diagnostic(`ms: ${times.join(', ')}`)
        })
        await cluster.awaitReady()
        // Else they go home while the next act does what clients do not repeat.
        await cluster.awaitHome()
      }
    })
  })
}

/** @returns the steps after the end of the node, each with how many ms after it */
async function session(
  cluster: LocalCluster,
  client: RedisClient,
  keys: readonly string[],
  { end, comesBack }: Ending,
): Promise<string[]> {
  const addresses = cluster.nodes.map(({ number }) => `127.0.0.1:${cluster.respPort(number)}`)
  const program = new Program([...client.command, addresses.join(','), keys.join(',')])
  const steps = STEPS.filter(step => client.without?.[step] === undefined)
  const waiting = steps.indexOf('waiting')
  let ended: LocalNode | null = null
  try {
    for (const [i, step] of steps.slice(0, waiting + 1).entries())
      await program.tells(i, step, STEP_MS_MAX)
    ended = cluster.node(await cluster.leaderOf(keys[0] ?? ''))
    const since = performance.now()
    await end(ended)
    if (comesBack) ended.start()
    program.say('killed')
    const times: string[] = []
    for (const [i, step] of steps.entries()) {
      if (i <= waiting) continue
      const left = since + RECOVERY_MS_MAX - performance.now()
      const at = await program.tells(i, step, Math.max(left, 0))
      times.push(`${step} ${Math.round(at - since)}`)
    }
    await program.ends(END_MS_MAX)
    return times
  } finally {
    program.kill()
    if (ended !== null && !ended.isRunning) ended.start()
  }
}
