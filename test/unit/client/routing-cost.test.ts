// What a slow or dead node costs a call: one redirect, or one timeout.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlayedCluster } from './played-nodes.ts'

const SILENCE_MS = 300
/** Beyond a timeout: looking for the leader, jitter, a machine that is busy. */
const SLACK_MS = 700

/** As `lead`, and waits until it has arrived. */
async function lead(cluster: PlayedCluster, leader: string): Promise<void> {
  cluster.lead(leader)
  await new Promise(resolve => setTimeout(resolve, 50))
}

test('a node that hangs costs the calls that it had one timeout, and later ones nothing', async () => {
  await PlayedCluster.run(3, async cluster => {
    const client = await cluster.client({ silenceMs: SILENCE_MS })
    assert.equal(await client.command('SET', 'k', 'v'), 'n1')
    cluster.node(1).isMute = true
    const since = performance.now()
    const calls = Array.from({ length: 50 }, () => client.command('SET', 'k', 'v'))
    await new Promise(resolve => setTimeout(resolve, 50))
    // The others elect another and say so; the one that hangs, which may be who pushes us maps, does not.
    cluster.node(1).watchers.clear()
    cluster.lead('n2')
    const answers = await Promise.all(calls)
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
    assert.ok(questions <= 1, `${questions} questions for the map`)
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

test('who is pushed the map does not ask for it while nobody leads, and follows the push at once', async () => {
  await PlayedCluster.run(2, async cluster => {
    const client = await cluster.client({ deadlineMs: 5_000 })
    assert.equal(await client.command('SET', 'k', 'v'), 'n1')
    await lead(cluster, '')
    const calls = Array.from({ length: 50 }, () => client.command('SET', 'k', 'v'))
    await new Promise(resolve => setTimeout(resolve, 300))
    cluster.lead('n2')
    assert.ok((await Promise.all(calls)).every(answer => answer === 'n2'))
    // Nor afterwards.
    await new Promise(resolve => setTimeout(resolve, 1_100))
    assert.equal(client.stats.questions, 0)
    // A push that never comes is not waited for.
    await lead(cluster, '')
    cluster.leader = 'n1'
    assert.equal(await client.command('SET', 'k', 'v'), 'n1')
    assert.equal(client.stats.questions, 1)
    assert.equal(client.stats.watches, 1)
  })
})

test('in a long outage a client asks ever more rarely', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client({ deadlineMs: 4_000 })
    await lead(cluster, '')
    await assert.rejects(client.command('SET', 'k', 'v'))
    assert.ok(client.stats.questions <= 7, `${client.stats.questions} questions in 4 s`)
  })
})

test('a node that is slow for long is given up ever more rarely, and at first as soon as ever once it answered', async () => {
  await PlayedCluster.run(1, async cluster => {
    const client = await cluster.client({ silenceMs: 100 })
    cluster.node(1).isMute = true
    await assert.rejects(client.execute(['GET', 'k'], { deadlineMs: 4_000 }))
    const { lost } = client.stats
    // Without patience: about one each 150 ms.
    assert.ok(lost >= 2 && lost <= 6, `${lost} connections were given up in 4 s`)
    cluster.node(1).isMute = false
    assert.equal(await client.command('GET', 'k'), 'n1')
    cluster.node(1).isMute = true
    const call = client.command('GET', 'k')
    await new Promise(resolve => setTimeout(resolve, 400))
    assert.ok(client.stats.lost > lost, 'an answer makes it a well node again')
    cluster.node(1).isMute = false
    assert.equal(await call, 'n1')
  })
})
