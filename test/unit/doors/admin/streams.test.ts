// Streams over HTTP: real requests, a desk over a real machine.

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Argv } from '../../../../src/base/argv.ts'
import { slotOf } from '../../../../src/base/slot.ts'
import { AdminDoor } from '../../../../src/doors/admin/server.ts'
import type { Reply } from '../../../../src/machine/reply.ts'
import { quiet, Rig, systemClock } from '../../broker/rig.ts'

const WAIT_MS = 5_000
const rig = new Rig({ clock: systemClock })
const door = new AdminDoor({
  listen: { host: '127.0.0.1', port: 0 },
  metrics: rig.metrics,
  logger: quiet,
  ready: () => null,
  topology: () => ({}),
  desk: rig.broker,
  allowOrigins: ['https://board.example.org'],
})
let key = ''
let keys = 0

/** A key that node 1 leads, or not. */
function keyOf(isHere: boolean): string {
  for (;;) {
    keys += 1
    if (slotOf(Buffer.from(`k${keys}`)) < 5461 === isHere) return `k${keys}`
  }
}

before(() => new Promise<void>(resolve => door.open(() => resolve())))
after(() => new Promise<void>(resolve => door.close(resolve)))
beforeEach(() => {
  key = keyOf(true)
})

/** What a client of the desk is answered. */
function ask(...words: string[]): Reply {
  let found: Reply | null = null
  const client = { answer: (_: number, reply: Reply) => (found = reply), resume() {}, close() {} }
  const options = { door: 'resp', ordered: true, address: 'c:1', localAddress: 's:1' } as const
  const session = rig.broker.connect(client as never, options)
  rig.broker.execute(session, Argv.of(...words), 0, null)
  rig.broker.disconnect(session)
  assert.ok(found !== null)
  return found
}

const url = (path: string): string => `http://127.0.0.1:${door.port}/v1/streams/${path}`

function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(url(path), { method: 'POST', body: text, headers, redirect: 'manual' })
}

type Event = {
  readonly id: string
  readonly name: string
  readonly data: {
    readonly fields?: unknown
    readonly redelivered?: boolean
    readonly location?: string
  }
}

/** A response of events, read as they come. */
class Events {
  readonly events: Event[] = []
  readonly #abort = new AbortController()
  isOver = false

  static async open(path: string, headers: Record<string, string> = {}): Promise<Events> {
    const events = new Events()
    const { signal } = events.#abort
    const response = await fetch(url(path), { headers, signal })
    assert.equal(response.status, 200)
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
    void events.#read(response).catch(() => {
      events.isOver = true
    })
    return events
  }

  async #read(response: Response): Promise<void> {
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part).toString('utf8')
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    }
    this.isOver = true
  }

  #take(block: string): void {
    const field = (name: string): string =>
      new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
    if (field('data') === '') return
    this.events.push({ id: field('id'), name: field('event'), data: JSON.parse(field('data')) })
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id)
  }

  async until(count: number): Promise<Event[]> {
    const end = performance.now() + WAIT_MS
    while (this.events.length < count) {
      assert.ok(performance.now() < end, `${count} events, there are ${this.events.length}`)
      await sleep(5)
    }
    return this.events
  }

  close(): void {
    this.#abort.abort()
  }
}

test('an entry is appended, and its ID answered', async () => {
  const response = await post(key, { item: '7', count: 3, tags: ['a', 'b'] })
  assert.equal(response.status, 201)
  const { id } = (await response.json()) as { id: string }
  assert.match(id, /^\d+-0$/)
  const events = await Events.open(`${key}/events?after=0`)
  const [event] = await events.until(1)
  assert.deepEqual(event?.data, { id, fields: { item: '7', count: '3', tags: ['a', 'b'] } })
  events.close()
})

