// jedis: JedisCluster, which comes from Maven's central repository.

import { has, programPath, run } from './client.ts'
import { livesThrough } from './story.ts'

const JAVA_MIN = 17
const FOLDER = programPath('jedis')
const QUIET = ['--quiet', '--batch-mode', '--file', `${FOLDER}/pom.xml`]

livesThrough({
  name: 'jedis',
  missing() {
    if (!has('javac', '--release', String(JAVA_MIN), '--version'))
      return `there is no javac, or it is older than ${JAVA_MIN}`
    if (!has('mvn', '--version')) return 'there is no mvn'
    return has('mvn', ...QUIET, 'dependency:resolve') ? false : 'mvn does not get jedis'
  },
  build: () => run(FOLDER, 'mvn', ...QUIET, 'package'),
  command: ['java', '-jar', `${FOLDER}/target/program.jar`],
})
