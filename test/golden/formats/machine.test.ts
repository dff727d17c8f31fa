// Snapshots of a machine and dumps of values, frozen: what a released version wrote, every later one must read.
//
// machine.hex holds one of each version. The newest are what this build writes; a
// change shows here and needs a new version. Made anew, on purpose, the newest only:
// GOLDEN_WRITE=1 npx node --test test/golden/formats/machine.test.ts

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import {
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  writePayloadHeader,
} from '../../../src/base/payload.ts'
import { Removals } from '../../../src/machine/removals.ts'
import { dump } from '../../../src/machine/types/dump.ts'
import { Runner, restored, snapshotBytes } from '../../unit/machine/run.ts'

const PATH = new URL('./machine.hex', import.meta.url)
const NEWEST = 5
/** What a machine writes whose settings are the default. */
const USUAL = 4

/** Streams with groups, pending entries and gaps, a dead key, a producer: what every version can hold. */
function streams(): Runner {
  const r = new Runner()
  r.now = 1_700_000_000_000
  for (let i = 0; i < 6; i += 1) r.run('XADD', 'orders', '*', 'item', i, 'note', 'x'.repeat(i))
  r.run('XADD', 'gone', '*', 'f', 'v')
  r.run('XADD', 'b\xff', '18446744073709551614-7', 'f', 'v')
  r.run('XDEL', 'orders', '1700000000000-2')
  r.run('XGROUP', 'CREATE', 'orders', 'workers', '0')
  r.run('XGROUP', 'CREATE', 'empty', 'idle', '$', 'MKSTREAM')
  r.now += 5
  r.run('XREADGROUP', 'GROUP', 'workers', 'ann', 'COUNT', 3, 'STREAMS', 'orders', '>')
  r.run('XACK', 'orders', 'workers', '1700000000000-1')
  r.run('DEL', 'gone')
  const id = Buffer.from('producer')
  const mark = Buffer.alloc(2 + id.length + 12)
  mark[0] = PRODUCER_MARK
  mark[1] = id.length
  id.copy(mark, 2)
  mark.writeUInt32LE(3, 2 + id.length)
  mark.writeBigUInt64LE(9n, 6 + id.length)
  const command = Argv.of('XADD', 'orders', '*', 'item', 'of a producer').buffer
  const payload = Buffer.concat([Buffer.alloc(PAYLOAD_HEADER_BYTES), mark, command])
  writePayloadHeader(payload, r.now, 1)
  r.index += 1
  r.machine.apply(payload, r.index, null)
  return r
}

const EVERY_TYPE = `snapshot of version ${USUAL}, every type`

/** A value of every type in every form, and all that streams have learnt since version 1. */
function everyType(): Runner {
  const r = new Runner()
  r.now = 1_700_000_000_000
  r.run('SET', 'number', '-9223372036854775808')
  r.run('SET', 'short', 'caf\xe9', 'PX', 86_400_000)
  r.run('SET', 'bytes', 'x'.repeat(1025))
  r.run('SET', 'grown', 'a')
  r.run('APPEND', 'grown', 'bc')
  r.run('RPUSH', 'list', '0', '-7', '12345678901234567', '012', '', 'x'.repeat(100))
  r.run('LPUSH', 'long', 'y'.repeat(8256))
  r.run('SADD', 'few', '1', 'two', '')
  for (let i = 0; i < 200; i += 1) r.run('SADD', 'many', `m${i}`)
  for (let i = 0; i < 150; i += 1) r.run('SREM', 'many', `m${i}`)
  for (let i = 0; i < 8; i += 1) r.run('XADD', 'jobs', '*', 'item', i)
  r.run('XADD', 'jobs', 'IDMP', 'maker', 'first', '*', 'item', 'once')
  r.run('XADD', 'jobs', 'IDMP', 'maker', 'first', '*', 'item', 'once')
  r.run('XADD', 'jobs', 'IDMPAUTO', 'other', '*', 'item', 'by its fields')
  r.run('XADD', 'limited', '*', 'f', 'v')
  r.run('XCFGSET', 'limited', 'IDMP-DURATION', 10, 'IDMP-MAXSIZE', 5)
  r.run('XGROUP', 'CREATE', 'jobs', 'workers', '0')
  r.run('XGROUP', 'CREATE', 'jobs', 'unknown', '1700000000000-3')
  r.run('XREADGROUP', 'GROUP', 'workers', 'ann', 'COUNT', 4, 'STREAMS', 'jobs', '>')
  r.now += 7
  r.run('XREADGROUP', 'GROUP', 'workers', 'bob', 'COUNT', 2, 'STREAMS', 'jobs', '>')
  r.run('XNACK', 'jobs', 'workers', 'FAIL', 'IDS', 2, '1700000000000-2', '1700000000000-0')
  r.run('XNACK', 'jobs', 'workers', 'FATAL', 'IDS', 1, '1700000000000-4')
  r.run('XDEL', 'jobs', '1700000000000-5')
  r.run('SET', 'gone', 'v')
  r.run('DEL', 'gone')
  r.run('RENAME', 'grown', 'renamed')
  return r
}

function frozen(): Map<string, Buffer> {
  const all = new Map<string, Buffer>()
  for (const part of readFileSync(PATH, 'utf8').split('# ').slice(1)) {
    const [title, ...lines] = part.trim().split('\n')
    all.set(title as string, Buffer.from(lines.join(''), 'hex'))
  }
  return all
}

