// Every cut and every flipped bit of a log: told from a torn tail, or reported, and never silently lost.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FakeDisk } from '../sim/fake-disk.ts'
import { append, contentOf, entry, Rig, seeded } from '../unit/storage/rig.ts'

const BATCHES = 4

/** A log of small batches, of two shards, and what was known after each. */
function smallLog(): { rig: Rig; ends: number[]; contents: string[][] } {
  const rig = new Rig()
  rig.open()
  const ends: number[] = []
  const contents: string[][] = []
  for (let i = 1; i <= BATCHES; i += 1) {
    const hardState = { term: i, vote: 1, commit: i - 1 }
    rig.write(append(1, [entry(i, 1)], hardState), append(2, [entry(i, 2)]))
    ends.push(endOf(rig.disk.bytes(rig.segment())))
    contents.push(bothOf(rig))
  }
  return { rig, ends, contents }
}

function endOf(bytes: Buffer): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return Math.ceil(end / 8) * 8
}

function bothOf(rig: Rig): string[] {
  return [1, 2].flatMap(shard =>
    contentOf(rig.storage.shard(shard)).map(line => `${shard}/${line}`),
  )
}

/** Opens a copy of the disk that was changed. */
function reopened(rig: Rig, change: (disk: FakeDisk) => void): Rig {
  const other = new Rig()
  other.disk = rig.disk.clone(other.loop)
  change(other.disk)
  other.open()
  return other
}

function isDamaged(rig: Rig): boolean {
  return rig.storage.shard(1).damaged !== null && rig.storage.shard(2).damaged !== null
}

function isPrefix(short: readonly string[], long: readonly string[], shard: number): boolean {
  const mine = (list: readonly string[]): readonly string[] =>
    list.filter(line => line.startsWith(`${shard}/`))
  return mine(short).every((line, i) => mine(long)[i] === line)
}

test('a log cut at any byte recovers, and what it lost it says', () => {
  const { rig, ends, contents } = smallLog()
  const path = rig.segment()
  const bytes = rig.disk.bytes(path)
  const end = ends.at(-1) ?? 0
  const whole = contents.at(-1) ?? []
  for (let cut = 0; cut < end + 64; cut += 1) {
    const other = reopened(rig, disk => disk.plant(path, bytes.subarray(0, cut)))
    const content = bothOf(other)
    assert.ok(isPrefix(content, whole, 1) && isPrefix(content, whole, 2), `cut at ${cut}`)
    // All batches that lie before the cut are there.
    const kept = ends.filter(at => at <= cut).length
    const wanted = kept === 0 ? [] : (contents[kept - 1] ?? [])
    for (const line of wanted) assert.ok(content.includes(line), `cut at ${cut}: ${line} is lost`)
    if (content.length < whole.length) assert.ok(isDamaged(other), `cut at ${cut}: not reported`)
    assert.doesNotThrow(() => other.restart())
    assert.deepEqual(bothOf(other), content, `cut at ${cut}: the second start differs`)
    assert.equal(isDamaged(other), content.length < whole.length || cut < end + 16)
  }
})

test('every flipped bit below the synced mark is reported, and above it is a torn tail or nothing', () => {
  const { rig, ends, contents } = smallLog()
  const path = rig.segment()
  const end = ends.at(-1) ?? 0
  // The last batch knows that all before it was synced.
  const mark = ends.at(-2) ?? 0
  const whole = contents.at(-1) ?? []
  const beforeLast = contents.at(-2) ?? []
  const random = seeded(5)
  for (let bit = random.below(3); bit < (end + 40) * 8; bit += 1 + random.below(7)) {
    const other = reopened(rig, disk => disk.flipBit(path, bit))
    const content = bothOf(other)
    const where = `bit ${bit & 7} of byte ${bit >>> 3}`
    assert.ok(isPrefix(content, whole, 1) && isPrefix(content, whole, 2), where)
    if (bit < mark * 8) {
      assert.ok(isDamaged(other), `${where}: not reported`)
      assert.ok(other.logger.has('damaged'), where)
      // Its term was seen, and must not be forgotten with the entries.
      assert.equal(other.storage.shard(1).initialState().hardState.term, BATCHES, where)
      other.restart()
      assert.ok(isDamaged(other), `${where}: forgotten by the second start`)
    } else {
      assert.equal(isDamaged(other), false, where)
      for (const line of beforeLast) assert.ok(content.includes(line), `${where}: ${line} is lost`)
    }
  }
})

