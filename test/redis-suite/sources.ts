// Where Redis' own suite comes from: directories that the caller names, or Debian.
//
// From Debian only the source package's tarball is taken, by apt with lists of its own in
// a temporary directory, so that the machine's stay as they are. Its checksum is
// apt's business.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Debian 12 has Redis 7.0, Debian 13 has 8.0. */
const DEBIAN_RELEASES = ['bookworm', 'trixie'] as const
const APT_MS_MAX = 120_000

export type Source = {
  /** Major and minor: `7.0`. */
  readonly version: string
  readonly full: string
  readonly directory: string
}

/** An unpacked source of Redis. */
function sourceAt(directory: string): Source {
  const path = join(directory, 'src/version.h')
  const full = /REDIS_VERSION "([\d.]+)"/.exec(readFileSync(path, 'utf8'))?.[1]
  if (full === undefined) throw new Error(`${path} names no version`)
  return { version: full.split('.').slice(0, 2).join('.'), full, directory }
}

/** @param named directories with a colon between them */
export function sourcesAt(named: string): readonly Source[] {
  return named.split(':').map(sourceAt)
}

/**
 * Downloads and unpacks what Debian has.
 *
 * @param directory takes everything
 * @returns the sources, or why there are none
 */
export function sourcesFromDebian(directory: string): readonly Source[] | string {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return 'no apt-get, or not root'
  const parts = join(directory, 'parts')
  const lists = join(directory, 'lists')
  mkdirSync(parts)
  mkdirSync(lists)
  const lines = DEBIAN_RELEASES.map(name => `deb-src http://deb.debian.org/debian ${name} main\n`)
  writeFileSync(join(parts, 'redis.list'), lines.join(''))
  const options = [
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', parts],
    ['Dir::State::lists', lists],
    ['APT::Sandbox::User', 'root'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`])
  const run = (words: readonly string[], cwd: string) =>
    spawnSync('apt-get', [...options, '-qq', ...words], {
      cwd,
      timeout: APT_MS_MAX,
      encoding: 'utf8',
    })
  const update = run(['update'], directory)
  if (update.status !== 0) return `apt-get update: ${update.stderr.trim()}`
  const sources: Source[] = []
  for (const release of DEBIAN_RELEASES) {
    const to = join(directory, release)
    mkdirSync(to)
    const got = run(['source', '--download-only', '--tar-only', `redis/${release}`], to)
    const tarball = readdirSync(to).find(name => name.endsWith('.orig.tar.gz'))
    if (tarball === undefined) return `apt-get source redis/${release}: ${got.stderr.trim()}`
    const unpacked = spawnSync('tar', ['xzf', tarball, '--strip-components=1'], { cwd: to })
    if (unpacked.status !== 0) return `${tarball} cannot be unpacked`
    sources.push(sourceAt(to))
  }
  return sources
}
