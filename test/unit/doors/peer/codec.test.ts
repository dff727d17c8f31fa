// Envelopes on the wire: the hand-written codec says what the generated code says, and refuses garbage.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decodeEnvelopeFrame,
  encodeEnvelopeFrame,
  envelopeBytesMax,
  isEnvelopeFrame,
} from '../../../../src/doors/peer/codec.ts'
import { WireError } from '../../../../src/doors/peer/wire.ts'
import { PubSub, ReceiveResponse } from '../../../../src/gen/slotcast/peer/v1/peer.ts'
import type { ConfState, Entry, Message, MessageType } from '../../../../src/raft/message.ts'
import type { Envelope } from '../../../../src/replica/ports.ts'

const TYPES: readonly MessageType[] = [
  'propose',
  'append',
  'append-response',
  'vote',
  'vote-response',
  'pre-vote',
  'pre-vote-response',
  'snapshot',
  'heartbeat',
  'heartbeat-response',
  'timeout-now',
  'read-index',
  'read-index-response',
]

const number = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
const small = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 0xffff_ffff }))
const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))
const members = fc.array(small, { maxLength: 7 })
const conf: fc.Arbitrary<ConfState> = fc.record({
  voters: members,
  votersOutgoing: members,
  learners: members,
  learnersNext: members,
  autoLeave: fc.boolean(),
})
const entry: fc.Arbitrary<Entry> = fc.record({
  term: number,
  index: number,
  kind: fc.constantFrom('normal', 'conf-change', 'conf-change-v2'),
  data: bytes,
})
const message: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom(...TYPES),
  from: small,
  to: small,
  term: number,
  logTerm: number,
  index: number,
  entries: fc.array(entry, { maxLength: 4 }),
  commit: number,
  vote: fc.constant(0),
  reject: fc.boolean(),
  rejectHint: number,
  snapshot: fc.option(
    fc.oneof(
      fc.record({ index: number, term: number, conf }),
      fc.record({ index: number, term: number, conf, data: bytes }),
    ),
  ),
  context: fc.option(bytes),
  responses: fc.constant([]),
})
/** What the desk would put there, in the generated code's bytes. */
const pubsub = fc
  .array(
    fc.record({ channel: bytes, payload: bytes, sequence: number.filter(n => n > 0).map(BigInt) }),
    {
      maxLength: 3,
    },
  )
  .map(publications =>
    publications.length === 0
      ? Buffer.alloc(0)
      : Buffer.from(PubSub.encode({ interest: undefined, publications, ask: false }).finish()),
  )
