// What must hold of any value, whatever made it: the views of it that commands use agree.

import assert from 'node:assert/strict'
import type { Group } from '../../../../src/machine/types/group.ts'
import type { List } from '../../../../src/machine/types/list.ts'
import type { MemberSet } from '../../../../src/machine/types/member-set.ts'
import type { Stream } from '../../../../src/machine/types/stream.ts'
import { compareIds, formatId, MAX_ID, MIN_ID } from '../../../../src/machine/types/stream-id.ts'
import type { Text } from '../../../../src/machine/types/text.ts'
import type { Value } from '../../../../src/machine/types/value.ts'

export function assertSound(value: Value): void {
  const any = value as Stream | List | MemberSet | Text
  if (any.type === 'stream') soundStream(any)
  else if (any.type === 'list') soundList(any)
  else if (any.type === 'set') soundSet(any)
  else assert.equal(any.bytes().length, any.length)
  assert.ok(Number.isSafeInteger(value.memoryBytes(5)))
}

function soundStream(stream: Stream): void {
  const forwards: string[] = []
  const backwards: string[] = []
  let last = null as { ms: number | bigint; seq: number | bigint } | null
  stream.range(MIN_ID, MAX_ID, Number.POSITIVE_INFINITY, false, (id, bytes, bounds) => {
    assert.ok(last === null || compareIds(last, id) < 0, 'entries rise')
    last = id
    forwards.push(formatId(id))
    assert.ok(bounds.length >= 4 && bounds.length % 4 === 0, 'an entry has pairs')
    for (const [i, at] of bounds.entries())
      assert.ok(at >= (i % 2 === 1 ? (bounds[i - 1] as number) : 0) && at <= bytes.length)
    assert.ok(stream.has(id))
  })
  stream.range(MIN_ID, MAX_ID, Number.POSITIVE_INFINITY, true, id => backwards.push(formatId(id)))
  assert.deepEqual(backwards.reverse(), forwards)
  assert.equal(forwards.length, stream.length)
  assert.equal(stream.countAfter(MIN_ID), stream.has(MIN_ID) ? stream.length - 1 : stream.length)
  if (last !== null) {
    assert.deepEqual(stream.topId(), last)
    assert.ok(compareIds(last, stream.lastId) <= 0, 'the last ID is not behind')
  }
  let before: string | null = null
  for (const [name, group] of stream.groups) {
    assert.ok(before === null || before < name, 'groups stand in the order of their names')
    before = name
    soundGroup(group)
  }
}

function soundGroup(group: Group): void {
  const { pending } = group
  const owned = new Map<string, string[]>()
  const all = new Set<string>()
  let released = 0
  for (pending.first(); pending.valid; pending.next()) {
    const id = formatId(pending.id())
    all.add(id)
    const owner = group.ownerHere()
    if (owner === null) released += 1
    else owned.set(owner.name, [...(owned.get(owner.name) ?? []), id])
  }
  assert.equal(all.size, pending.size)
  assert.equal(released, group.releasedCount)
  for (const consumer of group.consumersByName()) {
    const ids: string[] = []
    for (consumer.ids.first(); consumer.ids.valid; consumer.ids.next())
      ids.push(formatId(consumer.ids.id()))
    assert.deepEqual(ids, owned.get(consumer.name) ?? [])
    assert.ok(Number.isSafeInteger(consumer.seenTime) && Number.isSafeInteger(consumer.activeTime))
  }
  const inOrder = new Set<string>()
  group.due(Number.POSITIVE_INFINITY, id => inOrder.add(formatId(id)) !== null)
  assert.deepEqual([...inOrder].sort(), [...all].sort())
}

function soundList(list: List): void {
  const words: (Buffer | null)[] = []
  list.forwards(0, list.length, (_bytes, _at, index) => words.push(list.wordAt(index)) > 0)
  assert.ok(list.length > 0, 'an empty list is at no key')
  assert.equal(words.length, list.length)
  assert.ok(words.every(word => word !== null))
  assert.deepEqual(list.headWord(), words[0])
  assert.deepEqual(list.tailWord(), words[words.length - 1])
}

function soundSet(set: MemberSet): void {
  const members = new Set<string>()
  set.each((bytes, from, to) => {
    assert.ok(set.has(bytes, from, to))
    members.add(bytes.latin1Slice(from, to))
  })
  assert.ok(set.size > 0, 'an empty set is at no key')
  assert.equal(members.size, set.size)
}
