// Health and reflection, as tools see them: grpcurl, load balancers, orchestrators.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { Client, credentials, makeClientConstructor, type ServiceError } from '@grpc/grpc-js'
import { service as healthService } from 'grpc-health-check'
import type { Logger } from '../../src/base/log.ts'
import { GrpcDoor } from '../../src/doors/grpc/server.ts'
import { SessionRequest, SessionResponse } from '../../src/gen/slotcast/v1/command_service.ts'
import { OK } from '../../src/machine/reply.ts'
import { FakeDesk } from '../unit/doors/grpc/fake-desk.ts'

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
const desk = new FakeDesk()
const door = new GrpcDoor(desk, { host: '127.0.0.1', port: 0, nodeName: 'n1', logger: quiet })
let address = ''
const clients: Client[] = []

const NAMES = [
  'Admin',
  'Cluster',
  'Command',
  'Group',
  'Key',
  'List',
  'PubSub',
  'Set',
  'Stream',
  'String',
].map(name => `slotcast.v1.${name}Service`)

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

const same = (bytes: Buffer): Buffer => bytes

/** The strings or messages in field `wanted`, or the first of them on a path of fields. */
function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes)
  const found: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === wanted && wire === 2) found.push(reader.bytes())
    else reader.skip(wire, field)
  }
  return found
}

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

/** Asks one question of server reflection: field number and text of the request. */
async function reflect(version: string, field: number, text: string): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure())
  clients.push(client)
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`
  const stream = client.makeBidiStreamRequest(path, same, same)
  const request = new BinaryWriter().uint32((field << 3) | 2).string(text)
  stream.write(Buffer.from(request.finish()))
  const [answer] = (await once(stream, 'data')) as [Buffer]
  stream.end()
  return answer
}

for (const version of ['v1', 'v1alpha']) {
  test(`reflection ${version} lists the services and describes them with all they need`, async () => {
    const list = await reflect(version, 7, '')
    const services = fieldsOf(fieldsOf(list, 6)[0] ?? Buffer.alloc(0), 1)
      .map(service => textOf(fieldsOf(service, 1)[0]))
      .sort()
    assert.deepEqual(services, NAMES)
    for (const name of NAMES) {
      const answer = await reflect(version, 4, name)
      const files = fieldsOf(fieldsOf(answer, 4)[0] ?? Buffer.alloc(0), 1)
      const known = new Set(files.map(file => textOf(fieldsOf(file, 1)[0])))
      assert.ok(known.size > 0, `${name} is described`)
      for (const file of files) {
        for (const needed of fieldsOf(file, 3)) {
          assert.ok(known.has(textOf(needed)), `${textOf(needed)} comes with ${name}`)
        }
      }
    }
  })
}

test('health follows the node, for the whole and for each service', async () => {
  const Health = makeClientConstructor(healthService as never, 'Health')
  const client = new Health(address, credentials.createInsecure())
  clients.push(client)
  const check = (service: string): Promise<string> =>
    new Promise(resolve => {
      const done = (error: ServiceError | null, answer: { status: string }): void =>
        resolve(error === null ? answer.status : error.details)
      type Check = (request: object, callback: typeof done) => void
      const { check: rpc } = client as unknown as { check: Check }
      rpc.call(client, { service }, done)
    })
  for (const service of ['', ...NAMES]) assert.equal(await check(service), 'SERVING', service)
  assert.match(await check('no.Such'), /unknown/)
  desk.problem = 'shard 2 has no leader'
  desk.topologyChanged()
  for (const service of ['', ...NAMES]) assert.equal(await check(service), 'NOT_SERVING')
  desk.problem = null
  desk.topologyChanged()
  assert.equal(await check(''), 'SERVING')
})

test('a port that is taken is told as a fault of the world', async () => {
  const port = Number(address.split(':')[1])
  const second = new GrpcDoor(desk, { host: '127.0.0.1', port, nodeName: 'n2', logger: quiet })
  const error = await new Promise(resolve => second.listen(resolve))
  assert.equal((error as { code?: string }).code, 'PORT')
  second.kill()
})

test('a door that stops ends sessions and watches, and then is closed', async () => {
  const other = new GrpcDoor(desk, { host: '127.0.0.1', port: 0, nodeName: 'n3', logger: quiet })
  const port = await new Promise<number>(resolve => other.listen((_error, bound) => resolve(bound)))
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  clients.push(client)
  const session = client.makeBidiStreamRequest('/slotcast.v1.CommandService/Session', same, same)
  const watch = client.makeServerStreamRequest(
    '/slotcast.v1.ClusterService/WatchTopology',
    same,
    same,
    Buffer.alloc(0),
  )
  await once(watch, 'data')
  const ended = Promise.all([once(session.resume(), 'end'), once(watch.resume(), 'end')])
  // The session is known to the door once it has answered.
  session.write(Buffer.from([0x0a, 0x02, 0x08, 0x01]))
  await once(session, 'data')
  await new Promise<void>(resolve => other.stop(resolve))
  await ended
})

test('a door that stops answers what is under way, and does not wait for ever', async () => {
  const slow = new FakeDesk()
  slow.script = () => null
  const options = { host: '127.0.0.1', port: 0, nodeName: 'n4', logger: quiet, stopMs: 50 }
  const other = new GrpcDoor(slow, options)
  const port = await new Promise<number>(resolve => other.listen((_error, bound) => resolve(bound)))
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  clients.push(client)
  const call = { calls: [{ tag: 1n, argv: [Buffer.from('XREAD')], producer: undefined }] }
  const frame = Buffer.from(SessionRequest.encode(call).finish())
  const open = () => client.makeBidiStreamRequest('/slotcast.v1.CommandService/Session', same, same)
  const answered = open()
  const left = open()
  answered.write(frame)
  left.write(frame)
  while (slow.asked.length < 2) await new Promise(resolve => setImmediate(resolve))
  const first = slow.asked[0]
  const stopped = new Promise<void>(resolve => other.stop(resolve))
  const lost = once(left.resume(), 'error')
  first?.session.client.answer(1, OK)
  slow.turn()
  const ended = once(answered, 'end')
  const [bytes] = (await once(answered, 'data')) as [Buffer]
  assert.equal(SessionResponse.decode(bytes).results[0]?.tag, 1n)
  await ended
  await lost
  await stopped
})
