// Stopped in order and started again: everything is there, groups and producers included.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { Client } from '../chaos/client.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { show } from '../chaos/verdict.ts'

const ENTRIES = 500

test('a cluster that was stopped and started has all its data', { timeout: 120_000 }, async () => {
  await LocalCluster.run({}, async cluster => {
    const keys = await cluster.keyOfEach('orders')
    const ask = async (key: string, ...words: (string | number)[]): Promise<string> => {
      const client = new Client(cluster)
      const { reply } = await client.perform({ words, key })
      client.close()
      return show(reply)
    }
    const looks = (key: string): Promise<string[]> =>
      Promise.all([
        ask(key, 'XRANGE', key, '-', '+'),
        ask(key, 'XINFO', 'STREAM', key, 'FULL', 'COUNT', 0),
        ask(key, 'XPENDING', key, 'g'),
      ])
    const before: string[][] = []
    for (const key of keys) {
      const client = new Client(cluster)
      await Promise.all(
        Array.from({ length: ENTRIES }, (_, i) =>
          client.perform({ words: ['XADD', key, '*', 'n', i], key }),
        ),
      )
      client.close()
      await ask(key, 'XGROUP', 'CREATE', key, 'g', '0')
      await ask(key, 'XREADGROUP', 'GROUP', 'g', 'me', 'COUNT', 100, 'STREAMS', key, '>')
      before.push(await looks(key))
    }
    for (let round = 0; round < 2; round += 1) {
      const ends = await Promise.all(cluster.nodes.map(node => node.terminate()))
      assert.deepEqual(
        ends.map(({ code }) => code),
        [0, 0, 0],
      )
      for (const node of cluster.nodes) node.start()
      await cluster.awaitReady()
      for (const [i, key] of keys.entries()) assert.deepEqual(await looks(key), before[i])
    }
  })
})

test('a standalone node is a plain Redis to ioredis, and keeps its data', {
  timeout: 120_000,
}, async () => {
  await LocalCluster.run({ nodes: 1, settings: { enabled: false, shards: 1 } }, async cluster => {
    for (let life = 1; life <= 2; life += 1) {
      const client = new Redis({ host: '127.0.0.1', port: cluster.respPort(1) })
      assert.match(await client.info('cluster'), /cluster_enabled:0/)
      await client.xadd('a', '*', 'life', String(life))
      await client.xadd('b', '*', 'life', String(life))
      assert.equal(await client.xlen('a'), life)
      assert.equal(await client.exists('a', 'b', 'c'), 2, 'keys of any slots together')
      const read = await client.xread('STREAMS', 'a', 'b', '0', '0')
      assert.equal(read?.length, 2)
      client.disconnect()
      const { code } = await cluster.node(1).terminate()
      assert.equal(code, 0)
      cluster.node(1).start()
      await cluster.awaitReady()
    }
  })
})
