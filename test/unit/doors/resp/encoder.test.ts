// The bytes of every kind of reply, in both protocols.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Encoder } from '../../../../src/doors/resp/encoder.ts'
import {
  array,
  bulk,
  fail,
  integer,
  NULL,
  NULL_ARRAY,
  OK,
  type Reply,
  text,
} from '../../../../src/machine/reply.ts'
import { formatId, MAX_ID, MIN_ID } from '../../../../src/machine/types/stream-id.ts'

function encoded(reply: Reply, protocol: 2 | 3): string {
  const encoder = new Encoder()
  encoder.encode(reply, protocol)
  // As one reads it in the specification: · for a line end.
  return encoder.last().toString('latin1').replaceAll('\r\n', '·')
}

const pair: Reply = { kind: 'map', items: [text('a'), integer(1)] }
const golden: readonly (readonly [string, Reply, string, string])[] = [
  ['OK', OK, '+OK·', '+OK·'],
  ['simple', { kind: 'simple', text: 'PONG' }, '+PONG·', '+PONG·'],
  ['error', fail('ERR no\r\nsuch'), '-ERR no  such·', '-ERR no  such·'],
  ['integer', integer(0), ':0·', ':0·'],
  ['large integer', integer(9_007_199_254_740_991), ':9007199254740991·', ':9007199254740991·'],
  ['negative integer', integer(-12), ':-12·', ':-12·'],
  [
    'bigint',
    integer(-9_223_372_036_854_775_808n),
    ':-9223372036854775808·',
    ':-9223372036854775808·',
  ],
  ['bulk', bulk(Buffer.from('ab\r\n')), '$4·ab··', '$4·ab··'],
  ['empty bulk', bulk(Buffer.alloc(0)), '$0··', '$0··'],
  ['text', text('é'), '$2·\xc3\xa9·', '$2·\xc3\xa9·'],
  [
    'id',
    { kind: 'id', id: { ms: 1_700_000_000_123, seq: 45 } },
    '$16·1700000000123-45·',
    '$16·1700000000123-45·',
  ],
  ['short id', { kind: 'id', id: { ms: 1, seq: 2 } }, '$3·1-2·', '$3·1-2·'],
  ['null', NULL, '$-1·', '_·'],
  ['null array', NULL_ARRAY, '*-1·', '_·'],
  ['array', array([integer(1), array([])]), '*2·:1·*0·', '*2·:1·*0·'],
  [
    'bulks',
    { kind: 'bulks', bytes: Buffer.from('xfieldvalue'), bounds: [1, 6, 6, 11] },
    '*2·$5·field·$5·value·',
    '*2·$5·field·$5·value·',
  ],
  [
    'framed bulks',
    {
      kind: 'bulks',
      bytes: Buffer.from('$5\r\nfield\r\n$1\r\nv\r\nrest'),
      bounds: [4, 9, 15, 16],
      framedBytes: 18,
    },
    '*2·$5·field·$1·v·',
    '*2·$5·field·$1·v·',
  ],
  ['map', pair, '*2·$1·a·:1·', '%1·$1·a·:1·'],
  ['pairs', { kind: 'pairs', items: [text('k'), array([])] }, '*1·*2·$1·k·*0·', '%1·$1·k·*0·'],
  ['set', { kind: 'set', items: [text('a')] }, '*1·$1·a·', '~1·$1·a·'],
  ['verbatim', { kind: 'verbatim', text: 'hi' }, '$2·hi·', '=6·txt:hi·'],
  ['nested', array([pair, NULL]), '*2·*2·$1·a·:1·$-1·', '*2·%1·$1·a·:1·_·'],
]

for (const [name, reply, resp2, resp3] of golden) {
  test(`${name} has its bytes in RESP2 and RESP3`, () => {
    assert.equal(encoded(reply, 2), resp2)
    assert.equal(encoded(reply, 3), resp3)
  })
}

test('IDs of every size are written digit by digit, and the cached milliseconds follow', () => {
  const encoder = new Encoder()
  const ids = [MIN_ID, MAX_ID, { ms: 0, seq: 1 }, { ms: 9_999_999, seq: 10_000_000 }, MIN_ID]
  ids.push(
    { ms: Number.MAX_SAFE_INTEGER, seq: 99 },
    { ms: 2 ** 53, seq: 0 },
    { ms: 1e7, seq: 1e14 },
  )
  let expected = ''
  for (const id of ids) {
    encoder.encode({ kind: 'id', id }, 2)
    expected += `$${formatId(id).length}\r\n${formatId(id)}\r\n`
  }
  assert.equal(encoder.last().toString(), expected)
})

/** All that was encoded. */
function wholeOf(encoder: Encoder): Buffer {
  return Buffer.concat([...encoder.parts, encoder.last()])
}

test('the buffer grows, is set aside when it is full, and no byte is lost', () => {
  const encoder = new Encoder()
  const word = Buffer.alloc(10_000, 'x')
  const each = `$10000\r\n${word}\r\n`
  for (let i = 0; i < 100; i += 1) encoder.encode(bulk(word), 2)
  assert.equal(encoder.length, 100 * each.length)
  assert.ok(encoder.parts.length > 1)
  assert.ok(encoder.parts.every(part => part.buffer.byteLength <= 256 * 1024))
  assert.equal(wholeOf(encoder).toString(), each.repeat(100))
  encoder.clear()
  assert.equal(encoder.length, 0)
  assert.equal(encoder.parts.length, 0)
  encoder.encode(OK, 2)
  assert.equal(encoder.last().toString(), '+OK\r\n')
})

test('long values are sent from where they are, in their place', () => {
  const encoder = new Encoder()
  const long = Buffer.alloc(20_000, 'x')
  const framed = Buffer.from(`$20000\r\n${long}\r\nrest`)
  const framedBytes = framed.length - 'rest'.length
  encoder.encode(integer(1), 2)
  encoder.encode(bulk(long), 2)
  encoder.encode(array([{ kind: 'bulks', bytes: framed, bounds: [8, 20_008], framedBytes }]), 2)
  encoder.encode(integer(2), 2)
  encoder.sharedMessage(Buffer.from(`>1\r\n$20000\r\n${long}\r\n`), 20_014, 3)
  const parts = encoder.parts.map(part => part.buffer)
  assert.ok(parts.includes(long.buffer) && parts.includes(framed.buffer))
  const value = `$20000\r\n${long}\r\n`
  const expected = `:1\r\n${value}*1\r\n*1\r\n${value}:2\r\n>1\r\n${value}`
  assert.equal(wholeOf(encoder).toString(), expected)
  assert.equal(encoder.length, expected.length)
})

test('what another encoder has is moved, in order', () => {
  const encoder = new Encoder()
  const other = new Encoder()
  const long = Buffer.alloc(20_000, 'x')
  encoder.encode(integer(1), 2)
  other.encode(bulk(long), 2)
  other.encode(integer(2), 2)
  encoder.append(other)
  encoder.encode(integer(3), 2)
  assert.equal(wholeOf(encoder).toString(), `:1\r\n$20000\r\n${long}\r\n:2\r\n:3\r\n`)
  assert.equal(other.length, 0)
})

test('a text longer than any buffer is one piece', () => {
  const encoder = new Encoder()
  const long = 'é'.repeat(200_000)
  encoder.encode(text(long), 2)
  encoder.encode(OK, 2)
  assert.equal(wholeOf(encoder).toString(), `$400000\r\n${long}\r\n+OK\r\n`)
})