test('bytes that are no text go in and out as base64, in the key as percents', async () => {
  const path = `${key}%2F%ff`
  if (slotOf(Buffer.from(`${key}/\xff`, 'latin1')) >= 5461) return
  await post(path, [['blob', { base64: '/wA=' }]])
  const events = await Events.open(`${path}/events?after=0`)
  const [event] = await events.until(1)
  assert.deepEqual(event?.data.fields, { blob: { base64: '/wA=' } })
  events.close()
})

test('everybody sees all entries from when they came, and again after the last they saw', async () => {
  await post(key, { n: 1 })
  const [one, two] = [await Events.open(`${key}/events`), await Events.open(`${key}/events`)]
  await sleep(20)
  await post(`${key}?id=9999999999999-1`, { n: 2 })
  await post(`${key}?id=9999999999999-2`, { n: 3 })
  for (const events of [one, two]) {
    await events.until(2)
    assert.deepEqual(events.ids, ['9999999999999-1', '9999999999999-2'])
    events.close()
  }
  const again = await Events.open(`${key}/events`, { 'last-event-id': '9999999999999-1' })
  await again.until(1)
  assert.deepEqual(again.ids, ['9999999999999-2'])
  again.close()
})

test('each entry of a group goes to one consumer, which has no more pending than it wants', async () => {
  for (let i = 1; i <= 5; i += 1) await post(`${key}?id=${i}-0`, { n: i })
  const path = `${key}/groups/g/events?create=0&prefetch=2&consumer=`
  const one = await Events.open(`${path}one`)
  await one.until(2)
  const two = await Events.open(`${path}two`)
  await two.until(2)
  await sleep(50)
  assert.deepEqual(
    [one.ids, two.ids],
    [
      ['1-0', '2-0'],
      ['3-0', '4-0'],
    ],
  )
  const response = await post(`${key}/groups/g/ack`, { ids: ['3-0', '1-1'] })
  assert.deepEqual(await response.json(), { acknowledged: 1 })
  await two.until(3)
  assert.deepEqual(two.ids, ['3-0', '4-0', '5-0'])
  one.close()
  two.close()
})

test('what was acknowledged elsewhere makes room, too', async () => {
  for (let i = 1; i <= 2; i += 1) await post(`${key}?id=${i}-0`, { n: i })
  const events = await Events.open(`${key}/events?group=g&consumer=me&create=0&prefetch=1`)
  await events.until(1)
  ask('XACK', key, 'g', '1-0')
  await events.until(2)
  events.close()
})

test('a consumer that comes again gets what it has pending first, marked', async () => {
  for (let i = 1; i <= 2; i += 1) await post(`${key}?id=${i}-0`, { n: i })
  const path = `${key}/groups/g/events?create=0&consumer=me`
  const first = await Events.open(path)
  await first.until(2)
  first.close()
  await post(`${key}?id=3-0`, { n: 3 })
  const again = await Events.open(path, { 'last-event-id': '1-0' })
  await again.until(2)
  assert.deepEqual(
    again.events.map(({ id, data }) => [id, data.redelivered]),
    [
      ['2-0', true],
      ['3-0', undefined],
    ],
  )
  again.close()
})

test('the work of a dead consumer is taken over', async () => {
  await post(`${key}?id=1-0`, { n: 1 })
  ask('XGROUP', 'CREATE', key, 'g', '0')
  ask('XREADGROUP', 'GROUP', 'g', 'dead', 'STREAMS', key, '>')
  const events = await Events.open(`${key}/groups/g/events?consumer=me&claim_min_idle=0`)
  const [event] = await events.until(1)
  assert.equal(event?.data.redelivered, true)
  events.close()
})

test('another node is named where it leads the stream', async () => {
  const elsewhere = keyOf(false)
  const slot = slotOf(Buffer.from(elsewhere))
  const port = slot < 10_923 ? 7302 : 7303
  const to = `http://127.0.0.1:${port}/v1/streams/${elsewhere}`
  const appended = await post(`${elsewhere}?maxlen=5`, { n: 1 })
  assert.equal(appended.status, 307)
  assert.equal(appended.headers.get('location'), `${to}?maxlen=5`)
  const watched = await fetch(url(`${elsewhere}/events?after=0`), { redirect: 'manual' })
  assert.equal(watched.status, 307)
  assert.equal(watched.headers.get('location'), `${to}/events?after=0`)
})

