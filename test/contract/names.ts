// Names of streams and channels for each shard of a cluster.

import { slotOf } from '../../src/base/slot.ts'
import type { LocalCluster } from '../chaos/cluster.ts'
import { Connection, listOf } from '../chaos/connection.ts'

const ASK_MS = 10_000

/** `count` names for each shard, those of one shard behind each other. */
export async function namesOfShards(
  cluster: LocalCluster,
  prefix: string,
  count: number,
): Promise<string[]> {
  const connection = await Connection.open(cluster.respPort(1))
  const ranges = listOf(await connection.ask(['CLUSTER', 'SLOTS'], ASK_MS)).map(range =>
    listOf(range).slice(0, 2).map(Number),
  )
  connection.close()
  const found = ranges.map(() => [] as string[])
  for (let i = 0; found.some(names => names.length < count); i += 1) {
    const name = `${prefix}${i}`
    const slot = slotOf(Buffer.from(name))
    const range = ranges.findIndex(([first = 0, last = 0]) => first <= slot && slot <= last)
    const names = found[range]
    if (names !== undefined && names.length < count) names.push(name)
  }
  return found.flat()
}
