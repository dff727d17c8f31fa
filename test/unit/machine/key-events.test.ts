// What commands say they did to keys: what a Redis beside it cannot show, since time must pass,
// or since it came after 7.0. The rest is compared in test/conformance/oracle-events.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENT } from '../../../src/machine/key-events.ts'
import { MachineTarget } from '../../conformance/machine-target.ts'
import { Runner } from './run.ts'

/** A machine, and what is heard of its keys. */
async function told(classes: number): Promise<{
  readonly target: MachineTarget
  readonly does: (text: string) => Promise<readonly string[]>
}> {
  const target = new MachineTarget(2)
  let events: string[] = []
  target.machine.keyspace.listener = {
    classes,
    heard: (event, key) => events.push(`${event} ${key}`),
  }
  const does = async (text: string): Promise<readonly string[]> => {
    events = []
    await target.send(0, text.split(' '))
    return events
  }
  return { target, does }
}

test('a key that expired is told of once, by who looks for it or by the leader', async () => {
  const { target, does } = await told(-1)
  assert.deepEqual(await does('SET a v PX 10'), ['new a', 'set a', 'expire a'])
  assert.deepEqual(await does('SET b v PX 10'), ['new b', 'set b', 'expire b'])
  target.now += 20
  // A query removes nothing, and finds nothing either.
  assert.deepEqual(await does('GET a'), ['keymiss a'])
  assert.deepEqual(await does('SET a w'), ['expired a', 'new a', 'set a'])
  const chore = target.machine.chore(target.now)
  assert.ok(chore !== null)
  assert.deepEqual(await does('slotcast.bury a b'), ['expired b'])
})

test('a time that is past removes the key at once', async () => {
  const { does } = await told(-1)
  await does('SET k v')
  assert.deepEqual(await does('PEXPIREAT k 1'), ['del k'])
  await does('SET k v')
  assert.deepEqual(await does('GETEX k PXAT 1'), ['del k'])
  assert.deepEqual(await does('SET k v PXAT 1'), ['set k', 'expire k', 'expired k'])
})

test('only classes that are wanted are told', async () => {
  const { does } = await told(EVENT.LIST)
  assert.deepEqual(await does('RPUSH l a'), ['rpush l'])
  assert.deepEqual(await does('LPOP l'), ['lpop l'])
  assert.deepEqual(await does('LPOP l'), [])
})

test('commands that came after Redis 7.0 say what their like say', async () => {
  const { does } = await told(EVENT.STREAM | EVENT.LIST | EVENT.GENERIC)
  await does('XADD s 1-1 f v')
  await does('XADD s 1-2 f v')
  assert.deepEqual(await does('XDELEX s IDS 1 1-1'), ['xdel s'])
  assert.deepEqual(await does('XDELEX s IDS 1 9-9'), [])
  await does('XGROUP CREATE s g 0')
  assert.deepEqual(await does('XREADGROUP GROUP g c STREAMS s >'), ['xgroup-createconsumer s'])
  assert.deepEqual(await does('XACKDEL s g IDS 1 1-2'), ['xdel s'])
  await does('RPUSH l a b')
  assert.deepEqual(await does('LMOVEM l m LEFT RIGHT COUNT 5 BULK'), ['rpush m', 'lpop l', 'del l'])
})

test('a value that is restored is told as new and restored, or as deleted if its time is past', () => {
  const runner = new Runner()
  runner.run('SET', 'k', 'v')
  const dump = runner.reply('DUMP', 'k')
  assert.ok('bytes' in dump)
  let events: string[] = []
  runner.machine.keyspace.listener = {
    classes: -1,
    heard: (event, key) => events.push(`${event} ${key}`),
  }
  const does = (...words: readonly (string | Uint8Array)[]): readonly string[] => {
    events = []
    runner.run(...words)
    return events
  }
  assert.deepEqual(does('RESTORE', 'n', '0', dump.bytes), ['new n', 'restore n'])
  assert.deepEqual(does('RESTORE', 'n', '0', dump.bytes), [])
  assert.deepEqual(does('RESTORE', 'n', '0', dump.bytes, 'REPLACE'), ['new n', 'restore n'])
  assert.deepEqual(does('RESTORE', 'n', '1', dump.bytes, 'REPLACE', 'ABSTTL'), ['del n'])
  assert.deepEqual(does('RESTORE', 'z', '1', dump.bytes, 'ABSTTL'), [])
  assert.deepEqual(does('DUMP', 'none'), ['keymiss none'])
})
