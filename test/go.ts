// Whether a Go module can be built here: a compiler as new as it asks for, and what it needs from the module proxy.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const DOWNLOAD_MS_MAX = 240_000

/** Why the module in a folder cannot be built here, or false. */
export function missingGo(module: string): string | false {
  // Not in the module: an old one fails to read its go.mod.
  const told = go('/', 'env', 'GOVERSION')
  if (told.status !== 0) return 'there is no go'
  const [version, wanted] = [versionIn(told.stdout), versionIn(wantedBy(module))]
  if (version < wanted) return `${told.stdout.trim()} is older than ${wantedBy(module)}`
  const download = go(module, 'mod', 'download')
  if (download.status === 0) return false
  return `its modules cannot be had: ${download.stderr?.trim().split('\n').at(-1)}`
}

/** Never another compiler than the one that is here. */
function go(cwd: string, ...words: readonly string[]) {
  const env = { ...process.env, GOTOOLCHAIN: 'local' }
  return spawnSync('go', words, { cwd, env, encoding: 'utf8', timeout: DOWNLOAD_MS_MAX })
}

/** The line `go 1.26.0` of go.mod. */
function wantedBy(module: string): string {
  return /^go \S+$/m.exec(readFileSync(join(module, 'go.mod'), 'utf8'))?.[0] ?? 'go'
}

/** 1.26 as 1026; 0 where there is none. */
function versionIn(text: string): number {
  const [, major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(text) ?? []
  return Number(major) * 1_000 + Number(minor)
}
