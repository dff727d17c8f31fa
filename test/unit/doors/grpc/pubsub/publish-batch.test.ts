// PubSubService.PublishBatch: an outcome for each publication, in order, and nothing left behind.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { publishBatch } from '../../../../../src/doors/grpc/pubsub/publish-batch.ts'
import type { PublishBatchResponse } from '../../../../../src/gen/slotcast/v1/pubsub_service.ts'
import { fail, integer } from '../../../../../src/machine/reply.ts'
import { FakeDesk } from '../fake-desk.ts'

type Called = { answer: PublishBatchResponse | null; failure: string; cancel(): void }

function begin() {
  const desk = new FakeDesk()
  desk.script = () => integer(1)
  const handler = publishBatch(desk, () => 's:1')
  const call = (...channels: string[]): Called => {
    const publications = channels.map(channel => ({
      ...{ channel: Buffer.from(channel), payload: Buffer.from('x') },
      sharded: channel.startsWith('s'),
    }))
    const fake = Object.assign(new EventEmitter(), {
      request: { publications },
      getPeer: () => 'c:1',
    })
    const called: Called = { answer: null, failure: '', cancel: () => fake.emit('cancelled') }
    handler(fake as never, (error, answer) => {
      if (error) called.failure = String(error.details)
      else called.answer = answer ?? null
    })
    return called
  }
  const asked = (): string[] => desk.asked.map(({ words }) => words.join(' '))
  return { desk, call, asked }
}

async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise(resolve => setImmediate(resolve))
}

test('each publication has its outcome, in the order of the request', async () => {
  const { desk, call, asked } = begin()
  const redirect = { kind: 'MOVED', slot: 1, epoch: 7, shard: 1, leader: 2 } as const
  desk.script = ([word]) =>
    word === 'SPUBLISH' ? { ...fail('MOVED 1 127.0.0.1:7102'), redirect } : integer(3)
  const called = call('a', 's', '', 'b')
  await turns()
  assert.deepEqual(asked(), ['PUBLISH a x', 'SPUBLISH s x', 'PUBLISH b x'])
  const outcomes = called.answer?.outcomes.map(({ outcome }) => outcome) ?? []
  assert.deepEqual(
    outcomes.map(outcome => outcome?.$case),
    ['receivers', 'redirect', 'error', 'receivers'],
  )
  const [, moved, wrong] = outcomes
  assert.equal(moved?.$case === 'redirect' && moved.value.moved?.leader?.nodeId, 'n2')
  assert.equal(wrong?.$case === 'error' && wrong.value.text, 'ERR channel is required')
  assert.equal(desk.sessions[0]?.ended, true)
})

test('while the desk takes no commands the rest waits, and a call that is cancelled publishes no more', async () => {
  const { desk, call, asked } = begin()
  desk.takesMax = 2
  const first = call('a', 'b', 'c')
  await turns()
  assert.equal(asked().length, 2)
  const answers = (called: Called): number => called.answer?.outcomes.length ?? 0
  assert.equal(answers(first), 0)
  desk.takesMax = 9
  desk.sessions[0]?.client.resume()
  await turns()
  assert.equal(answers(first), 3)
  desk.takesMax = 1
  const second = call('d', 'e')
  second.cancel()
  assert.equal(desk.sessions[1]?.ended, true)
  desk.takesMax = 9
  desk.sessions[1]?.client.resume()
  await turns()
  assert.equal(asked().length, 4)
  assert.equal(answers(second), 0)
})

test('a session that ends leaves open only what was handed on', async () => {
  const { desk, call } = begin()
  desk.script = () => null
  desk.takesMax = 1
  const called = call('a', 'b')
  desk.sessions[0]?.client.close('killed')
  await turns()
  const codes = called.answer?.outcomes.map(({ outcome }) =>
    outcome?.$case === 'error' ? outcome.value.code : outcome?.$case,
  )
  assert.deepEqual(codes, ['INDOUBT', 'TRYAGAIN'])
})

test('an empty batch, and one that is too long, are refused whole', () => {
  const { call, asked } = begin()
  assert.match(call().failure, /between 1 and 10000/)
  assert.match(call(...Array(10_001).fill('a')).failure, /between 1 and 10000/)
  assert.deepEqual(asked(), [])
})
