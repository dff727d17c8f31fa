import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Argv } from '../../../../src/base/argv.ts'
import { entry, Runner, restored, snapshotBytes } from '../run.ts'

function withStream(...keys: string[]): Runner {
  const r = new Runner()
  r.now = 10_000
  for (const key of keys) r.run('XADD', key, '*', 'f', 'v')
  return r
}

/** The words of a command that the leader would propose. */
function words(argv: Argv | null): string[] {
  return argv === null ? [] : Array.from({ length: argv.count }, (_, i) => argv.latin1(i))
}

test('a key is dead at its time for every command, and stays in memory until an entry removes it', () => {
  const r = withStream('a', 'b')
  assert.equal(r.run('PEXPIRE', 'a', 100), 1)
  assert.equal(r.run('PTTL', 'a'), 100)
  r.now = 10_099
  assert.equal(r.run('XLEN', 'a'), 1)
  assert.equal(r.run('PTTL', 'a'), 1)
  r.now = 10_100
  assert.equal(r.run('XLEN', 'a'), 0)
  assert.equal(r.run('PTTL', 'a'), -2)
  assert.equal(r.run('TYPE', 'a'), '+none')
  assert.equal(r.run('EXISTS', 'a', 'b'), 1)
  assert.deepEqual(r.run('KEYS', '*'), ['b'])
  assert.deepEqual(r.run('SCAN', 0), ['0', ['b']])
  for (let i = 0; i < 20; i += 1) assert.equal(r.run('RANDOMKEY'), 'b')
  assert.equal(r.run('DBSIZE'), 2)
  assert.equal(r.run('PEXPIRE', 'a', 100), 0)
  assert.equal(r.run('DBSIZE'), 1)
})

test('a dead stream begins anew, and a dead key is not there to be deleted', () => {
  const r = withStream('a', 'b')
  r.run('XGROUP', 'CREATE', 'a', 'g', '$')
  r.run('EXPIRE', 'a', 1)
  r.run('EXPIRE', 'b', 1)
  r.now = 11_000
  assert.equal(r.run('XADD', 'a', '5-5', 'f', 'v'), '5-5')
  assert.deepEqual(r.run('XINFO', 'GROUPS', 'a'), [])
  assert.equal(r.run('TTL', 'a'), -1)
  assert.equal(r.run('DEL', 'b'), 0)
  assert.equal(r.run('DBSIZE'), 1)
})

test('the leader buries what is due by an entry, which spares what was given more time', () => {
  const r = withStream('a', 'b', 'c', 'd')
  for (const key of ['a', 'b', 'c']) r.run('PEXPIRE', key, 5)
  r.machine.takeReadyKeys()
  assert.equal(r.machine.chore(10_004), null)
  const chore = words(r.machine.chore(10_005.5))
  assert.deepEqual(chore.slice(1).sort(), ['a', 'b', 'c'])
  r.run('PERSIST', 'b')
  r.now = 10_006
  r.machine.apply(entry(r.now, chore), r.index + 1, null)
  assert.deepEqual([...r.machine.takeReadyKeys()].sort(), ['a', 'c'])
  assert.equal(r.run('DBSIZE'), 2)
  assert.equal(r.machine.chore(20_000), null)
  assert.equal(r.machine.keyspace.expired, 2)
})

test('a flood of dead keys is buried in entries of a bounded size', () => {
  const r = new Runner()
  for (let i = 0; i < 700; i += 1) {
    r.run('XADD', `k${i}`, '1-1', 'f', 'v')
    r.run('PEXPIREAT', `k${i}`, 5000)
  }
  for (let i = 0; i < 3; i += 1) {
    r.run('XADD', `${i}`.repeat(40_000), '1-1', 'f', 'v')
    r.run('PEXPIREAT', `${i}`.repeat(40_000), 4000)
  }
  assert.equal(words(r.machine.chore(4000)).length, 3)
  const chore = words(r.machine.chore(5000))
  assert.ok(chore.length <= 501 && chore.join('').length < 120_000)
})

test('conditions are those of Redis', () => {
  const r = withStream('k')
  const set = (...options: string[]) => r.run('PEXPIREAT', 'k', ...options)
  assert.equal(set('20000', 'XX'), 0)
  assert.equal(set('20000', 'GT'), 0)
  assert.equal(set('20000', 'LT'), 1)
  assert.equal(set('20000', 'GT'), 0)
  assert.equal(set('30000', 'gt', 'xx'), 1)
  assert.equal(set('30000', 'LT'), 0)
  assert.equal(set('40000', 'NX'), 0)
  assert.equal(r.run('PEXPIRETIME', 'k'), 30_000)
  assert.equal(r.run('EXPIRETIME', 'k'), 30)
  assert.equal(r.run('TTL', 'k'), 20)
  assert.equal(r.run('PERSIST', 'k'), 1)
  assert.equal(r.run('PERSIST', 'k'), 0)
  assert.equal(set('40000', 'NX'), 1)
  // A time that is over deletes at once.
  assert.equal(r.run('EXPIRE', 'k', -1), 1)
  assert.equal(r.run('EXISTS', 'k'), 0)
})

test('times that 64 bits do not hold are refused, and those beyond 2^53 kept as near as can be', () => {
  const r = withStream('k')
  const invalid = (name: string) => `!ERR invalid expire time in '${name}' command`
  assert.equal(r.run('EXPIRE', 'k', '9223372036854775807'), invalid('expire'))
  assert.equal(r.run('EXPIRE', 'k', '-9223372036854775808'), invalid('expire'))
  assert.equal(r.run('PEXPIRE', 'k', '9223372036854775807'), invalid('pexpire'))
  assert.equal(r.run('EXPIREAT', 'k', '9223372036854776'), invalid('expireat'))
  assert.equal(r.run('PEXPIREAT', 'k', '9223372036854775807'), 1)
  assert.equal(r.run('PEXPIRETIME', 'k'), Number.MAX_SAFE_INTEGER)
  assert.equal(r.run('EXPIRE', 'k', '1.5'), '!ERR value is not an integer or out of range')
})

test('a snapshot has the times of its cut', () => {
  const r = withStream('a', 'b', 'c')
  r.run('PEXPIRE', 'a', 50)
  r.run('PEXPIRE', 'b', 50)
  const expected = snapshotBytes(r.machine)
  const reader = r.machine.snapshot()
  r.run('PEXPIRE', 'a', 90)
  r.run('PERSIST', 'b')
  r.run('PEXPIRE', 'c', 90)
  const bytes = Buffer.from(reader.next(1 << 20) ?? [])
  assert.deepEqual(bytes, expected)
  const copy = restored(bytes)
  assert.deepEqual(words(copy.chore(10_050)).slice(1).sort(), ['a', 'b'])
  assert.equal(copy.keyspace.expiring, 2)
})
