import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Chance } from '../../../../src/machine/chance.ts'
import { MemberSet } from '../../../../src/machine/types/member-set.ts'
import { MemberSetBuilder } from '../../../../src/machine/types/member-set-builder.ts'
import type { Cut } from '../../../../src/machine/types/part.ts'
import { built, partsOf } from './built.ts'

function add(set: MemberSet, member: string): boolean {
  const bytes = Buffer.from(member, 'latin1')
  return set.add(bytes, 0, bytes.length)
}

function remove(set: MemberSet, member: string): boolean {
  const bytes = Buffer.from(member, 'latin1')
  return set.remove(bytes, 0, bytes.length)
}

function members(set: MemberSet): string[] {
  const found: string[] = []
  set.each((bytes, from, to) => found.push(bytes.latin1Slice(from, to)))
  return found
}

/** The set that a cut's parts make. The parts' memory is used again, as a snapshot's is. */
function rebuilt(cut: Cut, partBytes = 100): MemberSet {
  return built(new MemberSetBuilder(), partsOf(cut, partBytes))
}

function filled(count: number): MemberSet {
  const set = new MemberSet(1, 2)
  for (let i = 0; i < count; i += 1) add(set, `m${i}`)
  return set
}

test('a set holds what a Set holds, through growing, shrinking, cuts and parts', () => {
  const member = fc.oneof(
    fc.integer({ min: 0, max: 900 }).map(String),
    fc.integer({ min: 0, max: 300 }).map(n => 'x'.repeat(n)),
  )
  const step = fc.record({ adds: fc.boolean(), member })
  const phase = fc.array(step, { minLength: 1, maxLength: 600, size: 'max' })
  fc.assert(
    fc.property(phase, phase, (first, second) => {
      const set = new MemberSet(7, 8)
      const model = new Set<string>()
      for (const { adds, member } of first) {
        if (adds) assert.equal(add(set, member), !model.has(member))
        else assert.equal(remove(set, member), model.has(member))
        if (adds) model.add(member)
        else model.delete(member)
      }
      const cut = set.cut()
      const then = [...model].sort()
      for (const { adds, member } of second) {
        if (adds) add(set, member)
        else remove(set, member)
        if (adds) model.add(member)
        else model.delete(member)
      }
      assert.deepEqual(members(set).sort(), [...model].sort())
      assert.equal(set.size, model.size)
      assert.deepEqual(members(rebuilt(cut)).sort(), then)
    }),
    { seed: 3, numRuns: 40 },
  )
})

test('a set that was filled and emptied is found whole at every size', () => {
  const count = 20_000
  const set = filled(count)
  for (let i = 0; i < count; i += 1) assert.ok(set.has(Buffer.from(`m${i}`)))
  for (let i = 0; i < count - 5; i += 1) assert.ok(remove(set, `m${i}`))
  assert.deepEqual(
    members(set).sort(),
    [5, 4, 3, 2, 1].map(i => `m${count - i}`),
  )
})

test('equal sets of equal parts pop equal members, each of them once', () => {
  const set = filled(3000)
  const other = rebuilt(set.cut(), 500)
  const chances = [new Chance(), new Chance()] as const
  for (const chance of chances) chance.seed(99)
  const popped = new Set<string>()
  for (let i = 0; i < 3000; i += 1) {
    const both: string[] = []
    set.pop(chances[0], (bytes, from, to) => both.push(bytes.latin1Slice(from, to)))
    other.pop(chances[1], (bytes, from, to) => both.push(bytes.latin1Slice(from, to)))
    assert.equal(both[0], both[1])
    popped.add(both[0] as string)
  }
  assert.equal(popped.size, 3000)
  assert.equal(set.size, 0)
})

test('each member is picked about as often as any other', () => {
  // Pages of several depths.
  const set = filled(480)
  const chance = new Chance()
  chance.seed(5)
  const counts = new Map<string, number>()
  for (let i = 0; i < 480 * 300; i += 1)
    set.random(chance, (bytes, from, to) => {
      const member = bytes.latin1Slice(from, to)
      counts.set(member, (counts.get(member) ?? 0) + 1)
    })
  assert.equal(counts.size, 480)
  for (const [member, count] of counts)
    assert.ok(count > 210 && count < 390, `${member}: ${count} of about 300`)
})

test('a scan finds all that stays, although the set grows and shrinks meanwhile', () => {
  const set = filled(2000)
  const seen = new Set<string>()
  let cursor = 0
  let calls = 0
  do {
    cursor = set.scan(cursor, 10, (bytes, from, to) => seen.add(bytes.latin1Slice(from, to)))
    for (let i = 0; i < 40; i += 1) {
      if (calls < 40) add(set, `n${calls * 40 + i}`)
      else remove(set, `m${(calls - 40) * 40 + i + 200}`)
    }
    calls += 1
  } while (cursor !== 0)
  for (let i = 0; i < 200; i += 1) assert.ok(seen.has(`m${i}`), `m${i}`)
  assert.ok(calls > 20)
})

test('the encoding is what Redis would choose', () => {
  const set = new MemberSet(1, 2)
  for (let i = 0; i < 128; i += 1) add(set, String(i))
  assert.equal(set.encoding, 'intset')
  remove(set, '0')
  add(set, '007')
  assert.equal(set.encoding, 'listpack')
  add(set, 'x')
  assert.equal(set.encoding, 'hashtable')
  assert.equal(rebuilt(set.cut()).encoding, 'hashtable')
  const long = new MemberSet(1, 2)
  add(long, 'x'.repeat(65))
  assert.equal(long.encoding, 'hashtable')
  const numbers = new MemberSet(1, 2)
  for (let i = 0; i < 512; i += 1) add(numbers, String(i))
  assert.equal(numbers.encoding, 'intset')
  add(numbers, '512')
  assert.equal(numbers.encoding, 'hashtable')
})

test('memory grows with the members and shrinks when they go, also where few pages are looked at', () => {
  const set = filled(20_000)
  const whole = set.memoryBytes(Number.POSITIVE_INFINITY)
  const bytes = members(set).reduce((sum, member) => sum + member.length + 2, 0)
  assert.ok(whole > bytes && whole < bytes * 3, `${whole} for ${bytes}`)
  const sampled = set.memoryBytes(20)
  assert.ok(sampled > whole * 0.7 && sampled < whole * 1.3, `${sampled} of ${whole}`)
  assert.equal(rebuilt(set.cut()).memoryBytes(0), set.memoryBytes(0))
  for (let i = 1; i < 20_000; i += 1) remove(set, `m${i}`)
  assert.ok(set.memoryBytes(20) < 1000)
})
