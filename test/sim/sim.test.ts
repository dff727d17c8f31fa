// A fixed set of seeds, which must always pass, and the simulator's own promises.
//
// More seeds: `npm run sim -- --seeds 1..500`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RunResult, runSeed } from './run.ts'

const SEEDS = Array.from({ length: 20 }, (_, i) => 1001 + i)

/** Things that must have happened in the set, or it proves nothing of them. */
const MUST_HAPPEN = [
  'kill',
  'power-cut',
  'torn files',
  'pause',
  'partition',
  'clock-jump',
  'elections',
  'votes',
  'acks',
  'recoveries',
  'quorum durability',
  'log matching',
  'completeness',
  'digests',
  'states',
  'linear families',
]

function explain(result: RunResult): string {
  return `${result.story.slice(-20).join('\n')}\nseed ${result.seed}: ${result.failure}`
}

test('a fixed set of seeds passes', () => {
  const totals = new Map<string, number>()
  for (const seed of SEEDS) {
    const result = runSeed(seed)
    assert.equal(result.failure, null, explain(result))
    for (const [what, count] of result.counts) totals.set(what, (totals.get(what) ?? 0) + count)
  }
  for (const what of MUST_HAPPEN) assert.ok((totals.get(what) ?? 0) > 0, `no ${what} in all seeds`)
})

test('a seed is the same run each time', () => {
  const [once, again] = [runSeed(1001), runSeed(1001)]
  assert.equal(once.digest, again.digest)
  assert.equal(once.events, again.events)
  assert.notEqual(once.digest, runSeed(1002).digest)
})
