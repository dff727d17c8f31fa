import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Machine } from '../../../../src/machine/machine.ts'
import { entry, Runner, restored, snapshotBytes, type Word } from '../run.ts'

function words(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `member ${i}`)
}

test('replicas pop the same members, whether somebody asks or not, and after a snapshot', () => {
  const leader = new Machine()
  const follower = new Machine()
  let late: Machine | null = null
  const script: Word[][] = [['SADD', 's', ...words(1000)]]
  for (let i = 0; i < 40; i += 1) script.push(['SPOP', 's', '7'], ['SPOP', 's'])
  script.push(['SMOVE', 's', 't', 'member 5'], ['SREM', 's', ...words(300)], ['SPOP', 's', '2000'])
  for (const [i, command] of script.entries()) {
    const payload = entry(1000 + i, command)
    leader.apply(payload, i + 1, [])
    follower.apply(payload, i + 1, null)
    late?.apply(payload, i + 1, null)
    if (i === 30) late = restored(snapshotBytes(leader), 999)
    assert.ok(snapshotBytes(leader).equals(snapshotBytes(follower)), `entry ${i + 1}`)
  }
  assert.ok(late !== null && snapshotBytes(late).equals(snapshotBytes(leader)))
  assert.equal(late.digest(), leader.digest())
})

test('a snapshot shows a set as it was when it began', () => {
  const runner = new Runner()
  runner.run('SADD', 's', ...words(500))
  const reader = runner.machine.snapshot()
  const chunks = [Buffer.from(reader.next(100) as Uint8Array)]
  runner.run('SREM', 's', ...words(400))
  runner.run('SADD', 's', 'new')
  for (let chunk = reader.next(100); chunk !== null; chunk = reader.next(100))
    chunks.push(Buffer.from(chunk))
  reader.close()
  const set = restored(Buffer.concat(chunks)).keyspace.set('s')
  assert.ok(set !== null && set !== 'wrong-type')
  assert.equal(set.size, 500)
  assert.ok(set.has(Buffer.from('member 3')) && !set.has(Buffer.from('new')))
})

test('who watches a set learns of members that came or went, and of nothing else', () => {
  const runner = new Runner()
  runner.run('SADD', 's', 'a', 'b')
  const changes = (...command: string[]): boolean => {
    const watched = runner.machine.watch('s', runner.now)
    runner.run(...command)
    return runner.machine.isChanged([watched], runner.now)
  }
  assert.ok(changes('SADD', 's', 'c'))
  assert.ok(!changes('SADD', 's', 'c'))
  assert.ok(!changes('SREM', 's', 'nobody'))
  assert.ok(changes('SREM', 's', 'a'))
  assert.ok(!changes('SPOP', 's', '0'))
  assert.ok(changes('SPOP', 's'))
  assert.ok(!changes('SMOVE', 's', 't', 'nobody'))
  runner.run('SADD', 't', 'd')
  assert.ok(changes('SMOVE', 't', 's', 'd'))
  assert.ok(changes('SPOP', 's', '9'))
})

test('members that are picked by chance are distinct, and as many as were asked for', () => {
  const runner = new Runner()
  runner.run('SADD', 's', ...words(1000))
  for (const count of [1, 10, 333, 334, 999, 1000, 5000]) {
    const picked = runner.run('SRANDMEMBER', 's', count) as string[]
    assert.equal(picked.length, Math.min(count, 1000))
    assert.equal(new Set(picked).size, picked.length)
  }
  assert.equal((runner.run('SRANDMEMBER', 's', -3000) as string[]).length, 3000)
  assert.equal(runner.run('SRANDMEMBER', 's', -2_000_000), '!ERR value is out of range')
  const popped = runner.run('SPOP', 's', 400) as string[]
  assert.equal(new Set(popped).size, 400)
  assert.equal(runner.run('SCARD', 's'), 600)
  assert.deepEqual(new Set(runner.run('SMISMEMBER', 's', ...popped) as number[]), new Set([0]))
})

test('SSCAN of a large set finds all members, a few at a time', () => {
  const runner = new Runner()
  runner.run('SADD', 's', ...words(3000))
  const seen = new Set<string>()
  let cursor = '0'
  let calls = 0
  do {
    const [next, members] = runner.run('SSCAN', 's', cursor, 'COUNT', '50') as [string, string[]]
    assert.ok(members.length <= 50 + 64)
    for (const member of members) seen.add(member)
    cursor = next
    calls += 1
  } while (cursor !== '0')
  assert.equal(seen.size, 3000)
  assert.ok(calls > 20)
})
