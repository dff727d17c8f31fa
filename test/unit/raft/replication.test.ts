// Replication and commitment, by the rules of Raft §5.3, §5.4.2 and RAFT.md 3.4-3.9.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssertionFailure } from '../../../src/base/assert.ts'
import { entriesOf, entry, Lone, message, ofType, THREE } from './lone.ts'

const append = (index: number, logTerm: number, terms: number[], commit = 0, term = 9) =>
  message('append', 2, {
    term,
    index,
    logTerm,
    commit,
    entries: terms.map((t, i) => entry(t, index + 1 + i)),
  })

test('figure-8: an earlier term commits only with an entry of the own term', () => {
  // 1 leads term 4; entry 2 is of term 2. It is on a majority and still may be overwritten.
  const conf = { ...THREE, voters: [1, 2, 3, 4, 5] }
  const hardState = { term: 3, vote: 0, commit: 1 }
  const lone = new Lone({ conf, terms: [1, 2], hardState, options: { maxBytesPerMessage: 0 } })
  lone.lead(2, 3)
  assert.equal(lone.raft.term, 4)
  lone.ack(2, 2)
  lone.ack(3, 2)
  lone.settle()
  assert.equal(lone.raft.committed, 1)
  lone.ack(2, 3)
  lone.ack(3, 3)
  assert.equal(lone.raft.committed, 3)
})

test('append-dup-no-truncate: an older, shorter append cuts nothing off', () => {
  const lone = new Lone({ terms: [1, 1] })
  lone.step(append(2, 1, [1, 1, 1]))
  lone.settle()
  lone.step(append(2, 1, [1]))
  assert.deepEqual(
    lone.settle().map(m => m.index),
    [3],
  )
  assert.deepEqual(lone.texts, ['1/1', '1/2', '1/3', '1/4', '1/5'])
})

test('a conflict drops what follows it, and what leads up to it stays', () => {
  const lone = new Lone({ terms: [1, 1, 2, 2] })
  lone.step(append(1, 1, [1, 3]))
  assert.deepEqual(
    lone.settle().map(m => [m.index, m.reject]),
    [[3, false]],
  )
  assert.deepEqual(lone.texts, ['1/1', '1/2', '3/3'])
})

test('a conflict below commit stops the replica', () => {
  const lone = new Lone({ terms: [1, 1, 1], hardState: { term: 1, vote: 0, commit: 3 } })
  const conflicting = message('append', 2, {
    term: 2,
    index: 3,
    logTerm: 1,
    entries: [{ ...entry(2, 3) }],
  })
  assert.throws(() => lone.step(conflicting), AssertionFailure)
})

test('commit-cap: a follower commits no further than the append vouched for', () => {
  const lone = new Lone({ terms: [1, 1, 1, 1] })
  lone.step(append(1, 1, [1], 4))
  assert.equal(lone.raft.committed, 2)
})

test('an append from before commit is answered with commit, unread', () => {
  const lone = new Lone({ terms: [1, 1, 1], hardState: { term: 1, vote: 0, commit: 3 } })
  lone.step(append(1, 7, [7, 7], 0))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.index, m.reject]),
    [['append-response', 3, false]],
  )
})

test('a rejection tells the last place where the logs may match', () => {
  //  leader    1 3 3 3 3 3 3 3 7
  //  follower  1 3 3 4 4 5 5 5 6
  const lone = new Lone({ terms: [1, 3, 3, 4, 4, 5, 5, 5, 6] })
  lone.step(append(8, 3, [7]))
  assert.deepEqual(
    lone.settle().map(m => [m.reject, m.index, m.rejectHint, m.logTerm]),
    [[true, 8, 3, 3]],
  )
})

test('a leader skips the terms that a rejection excludes', () => {
  //  leader    1 3 3 3 5 5 5 5 5
  //  follower  1 1 1 1 2 2
  const lone = new Lone({ terms: [1, 3, 3, 3, 5, 5, 5, 5, 5] })
  lone.lead(2)
  const { term } = lone.raft
  lone.step(
    message('append-response', 2, { term, index: 9, reject: true, rejectHint: 6, logTerm: 2 }),
  )
  assert.deepEqual(
    ofType(lone.settle(), 'append').map(m => [m.index, m.logTerm]),
    [[1, 1]],
  )
})

test('stale rejections change nothing, in any state of the peer', () => {
  const lone = new Lone({ terms: [1, 1, 1] })
  lone.lead(2)
  const reject = (index: number) =>
    message('append-response', 2, { term: lone.raft.term, index, reject: true, rejectHint: index })
  // Probing at 3: a rejection of another index is not the answer to the last probe.
  lone.step(reject(2))
  assert.equal(lone.raft.status().progress.get(2)?.next, 4)
  lone.ack(2, 4)
  lone.step(reject(3))
  const progress = lone.raft.status().progress.get(2)
  assert.deepEqual([progress?.state, progress?.match, progress?.next], ['replicate', 4, 5])
})

