import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner } from '../run.ts'

const SYNTAX = '!ERR syntax error'

function withKeys(...keys: string[]): Runner {
  const r = new Runner()
  for (const key of keys) r.run('XADD', key, '*', 'f', 'v')
  return r
}

test('keys are counted, told apart and removed', () => {
  const r = withKeys('a', 'b', 'c')
  assert.equal(r.run('EXISTS', 'a', 'a', 'x'), 2)
  assert.equal(r.run('TOUCH', 'a', 'x'), 1)
  assert.equal(r.run('TYPE', 'x'), '+none')
  assert.equal(r.run('DBSIZE'), 3)
  assert.equal(r.run('DEL', 'a', 'a', 'x'), 1)
  assert.equal(r.run('UNLINK', 'b'), 1)
  assert.equal(r.run('DBSIZE'), 1)
  assert.equal(r.run('RANDOMKEY'), 'c')
  assert.equal(r.run('FLUSHALL', 'ASYNC', 'x'), SYNTAX)
  assert.equal(r.run('FLUSHALL', 'LATER'), SYNTAX)
  assert.equal(r.run('flushall', 'async'), '+OK')
  assert.equal(r.run('RANDOMKEY'), null)
  assert.equal(r.run('FLUSHDB'), '+OK')
})

test('a deleted key ends the waits on it', () => {
  const r = withKeys('a', 'b', 'c')
  r.machine.takeReadyKeys()
  r.run('DEL', 'a')
  assert.deepEqual(r.machine.takeReadyKeys(), ['a'])
  r.run('FLUSHALL')
  assert.deepEqual(r.machine.takeReadyKeys(), ['b', 'c'])
  assert.deepEqual(r.machine.takeReadyKeys(), [])
})

test('KEYS gives the keys that match, as bytes', () => {
  const r = withKeys('news:1', 'news:2', 'n\u00e9')
  assert.deepEqual(r.run('KEYS', 'news:[^1]'), ['news:2'])
  assert.deepEqual(r.run('KEYS', 'x*'), [])
  // UTF-8 on the way in, bytes within: two of them for the accent.
  assert.deepEqual(r.run('KEYS', 'n??'), ['n\u00c3\u00a9'])
})

test('SCAN returns every key that stays once, though others come and go', () => {
  const r = new Runner()
  for (let i = 0; i < 500; i += 1) r.run('XADD', `k${i}`, '*', 'f', 'v')
  const seen: string[] = []
  let cursor = '0'
  let step = 0
  do {
    const [next, keys] = r.run('SCAN', cursor, 'COUNT', '7', 'MATCH', 'k*') as [string, string[]]
    seen.push(...keys)
    cursor = next
    // Odd keys are deleted and made anew behind the cursor; even ones stay.
    if (step < 200) {
      r.run('DEL', `k${step * 2 + 1}`)
      r.run('XADD', `new${step}`, '*', 'f', 'v')
    }
    step += 1
  } while (cursor !== '0')
  const even = seen.filter(key => key.startsWith('k') && Number(key.slice(1)) % 2 === 0)
  assert.equal(even.length, 250)
  assert.equal(new Set(even).size, 250)
})

test('SCAN reads its options and refuses what it does not know', () => {
  const r = withKeys('a')
  assert.deepEqual(r.run('SCAN', '0', 'TYPE', 'Stream'), ['0', ['a']])
  assert.deepEqual(r.run('SCAN', '0', 'TYPE', 'nothing'), ['0', []])
  assert.deepEqual(r.run('SCAN', '99999999999999999999'), ['0', []])
  assert.equal(r.run('SCAN', 'x'), '!ERR invalid cursor')
  assert.equal(r.run('SCAN', '0', 'COUNT', '0'), SYNTAX)
  assert.equal(r.run('SCAN', '0', 'COUNT', 'x'), '!ERR value is not an integer or out of range')
  assert.equal(r.run('SCAN', '0', 'MATCH'), SYNTAX)
  assert.equal(r.run('SCAN', '0', 'NOVALUES', '1'), SYNTAX)
})

test('keys are found by their slots', () => {
  const r = withKeys('{t}1', '{t}2', 'other', '{t}3')
  assert.equal(r.machine.countKeysInSlot(15891), 3)
  assert.deepEqual(r.machine.keysInSlot(15891, 2), ['{t}1', '{t}2'])
  r.run('DEL', '{t}2')
  assert.deepEqual(r.machine.keysInSlot(15891, 9), ['{t}1', '{t}3'])
  r.run('DEL', '{t}1', '{t}3')
  assert.equal(r.machine.countKeysInSlot(15891), 0)
})
