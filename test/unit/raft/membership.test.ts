// Configuration changes: what follows what, and what a change never does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeConfChange, encodeConfChange } from '../../../src/raft/conf-change.ts'
import {
  changeConf,
  changeSimply,
  EMPTY_CONF,
  enterJoint,
  leaveJoint,
  membersOf,
} from '../../../src/raft/membership.ts'
import type { ConfChange, ConfChangeStep, ConfState } from '../../../src/raft/message.ts'
import { Tracker } from '../../../src/raft/tracker.ts'
import { Lone, message, ofType, THREE } from './lone.ts'

const RUNS = { numRuns: 500, seed: 7 }
const step: fc.Arbitrary<ConfChangeStep> = fc
  .tuple(
    fc.constantFrom(
      'add-voter' as const,
      'add-learner' as const,
      'remove' as const,
      'update' as const,
    ),
    fc.integer({ min: 1, max: 6 }),
  )
  .map(([kind, node]) => ({ kind, node }))
const change: fc.Arbitrary<ConfChange> = fc
  .tuple(
    fc.constantFrom('auto' as const, 'implicit' as const, 'explicit' as const),
    fc.array(step, { maxLength: 5 }),
  )
  .map(([transition, steps]) => ({ v1: false, transition, steps }))

test('a change is the same after encoding and decoding', () => {
  fc.assert(
    fc.property(change, c => {
      assert.deepEqual(decodeConfChange(encodeConfChange(c)), c)
    }),
    RUNS,
  )
  const old: ConfChange = { v1: true, transition: 'auto', steps: [{ kind: 'remove', node: 3 }] }
  assert.deepEqual(decodeConfChange(encodeConfChange(old)), old)
})

test('no bytes at all mean: leave the joint configuration', () => {
  assert.deepEqual(decodeConfChange(new Uint8Array(0)).steps, [])
})

test('a change of an unknown version, or cut short, stops the replica', () => {
  const bytes = encodeConfChange({
    v1: false,
    transition: 'auto',
    steps: [{ kind: 'remove', node: 1 }],
  })
  assert.throws(() => decodeConfChange(bytes.subarray(0, 6)))
  assert.throws(() => decodeConfChange(Uint8Array.from([9, ...bytes.subarray(1)])))
})

test('consecutive configurations always have quorums that meet', () => {
  const starts = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
  const plain = (nodes: number[]): ConfState => ({
    ...EMPTY_CONF,
    voters: nodes.sort((a, b) => a - b),
  })
  fc.assert(
    fc.property(starts, fc.array(change, { maxLength: 6 }), (nodes, changes) => {
      let conf = plain(nodes)
      for (const c of changes) {
        const next = changeConf(conf, c)
        if (typeof next === 'string') continue
        assertMeeting(conf, next.conf)
        conf = next.conf
      }
    }),
    RUNS,
  )
})

/** Every quorum of `a` shares a node with every quorum of `b`. */
function assertMeeting(a: ConfState, b: ConfState): void {
  const everybody = [...new Set([...membersOf(a), ...membersOf(b)])]
  for (let set = 0; set < 2 ** everybody.length; set += 1) {
    const inside = (node: number) => ((set >> everybody.indexOf(node)) & 1) === 1
    if (!isQuorum(a, inside)) continue
    assert.ok(!isQuorum(b, n => !inside(n)), `${JSON.stringify(a)} and ${JSON.stringify(b)}`)
  }
}

function isQuorum(conf: ConfState, holds: (node: number) => boolean): boolean {
  return [conf.voters, conf.votersOutgoing].every(
    half => half.length === 0 || half.filter(holds).length > half.length / 2,
  )
}

test('what cannot follow is refused with a reason', () => {
  const add = (node: number): ConfChangeStep => ({ kind: 'add-voter', node })
  const remove = (node: number): ConfChangeStep => ({ kind: 'remove', node })
  assert.equal(typeof changeSimply(THREE, [add(4), add(5)]), 'string')
  assert.equal(typeof changeSimply({ ...THREE, voters: [1] }, [remove(1)]), 'string')
  assert.equal(typeof leaveJoint(THREE), 'string')
  assert.equal(typeof enterJoint(EMPTY_CONF, true, [add(1)]), 'string')
  const joint = enterJoint(THREE, true, [add(4), remove(1)])
  assert.ok(typeof joint !== 'string')
  assert.equal(typeof enterJoint(joint.conf, true, [add(5)]), 'string')
  assert.equal(typeof changeSimply(joint.conf, [add(5)]), 'string')
})

