// Writes the pages that are made from tables in src/. Run: npm run docs
// With --check it writes nothing and fails when a page on disk differs.
import { readFileSync, writeFileSync } from 'node:fs'
import { commandsPage } from '../../src/commands-page.ts'
import { configurationPage } from '../../src/config-page.ts'
import { errorsPage } from '../../src/errors-page.ts'

const pages = [
  ['docs/configuration.md', configurationPage],
  ['docs/commands.md', commandsPage],
  ['docs/errors.md', errorsPage],
]

for (const [path, make] of pages) {
  if (!process.argv.includes('--check')) writeFileSync(path, make())
  else if (readFileSync(path, 'utf8') !== make()) {
    console.error(`${path} is out of date: npm run docs`)
    process.exitCode = 1
  }
}
