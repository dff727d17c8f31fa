// ioredis: Cluster, with sharded subscribers, and with reads from replicas.

import assert from 'node:assert/strict'
import { Cluster } from 'ioredis'
import type { LocalCluster } from '../chaos/cluster.ts'
import { programPath } from './client.ts'
import { livesThrough } from './story.ts'

livesThrough({
  name: 'ioredis',
  missing: () => false,
  build: () => {},
  command: [process.execPath, programPath('ioredis.ts')],
  besides: readsFromReplicas,
})

/** Where every node leads, there are none for it, and the leaders answer. */
async function readsFromReplicas(cluster: LocalCluster): Promise<void> {
  const nodes = cluster.nodes.map(({ number }) => ({
    host: '127.0.0.1',
    port: cluster.respPort(number),
  }))
  const client = new Cluster(nodes, { scaleReads: 'slave' })
  try {
    for (const key of await cluster.keyOfEachShard('scaled')) {
      await client.set(key, 'read')
      assert.equal(await client.get(key), 'read')
    }
  } finally {
    client.disconnect()
  }
}
