// What one gRPC connection may cost a node: its settings, as a client meets them.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { status as codes, credentials, type ServiceError } from '@grpc/grpc-js'
import type { Logger } from '../../src/base/log.ts'
import { GrpcDoor } from '../../src/doors/grpc/server.ts'
import {
  StringServiceClient,
  StringServiceSetRequest,
} from '../../src/gen/slotcast/v1/string_service.ts'
import { OK } from '../../src/machine/reply.ts'
import { FakeDesk } from '../unit/doors/grpc/fake-desk.ts'

const KEEPALIVE_MS = 50
const KEEPALIVE_TIMEOUT_MS = 100
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** A SETTINGS frame without settings. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
const desk = new FakeDesk()
const door = new GrpcDoor(desk, {
  host: '127.0.0.1',
  port: 0,
  nodeName: 'n1',
  logger: quiet,
  limits: {
    keepaliveMs: KEEPALIVE_MS,
    keepaliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
    streamsMax: 7,
    messageBytesMax: 64 * 1024,
  },
})
let port = 0

before(async () => {
  port = await new Promise<number>((resolve, reject) => {
    door.listen((error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
})

after(() => door.kill())

test('a client that answers no ping is cut off, and one that answers stays', {
  timeout: 10_000,
}, async () => {
  const deaf = connect(port, '127.0.0.1')
  const living = connectHttp2(`http://127.0.0.1:${port}`)
  let pings = 0
  living.on('ping', () => {
    pings += 1
  })
  await Promise.all([once(living, 'connect'), once(deaf, 'connect')])
  deaf.write(PREFACE)
  deaf.write(SETTINGS)
  deaf.resume()
  const start = performance.now()
  await once(deaf, 'close')
  assert.ok(performance.now() - start >= KEEPALIVE_MS, 'it had time to answer')
  while (pings < 3) await once(living, 'ping')
  assert.equal(living.closed, false)
  living.close()
})

test('a connection is told how many calls it may have under way', async () => {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  const [settings] = await once(session, 'remoteSettings')
  assert.equal(settings.maxConcurrentStreams, 7)
  session.close()
})

test('a message above the limit ends its call alone, and one below does not', async () => {
  desk.script = () => OK
  const client = new StringServiceClient(`127.0.0.1:${port}`, credentials.createInsecure())
  const set = (bytes: number): Promise<ServiceError | null> =>
    new Promise(resolve => {
      const request = StringServiceSetRequest.create({
        key: Buffer.from('k'),
        value: Buffer.alloc(bytes),
      })
      client.set(request, error => resolve(error))
    })
  assert.equal((await set(64 * 1024))?.code, codes.RESOURCE_EXHAUSTED)
  assert.equal(await set(60 * 1024), null)
  client.close()
})