test('the uncommitted limit refuses, but never the first, never an empty one', () => {
  const lone = new Lone({ options: { maxUncommittedBytes: 4 } })
  lone.lead(2)
  const big = Buffer.from('too large')
  assert.equal(lone.raft.propose([big]), null)
  assert.equal(lone.raft.propose([Buffer.from('x')]), 'dropped')
  assert.equal(lone.raft.propose([Buffer.alloc(0)]), null)
  lone.settle()
  lone.ack(2, lone.raft.lastIndex)
  lone.settle()
  assert.equal(lone.raft.propose([Buffer.from('x')]), null)
})

test('what was uncommitted in an earlier term does not count in a later one', () => {
  const lone = new Lone({ options: { maxUncommittedBytes: 4 } })
  lone.lead(2)
  lone.raft.propose([Buffer.from('too large')])
  lone.settle()
  lone.step(message('heartbeat', 2, { term: 9 }))
  lone.settle()
  lone.lead(2)
  assert.equal(lone.raft.propose([Buffer.from('x')]), null)
})

test('a page that the limit cut must be applied before the next', () => {
  const options = { maxCommittedBytesPerReady: 30, asyncStorageWrites: true }
  const lone = new Lone({
    terms: [1, 1, 1, 1],
    options,
    hardState: { term: 1, vote: 0, commit: 4 },
  })
  const first = lone.raft.ready()
  assert.deepEqual(
    first.committedEntries.map(e => e.index),
    [1, 2],
  )
  assert.equal(lone.raft.hasReady(), false)
  const apply = first.messages.find(m => m.type === 'storage-apply')
  lone.step(...(apply?.responses ?? []))
  assert.deepEqual(
    lone.raft.ready().committedEntries.map(e => e.index),
    [3, 4],
  )
})

test('a page that a snapshot overtook holds up nothing behind the snapshot', () => {
  const options = { maxCommittedBytesPerReady: 22, asyncStorageWrites: true }
  const lone = new Lone({ terms: [1, 1, 1], options, hardState: { term: 1, vote: 0, commit: 3 } })
  assert.equal(lone.raft.ready().committedEntries.length, 2)
  const snapshot = { index: 9, term: 1, conf: THREE }
  lone.step(message('snapshot', 2, { term: 1, snapshot }))
  lone.step(append(9, 1, [1], 10, 1))
  const [job] = ofType(lone.raft.ready().messages, 'storage-append')
  assert.ok(job)
  lone.log.install(snapshot)
  lone.log.append(job.entries)
  lone.step(...job.responses.filter(m => m.to === 1))
  assert.deepEqual(
    lone.raft.ready().committedEntries.map(e => e.index),
    [10],
  )
})

test('a snapshot goes only to who was heard from lately', () => {
  const lone = new Lone({ terms: [1, 1, 1], hardState: { term: 1, vote: 0, commit: 3 } })
  lone.settle()
  lone.log.checkpoint({ index: 3, term: 1, conf: THREE })
  lone.log.compact(3)
  lone.restart()
  lone.lead(2)
  const { term } = lone.raft
  const lost = message('append-response', 3, { term, index: 3, reject: true })
  lone.step(lost)
  assert.deepEqual(
    ofType(lone.settle(), 'snapshot').map(m => m.to),
    [3],
  )
  lone.raft.reportSnapshot(3, false)
  const quiet = new Lone({ options: { checkQuorum: true, electionTicks: 2 } })
  quiet.lead(2)
  quiet.ack(2, 1)
  quiet.ack(3, 1)
  quiet.settle()
  quiet.raft.propose([Buffer.from('a')])
  quiet.ack(2, 2)
  quiet.settle()
  quiet.raft.reportUnreachable(3)
  quiet.ack(2, 2)
  // 3 falls silent for a round of the check, and the log is cut behind what it has.
  for (let tick = 0; tick < 2; tick += 1) quiet.raft.tick()
  quiet.log.checkpoint({ index: 2, term: 1, conf: THREE })
  quiet.log.compact(2)
  quiet.raft.propose([Buffer.from('b')])
  assert.deepEqual(ofType(quiet.settle(), 'snapshot'), [])
})

