import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  PAYLOAD_HEADER_BYTES,
  PAYLOAD_VERSION,
  PRODUCER_MARK,
  payloadCount,
  payloadNow,
  readProducerMark,
  writePayloadHeader,
} from '../../../src/base/payload.ts'

test('the header of a payload has these bytes', () => {
  const bytes = Buffer.alloc(PAYLOAD_HEADER_BYTES, 0xee)
  writePayloadHeader(bytes, 1.5, 258)
  assert.equal(bytes.toString('hex'), '0100000002010000000000000000f83f')
  assert.equal(payloadCount(bytes), 258)
  assert.equal(payloadNow(bytes), 1.5)
})

test('a version that this build does not know is refused', () => {
  const bytes = Buffer.alloc(PAYLOAD_HEADER_BYTES)
  writePayloadHeader(bytes, 0, 0)
  bytes[0] = PAYLOAD_VERSION + 1
  assert.throws(() => payloadCount(bytes), /payload version 2 is unknown/)
})

test('a producer session is read in place', () => {
  const bytes = Buffer.concat([
    Buffer.from([0xaa, PRODUCER_MARK, 3]),
    Buffer.from('p\u00e9', 'utf8'),
    Buffer.alloc(12),
  ])
  bytes.writeUInt32LE(7, 6)
  bytes.writeBigUInt64LE(2n ** 53n - 1n, 10)
  const mark = readProducerMark(bytes, 1)
  assert.deepEqual(
    { ...mark },
    { id: 'p\u00c3\u00a9', epoch: 7, sequence: Number.MAX_SAFE_INTEGER, end: 18 },
  )
  bytes.writeBigUInt64LE(2n ** 53n, 10)
  assert.equal(readProducerMark(bytes, 1).sequence, -1)
  assert.throws(() => readProducerMark(bytes.subarray(0, 17), 1), /whole/)
})
