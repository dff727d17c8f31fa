// The proposal buffer: order, bounds and bytes of what waits for Raft, and who hears what when it waits in vain.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { limits } from '../../../src/base/limits.ts'
import { PAYLOAD_HEADER_BYTES, payloadNow } from '../../../src/base/payload.ts'
import type { Asker } from '../../../src/replica/ports.ts'
import { ProposalBuffer } from '../../../src/replica/proposal-buffer.ts'

class Client implements Asker<string> {
  closed = false
  readonly heard: string[] = []
  onLost: (() => void) | null = null
  answer(ticket: number, reply: string): void {
    this.heard.push(`${ticket}=${reply}`)
  }
  lose(ticket: number, why: string): void {
    this.heard.push(`${ticket}!${why}`)
    this.onLost?.()
  }
}

class Rig {
  now = 1_000
  readonly client = new Client()
  readonly buffer = new ProposalBuffer<string>({ now: () => this.now })

  add(ticket: number, value = 'v'): void {
    this.buffer.add(this.client, ticket, Argv.of('XADD', 'k', '*', 'f', value), null)
  }

  /** Lets Raft take all that is sealed. @returns the tickets of each batch */
  takeAll(): (readonly number[])[] {
    const taken: (readonly number[])[] = []
    for (let next = this.buffer.next(); next !== null; next = this.buffer.next()) {
      taken.push(next.tickets)
      this.buffer.proposed()
    }
    return taken
  }
}

test('nothing is proposed before it is sealed, and a batch carries the time of its sealing', () => {
  const rig = new Rig()
  rig.add(1)
  assert.equal(rig.buffer.next(), null)
  rig.now = 2_000
  rig.add(2)
  rig.buffer.seal()
  rig.now = 3_000
  const sealed = rig.buffer.next()
  assert.deepEqual(sealed?.tickets, [1, 2])
  assert.equal(payloadNow(sealed?.payload ?? Buffer.alloc(0)), 2_000)
})

test('sealing what holds nothing makes no entry', () => {
  const rig = new Rig()
  rig.buffer.seal()
  rig.buffer.seal()
  assert.equal(rig.buffer.next(), null)
  assert.equal(rig.buffer.size, 0)
})

test('a batch that Raft refuses stays the next one, and those behind it keep their order', () => {
  const rig = new Rig()
  for (const ticket of [1, 2, 3]) {
    rig.add(ticket)
    rig.buffer.seal()
  }
  assert.deepEqual(rig.buffer.next()?.tickets, [1])
  assert.deepEqual(rig.buffer.next()?.tickets, [1])
  assert.deepEqual(rig.takeAll(), [[1], [2], [3]])
  assert.deepEqual(rig.client.heard, [])
})

test('a batch as large as an entry should be is sealed by the command that comes after it', () => {
  const rig = new Rig()
  rig.add(1, 'x'.repeat(limits.entryBytesSoftMax))
  assert.equal(rig.buffer.next(), null)
  rig.add(2)
  assert.deepEqual(rig.buffer.next()?.tickets, [1])
  rig.buffer.seal()
  assert.deepEqual(rig.takeAll(), [[1], [2]])
})

test('no entry holds more commands than an entry may', () => {
  const rig = new Rig()
  const argv = Argv.of('PING')
  for (let i = 0; i <= limits.entryCommandsMax; i += 1) rig.buffer.add(rig.client, i, argv, null)
  rig.buffer.seal()
  assert.deepEqual(
    rig.takeAll().map(tickets => tickets.length),
    [limits.entryCommandsMax, 1],
  )
})

test('bytes and size count what is gathered and what is sealed, until Raft takes it', () => {
  const rig = new Rig()
  const empty = rig.buffer.bytes
  assert.equal(empty, PAYLOAD_HEADER_BYTES)
  rig.add(1, 'x'.repeat(500))
  const one = rig.buffer.bytes - empty
  assert.ok(one > 500)
  rig.buffer.seal()
  assert.equal(rig.buffer.bytes, 2 * empty + one)
  rig.add(2)
  rig.add(3)
  assert.equal(rig.buffer.size, 3)
  const both = rig.buffer.bytes
  rig.buffer.proposed()
  assert.equal(rig.buffer.bytes, both - empty - one)
  assert.equal(rig.buffer.size, 2)
  rig.buffer.loseAll()
  assert.equal(rig.buffer.size, 0)
  assert.equal(rig.buffer.bytes, empty)
})

test('whoever waits in vain hears once that it was surely not done, the gathered ones too', () => {
  const rig = new Rig()
  rig.add(1)
  rig.buffer.seal()
  rig.add(2)
  rig.buffer.proposed()
  rig.add(3)
  rig.buffer.seal()
  rig.add(4)
  rig.buffer.loseAll()
  rig.buffer.loseAll()
  assert.deepEqual(rig.client.heard, ['2!moved', '3!moved', '4!moved'])
  assert.equal(rig.buffer.next(), null)
})

test('a command that comes while others are lost is not lost with them', () => {
  const rig = new Rig()
  rig.add(1)
  rig.client.onLost = () => {
    rig.client.onLost = null
    rig.add(9)
  }
  rig.buffer.loseAll()
  rig.buffer.seal()
  assert.deepEqual(rig.client.heard, ['1!moved'])
  assert.deepEqual(rig.takeAll(), [[9]])
})

test('orphans hear nothing until it is known who leads, and then where to ask', () => {
  const rig = new Rig()
  rig.add(1)
  rig.buffer.seal()
  rig.buffer.orphan()
  rig.add(2)
  assert.equal(rig.buffer.isOrphaned, true)
  assert.deepEqual(rig.client.heard, [])
  rig.buffer.adopt(false)
  assert.equal(rig.buffer.isOrphaned, false)
  assert.deepEqual(rig.client.heard, ['1!moved', '2!moved'])
})

test('orphans of a leader that leads again are proposed after all', () => {
  const rig = new Rig()
  rig.add(1)
  rig.buffer.seal()
  rig.buffer.orphan()
  rig.buffer.adopt(true)
  assert.equal(rig.buffer.isOrphaned, false)
  assert.deepEqual(rig.client.heard, [])
  assert.deepEqual(rig.takeAll(), [[1]])
})
