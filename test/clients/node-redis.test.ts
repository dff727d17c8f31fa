// node-redis: createCluster, which speaks RESP3 unless told otherwise, and createClient on one node.

import assert from 'node:assert/strict'
import { createClient, WatchError } from 'redis'
import type { LocalCluster } from '../chaos/cluster.ts'
import { programPath } from './client.ts'
import { livesThrough } from './story.ts'

livesThrough({
  name: 'node-redis',
  missing: () => false,
  build: () => {},
  command: [process.execPath, programPath('node-redis.ts')],
  besides: oneNode,
})

async function oneNode(cluster: LocalCluster): Promise<void> {
  const [key = ''] = await cluster.keyOfEachShard('one')
  const port = cluster.respPort(await cluster.leaderOf(key))
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 3 })
  await client.connect()
  try {
    await client.xAdd(key, '1-1', { item: 'book' })
    const info = await client.xInfoStream(key)
    assert.equal(info.length, 1)
    const read = await client.sendCommand(['XREAD', 'STREAMS', key, '0'])
    assert.equal(Array.isArray(read), false, 'a map in RESP3')
    await client.xGroupCreate(key, 'g', '0')
    const [group] = await client.xInfoGroups(key)
    assert.equal(group?.name, 'g')
    await client.watch(key)
    assert.deepEqual(await client.multi().xAdd(key, '2-1', { n: '1' }).ping().exec(), [
      '2-1',
      'PONG',
    ])
    await client.watch(key)
    await client.xAdd(key, '3-1', { n: '1' })
    await assert.rejects(client.multi().xDel(key, '1-1').exec(), WatchError)
    assert.equal(await client.xLen(key), 3)
  } finally {
    await client.close()
  }
}
