// `npm run build`: makes dist/package, the client as a package of JavaScript and declarations that can be published or
// installed by its path. Within this repository `slotcast/client` is the source itself, so nothing has to be built to work on it.

import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../../..')
const out = join(root, 'dist/package')
/** A package that is imported, without the path within it. */
const IMPORTED = /(?:from|import) ['"]((?:@[^/'"]+\/)?[^/.'"@][^/'"]*)/g

rmSync(out, { recursive: true, force: true })
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.client.json')],
  {
    stdio: 'inherit',
  },
)

const { name, version, description, license, type, engines, dependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
const used = new Set()
for (const entry of readdirSync(out, { withFileTypes: true, recursive: true })) {
  if (!entry.isFile()) continue
  const path = join(entry.parentPath, entry.name)
  const text = readFileSync(path, 'utf8')
  for (const [, found] of text.matchAll(IMPORTED)) if (!found.startsWith('node:')) used.add(found)
  // Declarations keep the extensions of the source, which not every compiler resolves.
  if (path.endsWith('.d.ts'))
    writeFileSync(path, text.replace(/(['"]\.{1,2}\/[^'"]*)\.ts(['"])/g, '$1.js$2'))
}
const exports = { './client': { types: './client/index.d.ts', default: './client/index.js' } }
const needed = Object.fromEntries([...used].sort().map(each => [each, dependencies[each]]))
const missing = Object.keys(needed).filter(each => needed[each] === undefined)
if (missing.length > 0) throw new Error(`not among the dependencies: ${missing.join(', ')}`)
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({ name, version, description, license, type, engines, exports, dependencies: needed }, null, 2)}\n`,
)
cpSync(join(root, 'docs/client.md'), join(out, 'README.md'))
