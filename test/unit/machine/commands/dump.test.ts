import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '../../../../src/base/crc32c.ts'
import { limits } from '../../../../src/base/limits.ts'
import { Runner, restored, snapshotBytes, type Word } from '../run.ts'

function dumpOf(r: Runner, key: string): Buffer {
  const reply = r.reply('DUMP', key)
  assert.ok('kind' in reply && reply.kind === 'bulk', 'there is something to dump')
  return Buffer.from(reply.bytes)
}

/** The dump of a value made by one command. */
function made(...words: readonly Word[]): Buffer {
  const r = new Runner()
  r.run(...words)
  return dumpOf(r, String(words[1]))
}

/** Bytes with the checksum that a dump ends with. */
function sealed(...parts: readonly (string | readonly number[])[]): Buffer {
  const bytes = Buffer.concat(
    parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32LE(crc32c(bytes))
  return Buffer.concat([bytes, checksum])
}

const WRONG = '!ERR DUMP payload version or checksum are wrong'
const BAD = '!ERR Bad data format'
/** What Redis 7.0 dumps for the string `hello`. */
const OF_REDIS = Buffer.from('000568656c6c6f0a00a6c4b75ba4c2a1d3', 'hex')

test('a value of each type comes back from its dump, kept as it was', () => {
  const r = new Runner()
  r.run('SET', 'n', '12')
  r.run('SET', 'raw', 'x'.repeat(5000))
  r.run('RPUSH', 'l', 'a', '', '-7', '12345678901234567890', 'y'.repeat(9000))
  r.run('SADD', 'm', '1', '2', '3')
  for (let i = 0; i < 300; i += 1) r.run('SADD', 'wide', `member ${i}`)
  for (const key of ['n', 'raw', 'l', 'm', 'wide']) {
    assert.equal(r.run('RESTORE', `${key}2`, 0, dumpOf(r, key)), '+OK')
    const encoding = r.run('OBJECT', 'ENCODING', key)
    assert.equal(r.run('OBJECT', 'ENCODING', `${key}2`), encoding)
  }
  assert.equal(r.run('GET', 'n2'), '12')
  assert.equal(r.run('GET', 'raw2'), 'x'.repeat(5000))
  assert.deepEqual(r.run('LRANGE', 'l2', 0, -1), r.run('LRANGE', 'l', 0, -1))
  assert.deepEqual(r.run('SMEMBERS', 'm2'), ['1', '2', '3'])
  assert.equal(r.run('SCARD', 'wide2'), 300)
  assert.equal(r.run('DUMP', 'none'), null)
})

test('a stream comes back with its groups, what is pending and released, and its producers', () => {
  const r = new Runner()
  for (let i = 0; i < 250; i += 1) r.run('XADD', 's', '*', 'f', i)
  r.run('XADD', 's', 'IDMP', 'p', 'i', '*', 'f', 'v')
  r.run('XDEL', 's', '1000-3')
  r.run('XGROUP', 'CREATE', 's', 'g', 0)
  r.run('XGROUP', 'CREATE', 's', 'h', '$', 'ENTRIESREAD', 7)
  r.run('XREADGROUP', 'GROUP', 'g', 'ann', 'COUNT', 5, 'STREAMS', 's', '>')
  r.run('XREADGROUP', 'GROUP', 'g', 'bob', 'COUNT', 5, 'STREAMS', 's', '>')
  r.run('XNACK', 's', 'g', 'FAIL', 'IDS', 2, '1000-1', '1000-0')
  assert.equal(r.run('RESTORE', 't', 0, dumpOf(r, 's')), '+OK')
  for (const words of [
    ['XINFO', 'STREAM', 's', 'FULL', 'COUNT', '0'],
    ['XINFO', 'STREAM', 's'],
    ['XINFO', 'GROUPS', 's'],
    ['XPENDING', 's', 'g', '-', '+', '100'],
    ['XRANGE', 's', '-', '+'],
  ])
    assert.deepEqual(r.run(...words.map(word => (word === 's' ? 't' : word))), r.run(...words))
  assert.equal(r.run('XADD', 't', 'IDMP', 'p', 'i', '*', 'f', 'v'), '1000-250')
  const claim = ['XREADGROUP', 'GROUP', 'g', 'cy', 'COUNT', '3', 'CLAIM', '0', 'STREAMS']
  const [, claimed] = r.run(...claim, 's', '>') as [string, unknown[]]
  assert.equal(claimed.length, 3)
  assert.deepEqual(r.run(...claim, 't', '>'), ['t', claimed])
})

test('what is wrong is told in the order in which Redis looks', () => {
  const r = new Runner()
  const dump = made('SET', 'k', 'v')
  r.run('SET', 'busy', 'v')
  const busy = '!BUSYKEY Target key name already exists.'
  assert.equal(r.run('RESTORE', 'busy', 'x', 'junk', 'NOPE'), '!ERR syntax error')
  assert.equal(r.run('RESTORE', 'busy', 'x', 'junk'), busy)
  const notInteger = '!ERR value is not an integer or out of range'
  assert.equal(r.run('RESTORE', 'busy', 'x', 'junk', 'REPLACE'), notInteger)
  const negative = '!ERR Invalid TTL value, must be >= 0'
  assert.equal(r.run('RESTORE', 'k', -1, 'junk'), negative)
  assert.equal(r.run('RESTORE', 'k', 1, 'junk'), WRONG)
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'IDLETIME', 'x'), notInteger)
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'FREQ'), '!ERR syntax error')
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'FREQ', 1, 'IDLETIME', 1), '!ERR syntax error')
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'IDLETIME', 1, 'FREQ', 1), '!ERR syntax error')
  const idle = '!ERR Invalid IDLETIME value, must be >= 0'
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'idletime', -1), idle)
  const frequency = '!ERR Invalid FREQ value, must be >= 0 and <= 255'
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'FREQ', 256), frequency)
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'FREQ', 255), '+OK')
  assert.equal(r.run('RESTORE', 'k', 0, dump), busy)
  const late = "!ERR invalid expire time in 'restore' command"
  assert.equal(r.run('RESTORE', 'k', '9223372036854775807', dump, 'REPLACE'), late)
  assert.equal(r.run('GET', 'k'), 'v')
})

