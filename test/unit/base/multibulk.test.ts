import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../src/base/argv.ts'
import { limits } from '../../../src/base/limits.ts'
import {
  FAULT_COUNT,
  FAULT_COUNT_LINE,
  FAULT_LENGTH,
  FAULT_LENGTH_LINE,
  FAULT_NO_DOLLAR,
  FAULT_TOO_LARGE,
  INCOMPLETE,
  parseMultibulk,
} from '../../../src/base/multibulk.ts'

function parse(text: string, argv = new Argv()): number {
  const bytes = Buffer.from(text, 'latin1')
  return parseMultibulk(argv, bytes, 0, bytes.length)
}

test('a command reads the same whole and byte by byte', () => {
  const words = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(words, fc.nat(20), (parts, before) => {
      const wire = Argv.of(...parts).buffer
      const bytes = Buffer.concat([Buffer.alloc(before, 0x2a), wire, Buffer.from('*1\r\n')])
      const argv = new Argv()
      for (let to = before + 1; to < before + wire.length; to += 1)
        assert.equal(parseMultibulk(argv, bytes, before, to), INCOMPLETE, `cut at ${to}`)
      assert.equal(parseMultibulk(argv, bytes, before, bytes.length), before + wire.length)
      assert.equal(argv.start, before)
      assert.equal(argv.end, before + wire.length)
      assert.deepEqual(
        parts.map((_, i) => Buffer.from(argv.bytes(i))),
        parts.map(part => Buffer.from(part)),
      )
      assert.equal(argv.count, parts.length)
    }),
    { seed: 2, numRuns: 60 },
  )
})

test('a count of zero or minus one is a command without words', () => {
  const argv = new Argv()
  assert.equal(parse('*0\r\n', argv), 4)
  assert.equal(argv.count, 0)
  assert.equal(parse('*-1\r\n', argv), 5)
  assert.equal(argv.count, 0)
})

test('each way to break a command has its fault', () => {
  assert.equal(parse('PING\r\n'), FAULT_COUNT)
  assert.equal(parse('*x\r\n'), FAULT_COUNT)
  assert.equal(parse('*\r\n'), FAULT_COUNT)
  assert.equal(parse('*1\rx'), FAULT_COUNT)
  assert.equal(parse(`*${limits.wordsMax + 1}\r\n`), FAULT_COUNT)
  assert.equal(parse(`*${'1'.repeat(limits.inlineBytesMax + 2)}`), FAULT_COUNT_LINE)
  assert.equal(parse('*1\r\n:1\r\n'), FAULT_NO_DOLLAR)
  assert.equal(parse('*1\r\n$x\r\n'), FAULT_LENGTH)
  assert.equal(parse('*1\r\n$-1\r\n'), FAULT_LENGTH)
  assert.equal(parse(`*1\r\n$${limits.valueBytesMax + 1}\r\n`), FAULT_LENGTH)
  assert.equal(parse(`*1\r\n$${'1'.repeat(limits.inlineBytesMax + 2)}`), FAULT_LENGTH_LINE)
})

test('a command over the limit is refused before its bytes are there', () => {
  const value = limits.valueBytesMax
  const head = Buffer.from(`*3\r\n$${value}\r\n`)
  const next = Buffer.from(`\r\n$${value}\r\n`)
  const bytes = Buffer.concat([head, Buffer.alloc(value), next])
  assert.equal(parseMultibulk(new Argv(), bytes, 0, bytes.length), FAULT_TOO_LARGE)
})

test('random bytes never read behind the end and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), noise => {
      const bytes = Buffer.concat([Buffer.from('*2\r\n$1\r\n'), Buffer.from(noise)])
      assert.ok(parseMultibulk(new Argv(), bytes, 0, bytes.length) <= bytes.length)
    }),
    { seed: 3 },
  )
})
