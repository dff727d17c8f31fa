import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PAYLOAD_HEADER_BYTES, writePayloadHeader } from '../../../src/base/payload.ts'
import type { Wait } from '../../../src/base/wait.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { entry, plain, Runner, restored, snapshotBytes, type Word } from './run.ts'

const KEYS = ['a', 'b', '{t}c', '{t}d'] as const

const command: fc.Arbitrary<Word[]> = fc
  .tuple(fc.constantFrom(...KEYS), fc.nat(12), fc.nat(60), fc.nat(3))
  .map(([key, what, n, extra]) => {
    if (what === 0) return ['DEL', key]
    if (what === 1) return ['XTRIM', key, 'MAXLEN', n]
    if (what === 2) return ['XTRIM', key, 'MAXLEN', '~', n]
    if (what === 3) return ['XDEL', key, `1000-${n}`, `1001-${extra}`]
    if (what === 4) return ['XGROUP', 'CREATE', key, `g${extra}`, '0', 'MKSTREAM']
    if (what === 5) return ['XGROUP', 'DESTROY', key, `g${extra}`]
    if (what === 6) return ['XREADGROUP', 'GROUP', `g${extra}`, 'c', 'STREAMS', key, '>']
    if (what === 7) return ['XACK', key, `g${extra}`, `1000-${n}`, `1001-${n}`]
    if (what === 8) return ['XSETID', key, `2000-${n}`]
    const fields: Word[] = Array.from({ length: extra + 1 }, (_, i) => [
      `f${i}`,
      'v'.repeat(n),
    ]).flat()
    return ['XADD', key, '*', ...fields]
  })

const entries = fc.array(fc.array(command, { minLength: 1, maxLength: 40 }), {
  minLength: 2,
  maxLength: 12,
})

function apply(machine: Machine, from: number, batches: readonly Word[][][], asked = false): void {
  for (const [i, batch] of batches.entries())
    machine.apply(entry(1000 + i, ...batch), from + i + 1, asked ? [] : null)
}

test('equal entries make equal states, whether anybody asks or not', () => {
  fc.assert(
    fc.property(entries, batches => {
      const leader = new Machine()
      const follower = new Machine()
      apply(leader, 0, batches, true)
      apply(follower, 0, batches, false)
      assert.equal(leader.digest(), follower.digest())
      assert.deepEqual(snapshotBytes(leader), snapshotBytes(follower, 1))
    }),
    { seed: 6, numRuns: 60 },
  )
})

test('a snapshot read while entries are applied is the state of its cut, and goes on alike', () => {
  fc.assert(
    fc.property(entries, entries, fc.integer({ min: 1, max: 3000 }), (before, after, size) => {
      const machine = new Machine()
      apply(machine, 0, before)
      const expected = snapshotBytes(machine)
      const digest = machine.digest()
      const reader = machine.snapshot()
      const chunks: Uint8Array[] = []
      let index = before.length
      for (const batch of after) {
        // Now and then a slice, between and among the changes.
        const chunk = index % 2 === 0 ? reader.next(200) : null
        if (chunk !== null) chunks.push(Buffer.from(chunk))
        apply(machine, index, [batch])
        index += 1
      }
      for (let chunk = reader.next(300); chunk !== null; chunk = reader.next(300))
        chunks.push(Buffer.from(chunk))
      const bytes = Buffer.concat(chunks)
      assert.deepEqual(bytes, expected)
      const copy = restored(bytes, size)
      assert.equal(copy.digest(), digest)
      assert.deepEqual(snapshotBytes(copy), expected)
      index = before.length
      for (const batch of after) {
        apply(copy, index, [batch])
        index += 1
      }
      assert.equal(copy.digest(), machine.digest())
      assert.deepEqual(snapshotBytes(copy), snapshotBytes(machine))
    }),
    { seed: 7, numRuns: 80 },
  )
})

test('keys that die, are flushed or are made during a snapshot do not disturb it', () => {
  const r = new Runner()
  for (let i = 0; i < 300; i += 1) r.run('XADD', `k${i}`, '*', 'f', 'x'.repeat(50))
  for (let i = 0; i < 250; i += 1) if (i % 3 > 0) r.run('DEL', `k${i}`)
  const expected = snapshotBytes(r.machine)
  const reader = r.machine.snapshot()
  const chunks = [Buffer.from(reader.next(100) ?? [])]
  r.run('XADD', 'k0', '*', 'f', 'late')
  r.run('XADD', 'k299', '*', 'f', 'late')
  for (let i = 0; i < 300; i += 2) r.run('DEL', `k${i}`)
  r.run('XADD', 'k298', '*', 'f', 'anew')
  chunks.push(Buffer.from(reader.next(500) ?? []))
  r.run('FLUSHALL')
  r.run('XADD', 'k1', '*', 'f', 'anew')
  for (let chunk = reader.next(1000); chunk !== null; chunk = reader.next(1000))
    chunks.push(Buffer.from(chunk))
  assert.deepEqual(Buffer.concat(chunks), expected)
  assert.equal(restored(expected).size, 50 + 84)
})

