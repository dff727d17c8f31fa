import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatch } from '../../../src/machine/glob.ts'

/** What a pattern matches, from its meaning: tried from both ends of every choice. */
function slowly(pattern: string, text: string): boolean {
  const head = pattern[0]
  if (head === undefined) return text === ''
  if (head === '*')
    return slowly(pattern.slice(1), text) || (text !== '' && slowly(pattern, text.slice(1)))
  if (text === '') return false
  if (head === '?') return slowly(pattern.slice(1), text.slice(1))
  if (head === '\\' && pattern.length > 1)
    return pattern[1] === text[0] && slowly(pattern.slice(2), text.slice(1))
  return head === text[0] && slowly(pattern.slice(1), text.slice(1))
}

test('a pattern matches what its parts say', () => {
  const cases: [string, string, boolean][] = [
    // As in Redis.
    ['*', '', false],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbb', false],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h[ae]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['[a-]', '-', false],
    ['[]a', 'a', false],
    ['[^]', 'x', true],
    ['[abc', 'c', true],
    ['[\\]]', ']', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\', 'a\\', true],
    ['\u00ff*', '\u00ffx', true],
    ['', '', true],
    ['', 'a', false],
    ['a**', 'a', true],
  ]
  for (const [pattern, text, matches] of cases)
    assert.equal(globMatch(pattern, text), matches, `${pattern} ${text}`)
  assert.ok(globMatch('FOO[A-C]\\X', 'foobx', true))
  assert.ok(!globMatch('FOO', 'foo'))
})

test('stars, marks and escapes match as tried one by one', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '*', '?', '\\'), { maxLength: 8 })
  const text = fc.array(fc.constantFrom('a', 'b', '\\'), { maxLength: 8 })
  fc.assert(
    fc.property(letters, text, (p, t) => {
      const wanted = t.length === 0 ? p.length === 0 : slowly(p.join(''), t.join(''))
      assert.equal(globMatch(p.join(''), t.join('')), wanted)
    }),
    { seed: 8, numRuns: 1000 },
  )
})

test('a pattern of many stars ends soon', () => {
  assert.equal(globMatch(`${'a*'.repeat(1000)}b`, 'a'.repeat(5000)), false)
})

test('of a thousand stars and more nothing is matched, but for one at the end', () => {
  const text = 'a'.repeat(3000)
  assert.equal(globMatch('*?'.repeat(1000), text), true)
  assert.equal(globMatch('**?'.repeat(1000), text), true, 'stars side by side are one')
  assert.equal(globMatch(`${'*?'.repeat(1000)}*`, text), true)
  assert.equal(globMatch('*?'.repeat(1001), text), false)
})
