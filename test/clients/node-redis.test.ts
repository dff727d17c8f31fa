// node-redis: createCluster, which speaks RESP3 unless told otherwise.

import { programPath } from './client.ts'
import { livesThrough } from './story.ts'

livesThrough({
  name: 'node-redis',
  missing: () => false,
  build: () => {},
  command: [process.execPath, programPath('node-redis.ts')],
})