test('a voter that becomes a learner votes in the old half until that is left', () => {
  const joint = enterJoint(THREE, false, [{ kind: 'add-learner', node: 3 }])
  assert.ok(typeof joint !== 'string')
  assert.deepEqual([joint.conf.learners, joint.conf.learnersNext], [[], [3]])
  const left = leaveJoint(joint.conf)
  assert.ok(typeof left !== 'string')
  assert.deepEqual([left.conf.voters, left.conf.learners], [[1, 2], [3]])
})

test('who stays keeps its match, who is new starts from nothing and counts as active', () => {
  const tracker = new Tracker(8, Infinity)
  tracker.restore(THREE, 10)
  const two = tracker.get(2)
  assert.ok(two)
  two.acknowledge(9)
  const joint = enterJoint(THREE, true, [
    { kind: 'add-voter', node: 4 },
    { kind: 'remove', node: 2 },
  ])
  assert.ok(typeof joint !== 'string')
  tracker.adopt(joint, 20)
  assert.equal(tracker.get(2)?.match, 9)
  const four = tracker.get(4)
  assert.deepEqual([four?.match, four?.next, four?.recentActive], [0, 20, true])
})

test('a second change is refused while one is not applied: it enters the log empty', () => {
  const lone = new Lone()
  lone.lead(2)
  lone.ack(2, 1)
  lone.settle()
  const add = (node: number): ConfChange => ({
    v1: true,
    transition: 'auto',
    steps: [{ kind: 'add-learner', node }],
  })
  lone.raft.proposeConfChange(add(4))
  lone.raft.proposeConfChange(add(5))
  lone.settle()
  assert.deepEqual(
    lone.log.all().map(e => e.kind),
    ['normal', 'conf-change', 'normal'],
  )
})

test('a change that could not be applied is never taken', () => {
  const lone = new Lone({ conf: { ...THREE, voters: [1] } })
  lone.raft.campaign()
  lone.settle()
  lone.raft.proposeConfChange({
    v1: true,
    transition: 'auto',
    steps: [{ kind: 'remove', node: 1 }],
  })
  lone.settle()
  assert.equal(lone.log.all().at(-1)?.kind, 'normal')
})

test('no change is taken before all that was in the log on election is applied', () => {
  const lone = new Lone({ terms: [1, 1] })
  lone.lead(2)
  lone.raft.proposeConfChange({
    v1: true,
    transition: 'auto',
    steps: [{ kind: 'remove', node: 3 }],
  })
  assert.equal(lone.turn().entries.at(-1)?.kind, 'normal')
})

test('a leader that was removed steps down, campaigns no more, and still votes', () => {
  const lone = new Lone()
  lone.lead(2)
  lone.ack(2, 1)
  lone.settle()
  const leave: ConfChange = { v1: true, transition: 'auto', steps: [{ kind: 'remove', node: 1 }] }
  lone.raft.proposeConfChange(leave)
  lone.settle()
  lone.ack(2, 2)
  lone.raft.ready()
  lone.raft.applyConfChange(leave)
  lone.raft.advance()
  assert.equal(lone.raft.role, 'follower')
  lone.raft.campaign()
  assert.equal(lone.raft.role, 'follower')
  lone.step(message('vote', 2, { term: 9, index: 2, logTerm: 1 }))
  assert.equal(ofType(lone.settle(), 'vote-response')[0]?.reject, false)
})

test('a joint configuration is left by one entry, however many are applied meanwhile', () => {
  const lone = new Lone({ options: { maxCommittedBytesPerReady: 1 } })
  lone.lead(2)
  lone.ack(2, 1)
  lone.settle()
  const steps = [{ kind: 'remove', node: 3 } as const]
  lone.raft.proposeConfChange({ v1: false, transition: 'implicit', steps })
  for (const text of ['a', 'b', 'c']) lone.raft.propose([Buffer.from(text)])
  lone.settle()
  lone.ack(2, 5)
  lone.settle()
  assert.deepEqual(
    lone.log.all().map(e => e.kind),
    ['normal', 'conf-change-v2', 'normal', 'normal', 'normal', 'conf-change-v2'],
  )
  lone.ack(2, 6)
  lone.settle()
  assert.deepEqual(lone.raft.status().conf, { ...THREE, voters: [1, 2] })
})
