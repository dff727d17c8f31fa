import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { isError } from '../../../src/machine/command.ts'
import { machineTable } from '../../../src/machine/commands/table.ts'
import { keysOf, soleKey } from '../../../src/machine/keys-of.ts'

function keys(...words: string[]): string[] {
  const argv = Argv.of(...words)
  const spec = machineTable.find(argv)
  assert.ok(!isError(spec))
  return keysOf(spec, argv).map(word => argv.latin1(word))
}

function sole(...words: string[]): number {
  const spec = machineTable.find(Argv.of(...words))
  assert.ok(!isError(spec))
  return soleKey(spec)
}

test('the keys of a command stand where its key specifications say', () => {
  assert.deepEqual(keys('XADD', 'k', '*', 'f', 'v'), ['k'])
  assert.deepEqual(keys('DEL', 'a', 'b', 'c'), ['a', 'b', 'c'])
  assert.deepEqual(keys('XREAD', 'COUNT', '5', 'streams', 'a', 'b', '0', '0'), ['a', 'b'])
  assert.deepEqual(keys('XREAD', 'STREAMS', 'STREAMS', '$'), ['STREAMS'])
  assert.deepEqual(keys('DBSIZE'), [])
  assert.deepEqual(keys('BLPOP', 'a', 'b', '0'), ['a', 'b'])
  assert.deepEqual(keys('LMOVE', 'a', 'b', 'LEFT', 'LEFT'), ['a', 'b'])
  assert.deepEqual(keys('LMPOP', '2', 'a', 'b', 'LEFT'), ['a', 'b'])
  assert.deepEqual(keys('BLMPOP', '0', '1', 'a', 'LEFT', 'COUNT', '2'), ['a'])
})

test('words that do not say where their keys are have none', () => {
  assert.deepEqual(keys('XREAD', 'COUNT', '5', 'a'), [])
  assert.deepEqual(keys('XREAD', 'a', 'b', 'STREAMS'), [])
  assert.deepEqual(keys('XREAD', 'COUNT', '5', 'STREAMS', 'a'), [])
  for (const count of ['0', '-1', 'abc', '4', '9223372036854775807'])
    assert.deepEqual(keys('LMPOP', count, 'a', 'b', 'LEFT'), [])
})

test('one key at a fixed place is told without looking at the words', () => {
  assert.equal(sole('XADD', 'k', '*', 'f', 'v'), 1)
  assert.equal(sole('DEL', 'a'), 0)
  assert.equal(sole('XREAD', 'STREAMS', 'a', '0'), 0)
  assert.equal(sole('DBSIZE'), 0)
  assert.equal(sole('LMOVE', 'a', 'b', 'LEFT', 'LEFT'), 0)
  assert.equal(sole('LMPOP', '1', 'a', 'LEFT'), 0)
})
