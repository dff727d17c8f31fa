// Values that random commands made, as dumps: they come back equal, and whatever is done to
// the bytes of a dump, with a checksum that fits, makes an error or a sound value.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../src/base/crc32c.ts'
import type { Keyspace } from '../../src/machine/keyspace.ts'
import type { Value } from '../../src/machine/types/value.ts'
import { plain, Runner, restored, snapshotBytes } from '../unit/machine/run.ts'
import { assertSound } from '../unit/machine/types/soundness.ts'
import { filled, KEYS, reads, type Words, writes } from './words.ts'

const { SLOTCAST_DUMPS = '60' } = process.env
const CHECKSUM_BYTES = 4
const ERRORS = new Set(['!ERR DUMP payload version or checksum are wrong', '!ERR Bad data format'])

function play(r: Runner, all: readonly Words[]): void {
  for (const words of all) {
    plain(r.reply(...filled(r.machine, words, r.now)))
    r.now += 1
  }
}

function valueAt(keyspace: Keyspace, key: string): Value | null {
  keyspace.begin(0, null)
  return keyspace.value(key)
}

function dumpAt(r: Runner, key: string): Buffer | null {
  const reply = r.reply('DUMP', key)
  return 'kind' in reply && reply.kind === 'bulk' ? Buffer.from(reply.bytes) : null
}

/** All that reading commands say of a key. */
function shown(r: Runner, key: string): unknown {
  const type = r.run('TYPE', key)
  if (type === '+string') return [r.run('GET', key), r.run('STRLEN', key)]
  if (type === '+list') return [r.run('LRANGE', key, 0, -1), r.run('LLEN', key)]
  if (type === '+set') return [(r.run('SMEMBERS', key) as string[]).sort(), r.run('SCARD', key)]
  const groups = r.run('XINFO', 'GROUPS', key) as unknown[][]
  return [
    r.run('XRANGE', key, '-', '+'),
    r.run('XINFO', 'STREAM', key),
    r.run('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0),
    ...groups.flatMap(group => [
      r.run('XPENDING', key, String(group[1]), '-', '+', 1000),
      r.run('XINFO', 'CONSUMERS', key, String(group[1])),
    ]),
  ]
}

type Change =
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly at: number; readonly count: number }
  | { readonly kind: 'twice'; readonly at: number; readonly count: number }
  | { readonly kind: 'end'; readonly at: number }

const place = fc.nat(0xffff)
const count = fc.integer({ min: 1, max: 9 })
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      at: place,
      byte: fc.oneof(fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff), fc.nat(255)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: place, count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('twice' as const), at: place, count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), at: place }) },
)

/** The dump with some changes, and a checksum that fits. */
function changed(dump: Buffer, changes: readonly Change[]): Buffer {
  let bytes = Buffer.from(dump.subarray(0, dump.length - CHECKSUM_BYTES))
  for (const each of changes) {
    // Mostly near the front, where what counts and bounds the rest stands.
    const span = each.at % 3 === 0 ? bytes.length : Math.min(bytes.length, 120)
    const at = each.at % Math.max(1, span)
    if (each.kind === 'set') bytes[at] = each.byte
    else if (each.kind === 'flip') bytes[at] = (bytes[at] as number) ^ (1 << each.bit)
    else if (each.kind === 'end') bytes = bytes.subarray(0, at)
    else {
      const from = each.kind === 'cut' ? at + each.count : at
      const head = bytes.subarray(0, each.kind === 'cut' ? at : at + each.count)
      bytes = Buffer.concat([head, bytes.subarray(from)])
    }
  }
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32LE(crc32c(bytes))
  return Buffer.concat([bytes, checksum])
}

const history = fc.array(writes, { minLength: 40, maxLength: 120, size: 'max' })
const runs = { seed: 17, numRuns: Number(SLOTCAST_DUMPS), endOnFailure: true }

test('what is dumped and restored is an equal value', () => {
  const types = new Set<unknown>()
  fc.assert(
    fc.property(history, all => {
      const r = new Runner()
      play(r, all)
      for (const key of KEYS) {
        const dump = dumpAt(r, key)
        if (dump === null) continue
        types.add(r.run('TYPE', key))
        assert.equal(r.run('RESTORE', 'copy', 0, dump, 'REPLACE'), '+OK')
        assert.deepEqual(shown(r, 'copy'), shown(r, key))
        if (r.run('TYPE', key) !== '+set') assert.deepEqual(dumpAt(r, 'copy'), dump)
        assertSound(valueAt(r.machine.keyspace, 'copy') as Value)
      }
      const bytes = snapshotBytes(r.machine)
      assert.deepEqual(snapshotBytes(restored(bytes)), bytes)
    }),
    runs,
  )
  assert.equal(types.size, 4)
})

test('a dump that was tampered with is refused, or makes a sound value', () => {
  const answers = new Map<string, number>()
  fc.assert(
    fc.property(
      history,
      fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), {
        minLength: 60,
        maxLength: 60,
        size: 'max',
      }),
      fc.array(fc.oneof(writes, reads), { minLength: 20, maxLength: 20, size: 'max' }),
      (all, changes, later) => {
        const r = new Runner()
        play(r, all)
        const dumps = KEYS.flatMap(key => {
          const dump = dumpAt(r, key)
          return dump === null ? [] : [dump]
        })
        // All may have been flushed.
        if (dumps.length === 0) return
        for (const [i, few] of changes.entries()) {
          const bytes = changed(dumps[i % dumps.length] as Buffer, few)
          const key = KEYS[i % KEYS.length] as string
          const other = new Runner()
          other.now = r.now
          const answer = String(other.run('RESTORE', key, 0, bytes))
          answers.set(answer, (answers.get(answer) ?? 0) + 1)
          if (answer !== '+OK') {
            assert.ok(ERRORS.has(answer), answer)
            continue
          }
          assertSound(valueAt(other.machine.keyspace, key) as Value)
          const kept = snapshotBytes(other.machine)
          assert.deepEqual(snapshotBytes(restored(kept)), kept)
          play(other, later)
          for (const holder of other.machine.keyspace.row)
            if (holder.died === 0) assertSound(holder.value)
          const bytesLater = snapshotBytes(other.machine)
          assert.deepEqual(snapshotBytes(restored(bytesLater)), bytesLater)
        }
      },
    ),
    runs,
  )
  assert.ok((answers.get('+OK') ?? 0) > 0 && (answers.get('!ERR Bad data format') ?? 0) > 0)
})
