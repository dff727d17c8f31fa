// ioredis: Cluster, with sharded subscribers.

import { programPath } from './client.ts'
import { livesThrough } from './story.ts'

livesThrough({
  name: 'ioredis',
  missing: () => false,
  build: () => {},
  command: [process.execPath, programPath('ioredis.ts')],
})
