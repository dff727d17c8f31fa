// Random bytes, random cuts: the decoder never throws, never reads beyond, and stays in its bounds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import { parseMultibulk } from '../../src/base/multibulk.ts'
import { CarryBudget, COMMAND, Decoder, MORE } from '../../src/doors/resp/decoder.ts'

const SEED = 20_261
const BUDGET = 1 << 20

/** Bytes that look like the protocol more often than chance would have it. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '*1\r\n',
        '*2\r\n',
        '$1\r\n',
        '$3\r\n',
        '\r\n',
        '*',
        '$',
        '-1',
        '"',
        "'",
        '\n',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 60 },
  )
  .map(parts => Buffer.from(parts.join(''), 'latin1'))

function cutAt(input: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map(cut => cut % (input.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, i) => input.subarray(from, at[i] ?? input.length))
}

function words(argv: Argv): string[] {
  return Array.from({ length: argv.count }, (_, i) => argv.latin1(i))
}

function decode(chunks: readonly Buffer[]): { commands: string[][]; found: number } {
  const budget = new CarryBudget(BUDGET)
  const decoder = new Decoder(budget)
  const commands: string[][] = []
  let found = MORE
  for (const chunk of chunks) {
    assert.ok(decoder.feed(chunk))
    for (found = decoder.next(); found === COMMAND; found = decoder.next()) {
      const { argv } = decoder
      assert.ok(argv.start >= 0 && argv.end <= argv.buffer.length)
      commands.push(words(argv))
      if (argv.count === 0) continue
      // Entries carry these bytes: what the door takes, every replica must be able to read.
      const again = new Argv()
      assert.equal(parseMultibulk(again, argv.buffer, argv.start, argv.end), argv.end)
      assert.deepEqual(words(again), words(argv))
    }
    if (found !== MORE) break
  }
  assert.ok(budget.bytes <= BUDGET)
  return { commands, found }
}

test('any bytes in any cuts give what they give in one piece', () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(500), { maxLength: 8 }), (input, cuts) => {
      assert.deepEqual(decode(cutAt(input, cuts)), decode([input]))
    }),
    { seed: SEED, numRuns: 3000 },
  )
})

test('commands survive any cuts', () => {
  const command = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(command, { maxLength: 8 }), fc.array(fc.nat(2000)), (commands, cuts) => {
      const parts = commands.map(one => {
        const argv = Argv.of(...one)
        return argv.buffer.subarray(argv.start, argv.end)
      })
      const expected = commands.map(one => one.map(word => Buffer.from(word).toString('latin1')))
      assert.deepEqual(decode(cutAt(Buffer.concat(parts), cuts)).commands, expected)
    }),
    { seed: SEED, numRuns: 1000 },
  )
})
