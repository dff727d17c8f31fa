// examples/java.

import { buildMaven, missingMaven } from '../../maven.ts'
import { directory, type Language } from './language.ts'

const FOLDER = directory('java')

export const java: Language = {
  name: 'java',
  missing: () => missingMaven(FOLDER),
  build: () => buildMaven(FOLDER),
  command: ['java', '-jar', `${FOLDER}target/contract.jar`],
}
