// The outbox: one envelope a peer, and a commit index that rides along instead of travelling alone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../../src/base/clock.ts'
import type { Entry, Message } from '../../../src/raft/message.ts'
import { Outbox } from '../../../src/replica/outbox.ts'
import type { Envelope } from '../../../src/replica/ports.ts'

function append(to: number, commit: number, entries: readonly Entry[] = []): Message {
  return {
    type: 'append',
    from: 1,
    to,
    term: 1,
    logTerm: 1,
    index: 1,
    entries,
    commit,
    vote: 0,
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: null,
    responses: [],
  }
}

const ENTRY: Entry = { term: 1, index: 2, kind: 'normal', data: Buffer.from('x') }

function setUp(takes = true) {
  const sent: string[] = []
  const lost: number[] = []
  let due: (() => void) | null = null
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    soon: () => {},
    after: (_delay, callback) => {
      due = callback
      return { cancel() {} }
    },
  }
  const show = (to: number, { messages }: Envelope): string =>
    `${to}: ${messages.map(({ shard, message }) => `${shard}@${message.commit}+${message.entries.length}`).join(' ')}`
  const network = {
    send: (to: number, envelope: Envelope): boolean => {
      if (takes) sent.push(show(to, envelope))
      return takes
    },
  }
  const outbox = new Outbox(network, clock, peer => lost.push(peer))
  return { outbox, sent, lost, wake: (): void => due?.() }
}

test('all messages to one peer in a turn are one envelope', () => {
  const { outbox, sent } = setUp()
  outbox.message(1, append(2, 5, [ENTRY]))
  outbox.message(7, append(2, 3, [ENTRY]))
  outbox.message(1, append(3, 5, [ENTRY]))
  outbox.flush()
  outbox.flush()
  assert.deepEqual(sent, ['2: 1@5+1 7@3+1', '3: 1@5+1'])
})

test('a commit index alone waits, and only the newest goes when nothing else does', () => {
  const { outbox, sent, wake } = setUp()
  outbox.message(1, append(2, 5))
  outbox.message(1, append(2, 6))
  outbox.flush()
  assert.deepEqual(sent, [])
  wake()
  assert.deepEqual(sent, ['2: 1@6+0'])
  wake()
  assert.equal(sent.length, 1)
})

test('an append with entries makes the commit index of its own shard needless, not that of another', () => {
  const { outbox, sent, wake } = setUp()
  outbox.message(1, append(2, 5))
  outbox.message(7, append(2, 9))
  outbox.message(1, append(2, 6, [ENTRY]))
  outbox.flush()
  wake()
  assert.deepEqual(sent, ['2: 1@6+1 7@9+0'])
})

test('who is not reached is told of', () => {
  const { outbox, lost } = setUp(false)
  outbox.message(1, append(2, 5, [ENTRY]))
  outbox.flush()
  assert.deepEqual(lost, [2])
})
