// Linearizable reads by read index (Thesis §6.4, RAFT.md section 7).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../src/raft/message.ts'
import { Lone, message, ofType, THREE } from './lone.ts'

const FIVE = { ...THREE, voters: [1, 2, 3, 4, 5] }

function led(start: ConstructorParameters<typeof Lone>[0] = {}): Lone {
  const lone = new Lone({ conf: FIVE, ...start })
  lone.lead(2, 3)
  lone.ack(2, lone.raft.lastIndex)
  lone.ack(3, lone.raft.lastIndex)
  lone.settle()
  return lone
}

/** Asks, and gives the heartbeats that went out for it. */
function ask(lone: Lone, name: string): Message[] {
  lone.raft.readIndex(Buffer.from(name))
  return ofType(lone.turn().messages, 'heartbeat')
}

/** The voter echoes this heartbeat. */
function echo(lone: Lone, from: number, heartbeat: Message | undefined): void {
  assert.ok(heartbeat)
  const { term, context } = heartbeat
  lone.step(message('heartbeat-response', from, { term, context }))
}

/** Names of the reads that are confirmed by now. */
function confirmed(lone: Lone): string[] {
  const names: string[] = []
  while (lone.raft.hasReady()) {
    names.push(...lone.turn().readStates.map(r => Buffer.from(r.context).toString()))
  }
  return names
}

test('a read waits for a majority of its round, and gets the commit index of its beginning', () => {
  const lone = led()
  const index = lone.raft.committed
  const [heartbeat] = ask(lone, 'a')
  echo(lone, 2, heartbeat)
  assert.deepEqual(confirmed(lone), [])
  lone.raft.propose([Buffer.from('x')])
  lone.settle()
  lone.ack(2, index + 1)
  lone.ack(3, index + 1)
  echo(lone, 3, heartbeat)
  assert.deepEqual(
    lone.turn().readStates.map(r => r.index),
    [index],
  )
})

test('readindex-duplicate-acks: echoes of one round confirm no read that came after it', () => {
  // etcd#20418: the asker tries again with the same name, and late echoes of the first round
  // were taken for those of the second.
  const lone = led()
  const [first] = ask(lone, 'a')
  const [second] = ask(lone, 'b')
  ask(lone, 'a')
  echo(lone, 2, first)
  echo(lone, 2, first)
  echo(lone, 3, first)
  echo(lone, 3, first)
  assert.deepEqual(confirmed(lone), ['a'])
  echo(lone, 2, second)
  echo(lone, 3, second)
  assert.deepEqual(confirmed(lone), ['b'])
})

test('one late round confirms all reads before it, in their order', () => {
  const lone = led()
  ask(lone, 'a')
  ask(lone, 'b')
  const [third] = ask(lone, 'c')
  echo(lone, 2, third)
  echo(lone, 3, third)
  assert.deepEqual(confirmed(lone), ['a', 'b', 'c'])
})

test('different voters may have echoed different rounds', () => {
  const lone = led()
  const [first] = ask(lone, 'a')
  const [second] = ask(lone, 'b')
  echo(lone, 2, first)
  echo(lone, 3, second)
  assert.deepEqual(confirmed(lone), ['a'])
})

test('a forged context confirms nothing', () => {
  const lone = led()
  ask(lone, 'a')
  const { term } = lone.raft
  for (const from of [2, 3, 4]) {
    lone.step(message('heartbeat-response', from, { term, context: Buffer.from('short') }))
    lone.step(message('heartbeat-response', from, { term }))
  }
  assert.deepEqual(confirmed(lone), [])
})

test('an answer of an older term does not count, and a new term drops what waits', () => {
  const lone = led()
  const [heartbeat] = ask(lone, 'a')
  const { term } = lone.raft
  lone.step(message('vote', 3, { term: term + 1, index: 99, logTerm: 99 }))
  lone.settle()
  lone.lead(2, 3)
  echo(lone, 2, heartbeat)
  echo(lone, 3, heartbeat)
  assert.deepEqual(confirmed(lone), [])
})

