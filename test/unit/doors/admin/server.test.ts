// The HTTP door: what each path answers, and what happens to the rest.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { OperationalError } from '../../../../src/base/errors.ts'
import type { Logger } from '../../../../src/base/log.ts'
import { Metrics } from '../../../../src/base/metrics.ts'
import { AdminDoor } from '../../../../src/doors/admin/server.ts'
import { Rig } from '../../broker/rig.ts'

const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
}

let reason: string | null = 'shard 2 has no leader'
const metrics = new Metrics()
metrics.counter('turns_total', 'Rounds.').add(5)
const door = make(0)

function make(port: number): AdminDoor {
  return new AdminDoor({
    listen: { host: '127.0.0.1', port },
    metrics,
    logger: quiet,
    ready: () => reason,
    topology: () => ({ epoch: 3 }),
    desk: new Rig().broker,
    allowOrigins: [],
  })
}

function open(which: AdminDoor): Promise<OperationalError | null> {
  return new Promise(resolve => which.open(resolve))
}

before(async () => assert.equal(await open(door), null))
after(() => new Promise<void>(resolve => door.close(resolve)))

function get(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${door.port}${path}`, init)
}

test('/healthz answers while the process lives', async () => {
  const response = await get('/healthz')
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'ok\n')
})

test('/readyz answers 503 with the reason, and 200 when the node serves', async () => {
  const waiting = await get('/readyz')
  assert.equal(waiting.status, 503)
  assert.equal(await waiting.text(), 'shard 2 has no leader\n')
  reason = null
  assert.equal((await get('/readyz?verbose')).status, 200)
})

test('/metrics is text for Prometheus', async () => {
  const response = await get('/metrics')
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(await response.text(), /^slotcast_turns_total 5$/m)
})

test('/v1/topology is JSON', async () => {
  assert.deepEqual(await (await get('/v1/topology')).json(), { epoch: 3 })
})

test('other paths are not found, other methods not allowed', async () => {
  assert.equal((await get('/')).status, 404)
  assert.equal((await get('/healthz', { method: 'POST', body: 'x' })).status, 405)
  const head = await get('/healthz', { method: 'HEAD' })
  assert.equal(head.status, 200)
  assert.equal(await head.text(), '')
})

test('a port in use is told in one line', async () => {
  const error = await open(make(door.port))
  assert.equal(error?.code, 'PORT')
  assert.equal(
    error?.message,
    `cannot listen for HTTP on 127.0.0.1:${door.port}: the port is in use`,
  )
})
