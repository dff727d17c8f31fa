import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash128, hashWords } from '../../../src/base/hash128.ts'

function hash(text: string): string {
  const bytes = Buffer.from(`<${text}>`, 'latin1')
  hash128(bytes, 1, bytes.length - 1, false)
  return [...hashWords].map(word => word.toString(16).padStart(8, '0')).join('')
}

test('the hash is MurmurHash3_x86_128 with the seed 0', () => {
  assert.equal(hash(''), '00000000000000000000000000000000')
  assert.equal(
    hash('I will not buy this record, it is scratched.'),
    'a0a9683b25ac5e40d9af2895890dddf5',
  )
})

test('a chained hash tells where one part ends and the next begins', () => {
  const chained = (...parts: string[]): string => {
    for (const [i, part] of parts.entries()) {
      const bytes = Buffer.from(part, 'latin1')
      hash128(bytes, 0, bytes.length, i > 0)
    }
    return hashWords.join()
  }
  const seen = new Set<string>()
  for (let length = 0; length <= 40; length += 1)
    for (let cut = 0; cut <= length; cut += 1)
      seen.add(chained('x'.repeat(cut), 'x'.repeat(length - cut)))
  assert.equal(seen.size, (41 * 42) / 2)
})
