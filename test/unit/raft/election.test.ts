// Elections, by the rules of Raft §5.2, §5.4.1 and Thesis §9.6.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeConfChange } from '../../../src/raft/conf-change.ts'
import { Lone, message, ofType, THREE } from './lone.ts'

const vote = (from: number, term: number, index = 0, logTerm = 0) =>
  message('vote', from, { term, index, logTerm })

test('a vote is given once a term, also over a restart', () => {
  const lone = new Lone()
  lone.step(vote(2, 5))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.to, m.reject]),
    [['vote-response', 2, false]],
  )
  lone.restart()
  lone.step(vote(3, 5), vote(2, 5))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.to, m.reject]),
    [
      ['vote-response', 3, true],
      ['vote-response', 2, false],
    ],
  )
})

test('a vote without a change of term must be synced', () => {
  const lone = new Lone({ hardState: { term: 5, vote: 0, commit: 0 } })
  lone.step(vote(2, 5))
  const ready = lone.turn()
  assert.equal(ready.mustSync, true)
  assert.deepEqual(ready.hardState, { term: 5, vote: 2, commit: 0 })
})

test('vote-survives-stepdown: a leader that steps down in its term does not vote again in it', () => {
  const lone = new Lone({ options: { checkQuorum: true } })
  lone.lead(2)
  for (let tick = 0; tick < 10; tick += 1) lone.raft.tick()
  assert.equal(lone.raft.role, 'follower')
  const { term } = lone.raft
  lone.settle()
  lone.step(vote(3, term, 99, 99))
  assert.deepEqual(
    ofType(lone.settle(), 'vote-response').map(m => m.reject),
    [true],
  )
})

test('a vote goes to who has at least our log: last term first, then last index', () => {
  const cases: [index: number, logTerm: number, granted: boolean][] = [
    [1, 3, true],
    [2, 2, true],
    [3, 2, true],
    [1, 2, false],
    [9, 1, false],
  ]
  for (const [index, logTerm, granted] of cases) {
    const lone = new Lone({ terms: [1, 2] })
    lone.step(vote(2, 9, index, logTerm))
    assert.deepEqual(
      ofType(lone.settle(), 'vote-response').map(m => !m.reject),
      [granted],
      `a log that ends in ${logTerm}/${index}`,
    )
  }
})

test('the first answer of a peer counts, its second one does not', () => {
  const lone = new Lone({ conf: { ...THREE, voters: [1, 2, 3, 4, 5] } })
  lone.raft.campaign()
  lone.settle()
  const no = message('vote-response', 2, { term: 1, reject: true })
  lone.step(no, { ...no, reject: false }, message('vote-response', 3, { term: 1 }))
  assert.equal(lone.raft.role, 'candidate')
  lone.step(message('vote-response', 4, { term: 1 }))
  assert.equal(lone.raft.role, 'leader')
})

test('a pre-vote changes neither term nor vote nor timer, at either end', () => {
  const lone = new Lone({ options: { preVote: true } })
  lone.raft.campaign()
  const sent = lone.settle()
  assert.deepEqual(
    sent.map(m => [m.type, m.to, m.term]),
    [
      ['pre-vote', 2, 1],
      ['pre-vote', 3, 1],
    ],
  )
  assert.deepEqual([lone.raft.term, lone.raft.role], [0, 'pre-candidate'])
  lone.step(message('pre-vote', 2, { term: 7 }))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.term, m.reject]),
    [['pre-vote-response', 7, false]],
  )
  assert.deepEqual([lone.raft.term, lone.raft.status().vote], [0, 0])
})

test('who heard of a leader within a timeout ignores votes, but for a transfer of leadership', () => {
  const lone = new Lone({ options: { checkQuorum: true } })
  lone.step(message('heartbeat', 2, { term: 1 }))
  lone.settle()
  lone.step(vote(3, 8))
  assert.deepEqual([lone.settle(), lone.raft.term], [[], 1])
  lone.step({ ...vote(3, 8), context: Buffer.from('transfer') })
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.term, m.reject]),
    [['vote-response', 8, false]],
  )
})

test('who forgets its leader votes at once', () => {
  const lone = new Lone({ options: { checkQuorum: true } })
  lone.step(message('heartbeat', 2, { term: 1 }))
  lone.settle()
  lone.raft.forgetLeader()
  lone.step(vote(3, 2))
  assert.equal(ofType(lone.settle(), 'vote-response')[0]?.reject, false)
})

