// Every case twice: the bytes as one chunk, and one byte at a time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../../src/base/argv.ts'
import { parseMultibulk } from '../../../../src/base/multibulk.ts'
import { ATTACK, CarryBudget, COMMAND, Decoder, FAULT } from '../../../../src/doors/resp/decoder.ts'

const BUDGET = 1 << 26

type Decoded = { commands: string[][]; end: string }

function read(chunks: Iterable<Buffer>, budget = new CarryBudget(BUDGET)): Decoded {
  const decoder = new Decoder(budget)
  const commands: string[][] = []
  for (const chunk of chunks) {
    if (!decoder.feed(chunk)) return { commands, end: 'over budget' }
    for (;;) {
      const found = decoder.next()
      if (found === COMMAND) {
        const { argv } = decoder
        commands.push(Array.from({ length: argv.count }, (_, i) => argv.latin1(i)))
        // Entries carry these bytes: the state machine's parser must take what this one took.
        const again = new Argv()
        assert.equal(parseMultibulk(again, argv.buffer, argv.start, argv.end), argv.end)
        assert.equal(again.count, argv.count)
      } else if (found === FAULT) return { commands, end: decoder.fault }
      else if (found === ATTACK) return { commands, end: 'attack' }
      else break
    }
  }
  decoder.close()
  assert.equal(budget.bytes, 0, 'the budget is given back')
  return { commands, end: decoder.pending === 0 ? 'clean' : 'partial' }
}

function* bytewise(bytes: Buffer): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i += 1) yield bytes.subarray(i, i + 1)
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}

/** Decodes `input` in several ways; all must agree. */
function decode(input: string | Buffer): Decoded {
  const bytes = typeof input === 'string' ? Buffer.from(input, 'latin1') : input
  const whole = read([bytes])
  assert.deepEqual(read(bytewise(bytes)), whole, 'byte by byte')
  assert.deepEqual(read(pieces(bytes, 7)), whole, 'in pieces of seven')
  return whole
}

test('pipelined commands come out one by one, values may hold anything', () => {
  const { commands, end } = decode('*1\r\n$4\r\nPING\r\n*2\r\n$4\r\necho\r\n$4\r\n\r\n$1\r\n')
  assert.deepEqual(commands, [['PING'], ['echo', '\r\n$1']])
  assert.equal(end, 'clean')
})

test('empty words and words of any byte are words', () => {
  const { commands } = decode('*3\r\n$0\r\n\r\n$2\r\n\x00\xff\r\n$1\r\nx\r\n')
  assert.deepEqual(commands, [['', '\x00\xff', 'x']])
})

test('counts of nothing are skipped in silence', () => {
  assert.deepEqual(decode('*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n').commands, [['PING']])
})

test('a command that goes on is waited for', () => {
  assert.equal(decode('*2\r\n$4\r\nPING\r\n$5\r\nab').end, 'partial')
  assert.equal(decode('*2').end, 'partial')
})

test('inline commands split like a shell', () => {
  assert.deepEqual(decode('ping\r\n').commands, [['ping']])
  assert.deepEqual(decode('\r\n  \n set  a "b \\x41\\n\\"" \'c\\\'d\'\n').commands, [
    ['set', 'a', 'b A\n"', "c'd"],
  ])
  assert.deepEqual(decode('get a\n*1\r\n$1\r\nx\r\nget b\n').commands, [
    ['get', 'a'],
    ['x'],
    ['get', 'b'],
  ])
})

test('what breaks the protocol is told in the words of Redis', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['*3000000000\r\n', 'invalid multibulk length'],
    ['*abc\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$2000000000\r\n', 'invalid bulk length'],
    ['*1\r\n$blabla\r\n', 'invalid bulk length'],
    ['*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n', "expected '$', got 'f'"],
    [`*${'a'.repeat(70_000)}`, 'too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(70_000)}`, 'too big bulk count string'],
    ['set a "b\r\n', 'unbalanced quotes in request'],
    ['set a "b"c\r\n', 'unbalanced quotes in request'],
  ]
  for (const [input, text] of cases) assert.equal(decode(input).end, `Protocol error: ${text}`)
  const inline = Buffer.alloc(70_000, 'a')
  assert.equal(read([inline]).end, 'Protocol error: too big inline request')
})

test('commands before a fault are served, none behind it', () => {
  const { commands, end } = decode('*1\r\n$4\r\nPING\r\n*1\r\n!\r\n*1\r\n$4\r\nPING\r\n')
  assert.deepEqual(commands, [['PING']])
  assert.equal(end, "Protocol error: expected '$', got '!'")
})

test('a browser that speaks HTTP to us is dropped', () => {
  assert.equal(decode('POST / HTTP/1.1\r\n').end, 'attack')
  assert.equal(decode('Host: localhost:7001\r\n').end, 'attack')
})

test('a value that comes in many chunks is put together once', () => {
  const value = Buffer.alloc(3 << 20, 'v')
  const head = Buffer.from(`*2\r\n$1\r\nx\r\n$${value.length}\r\n`)
  const bytes = Buffer.concat([head, value, Buffer.from('\r\n*1\r\n$4\r\nPING\r\n')])
  const { commands, end } = read(pieces(bytes, 1500))
  assert.equal(commands[0]?.[1]?.length, value.length)
  assert.deepEqual(commands[1], ['PING'])
  assert.equal(end, 'clean')
})

test('a command of very many words is read in one pass', () => {
  const count = 100_000
  const bytes = Buffer.from(`*${count}\r\n${'$1\r\nx\r\n'.repeat(count)}`)
  assert.equal(read(pieces(bytes, 1000)).commands[0]?.length, count)
})

test('a length that was only announced takes no memory, and what came is bounded by the budget', () => {
  const budget = new CarryBudget(64 * 1024)
  const decoder = new Decoder(budget)
  assert.ok(decoder.feed(Buffer.from('*1\r\n$16000000\r\n')))
  decoder.next()
  assert.ok(decoder.feed(Buffer.alloc(100, 'x')))
  decoder.next()
  assert.ok(budget.bytes <= 4096)
  assert.equal(decoder.feed(Buffer.alloc(100_000, 'x')), false)
})

test('a long word gets all its room once a fourth of it is here, and no more than it needs', () => {
  const budget = new CarryBudget(16 * 1024 * 1024)
  const decoder = new Decoder(budget)
  const word = Buffer.alloc(1_000_000, 'x')
  const bytes = Buffer.concat([Buffer.from('*1\r\n$1000000\r\n'), word, Buffer.from('\r\n')])
  const sizes = new Set<number>()
  for (const [i, piece] of [...pieces(bytes, 65_536)].entries()) {
    assert.ok(decoder.feed(piece))
    assert.ok(budget.bytes <= 4 * 65_536 * (i + 1))
    sizes.add(budget.bytes)
    if (decoder.next() === COMMAND) assert.ok(decoder.argv.bytes(0).equals(word))
  }
  assert.equal(decoder.pending, 0)
  assert.equal(budget.bytes, bytes.length)
  assert.equal(sizes.size, 3, 'nothing, and two buffers')
})
