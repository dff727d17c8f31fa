// What waits in a link: Raft's messages and what may be lost have bounds of their own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Frame } from '../../../../src/doors/peer/frames.ts'
import { Outlet } from '../../../../src/doors/peer/outlet.ts'
import type { Envelope } from '../../../../src/replica/ports.ts'
import { append } from './end.ts'

const KiB = 1024
const MAX = 64 * KiB

/** A stream that takes nothing until it is told to. */
class Stuck {
  readonly frames: Frame[] = []
  readonly #taken: (() => void)[] = []

  on(): void {}
  end(): void {}

  write(frame: Frame, taken?: () => void): void {
    this.frames.push(frame)
    if (taken !== undefined) this.#taken.push(taken)
  }

  take(count: number): void {
    for (const taken of this.#taken.splice(0, count)) taken()
  }
}

function stuckOutlet(): { readonly stuck: Stuck; readonly outlet: Outlet } {
  const stuck = new Stuck()
  const call = stuck as unknown as ServerWritableStream<unknown, Frame>
  const hello = { protocol: 1, cluster: 'c', fingerprint: 'f', node: 1, incarnation: 'i' }
  return { stuck, outlet: new Outlet(call, hello, MAX, () => {}) }
}

function pubsub(bytes: number): Envelope {
  return { ...append(1), messages: [], pubsub: Buffer.alloc(bytes) }
}

const raft = append(1, Buffer.alloc(10 * KiB))

test('pub/sub that waits takes no room from Raft', () => {
  const { outlet } = stuckOutlet()
  for (let i = 0; i < 10; i += 1) assert.ok(outlet.send(pubsub(10 * KiB)) > 0)
  let sent = 0
  while (outlet.send(raft) > 0) sent += 1
  assert.ok(sent >= 5 && sent <= 6, String(sent))
})

test('Raft that waits leaves pub/sub its room, and a link that is empty takes a message of any size', () => {
  const { outlet, stuck } = stuckOutlet()
  assert.equal(outlet.room, Number.POSITIVE_INFINITY)
  while (outlet.send(raft) > 0);
  assert.ok(outlet.room > MAX && outlet.room < Number.POSITIVE_INFINITY)
  outlet.send(pubsub(10 * KiB))
  assert.equal(outlet.room, MAX / 2 - 10 * KiB)
  outlet.send(pubsub(100 * KiB))
  assert.equal(outlet.room, 0)
  stuck.take(Number.POSITIVE_INFINITY)
  assert.equal(outlet.room, Number.POSITIVE_INFINITY)
})

test('pub/sub of a large envelope has a frame of its own, behind the messages', () => {
  const { outlet, stuck } = stuckOutlet()
  const messages = [...append(1, Buffer.alloc(9 * KiB * KiB)).messages]
  outlet.send({ ...append(1), messages, pubsub: Buffer.alloc(5) })
  const sent = stuck.frames.flatMap(frame => (frame.kind === 'envelope' ? [frame.envelope] : []))
  assert.equal(
    sent.reduce((sum, envelope) => sum + envelope.messages.length, 0),
    1,
  )
  assert.deepEqual(
    sent.map(envelope => envelope.pubsub.length),
    [0, 5],
  )
})
