// Whether there is a container engine, and which compose it has.

import { spawnSync } from 'node:child_process'

function answers(command: string, ...words: string[]): boolean {
  return spawnSync(command, words, { stdio: 'ignore' }).status === 0
}

/** False, or why tests that need an engine are skipped. */
export const noEngine: string | false = answers('docker', 'version')
  ? false
  : 'no container engine answers'

/** `docker compose` (v2) or `docker-compose` (v1), or null. */
export const composeCommand: readonly string[] | null = answers('docker', 'compose', 'version')
  ? ['docker', 'compose']
  : answers('docker-compose', 'version')
    ? ['docker-compose']
    : null
