// What a slow or dead node costs a call: one redirect, or one timeout.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlayedCluster } from './played-nodes.ts'

const SILENCE_MS = 300
/** Beyond a timeout: looking for the leader, jitter, a machine that is busy. */
const SLACK_MS = 700

test('a node that hangs costs the calls that it had one timeout, and later ones nothing', async () => {
  await PlayedCluster.run(3, async cluster => {
    const client = await cluster.client({ silenceMs: SILENCE_MS })
    assert.equal(await client.command('SET', 'k', 'v'), 'n1')
    // It hangs, and the others have elected another: the one that pushes maps may be the one that hangs.
    cluster.node(1).isMute = true
    cluster.leader = 'n2'
    const since = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => client.command('SET', 'k', 'v')),
    )
    const ms = performance.now() - since
    assert.ok(answers.every(answer => answer === 'n2'))
    assert.ok(ms < SILENCE_MS + SLACK_MS, `${Math.round(ms)} ms`)
    assert.equal(client.stats.lost, 1)
    assert.equal(client.stats.redirects, 0)
    const later = performance.now()
    assert.equal(await client.command('SET', 'k', 'v'), 'n2')
    assert.ok(performance.now() - later < SILENCE_MS)
    assert.equal(client.stats.lost, 1)
    const questions = cluster.nodes.reduce((sum, node) => sum + node.questions, 0)
    assert.ok(questions <= 3, `${questions} questions for the map`)
  })
})

test('a leader that is not one any more costs one redirect, and later calls none', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client()
    assert.equal(await client.command('SET', 'k', 'v'), 'n1')
    cluster.node(1).redirectTo = 'n2'
    assert.equal(await client.command('SET', 'k', 'v'), 'n2')
    const some = Array.from({ length: 20 }, () => client.command('SET', 'k', 'v'))
    assert.ok((await Promise.all(some)).every(answer => answer === 'n2'))
    assert.equal(client.stats.redirects, 1)
    assert.equal(client.stats.retries, 0)
    assert.equal(
      cluster.nodes.reduce((sum, { questions }) => sum + questions, 0),
      0,
    )
  })
})
