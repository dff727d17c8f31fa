// The host's rule that the core cannot keep by itself: messages of a Ready that
// changes term or vote leave only when that is durable (RAFT.md 3.8, hazards/).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../src/raft/message.ts'
import { Chance } from './chance.ts'
import { Host } from './host.ts'
import { THREE } from './lone.ts'

/**
 * Node 1's disk is slow. It campaigns, is elected by 2 and 3, sends an entry to 2,
 * crashes before its term was written, and is elected once more.
 *
 * @returns what nodes 1, 2 and 3 have applied in the end
 */
function slowCandidate(holdsBack: boolean): string[][] {
  const chance = new Chance(1)
  let network: Message[] = []
  const options = { preVote: false, checkQuorum: false, holdsBack }
  const hosts = [1, 2, 3].map(
    id => new Host(id, { index: 10, term: 0, conf: THREE }, chance, m => network.push(m), options),
  )
  const [one, two, three] = hosts
  assert.ok(one && two && three)
  const deliver = (to: Host, from: number) => {
    const arriving = network.filter(m => m.to === to.id && m.from === from)
    network = network.filter(m => !arriving.includes(m))
    for (const message of arriving) to.raft.step(message)
    to.drain()
  }
  one.raft.campaign()
  one.drain()
  for (const voter of [two, three]) {
    deliver(voter, 1)
    voter.settle()
    deliver(one, voter.id)
  }
  one.raft.propose([Buffer.from('first')])
  one.drain()
  // The empty entry, its acknowledgement, and then the first command.
  for (let round = 0; round < 2; round += 1) {
    deliver(two, 1)
    two.settle()
    deliver(one, 2)
  }
  network = []
  one.crash(0)
  one.raft.campaign()
  one.drain()
  if (holdsBack) one.settle()
  deliver(three, 1)
  three.settle()
  one.settle()
  deliver(one, 3)
  one.raft.propose([Buffer.from('second')])
  for (let round = 0; round < 40; round += 1) {
    for (const host of hosts) {
      for (const other of hosts) if (other !== host) deliver(host, other.id)
      host.settle()
    }
  }
  return hosts.map(host => host.applied.filter(a => a.data !== '').map(a => a.data))
}

test('candidate-forgets-its-term: no replicas differ when the host keeps the rule', () => {
  for (const applied of slowCandidate(true)) assert.deepEqual(applied, ['second'])
})

test('without the rule two replicas apply different commands at one index', () => {
  const [one, two, three] = slowCandidate(false)
  assert.deepEqual([one, two, three], [['second'], ['first'], ['second']])
})
