// Proposals and reads: who asked is answered for the entry that was theirs, and for no other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { PAYLOAD_HEADER_BYTES, payloadCount, payloadNow } from '../../../src/base/payload.ts'
import { Wait } from '../../../src/base/wait.ts'
import { Batch } from '../../../src/replica/batch.ts'
import type { Asker } from '../../../src/replica/ports.ts'
import { Proposals } from '../../../src/replica/proposals.ts'
import { Reads } from '../../../src/replica/reads.ts'

class Client implements Asker<string> {
  closed = false
  readonly heard: string[] = []
  answer(ticket: number, reply: string): void {
    this.heard.push(`${ticket}=${reply}`)
  }
  lose(ticket: number, why: string): void {
    this.heard.push(`${ticket}!${why}`)
  }
}

function sealed(client: Client, ticket: number) {
  const batch = new Batch<string>()
  batch.add(client, ticket, Argv.of('XLEN', 'k'), null)
  return batch.seal(7)
}

test('a batch holds the commands as they came, with the time of sealing', () => {
  const batch = new Batch<string>()
  const client = new Client()
  const big = 'v'.repeat(100_000)
  batch.add(client, 1, Argv.of('XADD', 'k', '*', 'f', 'v'), null)
  batch.add(client, 2, Argv.of('XADD', 'k', '*', 'f', big), { id: 'p', epoch: 3, sequence: 9 })
  const { payload, starts, tickets } = batch.seal(1234.5)
  assert.equal(payloadCount(payload), 2)
  assert.equal(payloadNow(payload), 1234.5)
  assert.deepEqual(tickets, [1, 2])
  assert.equal(starts[0], PAYLOAD_HEADER_BYTES)
  const second = payload.subarray(starts[1])
  assert.ok(second.equals(Argv.of('XADD', 'k', '*', 'f', big).buffer))
  assert.equal(batch.count, 0)
})

test('an entry of another term at the index means that the proposal is lost', () => {
  const proposals = new Proposals<string>()
  const client = new Client()
  proposals.add(5, 2, sealed(client, 1))
  assert.equal(proposals.take(5, 3), null)
  assert.deepEqual(client.heard, ['1!moved'])
  assert.equal(proposals.bytes, 0)
})

test('a proposal of a later term at the same index ends the earlier one', () => {
  const proposals = new Proposals<string>()
  const client = new Client()
  proposals.add(5, 2, sealed(client, 1))
  proposals.add(5, 4, sealed(client, 2))
  assert.deepEqual(client.heard, ['1!moved'])
  assert.deepEqual(proposals.take(5, 4)?.tickets, [2])
})

test('a deposed leader says in-doubt for the terms before, not for what it proposed since', () => {
  const proposals = new Proposals<string>()
  const client = new Client()
  proposals.add(5, 2, sealed(client, 1))
  proposals.add(6, 4, sealed(client, 2))
  proposals.loseBefore(3)
  assert.deepEqual(client.heard, ['1!in-doubt'])
  assert.equal(proposals.size, 1)
})

test('a read is served when its round is confirmed and the index applied, never before', () => {
  const reads = new Reads<string>()
  const client = new Client()
  const query = { run: () => new Wait([], 0) }
  reads.add({ asker: client, ticket: 1, query }, false)
  const first = reads.begin(10, false)
  reads.add({ asker: client, ticket: 2, query }, true)
  const second = reads.begin(12, false)
  assert.equal(reads.takeServable(100), null)
  reads.confirm(first, 8)
  assert.equal(reads.takeServable(7), null)
  assert.deepEqual(
    reads.takeServable(9)?.map(each => each.ticket),
    [1],
  )
  reads.confirm(second, 8)
  // It follows the session's own writes, up to 12.
  assert.equal(reads.takeServable(11), null)
  assert.equal(reads.takeServable(12)?.length, 1)
})

test('a later confirmation serves the rounds before it; an earlier one never a later round', () => {
  const reads = new Reads<string>()
  const client = new Client()
  const query = { run: () => new Wait([], 0) }
  reads.add({ asker: client, ticket: 1, query }, false)
  const first = reads.begin(0, false)
  reads.add({ asker: client, ticket: 2, query }, false)
  const second = reads.begin(0, false)
  reads.confirm(first, 5)
  assert.equal(reads.takeServable(5)?.length, 1)
  assert.equal(reads.takeServable(5), null)
  reads.confirm(second, 5)
  assert.equal(reads.takeServable(5)?.length, 1)
})
