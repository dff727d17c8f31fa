// Groups: two views of what is pending, and cuts that hold while both change.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Writer } from '../../../../src/base/bytes.ts'
import { Group, GroupBuilder } from '../../../../src/machine/types/group.ts'
import type { Cut } from '../../../../src/machine/types/part.ts'
import { PENDING_COUNT, PENDING_TIME } from '../../../../src/machine/types/pending.ts'
import { formatId, MAX_ID, MIN_ID } from '../../../../src/machine/types/stream-id.ts'
import { built as builtFrom } from './built.ts'

function parts(cut: Cut, bytesMax: number): Buffer[] {
  const out: Buffer[] = []
  for (let done = false; !done; ) {
    const writer = new Writer()
    done = cut.write(writer, bytesMax)
    out.push(writer.take())
  }
  return out
}

function built(pieces: readonly Buffer[]): Group {
  return builtFrom(new GroupBuilder(), pieces)
}

/** Everything a group shows; asserts that its views agree. */
function shown(group: Group): unknown {
  const { pending } = group
  const rows: string[] = []
  const owned = new Map<string, string[]>()
  const order: { id: string; released: boolean; place: number; rank: number }[] = []
  for (pending.first(); pending.valid; pending.next()) {
    const id = formatId(pending.id())
    const owner = group.ownerHere()?.name ?? null
    const place = Number(pending.wide(PENDING_TIME))
    order.push({ id, released: owner === null, place, rank: order.length })
    rows.push(`${id} ${owner} ${pending.wide(PENDING_TIME)} ${pending.wide(PENDING_COUNT)}`)
    if (owner !== null) owned.set(owner, [...(owned.get(owner) ?? []), id])
  }
  // Released ones first, then by time, then by ID.
  order.sort(
    (a, b) => Number(b.released) - Number(a.released) || a.place - b.place || a.rank - b.rank,
  )
  const due: string[] = []
  group.due(Number.MAX_SAFE_INTEGER, id => due.push(formatId(id)) > 0)
  assert.deepEqual(
    due,
    order.map(({ id }) => id),
    'the order of delivery follows from the rows',
  )
  const released = order.filter(entry => entry.released).length
  assert.equal(group.releasedCount, released)
  const [head] = order
  const oldest = head === undefined ? Number.POSITIVE_INFINITY : head.released ? null : head.place
  assert.equal(group.oldestDelivery(), oldest)
  const consumers = group.consumersByName().map(({ name, seenTime, activeTime, ids }) => {
    const listed: string[] = []
    for (ids.first(); ids.valid; ids.next()) listed.push(formatId(ids.id()))
    assert.deepEqual(listed, owned.get(name) ?? [], 'both views show the same')
    return { name, seenTime, activeTime }
  })
  return { last: formatId(group.lastId), read: group.entriesRead, rows, consumers }
}

const anyId = fc.record({
  ms: fc.integer({ min: 0, max: 20 }),
  seq: fc.integer({ min: 0, max: 40 }),
})
const anyStep = fc.record({
  kind: fc.constantFrom(
    'deliver',
    'deliver',
    'run',
    'ack',
    'ack-run',
    'claim',
    'release',
    'release-new',
    'delete',
    'cut',
  ),
  id: anyId,
  name: fc.constantFrom('a', 'b', 'c\xff', ''),
  now: fc.integer({ min: 0, max: 2 ** 42 }),
})
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never

