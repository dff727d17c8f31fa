// docs/commands.md: every command stands in it, and what is said to differ exists.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DIFFERENCES } from '../../src/command-differences.ts'
import { commandsPage, documentedCommands } from '../../src/commands-page.ts'

test('the page on disk is current and has every command', () => {
  const page = commandsPage()
  assert.equal(readFileSync('docs/commands.md', 'utf8'), page, 'npm run docs')
  const names = documentedCommands().map(({ name }) => name)
  assert.ok(names.length > 100, `only ${names.length} commands`)
  for (const name of names) {
    const shown = name.replace('|', ' ').toUpperCase()
    assert.ok(page.includes(`| \`${shown}\` |`), name)
  }
})

test('every difference belongs to a command there is', () => {
  const names = new Set(documentedCommands().map(({ name }) => name))
  assert.deepEqual(
    [...DIFFERENCES.keys()].filter(name => !names.has(name)),
    [],
  )
})
