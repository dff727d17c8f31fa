// redis-py: RedisCluster, which comes from PyPI, since Debian's is too old to know sharded channels.

import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { has, programPath, run } from './client.ts'
import { livesThrough } from './story.ts'

const VERSION = '8.1.0'
/** Kept between runs. */
const CACHE = fileURLToPath(new URL('../../.tmp/clients/', import.meta.url))
const TARGET = `${CACHE}redis-py-${VERSION}`
/** Debian's, unless another is named. */
const { SLOTCAST_PYTHON: PYTHON = '/usr/bin/python3' } = process.env
const FETCH = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries=1']

livesThrough({
  name: 'redis-py',
  missing() {
    if (!has(PYTHON, '-c', '')) return `there is no ${PYTHON}`
    if (existsSync(TARGET)) return false
    if (!has(PYTHON, '-m', 'pip', '--version')) return `${PYTHON} has no pip`
    const isThere = has(PYTHON, ...FETCH, '--dry-run', '--target', TARGET, `redis==${VERSION}`)
    return isThere ? false : `pip does not get redis ${VERSION}`
  },
  build() {
    if (existsSync(TARGET)) return
    mkdirSync(CACHE, { recursive: true })
    const half = `${TARGET}.half`
    run(CACHE, PYTHON, ...FETCH, '--target', half, `redis==${VERSION}`)
    renameSync(half, TARGET)
  },
  command: ['/usr/bin/env', `PYTHONPATH=${TARGET}`, PYTHON, programPath('redis_py.py')],
})