function freeze(all: ReadonlyMap<string, Buffer>): void {
  let text = ''
  for (const [title, bytes] of all)
    text += `# ${title}\n${(bytes.toString('hex').match(/.{1,64}/g) ?? []).join('\n')}\n`
  writeFileSync(PATH, text)
}

function withSettings(): Runner {
  const r = streams()
  r.machine.keyspace.blockEntries = 7
  return r
}

test('the usual snapshot is the one that was released', () => {
  const title = `snapshot of version ${USUAL}`
  const bytes = snapshotBytes(streams().machine)
  assert.equal(frozen().get(title)?.toString('hex'), bytes.toString('hex'))
})

test('the newest snapshot is the one that was released', () => {
  const title = `snapshot of version ${NEWEST}`
  const bytes = snapshotBytes(withSettings().machine)
  const { GOLDEN_WRITE } = process.env
  if (GOLDEN_WRITE === '1') freeze(new Map([...frozen(), [title, bytes]]))
  assert.equal(frozen().get(title)?.toString('hex'), bytes.toString('hex'))
})

test('a snapshot of values of every type is the one that was released', () => {
  const bytes = snapshotBytes(everyType().machine)
  const { GOLDEN_WRITE } = process.env
  if (GOLDEN_WRITE === '1') freeze(new Map([...frozen(), [EVERY_TYPE, bytes]]))
  const old = frozen().get(EVERY_TYPE) ?? assert.fail('it is frozen')
  assert.equal(old.toString('hex'), bytes.toString('hex'))
  assert.deepEqual(snapshotBytes(restored(old)), bytes)
})

test('values of every type, as version 3 wrote them, are read', () => {
  const old = frozen().get('snapshot of version 3, every type') ?? assert.fail('it is frozen')
  assert.deepEqual(snapshotBytes(restored(old)), snapshotBytes(everyType().machine))
})

const DUMPED = ['number', 'bytes', 'list', 'few', 'jobs', 'limited']

test('dumps are those that were released, and make the values again', () => {
  const r = everyType()
  for (const key of DUMPED) {
    const title = `dump of version 1, ${key}`
    const reply = r.reply('DUMP', key)
    assert.ok('kind' in reply && reply.kind === 'bulk')
    const bytes = Buffer.from(reply.bytes)
    const { GOLDEN_WRITE } = process.env
    if (GOLDEN_WRITE === '1') freeze(new Map([...frozen(), [title, bytes]]))
    const old = frozen().get(title) ?? assert.fail(`${title} is frozen`)
    assert.equal(old.toString('hex'), bytes.toString('hex'), title)
    assert.equal(r.run('RESTORE', 'again', 0, old, 'REPLACE'), '+OK')
    assert.equal(r.run('TYPE', 'again'), r.run('TYPE', key))
    if (key === 'few') assert.deepEqual(r.run('SMEMBERS', 'again'), r.run('SMEMBERS', key))
    else assert.deepEqual(r.reply('DUMP', 'again'), reply)
  }
})

test('keys with an expiry, as version 2 wrote them, are read', () => {
  const title = 'snapshot of version 2, with an expiry'
  const r = new Runner()
  r.now = 1_700_000_000_000
  r.run('XADD', 'lives', '1-1', 'f', 'v')
  r.run('XADD', 'dies', '1-1', 'f', 'v', 'g', 'w')
  r.run('XADD', 'dies', '18446744073709551614-7', 'g', 'v')
  r.run('PEXPIRE', 'dies', 5000)
  r.run('XGROUP', 'CREATE', 'dies', 'g', '0')
  r.run('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1, 'STREAMS', 'dies', '>')
  r.run('XGROUP', 'CREATE', 'dies', 'unknown', '1-1')
  r.run('XADD', 'gone', '1-1', 'f', 'v')
  r.run('PEXPIRE', 'gone', 1)
  r.now += 10
  r.run('XADD', 'lives', '2-1', 'f', 'v')
  const old = restored(frozen().get(title) ?? assert.fail('it is frozen'))
  // One of them is dead, and nobody has removed it.
  assert.equal(old.size, 3)
  old.keyspace.begin(r.now, null)
  assert.equal(old.keyspace.has('gone'), false)
  for (const key of ['lives', 'dies']) {
    assert.equal(old.keyspace.expiry(key), key === 'dies' ? 1_700_000_005_000 : 0)
    const value = old.keyspace.value(key) ?? assert.fail('it is there')
    const reply = r.reply('DUMP', key)
    assert.ok('kind' in reply && reply.kind === 'bulk')
    assert.deepEqual(dump(value, 10_000), Buffer.from(reply.bytes))
  }
})

/** All that a snapshot says but settings, and when keys were changed and removed, which older versions do not know. */
function withoutChanges(bytes: Buffer): Buffer {
  const machine = restored(bytes)
  for (const holder of machine.keyspace.row) holder.changed = 0
  machine.keyspace.adoptRemovals(new Removals())
  machine.keyspace.blockEntries = 100
  return snapshotBytes(machine)
}

test('a snapshot of every version makes the machine that wrote it', () => {
  const expected = snapshotBytes(streams().machine)
  const all = frozen()
  for (let version = 1; version <= NEWEST; version += 1) {
    const bytes = all.get(`snapshot of version ${version}`)
    assert.ok(bytes !== undefined, `version ${version} is frozen`)
    assert.deepEqual(withoutChanges(bytes), withoutChanges(expected), `version ${version}`)
  }
  const newest = all.get(`snapshot of version ${NEWEST}`) as Buffer
  assert.deepEqual(snapshotBytes(restored(newest)), snapshotBytes(withSettings().machine))
})
