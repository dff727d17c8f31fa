// Leaders killed with SIGKILL, one after the other, under load (TESTING 6, fault 1).
//
// SLOTCAST_CHAOS_KILLS says how many; each is started again after three seconds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from './cluster.ts'
import { Load } from './load.ts'
import { formatGaps, gaps } from './verdict.ts'

const { SLOTCAST_CHAOS_KILLS = '8' } = process.env
const KILLS = Number(SLOTCAST_CHAOS_KILLS)
const RESTART_MS = 3_000
/** Sanity, not the promise: the machine may be busy. */
const GAP_MS_MAX = 10_000

test('nothing is lost, doubled or taken back when leaders are killed', {
  timeout: 120_000 + KILLS * 30_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('orders')
    const load = new Load(cluster, keys)
    await load.start()
    await sleep(1_000)
    const faults: { key: string; at: number; node: number }[] = []
    for (let i = 0; i < KILLS; i += 1) {
      const key = keys[i % keys.length] as string
      const leader = await cluster.leaderOf(key)
      faults.push({ key, at: performance.now(), node: leader })
      await cluster.node(leader).kill()
      await sleep(RESTART_MS)
      cluster.node(leader).start()
      await cluster.awaitReady()
      await sleep(500 + Math.random() * 1_000)
    }
    await load.stop()
    const line = await load.judge()
    const failovers = gaps(load.notes, faults)
    console.log(
      `leaders killed ${KILLS} times: ${line}; from kill to next acknowledged write of the key: ${formatGaps(failovers)}`,
    )
    assert.ok(Math.max(...failovers) < GAP_MS_MAX)
  })
})
