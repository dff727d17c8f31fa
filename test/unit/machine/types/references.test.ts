// Trimming that minds or drops references, against a model that asks every group for every entry.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../../src/base/argv.ts'
import { Group } from '../../../../src/machine/types/group.ts'
import { References } from '../../../../src/machine/types/references.ts'
import { BLOCK_ENTRIES, Stream } from '../../../../src/machine/types/stream.ts'
import { StreamBuilder } from '../../../../src/machine/types/stream-builder.ts'
import { MAX_ID, MIN_ID } from '../../../../src/machine/types/stream-id.ts'
import { built, partsOf } from './built.ts'

const LIMIT_NONE = 0
const BLOCK = 100
const words = Argv.of('XADD', 'k', '*', 'f', 'v')

function id(ms: number) {
  return { ms, seq: 0 }
}

function live(stream: Stream): number[] {
  const found: number[] = []
  stream.range(MIN_ID, MAX_ID, Number.POSITIVE_INFINITY, false, ({ ms }) => {
    found.push(Number(ms))
  })
  return found
}

function pendingOf(group: Group): number[] {
  const found: number[] = []
  const { pending } = group
  for (pending.first(); pending.valid; pending.next()) found.push(Number(pending.id().ms))
  return found
}

/** How far a group came, and which share of that it still has pending, from where on. */
const anyGroup = fc.record({
  read: fc.integer({ min: 0, max: 420 }),
  from: fc.integer({ min: 1, max: 420 }),
  every: fc.constantFrom<number>(1, 1, 2, 7, 60),
})
const scene = fc.record({
  count: fc.integer({ min: 1, max: 420 }),
  groups: fc.array(anyGroup, { minLength: 1, maxLength: 3 }),
  deleted: fc.array(fc.integer({ min: 1, max: 420 }), { maxLength: 8 }),
  max: fc.integer({ min: 0, max: 420 }),
  minId: fc.option(fc.integer({ min: 0, max: 440 })),
  approximate: fc.boolean(),
  limit: fc.constantFrom(LIMIT_NONE, LIMIT_NONE, 150),
  policy: fc.constantFrom('drop' as const, 'mind' as const),
})
type Scene = typeof scene extends fc.Arbitrary<infer S> ? S : never

function made({ count, groups, deleted }: Scene): Stream {
  const stream = new Stream()
  for (let ms = 1; ms <= count; ms += 1) stream.append(id(ms), words, 3, BLOCK_ENTRIES)
  for (const [i, { read, from, every }] of groups.entries()) {
    const group = new Group(id(Math.min(read, count)), null)
    const consumer = group.createConsumer('c', 1)
    for (let ms = from; ms <= Math.min(read, count); ms += every) group.deliver(id(ms), consumer, 1)
    stream.setGroup(`g${i}`, group)
  }
  for (const ms of deleted) stream.delete(id(ms))
  return stream
}

/** What should stay in the stream, and pending in each group. */
function expected(stream: Stream, s: Scene): { live: number[]; pending: number[][] } {
  const groups = [...stream.groups.values()]
  const pending = groups.map(pendingOf)
  const lowest = Math.min(...groups.map(group => Number(group.lastId.ms)))
  const before = live(stream)
  const gone = new Set<number>()
  const isOld = (ms: number) =>
    s.minId === null ? before.length - gone.size > s.max : ms < s.minId
  // Blocks were filled by IDs, so those of one hundred stand together.
  for (let first = 1; first <= s.count; first += BLOCK) {
    const block = before.filter(ms => ms >= first && ms < first + BLOCK)
    if (block.length === 0) continue
    if (s.limit > 0 && gone.size + block.length > s.limit) break
    const whole =
      s.minId === null
        ? before.length - gone.size - block.length >= s.max
        : (block.at(-1) as number) < s.minId
    if (s.approximate && !whole) break
    for (const ms of block) {
      if (!isOld(ms)) break
      const referenced = ms > lowest || pending.some(ids => ids.includes(ms))
      if (s.policy === 'drop' || !referenced) gone.add(ms)
    }
    if (!whole) break
  }
  return {
    live: before.filter(ms => !gone.has(ms)),
    pending: s.policy === 'mind' ? pending : pending.map(ids => ids.filter(ms => !gone.has(ms))),
  }
}

test('trimming by references removes what asking every group for every entry would', () => {
  fc.assert(
    fc.property(scene, s => {
      const stream = made(s)
      const want = expected(stream, s)
      const before = stream.length
      const maxDeleted = stream.maxDeletedId
      const minId = s.minId === null ? null : id(s.minId)
      const removed = stream.trimByReferences(s.max, minId, s.approximate, s.limit, s.policy)
      assert.deepEqual(live(stream), want.live)
      assert.deepEqual([...stream.groups.values()].map(pendingOf), want.pending)
      assert.equal(removed, before - want.live.length)
      assert.equal(stream.length, want.live.length)
      assert.deepEqual(stream.maxDeletedId, maxDeleted, 'trimming leaves no tombstone')
      stream.append(id(1000), words, 3, BLOCK_ENTRIES)
      assert.deepEqual(live(stream), [...want.live, 1000])
    }),
    { seed: 3, numRuns: 500 },
  )
})

test('a cut stays as it was while referenced entries are all that is left', () => {
  const stream = made({
    count: 250,
    groups: [{ read: 250, from: 120, every: 200 }],
    deleted: [],
    max: 0,
    minId: null,
    approximate: false,
    limit: LIMIT_NONE,
    policy: 'mind',
  })
  const cut = stream.cut()
  assert.equal(stream.trimByReferences(0, null, false, LIMIT_NONE, 'mind'), 249)
  assert.deepEqual(live(stream), [120])
  stream.append(id(251), words, 3, BLOCK_ENTRIES)
  assert.deepEqual(live(stream), [120, 251])
  assert.equal(live(built(new StreamBuilder(), partsOf(cut, 4096))).length, 250)
})

test('an entry is referenced while it is pending somewhere, or some group has not come to it', () => {
  const stream = made({
    count: 10,
    groups: [
      { read: 8, from: 2, every: 3 },
      { read: 6, from: 400, every: 1 },
    ],
    deleted: [2],
    max: 0,
    minId: null,
    approximate: false,
    limit: LIMIT_NONE,
    policy: 'mind',
  })
  const references = new References(stream)
  const referenced = Array.from({ length: 12 }, (_, i) => i + 1).filter(ms =>
    references.has(id(ms)),
  )
  assert.deepEqual(referenced, [2, 5, 7, 8, 9, 10, 11, 12])
  references.drop(id(2))
  assert.equal(references.has(id(2)), false)
  assert.equal(new References(new Stream()).has(id(1)), false)
})
