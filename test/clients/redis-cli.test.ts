// redis-cli -c, which follows redirects.

import { has, programPath } from './client.ts'
import { livesThrough } from './story.ts'

livesThrough({
  name: 'redis-cli',
  missing: () => (has('redis-cli', '--version') ? false : 'redis-cli is not installed'),
  build: () => {},
  command: [process.execPath, programPath('redis-cli.ts')],
})
