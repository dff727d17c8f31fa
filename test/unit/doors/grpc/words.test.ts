import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../../src/base/argv.ts'
import { limits } from '../../../../src/base/limits.ts'
import { parseMultibulk } from '../../../../src/base/multibulk.ts'
import { Words } from '../../../../src/doors/grpc/words.ts'

const wire = (words: Words): Buffer => words.argv.buffer.subarray(words.argv.start, words.argv.end)

test('words are written in the wire form that entries carry', () => {
  const words = new Words()
  const word = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), row => {
      words.begin()
      for (const bytes of row) words.bytes(bytes)
      assert.equal(words.finish(), null)
      const expected = Argv.of(...row)
      assert.deepEqual(wire(words), expected.buffer)
      const parsed = new Argv()
      const { buffer, start, end } = words.argv
      assert.equal(parseMultibulk(parsed, buffer, start, end), end)
      for (const [i, bytes] of row.entries()) {
        assert.deepEqual(new Uint8Array(words.argv.bytes(i)), bytes)
        assert.equal(parsed.from(i), words.argv.from(i))
      }
    }),
    { seed: 1, numRuns: 200 },
  )
})

test('text is written in UTF-8, whatever its length', () => {
  const words = new Words()
  const row = ['', 'a', 'é', '😀', 'x'.repeat(24), 'x'.repeat(25), 'ü'.repeat(24), 'ü'.repeat(4000)]
  words.begin()
  for (const text of row) words.text(text)
  words.number(-7)
  words.number(18446744073709551615n)
  assert.equal(words.finish(), null)
  assert.deepEqual(wire(words), Argv.of(...row, '-7', '18446744073709551615').buffer)
})

test('many words and large ones make the buffer grow, and the next command finds it small again', () => {
  const words = new Words()
  const large = Buffer.alloc(3 * 1024 * 1024, 0x61)
  words.begin()
  for (let i = 0; i < 500; i += 1) words.text(`w${i}`)
  words.bytes(large)
  assert.equal(words.finish(), null)
  assert.equal(words.argv.count, 501)
  assert.deepEqual(words.argv.bytes(500), large)
  words.begin()
  words.text('PING')
  assert.equal(words.finish(), null)
  assert.equal(words.argv.buffer.length < 1024 * 1024, true)
  assert.equal(wire(words).toString(), '*1\r\n$4\r\nPING\r\n')
})

test('a word over its limit is refused, and a command over its limit too', () => {
  const words = new Words()
  words.begin()
  words.bytes(Buffer.alloc(limits.valueBytesMax + 1))
  assert.match(words.finish() ?? '', /a word is over/)
  const half = Buffer.alloc(limits.commandBytesMax / 2 - 100)
  words.begin()
  words.bytes(half)
  words.bytes(half)
  assert.equal(words.finish(), null)
  words.begin()
  for (let i = 0; i < 3; i += 1) words.bytes(half)
  words.text('small')
  assert.match(words.finish() ?? '', /the command over/)
})
