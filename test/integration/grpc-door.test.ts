// The gRPC door over loopback, with a desk that answers by a script: what only a
// real client and a real HTTP/2 connection show.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { after, before, test } from 'node:test'
import {
  Client,
  type ClientDuplexStream,
  status as codes,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js'
import type { Logger } from '../../src/base/log.ts'
import { GrpcDoor } from '../../src/doors/grpc/server.ts'
import { ClusterServiceClient } from '../../src/gen/slotcast/v1/cluster_service.ts'
import {
  CommandServiceClient,
  type SessionRequest,
  type SessionResponse,
} from '../../src/gen/slotcast/v1/command_service.ts'
import {
  StreamServiceClient,
  StreamServiceReadRequest,
  StreamServiceService,
} from '../../src/gen/slotcast/v1/stream_service.ts'
import { array, bulk, fail, integer } from '../../src/machine/reply.ts'
import { FakeDesk } from '../unit/doors/grpc/fake-desk.ts'

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
const desk = new FakeDesk()
const door = new GrpcDoor(desk, { host: '127.0.0.1', port: 0, nodeName: 'n1', logger: quiet })
const clients: Client[] = []
let address = ''

function dial<C extends Client>(make: new (...args: ConstructorParameters<typeof Client>) => C): C {
  const client = new make(address, credentials.createInsecure())
  clients.push(client)
  return client
}

const b = (text: string): Buffer => Buffer.from(text)
const fields = [{ name: b('item'), value: b('7') }]
const append = {
  key: b('orders'),
  id: '',
  fields,
  noCreate: false,
  trim: undefined,
  producer: undefined,
  idempotence: undefined,
}
const blocked = StreamServiceReadRequest.create({
  streams: [{ key: b('orders'), after: '$' }],
  block: { seconds: 0n, nanos: 0 },
})

type Unary<Q> = (request: Q, done: (error: ServiceError | null, answer: object) => void) => unknown

/** The answer of a unary call, or the error that it ended with. */
function ask<Q>(client: Client, rpc: Unary<Q>, request: Q): Promise<object> {
  return new Promise(resolve => {
    rpc.call(client, request, (error, answer) => resolve(error ?? answer))
  })
}

function failure(answer: object): ServiceError {
  assert.ok(answer instanceof Error && 'code' in answer, 'the call failed')
  return answer as ServiceError
}

before(async () => {
  const port = await new Promise<number>((resolve, reject) => {
    door.listen((error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  address = `127.0.0.1:${port}`
})

after(() => {
  for (const client of clients) client.close()
  door.kill()
})

test('a typed call is a command, with its producer mark, and its reply a message', async () => {
  const streams = dial(StreamServiceClient)
  desk.script = () => ({ kind: 'id', id: { ms: 5, seq: 1 } })
  const producer = { producerId: 'p1', epoch: 2, sequence: 3n }
  const answer = await ask(streams, streams.append, { ...append, producer })
  assert.deepEqual(answer, { id: '5-1' })
  const asked = desk.asked.at(-1)
  assert.deepEqual(asked?.words, ['XADD', 'orders', '*', 'item', '7'])
  assert.deepEqual(asked?.producer, { id: 'p1', epoch: 2, sequence: 3 })
})

test('many typed calls share few sessions, and each call gets its own answer', async () => {
  const streams = dial(StreamServiceClient)
  let n = 0
  desk.script = () => {
    n += 1
    return integer(n)
  }
  const before = desk.sessions.length
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(streams, streams.length, { key: b('k') })),
    )
    const lengths = answers.map(answer => ('length' in answer ? Number(answer.length) : -1))
    assert.equal(new Set(lengths).size, 20)
  }
  assert.ok(desk.sessions.length - before <= 20)
})

test('a request that is wrong in itself is INVALID_ARGUMENT and never reaches the desk', async () => {
  const streams = dial(StreamServiceClient)
  const commands = dial(CommandServiceClient)
  const before = desk.asked.length
  const cases = [
    [await ask(streams, streams.append, { ...append, key: b('') }), /key is required/],
    [await ask(streams, streams.append, { ...append, fields: [] }), /fields is empty/],
    [await ask(streams, streams.append, { ...append, key: Buffer.alloc(65_537) }), /key is over/],
    [
      await ask(streams, streams.append, {
        ...append,
        producer: { producerId: '', epoch: 0, sequence: 1n },
      }),
      /producer_id/,
    ],
    [await ask(commands, commands.execute, { argv: [], producer: undefined }), /argv is empty/],
    [
      await ask(commands, commands.execute, {
        argv: [b('client'), b('reply'), b('off')],
        producer: undefined,
      }),
      /CLIENT REPLY/,
    ],
  ] as const
  for (const [answer, text] of cases) {
    const error = failure(answer)
    assert.equal(error.code, codes.INVALID_ARGUMENT)
    assert.match(error.details, text)
  }
  assert.equal(desk.asked.length, before)
})

test('bytes that are no message, and a message over the limit, leave the door standing', async () => {
  const raw = dial(Client)
  const same = (bytes: Buffer): Buffer => bytes
  const send = (path: string, bytes: Buffer): Promise<ServiceError | null> =>
    new Promise(resolve => {
      raw.makeUnaryRequest(path, same, same, bytes, error => resolve(error))
    })
  const { path } = StreamServiceService.append
  assert.equal((await send(path, b('\xff\xff\xff')))?.code, codes.INTERNAL)
  assert.equal((await send(path, Buffer.alloc(34 * 1024 * 1024)))?.code, codes.RESOURCE_EXHAUSTED)
  assert.equal((await send('/slotcast.v1.None/Such', b('')))?.code, codes.UNIMPLEMENTED)
  desk.script = () => integer(1)
  const streams = dial(StreamServiceClient)
  assert.deepEqual(await ask(streams, streams.length, { key: b('k') }), { length: 1n })
})

test('Execute answers any command, and an error of it is the status of the call', async () => {
  const commands = dial(CommandServiceClient)
  desk.script = words => (words[0] === 'PING' ? { kind: 'simple', text: 'PONG' } : fail('ERR no'))
  const pong = await ask(commands, commands.execute, { argv: [b('PING')], producer: undefined })
  assert.deepEqual(pong, { reply: { kind: { $case: 'simple', value: 'PONG' } } })
  const no = await ask(commands, commands.execute, { argv: [b('NO')], producer: undefined })
  assert.equal(failure(no).code, codes.INVALID_ARGUMENT)
  assert.deepEqual(failure(no).metadata.get('slotcast-code'), ['ERR no'])
  const own = desk.sessions.slice(-2)
  assert.deepEqual(
    own.map(session => session.ended),
    [true, true],
    'each had a session of its own, which ended with it',
  )
})

test('a blocked read ends with its deadline or its cancellation, and the wait is forgotten', async () => {
  const streams = dial(StreamServiceClient)
  desk.script = () => null
  const deadline = await new Promise<ServiceError | null>(resolve => {
    const options = { deadline: Date.now() + 50 }
    streams.read(blocked, new Metadata(), options, error => resolve(error))
  })
  assert.equal(deadline?.code, codes.DEADLINE_EXCEEDED)
  const first = desk.asked.at(-1)
  assert.deepEqual(first?.words.slice(0, 3), ['XREAD', 'BLOCK', '0'])
  const cancelled = await new Promise<ServiceError | null>(resolve => {
    const call = streams.read(blocked, error => resolve(error))
    const seen = desk.asked.length
    const wait = setInterval(() => {
      if (desk.asked.length === seen) return
      clearInterval(wait)
      call.cancel()
    }, 1)
  })
  assert.equal(cancelled?.code, codes.CANCELLED)
  const second = desk.asked.at(-1)
  assert.notEqual(second, first)
  // The server hears of it a moment after the client.
  while (first?.session.ended !== true || second?.session.ended !== true) {
    await new Promise(resolve => setImmediate(resolve))
  }
})

test('a call whose message comes after its deadline is never executed', async () => {
  const client = connect(`http://${address}`)
  desk.script = () => null
  const before = desk.asked.length
  const { path } = StreamServiceService.read
  const head = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '20m',
  }
  const stream = client.request(head, { endStream: false })
  const [answer] = await once(stream, 'response')
  assert.equal(answer['grpc-status'], String(codes.DEADLINE_EXCEEDED))
  const message = Buffer.from(StreamServiceReadRequest.encode(blocked).finish())
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  message.copy(frame, 5)
  stream.end(frame)
  stream.resume()
  await once(stream, 'close')
  client.close()
  // Another call says that the door has seen the first to its end.
  const commands = dial(CommandServiceClient)
  desk.script = () => integer(1)
  await ask(commands, commands.execute, { argv: [b('PING')], producer: undefined })
  assert.equal(desk.asked.length, before + 1)
})

type Session = ClientDuplexStream<SessionRequest, SessionResponse>

/** Reads frames until `count` results came. */
async function results(stream: Session, count: number) {
  const found: SessionResponse['results'] = []
  while (found.length < count) {
    const [frame] = (await once(stream, 'data')) as [SessionResponse]
    found.push(...frame.results)
  }
  return found
}

test('a session answers frames of 64 calls by their tags and ends when its caller does', async () => {
  const commands = dial(CommandServiceClient)
  desk.script = words => array(words.map(word => bulk(b(word))))
  const stream = commands.session()
  const frame = (from: number) => ({
    calls: Array.from({ length: 64 }, (_, i) => ({
      tag: BigInt(from + i),
      argv: [b('ECHO'), b(String(from + i))],
      producer: undefined,
    })),
  })
  for (let i = 0; i < 16; i += 1) stream.write(frame(i * 64))
  const found = await results(stream, 16 * 64)
  const tags = new Set<bigint>()
  for (const { tag, outcome } of found) {
    tags.add(tag)
    assert.ok(outcome?.$case === 'reply' && outcome.value.kind?.$case === 'array')
    const [, word] = outcome.value.kind.value.items
    assert.deepEqual(word?.kind, { $case: 'bulk', value: b(String(tag)) })
  }
  assert.equal(tags.size, 16 * 64)
  stream.end()
  stream.resume()
  await once(stream, 'end')
})

test('a malformed frame ends its session alone, with INVALID_ARGUMENT', async () => {
  const raw = dial(Client)
  const same = (bytes: Buffer): Buffer => bytes
  const stream = raw.makeBidiStreamRequest('/slotcast.v1.CommandService/Session', same, same)
  stream.write(b('\x0a\x7f'))
  stream.resume()
  const [error] = (await once(stream, 'error')) as [ServiceError]
  assert.equal(error.code, codes.INVALID_ARGUMENT)
  assert.match(error.details, /malformed SessionRequest/)
})

test('WatchTopology tells the map at once and after each change, and unwatches with its caller', async () => {
  const cluster = dial(ClusterServiceClient)
  const before = desk.watchers
  const stream = cluster.watchTopology({})
  const [first] = await once(stream, 'data')
  assert.equal(first.topology.configEpoch, 7n)
  assert.equal(first.topology.nodeId, 'n1')
  assert.equal(first.topology.nodes.length, 3)
  assert.equal(first.topology.shards[0].leaderNodeId, 'n2')
  desk.leader = 3
  desk.view = { ...desk.view, epoch: 8 }
  desk.topologyChanged()
  const [second] = await once(stream, 'data')
  assert.equal(second.topology.configEpoch, 8n)
  assert.equal(second.topology.shards[0].leaderNodeId, 'n3')
  stream.on('error', () => {})
  stream.cancel()
  while (desk.watchers > before) await new Promise(resolve => setImmediate(resolve))
  const whole = await ask(cluster, cluster.getTopology, {})
  assert.deepEqual(whole, { topology: second.topology })
})
