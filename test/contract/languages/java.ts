// examples/java: by Maven, which gets gRPC and protoc from its central repository.

import { buildWith, directory, has, type Language } from './language.ts'

const JAVA_MIN = 17
const POM = `${directory('java')}pom.xml`
const QUIET = ['--quiet', '--batch-mode']

export const java: Language = {
  name: 'java',
  missing() {
    if (!has('javac', '--release', String(JAVA_MIN), '--version'))
      return `there is no javac, or it is older than ${JAVA_MIN}`
    if (!has('mvn', '--version')) return 'there is no mvn'
    const isThere = has('mvn', ...QUIET, '--file', POM, 'dependency:resolve')
    return isThere ? false : 'mvn does not get gRPC'
  },
  build: () => buildWith('java', 'mvn', ...QUIET, 'package'),
  command: ['java', '-jar', `${directory('java')}target/contract.jar`],
}
