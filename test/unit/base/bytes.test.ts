import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  Reader,
  readVarint,
  varintBytes,
  varintEnd,
  Writer,
  writeVarint,
} from '../../../src/base/bytes.ts'

const u64 = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc
    .bigInt(0n, (1n << 64n) - 1n)
    .map(value => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value)),
)

test('a varint of any 64-bit number reads back as itself', () => {
  const edges = [0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER]
  const bytes = Buffer.alloc(12)
  for (const value of [...edges, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    const end = writeVarint(bytes, 1, value)
    assert.equal(readVarint(bytes, 1), value)
    assert.equal(varintEnd, end)
    assert.equal(varintBytes(value), end - 1)
  }
  fc.assert(
    fc.property(u64, value => {
      const end = writeVarint(bytes, 0, value)
      assert.equal(readVarint(bytes, 0), value)
      assert.equal(varintEnd, end)
      assert.equal(varintBytes(value), end)
    }),
    { seed: 1 },
  )
})

test('what a Writer wrote a Reader reads, however often the buffer grew', () => {
  const long = Buffer.alloc(5000, 7)
  const writer = new Writer()
  writer.u8(200)
  const at = writer.length
  writer.u32(0)
  writer.f64(1.5)
  writer.varint(2n ** 60n)
  writer.signed(-5)
  writer.signed(-(2n ** 62n))
  writer.bytes(long)
  writer.latin1('caf\u00e9')
  writer.raw(Buffer.from('abc'), 1, 3)
  writer.patchU32(at, 0xdeadbeef)
  const reader = new Reader(writer.take())
  assert.equal(writer.length, 0)
  assert.equal(reader.u8(), 200)
  assert.equal(reader.u32(), 0xdeadbeef)
  assert.equal(reader.f64(), 1.5)
  assert.equal(reader.varint(), 2n ** 60n)
  assert.equal(reader.signed(), -5)
  assert.equal(reader.signed(), -(2n ** 62n))
  assert.deepEqual(reader.bytes(), long)
  assert.equal(reader.latin1(), 'caf\u00e9')
  assert.equal(reader.raw(2).toString(), 'bc')
  assert.equal(reader.left, 0)
})

test('a Reader never reads behind its end', () => {
  const bytes = Buffer.from([0x80, 0x80, 5])
  assert.throws(() => new Reader(bytes, 0, 2).varint(), /bytes wanted/)
  assert.throws(() => new Reader(Buffer.alloc(20, 0x80)).varint(), /bytes wanted/)
  const long = Buffer.concat([Buffer.alloc(10, 0x80), Buffer.alloc(1)])
  assert.throws(() => new Reader(long).varint(), /ten bytes/)
  const wide = Buffer.concat([Buffer.alloc(9, 0xff), Buffer.from([2])])
  assert.throws(() => new Reader(wide).varint(), /64 bits/)
  assert.throws(() => new Reader(bytes, 2).u32(), /4 bytes wanted, 1 left/)
  assert.throws(() => new Reader(bytes, 2).bytes(), /bytes wanted/)
  assert.throws(() => new Reader(Buffer.alloc(0)).u8(), /1 bytes wanted/)
})

test('a wary Reader says what is wrong and answers nothing from then on', () => {
  const bytes = Buffer.from([1, 2, 3, 4, 5])
  const reader = new Reader(bytes, 0, bytes.length, true)
  assert.equal(reader.u8(), 1)
  const inner = reader.inner(2)
  assert.equal(inner.u32(), 0)
  assert.match(inner.flaw ?? '', /4 bytes wanted, 2 left/)
  assert.equal(reader.flaw, null)
  assert.equal(reader.at, 3)
  assert.equal(reader.things(2), 0)
  assert.match(reader.flaw ?? '', /4 things of 2 bytes are too many/)
  assert.deepEqual([reader.left, reader.u8(), reader.f64(), reader.varint()], [0, 0, 0, 0])
  assert.deepEqual([reader.latin1(), reader.bytes().length, reader.inner(3).left], ['', 0, 0])
  assert.match(reader.flaw ?? '', /too many/)
})
