// What every client goes through, on a cluster of three: all it has, then the leader of its first key is killed, and
// it must get on. It does so twice: once the dead node stays dead, once it comes back at once.

import { test } from 'node:test'
import { LocalCluster } from '../chaos/cluster.ts'
import { type RedisClient, STEPS } from './client.ts'
import { Program } from './program.ts'

/** All of a step, on a busy machine. */
const STEP_MS_MAX = 60_000
/** How soon after the kill a client must be at work again, as users see it. */
const RECOVERY_MS_MAX = 30_000
const END_MS_MAX = 10_000
const STORY_MS_MAX = 420_000

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
      for (const comesBack of [false, true]) {
        const name = comesBack ? 'the node comes back at once' : 'the node stays dead'
        await t.test(name, subtest =>
          session(cluster, client, comesBack, line => subtest.diagnostic(line)),
        )
        await cluster.awaitReady()
      }
    })
  })
}

async function session(
  cluster: LocalCluster,
  client: RedisClient,
  comesBack: boolean,
  note: (line: string) => void,
): Promise<void> {
  const keys = await cluster.keyOfEachShard(comesBack ? 'second' : 'first')
  const addresses = cluster.nodes.map(({ number }) => `127.0.0.1:${cluster.respPort(number)}`)
  const program = new Program([...client.command, addresses.join(','), keys.join(',')])
  const steps = STEPS.filter(step => client.without?.[step] === undefined)
  const waiting = steps.indexOf('waiting')
  let killed: number | null = null
  try {
    for (const [i, step] of steps.slice(0, waiting + 1).entries())
      await program.tells(i, step, STEP_MS_MAX)
    killed = await cluster.leaderOf(keys[0] ?? '')
    const since = performance.now()
    await cluster.node(killed).kill()
    if (comesBack) cluster.node(killed).start()
    program.say('killed')
    const times: string[] = []
    for (const [i, step] of steps.entries()) {
      if (i <= waiting) continue
      const left = since + RECOVERY_MS_MAX - performance.now()
      const at = await program.tells(i, step, Math.max(left, 0))
      times.push(`${step} ${Math.round(at - since)}`)
    }
    note(`ms after n${killed} was killed: ${times.join(', ')}`)
    await program.ends(END_MS_MAX)
  } finally {
    program.kill()
    if (killed !== null && !cluster.node(killed).isRunning) cluster.node(killed).start()
  }
}
