// A standalone node of ours and Redis 7.0 beside it, for tests that ask both the same.

import { LocalCluster } from '../chaos/cluster.ts'
import { RedisServer } from './server-target.ts'

const STANDALONE = { enabled: false, shards: 1, replicas_per_shard: 1 }

/** RESP ports on 127.0.0.1. */
export type Pair = { readonly ours: number; readonly theirs: number }

/** Starts both, runs `story`, and ends both. */
export async function withPair(story: (pair: Pair) => Promise<void>): Promise<void> {
  const redis = await RedisServer.start()
  try {
    await LocalCluster.run({ nodes: 1, settings: STANDALONE }, cluster =>
      story({ ours: cluster.respPort(1), theirs: redis.port }),
    )
  } finally {
    await redis.stop()
  }
}