test('a zeroed sector below the synced mark is reported', () => {
  const { rig, ends } = smallLog()
  const path = rig.segment()
  const last = Math.floor((ends.at(-2) ?? 0) / 512)
  assert.ok(last >= 1)
  for (let sector = 0; sector < last; sector += 1) {
    assert.ok(isDamaged(reopened(rig, disk => disk.zeroSector(path, sector))), `sector ${sector}`)
  }
})

test('a flipped bit in an older segment is damage, and the log goes on after the repair', () => {
  const rig = new Rig()
  rig.open()
  for (let i = 1; i <= 40; i += 1) {
    rig.write(append(1, [entry(i, 1, Buffer.alloc(300, i))]), append(2, [entry(i, 2)]))
  }
  const random = seeded(9)
  for (let round = 0; round < 60; round += 1) {
    const back = 1 + random.below(3)
    const path = rig.segment(back)
    const used = endOf(rig.disk.bytes(path))
    const other = reopened(rig, disk => disk.flipBit(path, random.below(used * 8)))
    assert.ok(isDamaged(other), `round ${round}`)
    assert.ok(other.storage.shard(1).lastIndex() < 40)
    assert.ok(isPrefix(bothOf(other), bothOf(rig), 1))
    // Also a shard that the log lost every trace of is not taken for a new one.
    assert.notEqual(other.storage.shard(55).damaged, null)
    const next = other.storage.shard(1).lastIndex() + 1
    other.write(append(1, [entry(next, 9)], { term: 9, vote: 0, commit: 0 }))
    other.storage.clearDamage(1)
    other.write()
    other.crash()
    assert.equal(other.storage.shard(1).damaged, null)
    assert.notEqual(other.storage.shard(2).damaged, null)
    assert.equal(other.storage.shard(1).lastIndex(), next)
    assert.ok(other.disk.paths().some(name => name.endsWith('.damaged')))
  }
})

test('a missing segment in the middle is damage; a missing last one is the end of the log', () => {
  const rig = new Rig()
  rig.open()
  for (let i = 1; i <= 40; i += 1) rig.write(append(1, [entry(i, 1, Buffer.alloc(300, i))]))
  const other = reopened(rig, disk => disk.lose(rig.segment(2)))
  assert.notEqual(other.storage.shard(1).damaged, null)
  other.write(append(1, [entry(other.storage.shard(1).lastIndex() + 1, 7)]))
  assert.notEqual(other.restart().shard(1).damaged, null)
})

test('a repair that crashes at any operation is done again, and the damage is never forgotten', () => {
  const rig = new Rig()
  rig.open()
  for (let i = 1; i <= 30; i += 1) {
    rig.write(append(1, [entry(i, 1, Buffer.alloc(300, i))]), append(2, [entry(i, 2)]))
  }
  // In the one before the last only the last segment's header knows of it.
  for (const back of [1, 2]) {
    const path = rig.segment(back)
    const bit = (endOf(rig.disk.bytes(path)) - 20) * 8
    for (let stopAt = 1; stopAt < 40; stopAt += 1) {
      if (!repairedWithCrash(rig, path, bit, stopAt)) break
    }
  }
})

/** @returns whether the repair had that many operations */
function repairedWithCrash(rig: Rig, path: string, bit: number, stopAt: number): boolean {
  let isStopped = false
  for (let round = 0; round < 4; round += 1) {
    const other = new Rig({}, stopAt * 10 + round)
    other.disk = rig.disk.clone(other.loop)
    other.disk.flipBit(path, bit)
    let count = 0
    other.disk.faults.before = () => {
      count += 1
      if (count === stopAt) throw new Error('stop')
    }
    try {
      other.open()
    } catch {
      isStopped = true
    }
    other.disk.faults.before = null
    other.loop.clear()
    other.disk.crash()
    other.open()
    assert.ok(isDamaged(other), `stopped at ${stopAt}`)
    assert.ok(isPrefix(bothOf(other), bothOf(rig), 1))
  }
  return isStopped
}