const envelope: fc.Arbitrary<Envelope> = fc.record({
  messages: fc.array(fc.record({ shard: small, message }), { maxLength: 4 }),
  chunks: fc.array(
    fc.record({
      shard: small,
      index: number,
      term: number,
      conf,
      offset: number,
      bytes,
      checksum: fc.nat({ max: 0xffff_ffff }),
      last: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  acks: fc.array(
    fc.record({ shard: small, index: number, term: number, offset: number, failed: fc.boolean() }),
    { maxLength: 3 },
  ),
  leads: fc.array(
    fc.record({
      shard: small,
      term: number,
      applied: number,
      digest: fc.nat({ max: 0xffff_ffff }),
    }),
    { maxLength: 3 },
  ),
  facts: bytes,
  pubsub,
})

const runs = { seed: 20, numRuns: 400 }

/** Bytes compare by content, whatever their class. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) =>
      item instanceof Uint8Array ? Buffer.from(item).toString('hex') : item,
    ),
  )
}

function sample(data: Uint8Array): Envelope {
  const [first] = fc.sample(message, { seed: 1, numRuns: 1 })
  const normal: Entry = { term: 3, index: 9, kind: 'normal', data }
  return {
    messages: [{ shard: 2, message: { ...(first as Message), entries: [normal] } }],
    chunks: [],
    acks: [],
    leads: [{ shard: 2, term: 3, applied: 9, digest: 5 }],
    facts: Buffer.alloc(0),
    pubsub: Buffer.alloc(0),
  }
}

test('what was encoded is decoded, and never takes more than was reserved', () => {
  fc.assert(
    fc.property(envelope, value => {
      const frame = Buffer.from(encodeEnvelopeFrame(value))
      assert.ok(isEnvelopeFrame(frame))
      assert.ok(frame.length <= envelopeBytesMax(value))
      assert.deepEqual(plain(decodeEnvelopeFrame(frame)), plain(value))
    }),
    runs,
  )
})

test('the bytes are those of the generated code', () => {
  fc.assert(
    fc.property(envelope, value => {
      const frame = Buffer.from(encodeEnvelopeFrame(value))
      const generated = ReceiveResponse.decode(frame)
      assert.equal(generated.frame?.$case, 'envelope')
      assert.deepEqual(Buffer.from(ReceiveResponse.encode(generated).finish()), frame)
    }),
    runs,
  )
})

test('message types and entry kinds have the numbers of the proto file', () => {
  for (const type of TYPES) {
    const [first] = fc.sample(message, { seed: 1, numRuns: 1 })
    const value = {
      ...sample(Buffer.alloc(1)),
      messages: [{ shard: 1, message: { ...(first as Message), type } }],
    }
    const json = JSON.stringify(
      ReceiveResponse.toJSON(ReceiveResponse.decode(encodeEnvelopeFrame(value))),
    )
    assert.ok(json.includes(`MESSAGE_TYPE_${type.toUpperCase().replaceAll('-', '_')}"`), type)
  }
})

test('an envelope larger than the scratch buffer is encoded all the same', () => {
  const data = Buffer.alloc(3 * 1024 * 1024, 7)
  const decoded = decodeEnvelopeFrame(Buffer.from(encodeEnvelopeFrame(sample(data))))
  assert.ok(data.equals(decoded.messages[0]?.message.entries[0]?.data ?? Buffer.alloc(0)))
})

test('decoded entries are views of the frame', () => {
  const frame = Buffer.from(encodeEnvelopeFrame(sample(Buffer.from('payload'))))
  const data = decodeEnvelopeFrame(frame).messages[0]?.message.entries[0]?.data
  assert.equal(data?.buffer, frame.buffer)
})

test('fields of a newer build are passed over', () => {
  const frame = Buffer.from(encodeEnvelopeFrame(sample(Buffer.from('x'))))
  const extra = Buffer.from([0x9a, 0x06, 2, 1, 2, 0x98, 0x06, 5, 0x9d, 0x06, 1, 2, 3, 4])
  const body = Buffer.concat([frame.subarray(2), extra])
  assert.equal(frame[1], frame.length - 2, 'a length of one byte')
  const longer = Buffer.concat([
    Buffer.from([0x12, (body.length & 0x7f) | 0x80, body.length >> 7]),
    body,
  ])
  assert.deepEqual(plain(decodeEnvelopeFrame(longer)), plain(decodeEnvelopeFrame(frame)))
})

test('every cut of a frame is refused, and none reads past the end', () => {
  const frame = Buffer.from(encodeEnvelopeFrame(sample(Buffer.from('payload'))))
  for (let length = 1; length < frame.length; length += 1) {
    assert.throws(() => decodeEnvelopeFrame(frame.subarray(0, length)), WireError, `${length}`)
  }
})

test('garbage is decoded or refused by WireError, nothing else', () => {
  const attempt = (frame: Buffer): void => {
    try {
      decodeEnvelopeFrame(frame)
    } catch (error) {
      assert.ok(error instanceof WireError, String(error))
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), array =>
      attempt(Buffer.from(array)),
    ),
    { seed: 3, numRuns: 3000 },
  )
  fc.assert(
    fc.property(envelope, fc.nat(), fc.nat({ max: 255 }), (value, at, byte) => {
      const frame = Buffer.from(encodeEnvelopeFrame(value))
      frame[at % frame.length] = byte
      attempt(frame)
    }),
    { seed: 4, numRuns: 2000 },
  )
})

test('a message to the node itself is never sent', () => {
  const value = sample(Buffer.alloc(0))
  const [first] = value.messages
  const own = { ...(first?.message as Message), type: 'storage-append' as const }
  assert.throws(
    () => encodeEnvelopeFrame({ ...value, messages: [{ shard: 1, message: own }] }),
    /never leaves its node/,
  )
})
