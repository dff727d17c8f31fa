import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader, Writer } from '../../../src/base/bytes.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { readReply, writeReply } from '../../../src/machine/reply-codec.ts'

test('every kind of reply reads as it was written', () => {
  const bytes = Buffer.from('..fieldvalue')
  const leaves: Reply[] = [
    { kind: 'error', text: 'ERR caf\u00e9' },
    { kind: 'simple', text: 'OK' },
    { kind: 'integer', value: -5 },
    { kind: 'integer', value: 2n ** 63n - 1n },
    { kind: 'bulk', bytes: Buffer.from([0, 255]) },
    { kind: 'text', text: '' },
    { kind: 'id', id: { ms: 2n ** 64n - 1n, seq: 7 } },
    { kind: 'null' },
    { kind: 'null-array' },
    { kind: 'verbatim', text: 'txt' },
  ]
  const all: Reply = {
    kind: 'array',
    items: [
      ...leaves,
      { kind: 'map', items: leaves },
      { kind: 'pairs', items: [] },
      { kind: 'set', items: leaves.slice(0, 1) },
    ],
  }
  const writer = new Writer()
  writeReply(writer, all)
  writeReply(writer, { kind: 'bulks', bytes, bounds: [2, 7, 7, 12] })
  const reader = new Reader(writer.take())
  assert.deepEqual(readReply(reader), all)
  assert.deepEqual(readReply(reader), {
    kind: 'bulks',
    bytes: Buffer.from('fieldvalue'),
    bounds: [0, 5, 5, 10],
  })
  assert.equal(reader.left, 0)
  assert.throws(() => readReply(new Reader(Buffer.from([99]))), /reply kind 99 is unknown/)
})
