// Rounds of reads: what they wait for, and that a session always sees its own writes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Asker } from '../../../src/replica/ports.ts'
import { Reads } from '../../../src/replica/reads.ts'

const query = { run: () => 'answer' }

class Client implements Asker<string> {
  readonly closed = false
  readonly lost: string[] = []
  answer(): void {}
  lose(ticket: number, why: string): void {
    this.lost.push(`${ticket} ${why}`)
  }
}

function tickets(reads: Reads<string>, applied: number): number[] {
  return (reads.takeServable(applied) ?? []).map(({ ticket }) => ticket)
}

test('read-before-own-write: while writes are gathered, reads that must see them join no round', () => {
  const reads = new Reads<string>()
  const asker = new Client()
  reads.add({ asker, ticket: 1, query }, true)
  // The write is in the buffer, since the disk is busy: the log ends before it.
  assert.equal(reads.mayBegin(true), false)
  reads.add({ asker, ticket: 2, query }, false)
  assert.ok(reads.mayBegin(true))
  const others = reads.begin(7, true)
  reads.confirm(others, 5)
  assert.deepEqual(tickets(reads, 5), [2])
  assert.equal(reads.size, 1)
  // Now it stands in the log, at 8.
  assert.ok(reads.mayBegin(false))
  reads.confirm(reads.begin(8, false), 5)
  assert.deepEqual(tickets(reads, 7), [])
  assert.deepEqual(tickets(reads, 8), [1])
})

test('one round at a time, confirmed by its own context or a later one', () => {
  const reads = new Reads<string>()
  const asker = new Client()
  reads.add({ asker, ticket: 1, query }, false)
  const first = reads.begin(3, false)
  reads.add({ asker, ticket: 2, query }, true)
  assert.equal(reads.mayBegin(false), false)
  reads.confirm(first, 3)
  assert.deepEqual(tickets(reads, 2), [])
  assert.ok(reads.mayBegin(false))
  const second = reads.begin(4, false)
  reads.confirm(first, 9)
  assert.deepEqual(tickets(reads, 3), [1])
  reads.confirm(second, 3)
  assert.deepEqual(tickets(reads, 4), [2])
})

test('with the leadership all of them are lost, whatever they wait for', () => {
  const reads = new Reads<string>()
  const asker = new Client()
  reads.add({ asker, ticket: 1, query }, false)
  reads.begin(3, false)
  reads.add({ asker, ticket: 2, query }, false)
  reads.add({ asker, ticket: 3, query }, true)
  reads.loseAll('moved')
  assert.deepEqual(asker.lost, ['1 moved', '2 moved', '3 moved'])
  assert.equal(reads.size, 0)
})
