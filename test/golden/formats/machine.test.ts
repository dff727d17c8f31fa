// Snapshots of a machine, frozen: what a released version wrote, every later one must read.
//
// machine.hex holds one of each version. The newest is what this build writes; a change
// shows here and needs a new version. Made anew, on purpose, the newest only:
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
import { Runner, restored, snapshotBytes } from '../../unit/machine/run.ts'

const PATH = new URL('./machine.hex', import.meta.url)
const NEWEST = 4
/** What a machine writes whose settings are the default. */
const USUAL = 3

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
  assert.equal(all.size, NEWEST)
  for (const [title, bytes] of all)
    assert.deepEqual(withoutChanges(bytes), withoutChanges(expected), title)
  const newest = all.get(`snapshot of version ${NEWEST}`) as Buffer
  assert.deepEqual(snapshotBytes(restored(newest)), snapshotBytes(withSettings().machine))
})