test('read-right-after-election: a read waits for the first commit of the term', () => {
  for (const voters of [[1], [1, 2, 3, 4, 5]]) {
    const lone = new Lone({ conf: { ...THREE, voters }, terms: [1, 1] })
    lone.raft.campaign()
    lone.turn()
    for (const from of [2, 3]) lone.step(message('vote-response', from, { term: lone.raft.term }))
    assert.equal(lone.raft.role, 'leader')
    assert.equal(lone.raft.committed, 0)
    lone.raft.readIndex(Buffer.from('a'))
    const ready = lone.turn()
    assert.deepEqual([ready.readStates, ofType(ready.messages, 'heartbeat')], [[], []])
    lone.ack(2, 3)
    lone.ack(3, 3)
    if (voters.length === 1) {
      assert.deepEqual(
        lone.turn().readStates.map(r => r.index),
        [3],
      )
      continue
    }
    const [heartbeat] = ofType(lone.turn().messages, 'heartbeat')
    echo(lone, 2, heartbeat)
    echo(lone, 3, heartbeat)
    assert.deepEqual(
      lone.turn().readStates.map(r => r.index),
      [3],
    )
  }
})

test('a read does not hang when the shard shrinks to its leader meanwhile', () => {
  const lone = new Lone({ conf: { ...THREE, voters: [1, 2] } })
  lone.lead(2)
  lone.ack(2, 1)
  lone.settle()
  const steps = [{ kind: 'remove', node: 2 } as const]
  const change = { v1: false, transition: 'auto' as const, steps }
  lone.raft.proposeConfChange(change)
  lone.settle()
  ask(lone, 'a')
  lone.ack(2, 2)
  lone.raft.ready()
  lone.raft.applyConfChange(change)
  lone.raft.advance()
  assert.deepEqual(confirmed(lone), ['a'])
})

test('a follower asks its leader, and gives the answer back under its own name', () => {
  const lone = new Lone()
  lone.step(message('heartbeat', 2, { term: 1 }))
  lone.settle()
  lone.raft.readIndex(Buffer.from('mine'))
  const [request] = lone.settle()
  assert.deepEqual([request?.type, request?.from, request?.to], ['read-index', 1, 2])
  const context = request?.context ?? null
  lone.step(message('read-index-response', 2, { term: 1, index: 7, context }))
  assert.deepEqual(
    lone.turn().readStates.map(r => [r.index, Buffer.from(r.context).toString()]),
    [[7, 'mine']],
  )
})

test('a lease is void once a timeout-now went out, however the transfer ends', () => {
  const lone = led({ options: { readOnly: 'lease-based', checkQuorum: true } })
  lone.raft.readIndex(Buffer.from('a'))
  assert.deepEqual(confirmed(lone), ['a'])
  lone.raft.transferLeader(2)
  lone.settle()
  lone.raft.readIndex(Buffer.from('b'))
  const [heartbeat] = ofType(lone.turn().messages, 'heartbeat')
  assert.deepEqual(confirmed(lone), [])
  echo(lone, 2, heartbeat)
  echo(lone, 3, heartbeat)
  assert.deepEqual(confirmed(lone), ['b'])
})

test('echoes of an earlier term of ours confirm nothing in a later one', () => {
  const lone = led()
  for (const name of ['a', 'b', 'c']) {
    const [heartbeat] = ask(lone, name)
    for (const from of [2, 3]) echo(lone, from, heartbeat)
    assert.deepEqual(confirmed(lone), [name])
  }
  lone.step(message('heartbeat', 2, { term: lone.raft.term + 1 }))
  lone.settle()
  lone.lead(2, 3)
  for (const from of [2, 3]) lone.ack(from, lone.raft.lastIndex)
  lone.settle()
  const [heartbeat] = ask(lone, 'd')
  echo(lone, 4, heartbeat)
  assert.deepEqual(confirmed(lone), [])
  echo(lone, 5, heartbeat)
  assert.deepEqual(confirmed(lone), ['d'])
})

test('a lease that was void is one again in the next term', () => {
  const lone = led({ options: { readOnly: 'lease-based', checkQuorum: true } })
  lone.raft.transferLeader(2)
  lone.step(message('heartbeat', 2, { term: lone.raft.term + 1 }))
  lone.settle()
  lone.lead(2, 3)
  for (const from of [2, 3]) lone.ack(from, lone.raft.lastIndex)
  lone.settle()
  lone.raft.readIndex(Buffer.from('a'))
  assert.deepEqual(confirmed(lone), ['a'])
})
