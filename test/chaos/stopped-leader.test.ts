// SIGTERM to a leader under load: it hands over first, and clients that follow redirects notice nothing else.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Seen } from './client.ts'
import { LocalCluster } from './cluster.ts'
import { Load } from './load.ts'
import { formatGaps, gaps } from './verdict.ts'

const STOPS = 3
const STOP_MS_MAX = 5_000
/** UNBLOCKED is what Redis, too, says to a command that waits where the leader changes. */
const ALLOWED = ['MOVED', 'UNBLOCKED']

test('a leader that is stopped hands over, and no client sees an error', {
  timeout: 180_000,
}, async () => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('orders')
    const load = new Load(cluster, keys)
    await load.start()
    await sleep(1_000)
    const faults: { key: string; at: number; node: number }[] = []
    const stops: number[] = []
    for (let i = 0; i < STOPS; i += 1) {
      const key = keys[i % keys.length] as string
      const leader = await cluster.leaderOf(key)
      faults.push({ key, at: performance.now(), node: leader })
      const { code, ms } = await cluster.node(leader).terminate()
      assert.equal(code, 0)
      assert.ok(ms < STOP_MS_MAX, `the stop took ${ms} ms`)
      stops.push(Math.round(ms))
      cluster.node(leader).start()
      await cluster.awaitReady()
      await sleep(2_000)
    }
    await load.stop()
    const words = new Map<string, number>()
    for (const { word } of load.seen) words.set(word, (words.get(word) ?? 0) + 1)
    const unknown = load.notes.history.filter(op => op.outcome === 'info')
    const line = await load.judge()
    const errors = load.seen
      .filter(({ word }) => !ALLOWED.includes(word))
      .map(seen => tell(seen, faults))
    assert.deepEqual(errors, [], 'errors that clients saw')
    assert.deepEqual(unknown, [], 'operations of unknown outcome')
    console.log(
      `leaders stopped ${STOPS} times: ${line}; ended after ${stops.join(', ')} ms; writes paused ${formatGaps(gaps(load.notes, faults))}; seen: ${[...words].map(([word, count]) => `${word} ${count}`).join(', ')}`,
    )
  })
})

/** An error, with when and where it came in relation to the stop before it. */
function tell(seen: Seen, faults: readonly { at: number; node: number }[]): string {
  const fault = faults.findLast(({ at }) => at < seen.at)
  const since =
    fault === undefined
      ? 'before all'
      : `${Math.round(seen.at - fault.at)} ms after n${fault.node} was stopped`
  return `${seen.word} to ${seen.command} at n${seen.node}, ${since}`
}
