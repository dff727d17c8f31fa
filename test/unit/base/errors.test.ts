import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLIENT_ERRORS, clientErrorOf, OperationalError } from '../../../src/base/errors.ts'

const SRC = join(import.meta.dirname, '../../../src')

/** Texts of errors as they stand in the code: of the reply `fail` makes, and of named constants. */
const TEXTS = /(?:\bfail\(|_TEXT =|\btext: ?)\s*['"`]([A-Z]{3,}) ([^'"`]*)/g

function errorTexts(): { word: string; text: string }[] {
  const found: { word: string; text: string }[] = []
  for (const room of ['machine', 'broker', 'replica', 'doors']) {
    const folder = join(SRC, room)
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const code = readFileSync(join(entry.parentPath, entry.name), 'utf8')
      for (const [, word = '', rest] of code.matchAll(TEXTS)) {
        found.push({ word, text: `${word} ${rest}` })
      }
    }
  }
  return found
}

test('every error that the code can answer has a row of its own word', () => {
  const words = new Set(errorTexts().map(({ word }) => word))
  const known = new Set(CLIENT_ERRORS.map(({ word }) => word))
  // A scan that saw nothing proves nothing.
  assert.ok(words.size >= 12, `only ${[...words]} were found`)
  assert.deepEqual([...words].filter(word => !known.has(word)).sort(), [])
})

test('every row for some errors of a word begins as one of them does', () => {
  const texts = errorTexts().map(({ text }) => text)
  const built = ["ERR unknown command '", "ERR unknown subcommand '"]
  for (const { text } of CLIENT_ERRORS) {
    if (text === undefined || built.includes(text)) continue
    assert.ok(
      texts.some(found => found.startsWith(text)),
      text,
    )
  }
})

test('a text belongs to the first row that fits, and an unknown word to ERR', () => {
  for (const [text, reason] of [
    ['ERR no such key', 'NO_SUCH_KEY'],
    ['ERR index out of range', 'INDEX_OUT_OF_RANGE'],
    ["ERR unknown command 'x', with args beginning with: ", 'UNKNOWN_COMMAND'],
    ['ERR syntax error', 'ERR'],
    ['ERR', 'ERR'],
    ['MOVED 1 a:1', 'MOVED'],
    ['NEVERHEARD of it', 'ERR'],
  ] as const) {
    assert.equal(clientErrorOf(text).reason, reason, text)
  }
})

test('what may succeed by itself is retryable, and what may have been done is not', () => {
  assert.equal(new OperationalError('PEER', 'gone').retryable, true)
  assert.equal(new OperationalError('CONFIG', 'wrong').retryable, false)
  assert.equal(new OperationalError('INDOUBT', 'who knows').retryable, false)
})
