// Programs in Java, built by Maven, which gets what they need from its central repository.

import { execFileSync, spawnSync } from 'node:child_process'

/** What the poms compile for. */
const JAVA_MIN = 17
const MAVEN = ['--quiet', '--batch-mode']
/** A compiler on a busy machine, with packages that may have to be fetched. */
const BUILD_MS_MAX = 300_000

/** Why the project in a folder cannot be built here, or false. */
export function missingMaven(folder: string): string | false {
  const runs = (file: string, ...words: readonly string[]) =>
    spawnSync(file, words, { cwd: folder, timeout: BUILD_MS_MAX }).status === 0
  if (!runs('javac', '--release', String(JAVA_MIN), '--version'))
    return `there is no javac, or one that is older than ${JAVA_MIN}`
  if (!runs('mvn', '--version')) return 'there is no mvn'
  return runs('mvn', ...MAVEN, 'dependency:resolve') ? false : 'mvn does not get what it needs'
}

/** Makes the jar of the project in a folder. @throws with what Maven printed when it fails */
export function buildMaven(folder: string): void {
  const options = { cwd: folder, stdio: 'pipe', encoding: 'utf8', timeout: BUILD_MS_MAX } as const
  execFileSync('mvn', [...MAVEN, 'package'], options)
}
