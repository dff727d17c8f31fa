// Fails when src/gen is not what `npm run gen` would make of proto/ now.
//
// Generates into a temporary folder with the same plugins and compares byte for
// byte. Needs no network: buf and its plugins come from node_modules.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../../..')
const committed = join(root, 'src/gen')

function* filesUnder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) yield relative(folder, join(entry.parentPath, entry.name))
  }
}

const out = mkdtempSync(join(tmpdir(), 'slotcast-gen-'))
const faults = []
let compared = 0
try {
  const bin = join(root, 'node_modules/.bin')
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const buf = spawnSync(join(bin, 'buf'), ['generate', '--output', out], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  if (buf.status !== 0) throw new Error(`buf generate failed: ${buf.stderr || buf.error}`)
  const made = join(out, 'src/gen')
  for (const file of new Set([...filesUnder(committed), ...filesUnder(made)])) {
    compared += 1
    const [before, now] = [committed, made].map(folder => {
      try {
        return readFileSync(join(folder, file), 'utf8')
      } catch {
        return null
      }
    })
    if (before === now) continue
    const what = before === null ? 'is missing' : now === null ? 'is left over' : 'differs'
    faults.push(`src/gen/${file} ${what}`)
  }
} finally {
  rmSync(out, { recursive: true, force: true })
}

// A checker that saw nothing proves nothing.
if (compared < 10) faults.push(`only ${compared} generated files were found`)
for (const fault of faults) console.error(fault)
if (faults.length > 0) {
  console.error('run: npm run gen')
  process.exit(1)
}
console.log(`src/gen: ${compared} files are what proto/ makes`)
