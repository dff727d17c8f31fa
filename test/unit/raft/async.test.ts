// Asynchronous storage writes: what an answer of the disk means, and what waits for it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APPEND_THREAD, APPLY_THREAD, type Message, type Ready } from '../../../src/raft/message.ts'
import { entry, Lone, message, THREE } from './lone.ts'

const ASYNC = { options: { asyncStorageWrites: true } }

/** The work for a thread among the messages of a Ready. */
function work(ready: Ready, thread: number): Message {
  const found = ready.messages.find(m => m.to === thread)
  assert.ok(found, 'no storage work')
  return found
}

const append = (term: number, entryTerm: number) =>
  message('append', 2, { term, entries: [entry(entryTerm, 1)] })

/** Writes, and steps the answers that are for ourselves. */
function write(lone: Lone, job: Message): void {
  lone.log.append(job.entries)
  if (job.term !== 0) lone.log.setHardState(job)
  for (const response of job.responses) if (response.to === 1) lone.raft.step(response)
}

test('async-aba: the answer to a write of an older term frees nothing', () => {
  const lone = new Lone(ASYNC)
  // 1/1 is written, then overwritten by 2/1 and again by 1/1, sent by the leader of term 3.
  const jobs = [append(1, 1), append(2, 2), append(3, 1)].map(m => {
    lone.step(m)
    return work(lone.raft.ready(), APPEND_THREAD)
  })
  const [first, second, third] = jobs
  assert.ok(first && second && third)
  write(lone, first)
  write(lone, second)
  // The disk holds 2/1 now. Had the first answer freed memory, the log would say term 2.
  lone.step(message('append', 2, { term: 3, index: 1, logTerm: 1, entries: [entry(3, 2)] }))
  assert.equal(lone.raft.lastIndex, 2)
  write(lone, third)
  assert.deepEqual(
    lone.log.all().map(e => e.term),
    [1],
  )
})

test('acknowledgements wait for everything that was handed out before them', () => {
  const lone = new Lone(ASYNC)
  lone.step(append(1, 1))
  const ready = lone.raft.ready()
  assert.deepEqual(
    ready.messages.map(m => m.to),
    [APPEND_THREAD],
  )
  assert.deepEqual(
    work(ready, APPEND_THREAD).responses.map(m => m.type),
    ['append-response', 'storage-append-response'],
  )
})

test('answers that come later are not added to a write that was handed out', () => {
  const lone = new Lone(ASYNC)
  lone.step(append(1, 1))
  write(lone, work(lone.raft.ready(), APPEND_THREAD))
  lone.step(message('heartbeat', 2, { term: 1, commit: 1 }))
  const job = work(lone.raft.ready(), APPEND_THREAD)
  lone.step(message('append', 2, { term: 1, index: 1, logTerm: 1, entries: [entry(1, 2)] }))
  assert.deepEqual(job.responses, [])
})

test('what is committed is applied only when our own disk has it', () => {
  const lone = new Lone(ASYNC)
  lone.step(message('append', 2, { term: 1, entries: [entry(1, 1)], commit: 1 }))
  const ready = lone.raft.ready()
  assert.deepEqual([lone.raft.committed, ready.committedEntries], [1, []])
  write(lone, work(ready, APPEND_THREAD))
  assert.deepEqual(
    work(lone.raft.ready(), APPLY_THREAD).entries.map(e => e.index),
    [1],
  )
})

test('a leader commits by the disks of others before its own, and applies after', () => {
  const lone = new Lone(ASYNC)
  lone.raft.campaign()
  write(lone, work(lone.raft.ready(), APPEND_THREAD))
  lone.step(message('vote-response', 2, { term: 1 }))
  const job = work(lone.raft.ready(), APPEND_THREAD)
  lone.ack(2, 1)
  lone.ack(3, 1)
  assert.deepEqual([lone.raft.committed, lone.raft.ready().committedEntries.length], [1, 0])
  write(lone, job)
  assert.equal(lone.raft.ready().committedEntries.length, 1)
})

test('two-snapshots: the newer wins, and the word on the older changes nothing', () => {
  const lone = new Lone(ASYNC)
  const snapshot = (index: number) =>
    message('snapshot', 2, { term: 1, snapshot: { index, term: 1, conf: THREE } })
  lone.step(snapshot(5))
  const older = work(lone.raft.ready(), APPEND_THREAD)
  lone.step(snapshot(9))
  const newer = work(lone.raft.ready(), APPEND_THREAD)
  for (const response of older.responses) if (response.to === 1) lone.raft.step(response)
  lone.raft.campaign()
  assert.equal(lone.raft.role, 'follower')
  assert.ok(newer.snapshot)
  lone.log.install(newer.snapshot)
  for (const response of newer.responses) if (response.to === 1) lone.raft.step(response)
  assert.deepEqual([lone.raft.applied, lone.raft.lastIndex], [9, 9])
})

test('a change applied while a snapshot waits changes the configuration before it', () => {
  const lone = new Lone(ASYNC)
  const after = { ...THREE, voters: [1, 2, 3, 4, 5] }
  lone.step(message('snapshot', 2, { term: 1, snapshot: { index: 9, term: 1, conf: after } }))
  const steps = [{ kind: 'add-voter', node: 4 } as const]
  const conf = lone.raft.applyConfChange({ v1: true, transition: 'auto', steps })
  assert.deepEqual(conf.voters, [1, 2, 3, 4])
  assert.deepEqual(lone.raft.status().conf.voters, [1, 2, 3, 4, 5])
})

test('a Ready takes everything out, so that there is none after it', () => {
  const lone = new Lone(ASYNC)
  assert.equal(lone.raft.hasReady(), false)
  lone.raft.campaign()
  assert.equal(lone.raft.hasReady(), true)
  lone.raft.ready()
  assert.equal(lone.raft.hasReady(), false)
})