test('the window of appends is limited, and an empty append still goes when it is full', () => {
  const lone = new Lone({ options: { maxBytesPerMessage: 0, maxInflightMessages: 2 } })
  lone.lead(2)
  lone.ack(2, 1)
  lone.settle()
  for (const text of ['a', 'b', 'c']) lone.raft.propose([Buffer.from(text)])
  const sent = lone.settle().filter(m => m.to === 2)
  assert.deepEqual(
    sent.map(m => m.entries.length),
    [1, 1],
  )
  lone.step(message('heartbeat-response', 2, { term: lone.raft.term }))
  assert.deepEqual(
    lone.settle().map(m => [m.to, m.type, m.entries.length]),
    [[2, 'append', 0]],
  )
})

test('a leader without a quorum appends and does not apply', () => {
  const lone = new Lone()
  lone.lead(2)
  lone.raft.propose([Buffer.from('a')])
  const ready = lone.turn()
  assert.deepEqual([ready.entries.length, ready.committedEntries.length], [1, 0])
})

test('single-voter-powercut: nothing is applied in the Ready that first writes it', () => {
  const lone = new Lone({ conf: { ...THREE, voters: [1] } })
  lone.raft.campaign()
  lone.turn()
  lone.turn()
  lone.settle()
  lone.raft.propose([Buffer.from('a')])
  const first = lone.turn()
  assert.deepEqual([first.entries.length, first.committedEntries.length], [1, 0])
  assert.equal(lone.turn().committedEntries.length, 1)
})

test('a snapshot whose index is in the log moves commit and drops nothing', () => {
  const lone = new Lone({ terms: [1, 1, 1] })
  const snapshot = { index: 2, term: 1, conf: THREE }
  lone.step(message('snapshot', 2, { term: 1, snapshot }))
  const ready = lone.turn()
  assert.deepEqual([ready.snapshot, lone.raft.committed, lone.raft.lastIndex], [null, 2, 3])
})

test('a snapshot for others is ignored, and so is one at or below commit', () => {
  const lone = new Lone({ terms: [1, 1], hardState: { term: 1, vote: 0, commit: 2 } })
  const strange = { index: 9, term: 1, conf: { ...THREE, voters: [2, 3] } }
  lone.step(message('snapshot', 2, { term: 1, snapshot: strange }))
  lone.step(message('snapshot', 2, { term: 1, snapshot: { index: 2, term: 1, conf: THREE } }))
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.index]),
    [
      ['append-response', 2],
      ['append-response', 2],
    ],
  )
})

test('while a snapshot waits nothing is applied and nobody campaigns', () => {
  const lone = new Lone({ options: { asyncStorageWrites: true } })
  lone.step(message('snapshot', 2, { term: 1, snapshot: { index: 9, term: 1, conf: THREE } }))
  lone.step(append(9, 1, [1], 10, 1))
  const ready = lone.raft.ready()
  assert.equal(ready.snapshot?.index, 9)
  assert.deepEqual(ready.committedEntries, [])
  lone.raft.campaign()
  assert.equal(lone.raft.role, 'follower')
})

test('a restart with an applied index beyond the durable commit index starts from there', () => {
  const lone = new Lone({ terms: [1, 1, 1], hardState: { term: 1, vote: 0, commit: 1 } })
  lone.log.checkpoint({ index: 3, term: 1, conf: THREE })
  lone.log.compact(3)
  lone.restart()
  assert.deepEqual([lone.raft.committed, lone.raft.applied], [3, 3])
})

test('a durable commit index beyond the log stops the start', () => {
  assert.throws(
    () => new Lone({ terms: [1], hardState: { term: 1, vote: 0, commit: 2 } }),
    AssertionFailure,
  )
})

test('what storage cannot say just now is asked for again, and not in a loop', () => {
  const lone = new Lone({ terms: [1, 1], hardState: { term: 1, vote: 0, commit: 2 } })
  const { entries } = lone.log
  lone.log.entries = () => 'not-now'
  assert.deepEqual(lone.raft.ready().committedEntries, [])
  assert.equal(lone.raft.hasReady(), false)
  lone.log.entries = entries
  lone.raft.tick()
  assert.equal(lone.raft.hasReady(), true)
  assert.deepEqual(
    lone.turn().committedEntries.map(e => e.index),
    entriesOf([1, 1]).map(e => e.index),
  )
})

test('a peer whose entries are only on disk waits, and goes on when they are fetched', () => {
  const lone = new Lone({ terms: [1, 1, 1, 1], options: { maxBytesPerMessage: 0 } })
  lone.lead(2)
  const { term } = lone.raft
  const { entries } = lone.log
  lone.log.entries = () => 'not-now'
  lone.step(message('append-response', 2, { term, index: 4, reject: true, rejectHint: 0 }))
  assert.deepEqual(lone.settle(), [])
  lone.log.entries = entries
  lone.raft.entriesFetched()
  assert.deepEqual(
    lone.settle().map(m => [m.type, m.to, m.index, m.entries.length]),
    [['append', 2, 0, 1]],
  )
})