test('a learner votes when asked, and does not campaign', () => {
  const lone = new Lone({ conf: { ...THREE, voters: [2, 3], learners: [1] } })
  for (let tick = 0; tick < 30; tick += 1) lone.raft.tick()
  lone.raft.campaign()
  assert.deepEqual([lone.settle(), lone.raft.role], [[], 'follower'])
  lone.step(vote(2, 3))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.reject]),
    [['vote-response', false]],
  )
})

test('nobody campaigns with a committed change of configuration that it has not applied', () => {
  const lone = new Lone()
  const steps = [{ kind: 'add-voter', node: 4 } as const]
  const data = encodeConfChange({ v1: false, transition: 'auto', steps })
  const change = { term: 1, index: 1, kind: 'conf-change-v2' as const, data }
  lone.step(message('append', 2, { term: 1, entries: [change], commit: 1 }))
  lone.raft.ready()
  lone.raft.campaign()
  assert.equal(lone.raft.role, 'follower')
  lone.raft.applyConfChange({ v1: false, transition: 'auto', steps })
  lone.raft.advance()
  lone.raft.campaign()
  assert.equal(lone.raft.role, 'candidate')
})

test('an old term is answered with ours, so that its leader steps down', () => {
  const lone = new Lone({
    options: { checkQuorum: true },
    hardState: { term: 9, vote: 1, commit: 0 },
  })
  lone.step(message('heartbeat', 2, { term: 3 }), message('pre-vote', 3, { term: 4 }))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.to, m.term, m.reject]),
    [
      ['append-response', 2, 9, false],
      ['pre-vote-response', 3, 9, true],
    ],
  )
})

test('leadership goes to a laggard only after it has everything', () => {
  const lone = new Lone()
  lone.lead(2)
  lone.ack(3, 1)
  lone.raft.propose([Buffer.from('a')])
  lone.settle()
  lone.raft.transferLeader(2)
  assert.deepEqual(ofType(lone.settle(), 'timeout-now'), [])
  assert.equal(lone.raft.propose([Buffer.from('b')]), 'dropped')
  lone.ack(2, 1)
  assert.deepEqual(ofType(lone.settle(), 'timeout-now'), [])
  lone.ack(2, 2)
  assert.deepEqual(
    ofType(lone.settle(), 'timeout-now').map(m => m.to),
    [2],
  )
})

test('a transfer that does not come about ends, and proposals are taken again', () => {
  const lone = new Lone()
  lone.lead(2)
  lone.raft.transferLeader(2)
  for (let tick = 0; tick < 5; tick += 1) lone.raft.tick()
  assert.equal(lone.raft.status().transferee, 0)
  assert.equal(lone.raft.propose([Buffer.from('a')]), null)
})

test('a transfer to oneself ends the one under way', () => {
  const lone = new Lone()
  lone.lead(2)
  lone.raft.transferLeader(2)
  lone.raft.transferLeader(1)
  assert.equal(lone.raft.status().transferee, 0)
})

test('a transfer ends when its target is removed', () => {
  const lone = new Lone()
  lone.lead(2)
  for (const peer of [2, 3]) lone.ack(peer, 1)
  lone.settle()
  const steps = [{ kind: 'remove', node: 3 } as const]
  lone.raft.proposeConfChange({ v1: false, transition: 'auto', steps })
  lone.raft.transferLeader(3)
  lone.settle()
  assert.equal(lone.raft.status().transferee, 3)
  lone.ack(2, 2)
  lone.settle()
  assert.deepEqual([lone.raft.status().transferee, lone.raft.status().conf.voters], [0, [1, 2]])
})

test('an answer of who is no member is refused, any other message is not', () => {
  const lone = new Lone()
  assert.equal(lone.raft.step(message('append-response', 9, { term: 1 })), 'unknown-peer')
  assert.equal(lone.raft.term, 0)
  assert.equal(lone.raft.step(message('heartbeat', 9, { term: 1 })), null)
  assert.equal(lone.raft.leader, 9)
})

test('two candidates that refused each other have lost without the third', () => {
  const lone = new Lone()
  lone.raft.campaign()
  lone.settle()
  assert.equal(lone.raft.isLostWithout(3), false, 'node 2 has not answered yet')
  lone.step(message('vote-response', 2, { term: lone.raft.term, reject: true }))
  assert.equal(lone.raft.role, 'candidate', 'the third could still decide')
  assert.equal(lone.raft.isLostWithout(2), false)
  assert.equal(lone.raft.isLostWithout(3), true)
  lone.raft.campaign()
  lone.settle()
  lone.step(message('vote-response', 2, { term: lone.raft.term }))
  assert.equal(lone.raft.role, 'leader')
  assert.equal(lone.raft.isLostWithout(3), false)
})
