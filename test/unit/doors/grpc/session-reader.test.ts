import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limits } from '../../../../src/base/limits.ts'
import { FrameFault, SessionReader } from '../../../../src/doors/grpc/session-reader.ts'
import { Words } from '../../../../src/doors/grpc/words.ts'
import { SessionRequest } from '../../../../src/gen/slotcast/v1/command_service.ts'

type Read = { tag: number; argv: string[]; producer: unknown; fault: string | null }

function readAll(frame: Buffer): Read[] {
  const words = new Words()
  const reader = new SessionReader(words)
  const found: Read[] = []
  reader.begin(frame)
  while (reader.next()) {
    const argv: string[] = []
    for (let i = 0; i < words.count; i += 1) argv.push(words.argv.latin1(i))
    found.push({ tag: reader.tag, argv, producer: reader.producer, fault: reader.fault })
  }
  return found
}

const encode = (frame: Parameters<typeof SessionRequest.encode>[0]): Buffer =>
  Buffer.from(SessionRequest.encode(frame).finish())

const callOf = fc.record({
  tag: fc.maxSafeNat().map(BigInt),
  argv: fc.array(
    fc.uint8Array({ maxLength: 100 }).map(bytes => Buffer.from(bytes)),
    { minLength: 1, maxLength: 20 },
  ),
  producer: fc.option(
    fc.record({
      producerId: fc.constantFrom('p', 'producer-1', 'q'.repeat(255)),
      epoch: fc.nat(0xffff_ffff),
      sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(BigInt),
    }),
    { nil: undefined },
  ),
})

test('frames are read as the generated code writes them', () => {
  fc.assert(
    fc.property(fc.array(callOf, { maxLength: 64 }), calls => {
      const expected = calls.map(({ tag, argv, producer }) => ({
        tag: Number(tag),
        argv: argv.map(word => word.toString('latin1')),
        producer:
          producer === undefined
            ? null
            : {
                id: producer.producerId,
                epoch: producer.epoch,
                sequence: Number(producer.sequence),
              },
        fault: null,
      }))
      assert.deepEqual(readAll(encode({ calls })), expected)
    }),
    { seed: 3, numRuns: 200 },
  )
})

test('a frame that is cut or changed anywhere is read or refused, and nothing else', () => {
  const argv = ['XADD', 'k', '*', 'f', 'v'.repeat(40)].map(word => Buffer.from(word))
  const producer = { producerId: 'p1', epoch: 3, sequence: 9n }
  const whole = encode({ calls: [1n, 300n].map(tag => ({ tag, argv, producer })) })
  let refused = 0
  const attempt = (frame: Buffer): void => {
    try {
      readAll(frame)
    } catch (fault) {
      assert.ok(fault instanceof FrameFault, String(fault))
      refused += 1
    }
  }
  for (let cut = 0; cut < whole.length; cut += 1) attempt(whole.subarray(0, cut))
  for (let at = 0; at < whole.length; at += 1) {
    for (const byte of [0x00, 0x07, 0x0a, 0x7f, 0x80, 0xff]) {
      const changed = Buffer.from(whole)
      changed[at] = byte
      attempt(changed)
    }
  }
  assert.ok(refused > 100, `only ${refused} were refused`)
})

test('fields of later versions are passed over', () => {
  const call = Buffer.from([0x08, 0x05, 0x12, 0x04, ...Buffer.from('PING'), 0x78, 0x01])
  const frame = Buffer.from([
    ...[0x50, 0x96, 0x01], // field 10, varint
    ...[0x59, 1, 2, 3, 4, 5, 6, 7, 8], // field 11, 64 bits
    ...[0x0a, call.length, ...call],
    ...[0x65, 1, 2, 3, 4], // field 12, 32 bits
    ...[0x6a, 0x02, 9, 9], // field 13, bytes
  ])
  assert.deepEqual(readAll(frame), [{ tag: 5, argv: ['PING'], producer: null, fault: null }])
})

test('a call without words, with too large a word or a bad mark is at fault alone', () => {
  const ping = { tag: 4n, argv: [Buffer.from('PING')], producer: undefined }
  const bad = (producerId: string, sequence: bigint) => ({
    ...ping,
    producer: { producerId, epoch: 0, sequence },
  })
  const frame = encode({
    calls: [
      { ...ping, tag: 1n, argv: [] },
      { ...ping, tag: 2n, argv: [Buffer.alloc(limits.valueBytesMax + 1)] },
      bad('', 1n),
      bad('with space', 1n),
      bad('x'.repeat(256), 1n),
      bad('p', 0n),
      ping,
    ],
  })
  const faults = readAll(frame).map(call => call.fault)
  assert.equal(faults[0], 'argv is empty')
  assert.match(faults[1] ?? '', /a word is over/)
  for (const fault of faults.slice(2, 5)) assert.match(fault ?? '', /producer_id must be/)
  assert.match(faults[5] ?? '', /sequence must be/)
  assert.equal(faults[6], null)
})

test('a tag above 2^53 - 1 cannot be echoed, so the frame is refused', () => {
  const argv = [Buffer.from('PING')]
  assert.throws(() => readAll(encode({ calls: [{ tag: 2n ** 53n, argv, producer: undefined }] })), {
    name: 'FrameFault',
  })
})