test('who follows a stream is told when it is led elsewhere', async () => {
  const events = await Events.open(`${key}/events`)
  await sleep(20)
  const shard = rig.shard(1)
  rig.leaders.set(1, 3)
  for (const work of shard.waiting.splice(0)) work.asker.lose(work.ticket, 'moved')
  const [event] = await events.until(1)
  rig.leaders.set(1, 1)
  assert.equal(event?.name, 'moved')
  assert.equal(event?.data.location, `http://127.0.0.1:7303/v1/streams/${key}/events`)
  await sleep(20)
  assert.equal(events.isOver, true)
})

test('a client that goes leaves no wait behind', async () => {
  const events = await Events.open(`${key}/events`)
  const shard = rig.shard(1)
  await sleep(20)
  assert.equal(shard.waiting.length, 1)
  events.close()
  await sleep(50)
  assert.equal(shard.waiting.length, 0)
  assert.match(await (await fetch(url('../../metrics'))).text(), /^slotcast_http_event_streams 0$/m)
})

const WRONG: readonly (readonly [string, string, string, unknown, number, RegExp])[] = [
  ['a body that is no JSON', 'POST', 'KEY', '{', 400, /no JSON/],
  ['no fields', 'POST', 'KEY', {}, 400, /needs a field/],
  ['a field that is an object', 'POST', 'KEY', { a: {} }, 400, /no text/],
  ['an ID that is none', 'POST', 'KEY?id=x', { a: 1 }, 400, /Invalid stream ID/],
  [
    'an ID that is none to watch after',
    'GET',
    'KEY/events?after=x',
    null,
    400,
    /Invalid stream ID/,
  ],
  ['a length that is none', 'POST', 'KEY?maxlen=x', { a: 1 }, 400, /maxlen/],
  ['no consumer', 'GET', 'KEY/groups/g/events', null, 400, /consumer/],
  [
    'a prefetch of nothing',
    'GET',
    'KEY/groups/g/events?consumer=c&prefetch=0',
    null,
    400,
    /prefetch/,
  ],
  ['a missing group', 'GET', 'KEY/groups/g/events?consumer=c', null, 404, /NOGROUP/],
  ['an ack of nothing', 'POST', 'KEY/groups/g/ack', { ids: [] }, 400, /ids is empty/],
  ['an ack without a group', 'POST', 'KEY/ack', { ids: ['1-0'] }, 400, /group/],
  ['no key', 'GET', '/events', null, 400, /key is empty/],
  ['percents that are none', 'GET', '%zz/events', null, 400, /malformed/],
  ['a path that is none', 'GET', 'KEY/nothing', null, 404, /nothing at/],
]

for (const [name, method, path, body, status, text] of WRONG) {
  test(`${name} is refused with ${status}`, async () => {
    const sent = body === null ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(url(path.replace('KEY', key)), { method, body: sent })
    assert.equal(response.status, status)
    assert.match(await response.text(), text)
  })
}

test('a key of another type is refused with 409', async () => {
  ask('SET', key, 'text')
  assert.equal((await post(key, { a: 1 })).status, 409)
  assert.equal((await fetch(url(`${key}/events`))).status, 409)
})

test('pages of other origins are refused, but for those that were named', async () => {
  const evil = await post(key, { a: 1 }, { origin: 'https://evil.example.org' })
  assert.equal(evil.status, 403)
  assert.deepEqual(ask('EXISTS', key), { kind: 'integer', value: 0 })
  const board = await post(key, { a: 1 }, { origin: 'https://board.example.org' })
  assert.equal(board.status, 201)
  const allowed = board.headers.get('access-control-allow-origin')
  assert.equal(allowed, 'https://board.example.org')
  const own = await post(key, { a: 1 }, { origin: `http://127.0.0.1:${door.port}` })
  assert.equal(own.status, 201)
})