test('what is no dump of this version, and whole, is refused as such', () => {
  const r = new Runner()
  const dump = made('RPUSH', 'l', 'a', 'b')
  const later = Buffer.from(dump.subarray(0, -4))
  later[3] = 2
  for (const bytes of [
    OF_REDIS,
    Buffer.alloc(0),
    Buffer.from('SLD'),
    dump.subarray(0, -1),
    dump.subarray(1),
    Buffer.concat([dump, Buffer.alloc(1)]),
    sealed(later.toString('latin1')),
    sealed('SLX', [1, 3], 'v'),
  ])
    assert.equal(r.run('RESTORE', 'k', 0, bytes), WRONG)
  for (let bit = 0; bit < dump.length * 8; bit += 1) {
    const flipped = Buffer.from(dump)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.equal(r.run('RESTORE', 'k', 0, flipped), WRONG)
  }
  assert.equal(r.machine.size, 0)
})

test('a checksum that fits makes no value of bytes that are none', () => {
  const r = new Runner()
  for (const bytes of [
    sealed('SLD', [1, 4], 'v'),
    sealed('SLD', [1, 255]),
    sealed('SLD', [1, 1]),
    sealed('SLD', [1, 1, 0]),
    sealed('SLD', [1, 1, 2, 1], 'a'),
    sealed('SLD', [1, 1, 1, 5], 'a'),
    sealed('SLD', [1, 1, 1, 1], 'ab'),
    // More elements than anything could hold, and a number of 70 bits.
    sealed('SLD', [1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
    sealed('SLD', [1, 1, ...Array<number>(10).fill(0xff), 1]),
    sealed('SLD', [1, 2, 0]),
    sealed('SLD', [1, 2, 2, 1], 'a', [1], 'a'),
    sealed('SLD', [1, 0]),
    sealed('SLD', [1, 0, 0xff, 0xff, 0xff, 0xff]),
    sealed('SLD', [1, 0, 1, 0, 0, 0, 9]),
  ])
    assert.equal(r.run('RESTORE', 'k', 0, bytes), BAD, bytes.toString('hex'))
  assert.equal(r.run('RESTORE', 'k', 0, sealed('SLD', [1, 3])), '+OK')
  assert.equal(r.run('GET', 'k'), '')
})

test('a restored key lives as long as it is told, from now on or until a moment', () => {
  const r = new Runner()
  const dump = made('SET', 'k', 'v')
  assert.equal(r.run('RESTORE', 'k', 500, dump), '+OK')
  assert.equal(r.run('PEXPIRETIME', 'k'), 1500)
  assert.equal(r.run('RESTORE', 'k', 1700, dump, 'REPLACE', 'ABSTTL'), '+OK')
  assert.equal(r.run('PEXPIRETIME', 'k'), 1700)
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'REPLACE', 'ABSTTL'), '+OK')
  assert.equal(r.run('TTL', 'k'), -1)
  assert.equal(r.run('RESTORE', 'k', 999, dump, 'REPLACE', 'ABSTTL'), '+OK')
  assert.equal(r.run('EXISTS', 'k'), 0)
  r.now = 90_000
  assert.equal(r.run('RESTORE', 'k', 0, dump, 'IDLETIME', 40), '+OK')
  assert.equal(r.run('OBJECT', 'IDLETIME', 'k'), 40)
})

test('a restored key serves who waits for it, and fails who watches it', () => {
  const r = new Runner()
  const list = made('RPUSH', 'l', 'a')
  const watched = r.machine.watch('l', r.now)
  r.machine.takeReadyKeys()
  assert.equal(r.run('RESTORE', 'l', 0, list), '+OK')
  assert.deepEqual(r.machine.takeReadyKeys(), ['l'])
  assert.equal(r.machine.isChanged([watched], r.now), true)
  const there = r.machine.watch('l', r.now)
  assert.equal(r.run('RESTORE', 'l', 0, list, 'REPLACE'), '+OK')
  assert.equal(r.machine.isChanged([there], r.now), true)
  assert.equal(r.run('RESTORE', 'l', 0, list), '!BUSYKEY Target key name already exists.')
  const before = r.machine.watch('l', r.now)
  assert.equal(r.run('RESTORE', 'l', 0, 'junk', 'REPLACE'), WRONG)
  assert.equal(r.machine.isChanged([before], r.now), false)
})

test('a value that no command could carry back is not dumped', () => {
  const r = new Runner()
  const part = 'x'.repeat(limits.valueBytesMax / 16)
  for (let i = 0; i < 16; i += 1) r.run('RPUSH', 'l', part)
  const refused = `!ERR the value takes more than ${limits.valueBytesMax} bytes as a dump`
  assert.equal(r.run('DUMP', 'l'), refused)
  r.run('LPOP', 'l')
  assert.equal(r.run('RESTORE', 'm', 0, dumpOf(r, 'l')), '+OK')
  assert.equal(r.run('LLEN', 'm'), 15)
})

test('a restored value is in the next snapshot as any other', () => {
  const r = new Runner()
  r.run('SADD', 'a', 'x', 'y')
  r.run('RESTORE', 'b', 500, dumpOf(r, 'a'))
  const bytes = snapshotBytes(r.machine)
  assert.deepEqual(snapshotBytes(restored(bytes)), bytes)
})