test('a snapshot in chunks of any size makes the same machine', () => {
  const r = new Runner()
  for (let i = 0; i < 120; i += 1) r.run('XADD', `k${i % 7}`, '*', 'field', 'x'.repeat(i))
  r.run('XADD', 'large', '*', 'field', 'x'.repeat(200_000))
  const bytes = snapshotBytes(r.machine)
  for (const size of [1, 4, 5, 6, 7, 1000, 65_536, bytes.length])
    assert.deepEqual(snapshotBytes(restored(bytes, size)), bytes, `chunks of ${size}`)
})

test('a snapshot with a wrong bit, a missing end or a tail is refused', () => {
  const r = new Runner()
  r.run('XADD', 'key', '*', 'field', 'value')
  const bytes = snapshotBytes(r.machine)
  assert.throws(() => restored(bytes.subarray(0, bytes.length - 1)), /has an end/)
  assert.throws(() => restored(Buffer.concat([bytes, bytes])), /behind the end/)
  const flipped = Buffer.from(bytes)
  const at = flipped.indexOf('value')
  flipped[at] = (flipped[at] as number) ^ 1
  assert.throws(() => restored(flipped), /checksum/)
  const newer = Buffer.from(bytes)
  newer[5] = 6
  assert.throws(() => restored(newer), /snapshot version 6 is unknown/)
})

test('a query that waits from before a snapshot was installed sees the new state', () => {
  const from = new Runner()
  from.run('XADD', 'k', '5-5', 'f', 'v')
  const machine = new Machine()
  const keyspace = machine.keyspace
  const writer = machine.restore()
  writer.write(snapshotBytes(from.machine))
  assert.equal(keyspace.size, 0)
  writer.finish()
  assert.equal(keyspace.size, 1)
  assert.equal(machine.keyspace, keyspace)
})

test('the digest tells other bytes, another order and another index', () => {
  const one = (index: number, ...commands: Word[][]) => {
    const machine = new Machine()
    machine.apply(entry(1, ...commands), index, null)
    return machine.digest()
  }
  const a = ['XADD', 'a', '*', 'f', 'v']
  const b = ['XADD', 'b', '*', 'f', 'v']
  const digests = [one(1, a), one(2, a), one(1, b), one(1, a, b), one(1, b, a)]
  assert.equal(new Set(digests).size, digests.length)
})

test('a command that is unknown, wrong or only reads is answered and changes nothing', () => {
  const machine = new Machine()
  const outcomes: (Reply | Wait)[] = []
  machine.apply(entry(1, ['NOPE'], ['XADD', 'k'], ['XLEN', 'k'], ['XDEL', 'k', '1-1']), 1, outcomes)
  assert.deepEqual(outcomes.map(plain), [
    "!ERR unknown command 'NOPE'",
    "!ERR wrong number of arguments for 'xadd' command",
    '!ERR the command does not change anything',
    0,
  ])
  assert.equal(machine.size, 0)
})

test('an entry that is broken ends the process', () => {
  const good = entry(1, ['XADD', 'k', '*', 'f', 'v'])
  const cut = good.subarray(0, good.length - 1)
  assert.throws(() => new Machine().apply(cut, 1, null), /is broken/)
  const longer = Buffer.concat([good, Buffer.from('x')])
  assert.throws(() => new Machine().apply(longer, 1, null), /ends with its last command/)
  const empty = Buffer.alloc(PAYLOAD_HEADER_BYTES)
  writePayloadHeader(empty, 1, 1)
  assert.throws(() => new Machine().apply(empty, 1, null), /is broken/)
})

test('`$` and `+` of a read that waits mean what they meant at first', () => {
  const r = new Runner()
  r.run('XADD', 'k', '1-1', 'f', '1')
  const { spec, args } = r.parsed('XREAD', 'BLOCK', '0', 'STREAMS', 'k', 'none', '$', '+')
  const ask = () => plain(r.machine.query(spec, args, r.now))
  assert.equal(ask(), 'wait 0 k,none')
  r.run('XADD', 'k', '2-1', 'f', '2')
  r.run('XADD', 'k', '3-1', 'f', '3')
  assert.deepEqual(ask(), [
    'k',
    [
      ['2-1', ['f', '2']],
      ['3-1', ['f', '3']],
    ],
  ])
})

test('look-removes: a leader that looks for a dead key between entries leaves it to an entry', () => {
  const leader = new Machine()
  const follower = new Machine()
  const apply = (index: number, payload: Buffer): void => {
    leader.apply(payload, index, [])
    follower.apply(payload, index, null)
  }
  apply(1, entry(1000, ['RPUSH', 'l', 'a'], ['PEXPIRE', 'l', '10']))
  apply(2, entry(2000, ['XADD', 's', '1-1', 'f', 'v']))
  // Only who leads asks how many that wait it may serve.
  assert.equal(leader.servable('l'), 0)
  assert.equal(leader.size, follower.size)
  apply(3, entry(2001, ['XADD', 's', '1-2', 'f', 'v']))
  assert.equal(leader.digest(), follower.digest())
})
