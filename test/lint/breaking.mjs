// Fails when proto/ breaks who was built with an older one.
//
// Older is the newest tag, where the checkout knows tags. A shallow checkout, or a
// repository before its first release, is compared with proto/baseline.binpb, which
// `npm run baseline` writes: at a release, or to break on purpose what was never released.
// Needs no network.

import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../../..')
const buf = join(root, 'node_modules/.bin/buf')
const git = (...words) => spawnSync('git', words, { cwd: root, encoding: 'utf8' })

const described = git('describe', '--tags', '--abbrev=0')
const tag = described.status === 0 ? described.stdout.trim() : null
const folder = git('rev-parse', '--git-common-dir').stdout?.trim()
const against = tag === null ? 'proto/baseline.binpb' : `${resolve(root, folder)}#tag=${tag}`

const { status, error } = spawnSync(buf, ['breaking', '--against', against], {
  cwd: root,
  stdio: 'inherit',
})
if (error !== undefined) throw error
if (status === 0) console.log(`proto: nothing breaks ${tag ?? against}`)
else console.error(`proto breaks ${tag ?? against}`)
process.exitCode = status ?? 1
