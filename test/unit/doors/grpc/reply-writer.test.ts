import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ReplyWriter } from '../../../../src/doors/grpc/reply-writer.ts'
import { errorWord } from '../../../../src/doors/grpc/status.ts'
import { Frame } from '../../../../src/doors/grpc/wire.ts'
import { Reply as Message } from '../../../../src/gen/slotcast/v1/reply.ts'
import type { Reply } from '../../../../src/machine/reply.ts'
import { formatId, half } from '../../../../src/machine/types/stream-id.ts'

/** The message that the generated code would make of `reply`. */
function message(reply: Reply): Message {
  return { kind: kind(reply) }
}

function kind(reply: Reply): Message['kind'] {
  switch (reply.kind) {
    case 'pushes':
    case 'null':
    case 'null-array':
      return { $case: 'nullValue', value: {} }
    case 'simple':
    case 'verbatim':
      return { $case: reply.kind, value: reply.text }
    case 'integer':
      return { $case: 'integer', value: BigInt(reply.value) }
    case 'bulk':
      return { $case: 'bulk', value: Buffer.from(reply.bytes) }
    case 'text':
      return { $case: 'bulk', value: Buffer.from(reply.text) }
    case 'id':
      return { $case: 'bulk', value: Buffer.from(formatId(reply.id)) }
    case 'array':
    case 'set':
      return { $case: reply.kind, value: { items: reply.items.map(message) } }
    case 'bulks': {
      const items: Message[] = []
      for (let i = 0; i + 1 < reply.bounds.length; i += 2) {
        const bytes = reply.bytes.subarray(reply.bounds[i], reply.bounds[i + 1])
        items.push(message({ kind: 'bulk', bytes }))
      }
      return { $case: 'array', value: { items } }
    }
    case 'map':
    case 'pairs': {
      const pairs = []
      for (let i = 0; i + 1 < reply.items.length; i += 2) {
        const [key, value] = reply.items.slice(i, i + 2).map(message)
        pairs.push({ key, value })
      }
      return { $case: 'map', value: { pairs } }
    }
    case 'error': {
      const { text } = reply
      return { $case: 'error', value: { code: errorWord(text), text, retryDelay: undefined } }
    }
  }
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constant('x'.repeat(300)))
const halves = fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(half))
const bytes = fc.uint8Array({ maxLength: 300 })
const { reply: replies } = fc.letrec<{ reply: Reply }>(tie => {
  const items = fc.array(tie('reply'), { maxLength: 6 })
  return {
    reply: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<Reply>({ kind: 'null' }, { kind: 'null-array' }),
      text.map((value): Reply => ({ kind: 'simple', text: value })),
      text.map((value): Reply => ({ kind: 'text', text: value })),
      text.map((value): Reply => ({ kind: 'verbatim', text: value })),
      text.map((value): Reply => ({ kind: 'error', text: value })),
      fc
        .oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
        .map((value): Reply => ({ kind: 'integer', value })),
      bytes.map((value): Reply => ({ kind: 'bulk', bytes: value })),
      fc.tuple(halves, halves).map(([ms, seq]): Reply => ({ kind: 'id', id: { ms, seq } })),
      items.map((value): Reply => ({ kind: 'array', items: value })),
      items.map((value): Reply => ({ kind: 'set', items: value })),
      items.map((value): Reply => ({ kind: 'map', items: value.slice(value.length % 2) })),
      items.map((value): Reply => ({ kind: 'pairs', items: value.slice(value.length % 2) })),
      fc.tuple(bytes, fc.array(fc.nat(300), { maxLength: 8 })).map(([value, cuts]): Reply => {
        const bounds = cuts.map(cut => Math.min(cut, value.length)).sort((a, b) => a - b)
        return { kind: 'bulks', bytes: value, bounds: bounds.slice(bounds.length % 2) }
      }),
    ),
  }
})

test('every reply is written as the message that the generated code reads', () => {
  const writer = new ReplyWriter()
  const frame = new Frame()
  fc.assert(
    fc.property(replies, reply => {
      const size = writer.measure(reply)
      frame.reserve(size)
      writer.write(frame, reply)
      const written = frame.take()
      assert.equal(written.length, size, 'the measure is exact')
      assert.deepEqual(Message.decode(written), message(reply))
    }),
    { seed: 2, numRuns: 500 },
  )
})

test('frames that were taken keep their bytes while more is written', () => {
  const frame = new Frame(16)
  const taken: Buffer[] = []
  for (let i = 0; i < 40; i += 1) {
    frame.reserve(4000)
    frame.raw(Buffer.alloc(4000, i), 0, 4000)
    if (i % 3 === 2) taken.push(frame.take())
  }
  for (const [n, bytes] of taken.entries()) {
    assert.equal(bytes.length, 12_000)
    for (let i = 0; i < 3; i += 1) assert.equal(bytes[i * 4000 + 3999], n * 3 + i)
  }
})
