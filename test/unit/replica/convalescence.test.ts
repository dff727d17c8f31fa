// A damaged replica keeps out of Raft; a repaired one does not vote twice.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../src/raft/message.ts'
import { Convalescence, provesLoss } from '../../../src/replica/convalescence.ts'

function message(type: Message['type'], term: number, commit = 0): Message {
  return {
    type,
    from: 1,
    to: 2,
    term,
    logTerm: 0,
    index: 0,
    entries: [],
    commit,
    vote: 0,
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: null,
    responses: [],
  }
}

test('a heartbeat that counts entries beyond the log proves that they were lost', () => {
  assert.equal(provesLoss(message('heartbeat', 5, 11), 5, 10), true)
  assert.equal(provesLoss(message('heartbeat', 5, 10), 5, 10), false)
  // An old leader's word proves nothing, and an append may well be ahead of us.
  assert.equal(provesLoss(message('heartbeat', 4, 11), 5, 10), false)
  assert.equal(provesLoss(message('append', 5, 11), 5, 10), false)
})

test('a damaged replica hears nothing; a repaired one votes only later and in a later term', () => {
  const replica = new Convalescence(true)
  assert.equal(replica.refuses(message('append', 5)), true)
  replica.end(5, 2)
  assert.equal(replica.amnesiac, false)
  assert.equal(replica.refuses(message('append', 5)), false)
  assert.equal(replica.refuses(message('vote', 6)), true)
  replica.tick()
  replica.tick()
  assert.equal(replica.refuses(message('vote', 5)), true)
  assert.equal(replica.refuses(message('pre-vote', 6)), false)
  assert.equal(replica.refuses(message('vote', 6)), false)
})
