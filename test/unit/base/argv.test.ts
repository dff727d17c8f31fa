import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv, lowerByte } from '../../../src/base/argv.ts'

test('words are views, text, and comparable in any case', () => {
  const argv = Argv.of('xAdd', Buffer.from([0xff, 0x00]), '')
  assert.equal(argv.count, 3)
  assert.ok(argv.is(0, 'XADD'))
  assert.ok(!argv.is(0, 'XADDS'))
  assert.ok(!argv.is(0, 'XDEL'))
  assert.equal(argv.upper(0), 'XADD')
  assert.equal(argv.latin1(1), '\u00ff\u0000')
  assert.deepEqual([...argv.bytes(1)], [255, 0])
  assert.equal(argv.length(2), 0)
  assert.equal(
    argv.buffer.toString('latin1'),
    '*3\r\n$4\r\nxAdd\r\n$2\r\n\u00ff\u0000\r\n$0\r\n\r\n',
  )
})

test('a copy owns its bytes', () => {
  const argv = Argv.of('GET', 'key')
  const copy = argv.copy()
  argv.buffer.fill(0)
  assert.equal(copy.latin1(1), 'key')
  assert.equal(copy.end, copy.buffer.length)
})

test('a key is the same text whether it is remembered, forgotten or long', () => {
  const argv = new Argv()
  const keys = Array.from({ length: 2000 }, (_, i) => `key:${i % 700}:\u00fc`)
  for (const key of [...keys, 'x'.repeat(64), 'x'.repeat(65), '', 'x'.repeat(64)]) {
    argv.assign([Buffer.from(key, 'latin1')])
    assert.equal(argv.key(0), key)
    assert.equal(argv.key(0), argv.latin1(0))
  }
})

test('room grows for as many words as are announced', () => {
  const argv = new Argv()
  argv.reset(100)
  for (let i = 0; i < 100; i += 1) argv.push(i, i + 1)
  assert.equal(argv.from(99), 99)
  assert.equal(argv.to(99), 100)
  assert.equal(lowerByte(0x41), 0x61)
  assert.equal(lowerByte(0x5b), 0x5b)
})
