import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Call, NO_SLOT, type Word } from '../../../src/client/session/call.ts'
import { FrameReader } from '../../../src/client/session/frame-reader.ts'
import { FrameWriter } from '../../../src/client/session/frame-writer.ts'
import { ErrorValue, Pairs, type Value } from '../../../src/client/session/value.ts'
import { SessionRequest, SessionResponse } from '../../../src/gen/slotcast/v1/command_service.ts'
import type { Reply } from '../../../src/gen/slotcast/v1/reply.ts'

const none = (): void => {}
const word: fc.Arbitrary<Word> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
)

test('frames are written as the generated code reads them', () => {
  const call = fc.record({
    words: fc.array(word, { minLength: 1, maxLength: 12 }),
    tag: fc.maxSafeNat(),
    sequence: fc.maxSafeNat(),
  })
  fc.assert(
    fc.property(fc.array(call, { maxLength: 40 }), calls => {
      const writer = new FrameWriter()
      for (const { words, tag, sequence } of calls) {
        const made = new Call(words, 'text', NO_SLOT, false, false, none, none, null)
        made.sequence = sequence
        writer.add(made, tag, 'producer', 4_000_000_000)
      }
      const read = SessionRequest.decode(writer.take()).calls
      assert.equal(read.length, calls.length)
      for (const [i, { words, tag, sequence }] of calls.entries()) {
        const found = read[i]
        const bytes = words.map(each =>
          Buffer.from(typeof each === 'object' ? each : Buffer.from(String(each))),
        )
        assert.equal(found?.tag, BigInt(tag))
        assert.deepEqual(found?.argv, bytes)
        const mark = { producerId: 'producer', epoch: 4_000_000_000, sequence: BigInt(sequence) }
        assert.deepEqual(found?.producer, sequence === 0 ? undefined : mark)
      }
    }),
  )
})

function plainOf(reply: Reply | undefined): Value {
  const { kind } = reply ?? {}
  switch (kind?.$case) {
    case 'simple':
    case 'verbatim':
      return kind.value
    case 'bulk':
      return kind.value
    case 'integer': {
      const number = Number(kind.value)
      return Number.isSafeInteger(number) ? number : kind.value
    }
    case 'array':
    case 'set':
      return kind.value.items.map(plainOf)
    case 'map':
      return new Pairs(kind.value.pairs.flatMap(({ key, value }) => [plainOf(key), plainOf(value)]))
    case 'error':
      return new ErrorValue(kind.value.text)
    default:
      return null
  }
}

const { reply: replyOf } = fc.letrec<{ reply: Reply }>(tie => {
  const items = fc.array(tie('reply'), { maxLength: 4 }).map(found => ({ items: found }))
  const text = fc.string({ unit: 'grapheme', maxLength: 60 })
  const pairs = fc
    .array(fc.record({ key: tie('reply'), value: tie('reply') }), { maxLength: 3 })
    .map(found => ({ pairs: found }))
  const bulk = fc.uint8Array({ maxLength: 80 }).map(bytes => Buffer.from(bytes))
  const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  const kinds = fc.oneof(
    { depthSize: 'small' },
    fc.record({ $case: fc.constant('nullValue' as const), value: fc.constant({}) }),
    fc.record({ $case: fc.constant('simple' as const), value: text }),
    fc.record({ $case: fc.constant('integer' as const), value: integer }),
    fc.record({ $case: fc.constant('bulk' as const), value: bulk }),
    fc.record({ $case: fc.constant('array' as const), value: items }),
    fc.record({ $case: fc.constant('set' as const), value: items }),
    fc.record({ $case: fc.constant('map' as const), value: pairs }),
    fc.record({ $case: fc.constant('verbatim' as const), value: text }),
    fc.record({
      $case: fc.constant('error' as const),
      value: fc.record({ code: text, text, retryDelay: fc.constant(undefined) }),
    }),
  )
  return { reply: kinds.map(kind => ({ kind })) }
})

test('answers are read as the generated code writes them', () => {
  fc.assert(
    fc.property(fc.array(replyOf, { maxLength: 10 }), fc.maxSafeNat(), (replies, epoch) => {
      const results = replies.map((value, i) => ({
        tag: BigInt(i + 1),
        outcome: { $case: 'reply' as const, value },
      }))
      const frame = SessionResponse.encode({ results, configEpoch: BigInt(epoch) }).finish()
      const found: Value[] = []
      const told = new FrameReader().read(Buffer.from(frame), {
        formOf: () => 'bytes',
        answered: (tag, value) => {
          found[tag - 1] = value
        },
        redirected: () => assert.fail('no redirect'),
        failed: () => assert.fail('no failure'),
      })
      assert.equal(told, epoch)
      assert.deepEqual(found, replies.map(plainOf))
    }),
  )
})
