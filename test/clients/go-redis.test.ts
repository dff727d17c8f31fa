// go-redis: ClusterClient, which the module proxy has.

import { fileURLToPath } from 'node:url'
import { missingGo } from '../go.ts'
import { programPath, run } from './client.ts'
import { livesThrough } from './story.ts'

const MODULE = programPath('go-redis')
const BINARY = fileURLToPath(new URL('../../.tmp/clients/go-redis', import.meta.url))

livesThrough({
  name: 'go-redis',
  missing: () => missingGo(MODULE),
  build: () => run(MODULE, 'go', 'build', '-o', BINARY, '.'),
  command: [BINARY],
})