function change(group: Group, { kind, id, name, now }: Step): void {
  if (kind === 'delete') {
    group.deleteConsumer(name)
    return
  }
  const consumer = group.seen(name, now)
  if (kind === 'deliver') {
    group.deliver(id, consumer, now)
    consumer.activeTime = now
  } else if (kind === 'run') {
    for (let seq = 100; seq < 400; seq += 1) group.deliver({ ms: id.ms, seq }, consumer, now)
    group.lastId = { ms: id.ms, seq: 399 }
  } else if (kind === 'ack') {
    group.acknowledge(id)
  } else if (kind === 'ack-run') {
    for (let seq = 100; seq < 400; seq += 1 + (now % 3)) group.acknowledge({ ms: id.ms, seq })
  } else if (kind === 'release') {
    if (group.pending.seek(id)) group.releaseHere(id, group.countHere())
  } else if (kind === 'release-new') {
    if (!group.pending.seek(id)) group.releaseNew(id, 0)
  } else if (group.pending.seek(id)) {
    group.claim(id, consumer, now, group.countHere())
  }
}

test('a cut holds what the group was, however it changes while the cut is written', () => {
  fc.assert(
    fc.property(
      fc.array(anyStep, { maxLength: 60 }),
      fc.integer({ min: 1, max: 3000 }),
      (steps, bytesMax) => {
        const group = new Group({ ms: 5, seq: 2 ** 53 - 1 }, 2n ** 60n)
        const cuts: { cut: Cut; want: unknown }[] = []
        for (const step of steps) {
          if (step.kind === 'cut') cuts.push({ cut: group.cut(), want: shown(group) })
          else change(group, step)
        }
        cuts.push({ cut: group.cut(), want: shown(group) })
        for (const { cut, want } of cuts) {
          const pieces = parts(cut, bytesMax)
          const copy = built(pieces)
          assert.deepEqual(shown(copy), want)
          // Equal states are equal bytes, whatever numbers consumers had.
          assert.deepEqual(Buffer.concat(parts(copy.cut(), bytesMax)), Buffer.concat(pieces))
        }
      },
    ),
    { seed: 11, numRuns: 150 },
  )
})

test('what was released comes first, in the order of release, and only what is idle follows', () => {
  const group = new Group(MIN_ID, null)
  const consumer = group.createConsumer('c', 1)
  for (let ms = 1; ms <= 5; ms += 1) group.deliver({ ms, seq: 0 }, consumer, 100 - ms)
  for (const ms of [4, 2, 4]) {
    assert.ok(group.pending.seek({ ms, seq: 0 }))
    group.releaseHere({ ms, seq: 0 }, 1)
  }
  const due: number[] = []
  group.due(97, ({ ms }) => due.push(Number(ms)) > 0)
  assert.deepEqual(due, [2, 4, 5, 3])
  const first: number[] = []
  group.due(97, ({ ms }) => first.push(Number(ms)) < 2)
  assert.deepEqual(first, [2, 4])
})

test('what is pending for a consumer that is deleted leaves the group', () => {
  const group = new Group(MIN_ID, null)
  const one = group.createConsumer('one', 1)
  const two = group.createConsumer('two', 1)
  for (let seq = 0; seq < 1000; seq += 1)
    group.deliver({ ms: 1, seq }, seq % 3 === 0 ? one : two, 1)
  assert.equal(group.deleteConsumer('one'), 334)
  assert.equal(group.pending.size, 666)
  assert.equal(group.consumer('one'), null)
  // Its number goes to the next consumer, who must not inherit anything.
  const three = group.createConsumer('three', 2)
  assert.equal(three.number, one.number)
  assert.equal(three.ids.size, 0)
  shown(group)
})

test('entries whose IDs and counts take all 64 bits are kept exactly', () => {
  const group = new Group(MAX_ID, 2n ** 63n - 1n)
  const consumer = group.createConsumer('c', 1)
  group.deliver(MAX_ID, consumer, 2 ** 41)
  group.deliver({ ms: 2n ** 53n, seq: 2n ** 53n + 1n }, consumer, 2 ** 41 + 1)
  assert.ok(group.pending.seek(MAX_ID))
  group.claim(MAX_ID, consumer, 7, 2n ** 63n - 2n)
  group.claim(MAX_ID, consumer, 7, group.countHere())
  assert.equal(group.countHere(), 2n ** 63n - 1n)
  assert.deepEqual(shown(built(parts(group.cut(), 1))), shown(group))
})
