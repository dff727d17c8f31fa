import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  beginOf,
  encoded,
  endOf,
  isElement,
  Words,
  wordAt,
  wordLength,
} from '../../../../src/machine/types/element.ts'

function elementOf(word: string): Buffer {
  const bytes = Buffer.from(`  ${word} `, 'latin1')
  return encoded(bytes, 2, bytes.length - 1)
}

const EDGES = [
  ...['', '0', '-0', '00', '01', '-1', '-', '1a', '+1', ' 1', '127', '128', '-128', '255', '256'],
  ...['65535', '65536', '-65536', '999999999999999', '1000000000000000', '-1000000000000000'],
  ...['9007199254740993', '9223372036854775807', '-9223372036854775808', '9999999999999999999'],
  ...['10000000000000000000', '1234567890000000001', '-1234567890000000000', '000000000000000001'],
  ...[62, 63, 64, 65, 125, 126, 127, 128, 8254, 8255, 8256, 16_381, 70_000].map(n => 'x'.repeat(n)),
]

const anyWord = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(String),
  fc.integer().map(String),
  fc.stringMatching(/^[-+0-9a]{0,20}$/),
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes).toString('latin1')),
)

test('a word is read back from its element, byte for byte, and found from either end', () => {
  const check = (word: string): void => {
    const element = elementOf(word)
    const between = Buffer.concat([Buffer.alloc(3, 0xff), element, Buffer.alloc(3, 0xff)])
    assert.equal(wordLength(between, 3), word.length)
    assert.equal(wordAt(between, 3).toString('latin1'), word)
    assert.equal(endOf(between, 3), 3 + element.length)
    assert.equal(beginOf(between, 3 + element.length), 3)
    assert.ok(isElement(between, 3, element))
  }
  for (const word of EDGES) check(word)
  fc.assert(fc.property(anyWord, check), { seed: 3, numRuns: 2000 })
})

test('elements are equal if the words are, and only then', () => {
  fc.assert(
    fc.property(anyWord, anyWord, (a, b) => {
      const padded = Buffer.concat([elementOf(a), Buffer.alloc(8)])
      assert.equal(isElement(padded, 0, elementOf(b)), a === b)
    }),
    { seed: 4, numRuns: 2000 },
  )
  assert.equal(isElement(elementOf('ab'), 0, elementOf('abc')), false)
})

test('an element takes no more bytes than in a listpack of Redis, but for few', () => {
  const sizes: [string, number][] = [
    ['7', 2],
    ['200', 3],
    ['123456', 5],
    ['1234567890', 6],
    ['9223372036854775807', 11],
    ['x'.repeat(10), 12],
    ['x'.repeat(63), 65],
    ['x'.repeat(100), 103],
    ['x'.repeat(1000), 1004],
  ]
  for (const [word, bytes] of sizes) assert.equal(elementOf(word).length, bytes, word)
})

test('words of a reply stand as RESP has them, and their bounds find them in it', () => {
  fc.assert(
    fc.property(fc.array(anyWord, { maxLength: 20 }), fc.nat(100), (words, room) => {
      const gathered = new Words(room)
      for (const word of words) gathered.add(elementOf(word), 0)
      const framed = gathered.bytes.latin1Slice(0, gathered.framedBytes)
      assert.equal(framed, words.map(word => `$${word.length}\r\n${word}\r\n`).join(''))
      const { bounds } = gathered
      const found = words.map((_, i) =>
        gathered.bytes.latin1Slice(bounds[2 * i] as number, bounds[2 * i + 1] as number),
      )
      assert.deepEqual(found, words)
    }),
    { seed: 5, numRuns: 1000 },
  )
})
