// Words kept for the slow log: read back until others stand there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { WordRing } from '../../../src/broker/word-ring.ts'

test('words are read back as they were put', () => {
  const ring = new WordRing()
  const at = [
    ['XLEN', 's'],
    ['KEYS', '*'],
    ['GET', ''],
  ].map(words => ring.put(Argv.of(...words)))
  assert.deepEqual(
    at.map(place => ring.words(place)),
    [
      ['XLEN', 's'],
      ['KEYS', '*'],
      ['GET', ''],
    ],
  )
})

test('of a long command the first words are kept', () => {
  const ring = new WordRing()
  const at = ring.put(Argv.of('EXISTS', 'k'.repeat(4_000), 'l'.repeat(500), 'm'))
  ring.put(Argv.of('XLEN', 's'))
  assert.deepEqual(ring.words(at), ['EXISTS', 'k'.repeat(4_000)])
})

test('words that were overwritten are told to be gone, all others are right', () => {
  const ring = new WordRing()
  const places: number[] = []
  for (let i = 0; i < 5_000; i += 1)
    places.push(ring.put(Argv.of('XRANGE', `key:${i}`, 'x'.repeat(i % 300))))
  let gone = 0
  for (const [i, place] of places.entries()) {
    const words = ring.words(place)
    if (words === null) gone += 1
    else assert.deepEqual(words.slice(0, 2), ['XRANGE', `key:${i}`])
  }
  assert.ok(gone > 0 && gone < 5_000, `${gone} are gone`)
})
