// What waits for lists: first calls, calls that are run again, and calls where nothing waits.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../../src/base/argv.ts'
import {
  AGAIN_MARK,
  PAYLOAD_HEADER_BYTES,
  writePayloadHeader,
} from '../../../../src/base/payload.ts'
import { Wait } from '../../../../src/base/wait.ts'
import { Chance } from '../../../../src/machine/chance.ts'
import { isError } from '../../../../src/machine/command.ts'
import { machineTable } from '../../../../src/machine/commands/table.ts'
import type { Reply } from '../../../../src/machine/reply.ts'
import { entry, plain, Runner } from '../run.ts'

/** Runs a command as one that waited. */
function again(r: Runner, ...words: readonly string[]): unknown {
  const payload = Buffer.concat([
    Buffer.alloc(PAYLOAD_HEADER_BYTES),
    Buffer.from([AGAIN_MARK]),
    Argv.of(...words).buffer,
  ])
  writePayloadHeader(payload, r.now, 1)
  r.index += 1
  const outcomes: (Reply | Wait)[] = []
  r.machine.apply(payload, r.index, outcomes)
  return plain(outcomes[0] as Reply | Wait)
}

/** Runs a command where nothing waits. */
function inTransaction(r: Runner, ...words: readonly string[]): unknown {
  const argv = Argv.of(...words)
  const spec = machineTable.find(argv)
  assert.ok(!isError(spec))
  const at = {
    now: r.now,
    asked: true,
    chance: new Chance(),
    blocks: false,
    again: false,
    kept: false,
  }
  const outcome = spec.apply?.(r.machine.keyspace, spec.parse?.(argv), at)
  assert.ok(outcome !== undefined)
  return plain(outcome)
}

const WAITING = [
  ['BLPOP', 'l', '0'],
  ['BRPOP', 'l', '0'],
  ['BLMPOP', '0', '1', 'l', 'LEFT'],
  ['BLMOVE', 'l', 'm', 'LEFT', 'LEFT', '0'],
  ['BRPOPLPUSH', 'l', 'm', '0'],
  ['BLMOVEM', 'l', 'm', 'LEFT', 'LEFT', '0'],
]

test('what waited goes on waiting for a key of another type, which refuses a first call', () => {
  for (const words of WAITING) {
    const r = new Runner()
    assert.equal(r.run(...words), 'wait 0 l')
    assert.equal(again(r, ...words), 'wait 0 l')
    r.run('XADD', 'l', '1-1', 'f', 'v')
    assert.equal(again(r, ...words), 'wait 0 l', words[0])
    assert.match(String(r.run(...words)), /^!WRONGTYPE/, words[0])
  }
})

test('what waited for several keys and finds a list is refused for another type before it', () => {
  const r = new Runner()
  assert.equal(r.run('BLPOP', 'a', 'b', '0'), 'wait 0 a,b')
  r.run('XADD', 'a', '1-1', 'f', 'v')
  assert.equal(again(r, 'BLPOP', 'a', 'b', '0'), 'wait 0 a,b')
  r.run('RPUSH', 'b', 'x')
  assert.match(String(again(r, 'BLPOP', 'a', 'b', '0')), /^!WRONGTYPE/)
  assert.equal(r.run('LLEN', 'b'), 1)
})

test('where nothing waits they answer at once, moves with a missing bulk', () => {
  const r = new Runner()
  const replies = WAITING.map(words => inTransaction(r, ...words))
  assert.deepEqual(replies, ['null-array', 'null-array', 'null-array', null, null, 'null-array'])
  r.run('RPUSH', 'l', 'a')
  assert.deepEqual(inTransaction(r, 'BLPOP', 'l', '0'), ['l', 'a'])
})

test('a wait says what it needs, and which changes it has seen', () => {
  const r = new Runner()
  const outcomes: (Reply | Wait)[] = []
  const commands = [
    ['RPUSH', 'l', 'a'],
    ['LPOP', 'l'],
    ['BLPOP', 'l', '2'],
    ['RPUSH', 'm', 'b'],
  ]
  r.machine.apply(entry(r.now, ...commands), 1, outcomes)
  const wait = outcomes[2]
  assert.ok(wait instanceof Wait)
  assert.equal(wait.needs, 'list')
  assert.equal(wait.timeout, 2000)
  assert.deepEqual(r.machine.takeReadyKeys(), ['l', 'm'])
  assert.ok(r.machine.changedAt('l') <= wait.seen)
  assert.ok(r.machine.changedAt('m') > wait.seen)
  assert.equal(r.machine.changedAt('none'), 0)
})

test('a change is as old as the last command that made it, whatever came between', () => {
  const r = new Runner()
  const commands = [
    ['RPUSH', 'l', 'a'],
    ['RPUSH', 'm', 'b'],
    ['RPUSH', 'l', 'c'],
    ['LPUSH', 'l', 'd'],
  ]
  r.machine.apply(entry(r.now, ...commands), 1, null)
  assert.deepEqual(r.machine.takeReadyKeys(), ['l', 'm'])
  assert.equal(r.machine.changedAt('l') - r.machine.changedAt('m'), 2)
})

test('commands say which lists they lengthen, and a list how many it can serve', () => {
  const r = new Runner()
  const feeds = (...words: readonly string[]) => r.machine.feeds(Argv.of(...words))
  assert.deepEqual(feeds('RPUSH', 'l', 'a', 'b'), [{ key: 'l', count: 2 }])
  assert.deepEqual(feeds('LMOVE', 'l', 'm', 'LEFT', 'LEFT'), [{ key: 'm', count: 1 }])
  assert.deepEqual(feeds('BRPOPLPUSH', 'l', 'm', '0'), [{ key: 'm', count: 1 }])
  assert.deepEqual(feeds('LMOVEM', 'l', 'm', 'LEFT', 'LEFT'), [{ key: 'm', count: 1 }])
  const many = ['COUNT', '7', 'OBO']
  assert.deepEqual(feeds('LMOVEM', 'l', 'm', 'LEFT', 'LEFT', ...many), [{ key: 'm', count: 7 }])
  assert.deepEqual(feeds('BLMOVEM', 'l', 'm', 'LEFT', 'LEFT', '0', ...many), [
    { key: 'm', count: 7 },
  ])
  assert.deepEqual(feeds('BLPOP', 'l', '0'), [])
  assert.deepEqual(feeds('XADD', 's', '*', 'f', 'v'), [{ key: 's', count: 1, needs: 'change' }])
  assert.deepEqual(feeds('NONE'), [])
  assert.equal(r.machine.servable('l'), 0)
  r.run('RPUSH', 'l', 'a', 'b')
  r.run('XADD', 's', '1-1', 'f', 'v')
  assert.equal(r.machine.servable('l'), 2)
  assert.equal(r.machine.servable('s'), 0)
})
