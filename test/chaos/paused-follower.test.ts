// A follower stopped with SIGSTOP under load, then the leader killed (TESTING 6, faults 1 and 4).
// Where replication is not by majority, this is where acknowledged writes are lost.

import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from './cluster.ts'
import { Load } from './load.ts'
import { formatGaps, gaps } from './verdict.ts'

const PAUSE_MS = 10_000
const RESTART_MS = 3_000

for (const order of ['before', 'after'] as const) {
  test(`nothing is lost when a paused follower goes on ${order} its leader is killed`, {
    timeout: 180_000,
  }, async () => {
    await LocalCluster.run({}, async cluster => {
      const keys = await cluster.keyOfEach('orders')
      const load = new Load(cluster, keys)
      await load.start()
      await sleep(1_000)
      const key = keys[0] as string
      const follower = ((await cluster.leaderOf(key)) % cluster.nodes.length) + 1
      cluster.node(follower).signal('SIGSTOP')
      await sleep(PAUSE_MS)
      const leader = await leaderBeside(cluster, key, follower)
      const at = performance.now()
      if (order === 'before') cluster.node(follower).signal('SIGCONT')
      await cluster.node(leader).kill()
      // Alone, the third node has no majority; it must wait, whatever it knows.
      if (order === 'after') {
        await sleep(1_000)
        cluster.node(follower).signal('SIGCONT')
      }
      await sleep(RESTART_MS)
      cluster.node(leader).start()
      await cluster.awaitReady()
      await sleep(1_000)
      await load.stop()
      const line = await load.judge()
      const failover = formatGaps(gaps(load.notes, [{ key, at, node: leader }]))
      console.log(`follower paused for 10 s, then leader killed: ${line}; failover ${failover}`)
    })
  })
}

/** The leader of `key` as one who is not paused knows it. */
async function leaderBeside(cluster: LocalCluster, key: string, paused: number): Promise<number> {
  for (;;) {
    const leader = await cluster.leaderOf(key)
    if (leader !== paused) return leader
    await sleep(50)
  }
}
