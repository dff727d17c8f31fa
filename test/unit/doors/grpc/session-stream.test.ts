import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { ReplyWriter } from '../../../../src/doors/grpc/reply-writer.ts'
import {
  type SessionCall,
  SessionStream,
  type SessionTools,
} from '../../../../src/doors/grpc/session-stream.ts'
import { Words } from '../../../../src/doors/grpc/words.ts'
import {
  type CallResult,
  SessionRequest,
  SessionResponse,
} from '../../../../src/gen/slotcast/v1/command_service.ts'
import { array, bulk, fail, integer, OK } from '../../../../src/machine/reply.ts'
import { FakeDesk } from './fake-desk.ts'

/** The stream of grpc-js as far as a session sees it. */
class FakeCall extends EventEmitter {
  readonly frames: SessionResponse[] = []
  room = true
  paused = false
  ended = false
  failure: (Error & { code?: number }) | null = null

  constructor() {
    super()
    this.on('error', error => {
      this.failure = error
    })
  }

  write(bytes: Buffer, written: () => void): boolean {
    this.frames.push(SessionResponse.decode(bytes))
    if (this.room) written()
    return this.room
  }

  end(): void {
    this.ended = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  get results(): CallResult[] {
    return this.frames.flatMap(frame => frame.results)
  }

  /** Results as `tag:outcome`. */
  get told(): string[] {
    return this.results.map(({ tag, outcome }) => `${tag}:${outcome?.$case}`)
  }
}

function open() {
  const desk = new FakeDesk()
  const gathered = new Set<SessionStream>()
  const tools: SessionTools = {
    desk,
    words: new Words(),
    writer: new ReplyWriter(),
    gathered: session => gathered.add(session),
  }
  desk.onFlush(() => {
    for (const session of gathered) session.flush()
    gathered.clear()
  })
  const call = new FakeCall()
  const session = new SessionStream(call as unknown as SessionCall, tools, 'c:1', 's:1')
  return { desk, call, session }
}

function send(call: FakeCall, ...calls: readonly [number, ...string[]][]): void {
  const frame = {
    calls: calls.map(([tag, ...argv]) => ({
      tag: BigInt(tag),
      argv: argv.map(word => Buffer.from(word)),
      producer: undefined,
    })),
  }
  call.emit('data', Buffer.from(SessionRequest.encode(frame).finish()))
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(() => setImmediate(resolve)))

test('answers of a turn leave in one frame, by their tags, with the epoch of the map', async () => {
  const { desk, call } = open()
  desk.script = words => (words[0] === 'LATER' ? null : integer(words.length))
  send(call, [1, 'A'], [2, 'LATER'], [3, 'B', 'x'])
  send(call, [4, 'C', 'x', 'y'])
  assert.equal(call.frames.length, 0, 'nothing leaves before the turn ends')
  await turn()
  assert.equal(call.frames.length, 1)
  assert.equal(call.frames[0]?.configEpoch, 7n)
  assert.deepEqual(call.told, ['1:reply', '3:reply', '4:reply'])
  const later = desk.asked[1]
  later?.session.client.answer(later.ticket, array([bulk(Buffer.from('x')), OK]))
  desk.script = () => OK
  send(call, [5, 'D'])
  await turn()
  assert.deepEqual(call.told.slice(3), ['2:reply', '5:reply'])
  assert.equal(call.ended, false)
})

test('a redirect and an error are told in band and leave the session open', async () => {
  const { desk, call } = open()
  desk.atOnce = true
  const redirect = { kind: 'MOVED', slot: 3999, epoch: 7, shard: 1, leader: 2 } as const
  desk.script = words =>
    words[0] === 'XADD'
      ? { kind: 'error', text: 'MOVED 3999 127.0.0.1:7102', redirect }
      : fail(words[0] === 'XLEN' ? 'CLUSTERDOWN no leader' : 'ERR é')
  send(call, [1, 'XADD'], [2, 'XLEN'], [3, 'NO'])
  assert.equal(call.frames.length, 1, 'what is refused at once leaves at once')
  const [moved, down, wrong] = call.results.map(result => result.outcome)
  assert.ok(moved?.$case === 'redirect')
  assert.equal(moved.value.text, 'MOVED 3999 127.0.0.1:7102')
  assert.equal(moved.value.moved?.leader?.port, 7102)
  assert.equal(moved.value.moved?.replicas.length, 2)
  assert.deepEqual(moved.value.moved?.range, { first: 0, last: 8191 })
  assert.ok(down?.$case === 'error')
  assert.equal(down.value.code, 'CLUSTERDOWN')
  assert.ok((down.value.retryDelay?.nanos ?? 0) > 0)
  assert.deepEqual(wrong, {
    $case: 'error',
    value: { code: 'ERR', text: 'ERR é', retryDelay: undefined },
  })
  assert.equal(call.failure, null)
})

test('a call without words and CLIENT REPLY are refused, and never reach the desk', () => {
  const { desk, call } = open()
  send(call, [1], [2, 'client', 'reply', 'OFF'])
  assert.deepEqual(call.told, ['1:error', '2:error'])
  assert.equal(desk.asked.length, 0)
})

test('a frame that is none ends the session with INVALID_ARGUMENT', () => {
  const { desk, call } = open()
  call.emit('data', Buffer.from([0x0a, 0x05, 0x12]))
  assert.equal(call.failure?.code, 3)
  assert.match(call.failure?.message ?? '', /malformed SessionRequest/)
  assert.equal(desk.sessions[0]?.ended, true)
})

test('when the desk takes no more, the rest of the frame waits and reading stops', async () => {
  const { desk, call } = open()
  desk.takesMax = 2
  desk.script = () => OK
  send(call, [1, 'A'], [2, 'B'], [3, 'C'])
  assert.equal(desk.asked.length, 2)
  assert.equal(call.paused, true)
  call.emit('end')
  await turn()
  assert.deepEqual(call.told, ['1:reply', '2:reply'])
  assert.equal(call.ended, false, 'a call was read and not yet handed on')
  desk.takesMax = 2
  desk.sessions[0]?.client.resume()
  assert.equal(desk.asked.length, 3)
  assert.equal(call.paused, false)
  await turn()
  assert.deepEqual(call.told, ['1:reply', '2:reply', '3:reply'])
  assert.equal(call.ended, true)
})

test('a client that does not read its answers is not read from', async () => {
  const { desk, call } = open()
  desk.script = () => OK
  call.room = false
  send(call, [1, 'A'])
  await turn()
  assert.equal(call.paused, true)
  call.room = true
  call.emit('drain')
  assert.equal(call.paused, false)
})

test('a client that hoards unread answers is cut off', async () => {
  const { desk, call } = open()
  const large = bulk(Buffer.alloc(16 * 1024 * 1024))
  desk.script = () => large
  call.write = (_bytes: Buffer) => false
  for (let i = 0; i < 18; i += 1) send(call, [i, 'A'])
  await turn()
  assert.equal(call.failure?.code, 8)
  assert.equal(desk.sessions[0]?.ended, true)
})

test('a frame that grows large leaves before the turn ends', async () => {
  const { desk, call } = open()
  const reply = bulk(Buffer.alloc(400_000))
  desk.script = () => reply
  for (let i = 0; i < 5; i += 1) send(call, [i, 'A'])
  await turn()
  assert.deepEqual(
    call.frames.map(frame => frame.results.length),
    [3, 2],
  )
})

test('after the last frame of the client what is under way is still answered', async () => {
  const { desk, call } = open()
  desk.script = words => (words[0] === 'LATER' ? null : OK)
  send(call, [1, 'LATER'], [2, 'A'])
  call.emit('end')
  await turn()
  assert.deepEqual(call.told, ['2:reply'])
  assert.equal(call.ended, false)
  const later = desk.asked[0]
  desk.script = () => null
  later?.session.client.answer(later.ticket, OK)
  desk.sessions[0]?.client.close('flush')
  await turn()
  assert.deepEqual(call.told, ['2:reply', '1:reply'])
  assert.equal(call.ended, true)
  assert.equal(desk.sessions[0]?.ended, true)
})

test('a client that is gone is forgotten at once', () => {
  const { desk, call } = open()
  desk.script = () => null
  send(call, [1, 'XREAD'])
  call.emit('cancelled')
  assert.equal(desk.sessions[0]?.ended, true)
  desk.asked[0]?.session.client.answer(1, OK)
  assert.equal(call.frames.length, 0)
})
