// jedis: JedisCluster, which comes from Maven's central repository.

import { buildMaven, missingMaven } from '../maven.ts'
import { programPath } from './client.ts'
import { livesThrough } from './story.ts'

const FOLDER = programPath('jedis')

livesThrough({
  name: 'jedis',
  missing: () => missingMaven(FOLDER),
  build: () => buildMaven(FOLDER),
  command: ['java', '-jar', `${FOLDER}/target/program.jar`],
})
