// Keys that expire on a whole cluster: the leader buries them, replicas agree, waiters are told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Machine } from '../../src/machine/machine.ts'
import { KEY, Scenario } from './scenario.ts'

/** How many keys each running replica holds, the dead among them. */
function sizes(scenario: Scenario): number[] {
  const found: number[] = []
  for (const { node } of scenario.cluster.machines)
    for (const { machine } of node?.replicas() ?? [])
      if (machine instanceof Machine) found.push(machine.size)
  return found
}

test('a key that expires is removed on every replica, though nobody asks for it', () => {
  const scenario = new Scenario('expiry')
  const client = scenario.client()
  scenario.add(client)
  assert.equal(scenario.ask(client, ['PEXPIRE', KEY, '500']).reply, 1)
  assert.deepEqual(sizes(scenario), [1, 1, 1])
  scenario.until(
    'the key is gone everywhere',
    () => sizes(scenario).every(size => size === 0),
    1500,
  )
  assert.deepEqual(scenario.read(client), [])
})

test('a reader of a group that waits on a key that expires is told so', () => {
  const scenario = new Scenario('expiry and waiter')
  const client = scenario.client()
  scenario.ask(client, ['XGROUP', 'CREATE', KEY, 'g', '$', 'MKSTREAM'], { key: KEY })
  scenario.ask(client, ['PEXPIRE', KEY, '300'])
  const words = ['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', KEY, '>']
  // The clients of the simulator expect no such answer, and say so.
  assert.throws(
    () => scenario.ask(scenario.client(), words, { key: KEY, block: 5_000 }),
    /was answered -NOGROUP/,
  )
})

test('the next leader buries what the one before left', () => {
  const scenario = new Scenario('expiry and failover')
  const client = scenario.client()
  scenario.add(client)
  scenario.ask(client, ['PEXPIRE', KEY, '200'])
  scenario.cluster.crash(scenario.leader(), 'kill')
  scenario.until('the key is gone', () => sizes(scenario).every(size => size === 0))
  assert.equal(sizes(scenario).length, 2)
})
