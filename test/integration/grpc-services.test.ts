// The typed services over a real cluster: what they answer, where they redirect, and
// that whoever goes away leaves no wait behind.

import assert from 'node:assert/strict'
import { type ClientHttp2Session, connect } from 'node:http2'
import { after, before, test } from 'node:test'
import { Client, status as codes, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { Status } from '../../src/gen/google/rpc/status.ts'
import { AdminServiceService } from '../../src/gen/slotcast/v1/admin_service.ts'
import { CommandServiceService } from '../../src/gen/slotcast/v1/command_service.ts'
import { NackMode } from '../../src/gen/slotcast/v1/consume.ts'
import { GroupServiceService } from '../../src/gen/slotcast/v1/group_service.ts'
import { ExpireCondition, KeyServiceService } from '../../src/gen/slotcast/v1/key_service.ts'
import {
  ListEnd,
  ListMoveOrder,
  ListServicePopRequest,
  ListServiceService,
  ListSide,
} from '../../src/gen/slotcast/v1/list_service.ts'
import { SetServiceService } from '../../src/gen/slotcast/v1/set_service.ts'
import { DeleteOutcome, ReferencePolicy } from '../../src/gen/slotcast/v1/stream.ts'
import { StreamServiceService } from '../../src/gen/slotcast/v1/stream_service.ts'
import {
  StringServiceService,
  type StringServiceSetRequest,
} from '../../src/gen/slotcast/v1/string_service.ts'
import { SlotMoved } from '../../src/gen/slotcast/v1/topology.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection } from '../chaos/connection.ts'
import { eventually } from './slotcast-process.ts'

const b = (text: string): Buffer => Buffer.from(text)
const left = ListEnd.LIST_END_LEFT
const right = ListEnd.LIST_END_RIGHT
const forever = { seconds: 0n, nanos: 0 }
const seconds = (value: number) => ({ seconds: BigInt(value), nanos: 0 })
const texts = (values: readonly Buffer[]): string[] => values.map(String)

/** Everything is in one slot, so that one node leads it. */
const key = (name: string): Buffer => b(`{jobs}${name}`)

const admin = AdminServiceService
const groups = GroupServiceService
const keys = KeyServiceService
const lists = ListServiceService
const sets = SetServiceService
const streams = StreamServiceService
const strings = StringServiceService

type Rpc<Q, A> = {
  readonly path: string
  requestSerialize(request: Q): Buffer
  requestDeserialize(bytes: Buffer): Q
  responseDeserialize(bytes: Buffer): A
}

type Done<A> = (error: ServiceError | null, answer?: A) => void

let cluster: LocalCluster
let finish: () => void = () => {}
let running: Promise<void>
let leader = 0
const clients = new Map<number, Client>()

function clientOf(node: number): Client {
  const known = clients.get(node)
  if (known !== undefined) return known
  const client = new Client(cluster.grpcAddress(node), credentials.createInsecure())
  clients.set(node, client)
  return client
}

/** Begins a call; all of the request that is not named is unset. */
function begin<Q, A>(
  client: Client,
  rpc: Rpc<Q, A>,
  request: Partial<Q>,
  options: { deadline?: number },
  done: Done<A>,
): { cancel(): void } {
  const { path, requestSerialize, responseDeserialize } = rpc
  const whole = { ...rpc.requestDeserialize(Buffer.alloc(0)), ...request }
  const metadata = new Metadata()
  return client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    whole,
    metadata,
    options,
    done,
  )
}

function ask<Q, A>(rpc: Rpc<Q, A>, request: Partial<Q>, node = leader): Promise<A> {
  return new Promise((resolve, reject) => {
    begin(clientOf(node), rpc, request, {}, (error, answer) => {
      if (error === null) resolve(answer as A)
      else reject(error)
    })
  })
}

/** The error that a call ends with. */
function failure<Q, A>(rpc: Rpc<Q, A>, request: Partial<Q>, node = leader): Promise<ServiceError> {
  return ask(rpc, request, node).then(
    () => assert.fail('the call was done'),
    (error: ServiceError) => error,
  )
}

/** Clients that wait, on the leader. */
async function blockedClients(): Promise<number> {
  const { sections } = await ask(admin.info, { sections: ['clients'] })
  return Number(new Map(Object.entries(sections[0]?.fields ?? {})).get('blocked_clients'))
}

before(
  async () => {
    await new Promise<void>((ready, fail) => {
      running = LocalCluster.run({}, async made => {
        cluster = made
        leader = await made.leaderOf('{jobs}')
        ready()
        await new Promise<void>(resolve => {
          finish = resolve
        })
      })
      running.catch(fail)
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  for (const client of clients.values()) client.close()
  finish()
  await running
})

test('a list is filled, read, changed and emptied', async () => {
  const jobs = key(':a')
  const push = (end: ListEnd, ...elements: string[]) =>
    ask(lists.push, { key: jobs, end, elements: elements.map(b) })
  const range = async () => texts((await ask(lists.range, { key: jobs, start: 0n })).elements)
  assert.deepEqual(await push(right, 'b', 'c'), { length: 2n })
  assert.deepEqual(await push(left, 'a'), { length: 3n })
  assert.deepEqual(await range(), ['a', 'b', 'c'])
  const beside = { key: jobs, pivot: b('b'), element: b('b2') }
  const inserted = await ask(lists.insert, { ...beside, side: ListSide.LIST_SIDE_AFTER })
  assert.deepEqual(inserted, { inserted: true, length: 4n })
  await ask(lists.set, { key: jobs, index: -1n, element: b('b') })
  const found = await ask(lists.position, {
    ...{ key: jobs, element: b('b'), rank: 0n, count: 0n, maxComparisons: 0n },
  })
  assert.deepEqual(found, { positions: [1n, 3n] })
  const removed = { key: jobs, element: b('b'), count: -1n }
  assert.deepEqual(await ask(lists.remove, removed), { removed: 1n })
  assert.deepEqual(await ask(lists.index, { key: jobs, index: 1n }), { element: b('b') })
  assert.deepEqual(await ask(lists.index, { key: jobs, index: 9n }), { element: undefined })
  await ask(lists.trim, { key: jobs, start: 1n })
  assert.deepEqual(await range(), ['b', 'b2'])
  const popped = await ask(lists.pop, {
    ...{ key: jobs, end: right, count: 5n },
    block: undefined,
  })
  assert.deepEqual(texts(popped.elements), ['b2', 'b'])
  assert.deepEqual(await ask(lists.length, { key: jobs }), { length: 0n })
  const error = await failure(lists.set, { key: jobs, index: 0n, element: b('x') })
  assert.equal(error.code, codes.NOT_FOUND)
})

test('elements move between lists, one and many, with and without a wait', async () => {
  const [source, destination] = [key(':from'), key(':to')]
  const ends = { source, destination, from: left, to: right }
  const waiting = ask(lists.moveMany, {
    ...{ ...ends, count: 3n, exactly: true, order: ListMoveOrder.LIST_MOVE_ORDER_BULK },
    block: seconds(20),
  })
  for (const element of ['1', '2', '3', '4']) {
    const elements = [b(element)]
    await ask(lists.push, { key: source, end: right, elements })
  }
  assert.deepEqual(texts((await waiting).elements), ['1', '2', '3'])
  assert.deepEqual(await ask(lists.move, { ...ends, block: undefined }), { element: b('4') })
  assert.deepEqual(await ask(lists.move, { ...ends, block: undefined }), {
    element: undefined,
  })
  const short = { seconds: 0n, nanos: 30_000_000 }
  assert.deepEqual(await ask(lists.move, { ...ends, block: short }), { element: undefined })
  const any = { keys: [source, destination], end: right, count: 2n, block: forever }
  const { key: from, elements } = await ask(lists.popAny, any)
  assert.deepEqual([String(from), ...texts(elements)], [String(destination), '4', '3'])
})

/** A Pop on a connection that can be broken: a client's `close` lets its calls go on. */
function popOnItsOwnConnection(request: Partial<ListServicePopRequest>): ClientHttp2Session {
  const session = connect(`http://${cluster.grpcAddress(leader)}`)
  const { path, requestSerialize } = lists.pop
  const message = requestSerialize(ListServicePopRequest.create(request))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.on('error', () => {})
  stream.end(Buffer.concat([head, message]))
  return session
}

test('whoever goes away leaves no wait, and takes nothing that comes later', {
  timeout: 60_000,
}, async () => {
  const jobs = key(':wait')
  const one = { end: left, count: 1n, block: forever }
  const move = { source: jobs, destination: jobs, from: left, to: left, block: forever }
  const many = { ...move, count: 2n, exactly: true, order: ListMoveOrder.LIST_MOVE_ORDER_BULK }
  type Start = (options: { deadline?: number }, done: Done<object>) => { cancel(): void }
  const wait =
    <Q, A extends object>(rpc: Rpc<Q, A>, request: Partial<Q>): Start =>
    (options, done) =>
      begin(clientOf(leader), rpc, request, options, done)
  const waits = [
    wait(lists.pop, { key: jobs, ...one }),
    wait(lists.popAny, { keys: [jobs, key(':w2')], ...one }),
    wait(lists.move, move),
    wait(lists.moveMany, many),
    wait(streams.read, { streams: [{ key: key(':s'), after: '$' }], block: forever }),
    wait(CommandServiceService.execute, { argv: [b('BLPOP'), jobs, b('0')] }),
  ]
  const all = waits.length
  const gone = async (how: string): Promise<void> => {
    await eventually(async () => (await blockedClients()) === 0)
    const elements = [b(how)]
    await ask(lists.push, { key: jobs, end: right, elements })
    assert.deepEqual(await ask(lists.length, { key: jobs }), { length: 1n }, how)
    const taken = await ask(lists.pop, { key: jobs, ...one, block: undefined })
    assert.deepEqual(texts(taken.elements), [how])
  }

  const cancelled: Promise<ServiceError | null>[] = []
  const calls = waits.map(start => {
    let ended: Done<object> = () => {}
    const end = new Promise<ServiceError | null>(resolve => {
      ended = resolve
    })
    cancelled.push(end)
    return start({}, ended)
  })
  await eventually(async () => (await blockedClients()) === all)
  for (const call of calls) call.cancel()
  for (const error of await Promise.all(cancelled)) assert.equal(error?.code, codes.CANCELLED)
  await gone('cancelled')

  const deadline = Date.now() + 2_000
  const expired = waits.map(
    start => new Promise<ServiceError | null>(end => start({ deadline }, end)),
  )
  await eventually(async () => (await blockedClients()) === all)
  for (const error of await Promise.all(expired)) {
    assert.equal(error?.code, codes.DEADLINE_EXCEEDED)
  }
  await gone('expired')

  const connection = popOnItsOwnConnection({ key: jobs, ...one })
  await eventually(async () => (await blockedClients()) === 1)
  connection.destroy()
  await gone('disconnected')

  const { path, requestSerialize, responseDeserialize } = CommandServiceService.session
  const session = clientOf(leader).makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
  )
  session.on('error', () => {})
  session.write({ calls: [{ tag: 1n, argv: [b('BLPOP'), jobs, b('0')], producer: undefined }] })
  await eventually(async () => (await blockedClients()) === 1)
  session.cancel()
  await gone('session ended')
})

test('a pop that is repeated with its producer mark answers what the first one took', {
  timeout: 60_000,
}, async () => {
  const jobs = key(':once')
  const elements = ['a', 'b', 'c', 'd'].map(b)
  await ask(lists.push, { key: jobs, end: right, elements })
  const mark = { producerId: 'grpc-test', epoch: 1, sequence: 1n }
  for (const block of [undefined, forever]) {
    const request = { key: jobs, end: left, count: 2n, block, producer: mark }
    const first = await ask(lists.pop, request)
    assert.equal(first.elements.length, 2)
    assert.deepEqual(await ask(lists.pop, request), first)
    mark.sequence += 1n
  }
  // One that waited in vain took nothing, and is done when it is sent again.
  const again = { key: jobs, end: left, block: forever, producer: mark }
  const cancelled = new Promise<ServiceError | null>(end => {
    const call = begin(clientOf(leader), lists.pop, again, {}, end)
    void eventually(async () => (await blockedClients()) === 1).then(() => call.cancel())
  })
  assert.equal((await cancelled)?.code, codes.CANCELLED)
  await ask(lists.push, { key: jobs, end: right, elements: [b('e')] })
  assert.deepEqual(texts((await ask(lists.pop, again)).elements), ['e'])
  mark.sequence += 1n
  const stale = { key: jobs, end: left, count: 1n, block: undefined }
  await ask(lists.pop, { ...stale, producer: { ...mark, epoch: 2, sequence: 1n } })
  const error = await failure(lists.pop, { ...stale, producer: mark })
  assert.equal(error.code, codes.FAILED_PRECONDITION)
})

test('every other node redirects the calls of every service to the leader', async () => {
  for (const node of [1, 2, 3].filter(n => n !== leader)) {
    const block = seconds(5)
    const errors = await Promise.all([
      failure(lists.pop, { key: key('x'), end: left, block }, node),
      failure(lists.length, { key: key('x') }, node),
      failure(strings.increment, { key: key('x') }, node),
      failure(sets.members, { key: key('x') }, node),
      failure(keys.ttl, { key: key('x') }, node),
    ])
    const target = cluster.grpcAddress(leader)
    for (const { code, details, metadata } of errors) {
      assert.equal(code, codes.FAILED_PRECONDITION)
      assert.match(details, new RegExp(`^MOVED \\d+ ${target}$`))
      assert.deepEqual(metadata.get('slotcast-redirect'), [details])
      const moved = movedOf(metadata)
      assert.equal(`${moved.leader?.host}:${moved.leader?.port}`, target)
      assert.equal(moved.replicas.length, 2)
    }
  }
})

function movedOf(metadata: Metadata): SlotMoved {
  const [packed] = metadata.get('grpc-status-details-bin')
  const { details } = Status.decode(packed as Buffer)
  const found = details.find(({ typeUrl }) => typeUrl.endsWith('/slotcast.v1.SlotMoved'))
  assert.ok(found !== undefined, 'the details hold a SlotMoved')
  return SlotMoved.decode(found.value)
}

test('strings are set under conditions, counted, and expire', async () => {
  const name = key(':str')
  const set = (value: string, more: Partial<StringServiceSetRequest> = {}) =>
    ask(strings.set, {
      ...{ key: name, value: b(value), condition: undefined, expiry: undefined },
      ...more,
    })
  assert.deepEqual(await set('1'), { stored: true, previous: undefined })
  const absent = { $case: 'ifAbsent', value: true } as const
  assert.deepEqual(await set('2', { condition: absent }), { stored: false, previous: undefined })
  const equal = { $case: 'ifEqual', value: b('1') } as const
  assert.deepEqual(await set('41', { condition: equal, returnPrevious: true }), {
    stored: true,
    previous: b('1'),
  })
  const step = { key: name, amount: undefined }
  assert.deepEqual(await ask(strings.increment, step), { value: 42n })
  const half = { key: name, amount: 0.5 }
  assert.deepEqual(await ask(strings.incrementFloat, half), { value: 42.5 })
  const most = { key: key(':n'), amount: 2n ** 63n - 1n }
  assert.deepEqual(await ask(strings.increment, most), { value: most.amount })
  const over = await failure(strings.increment, { ...step, key: key(':n') })
  assert.equal(over.code, codes.OUT_OF_RANGE)
  assert.deepEqual(await ask(strings.multiGet, { keys: [name, key(':none')] }), {
    values: [{ value: b('42.5') }, { value: undefined }],
  })
  const expiry = { $case: 'ttl', value: seconds(100) } as const
  const condition = ExpireCondition.EXPIRE_CONDITION_NONE
  const expire = { key: name, expiry, condition }
  assert.deepEqual(await ask(keys.expire, expire), { applied: true })
  assert.deepEqual(await ask(keys.expire, expire), { applied: false })
  const { exists, ttl } = await ask(keys.ttl, { key: name })
  assert.ok(exists && ttl !== undefined && ttl.seconds >= 90n && ttl.seconds <= 100n)
  const { expireTime } = await ask(keys.expireTime, { key: name })
  assert.ok(Math.abs(Number(expireTime?.seconds) - Date.now() / 1000 - 100) < 10)
  assert.deepEqual(await ask(keys.persist, { key: name }), { persisted: true })
  assert.deepEqual(await ask(keys.ttl, { key: name }), { exists: true, ttl: undefined })
  const copy = { source: name, destination: key(':copy'), replace: false }
  assert.deepEqual(await ask(keys.copy, copy), { copied: true })
  assert.deepEqual(await ask(keys.copy, copy), { copied: false })
  const rename = { key: key(':copy'), newKey: name }
  assert.deepEqual(await ask(keys.rename, { ...rename, ifAbsent: true }), { renamed: false })
  assert.deepEqual(await ask(keys.rename, { ...rename, ifAbsent: false }), { renamed: true })
  const { dump } = await ask(keys.dump, { key: name })
  const restored = { key: key(':restored'), dump: dump ?? b(''), expiry }
  await ask(keys.restore, restored)
  assert.equal((await failure(keys.restore, restored)).code, codes.ALREADY_EXISTS)
  assert.deepEqual(await ask(strings.get, { key: restored.key }), { value: b('42.5') })
  const { bytes } = await ask(keys.memoryUsage, { key: name })
  assert.ok(bytes !== undefined && bytes > 0n)
  assert.deepEqual(await ask(keys.touch, { keys: [name, key(':none')] }), { touched: 1n })
  const { value } = await ask(strings.getDelete, { key: name })
  assert.deepEqual(value, b('42.5'))
  assert.deepEqual(await ask(keys.ttl, { key: name }), { exists: false, ttl: undefined })
})

test('sets know their members', async () => {
  const name = key(':set')
  const members = ['a', 'b', '7'].map(b)
  assert.deepEqual(await ask(sets.add, { key: name, members }), { added: 3n })
  const asked = { key: name, members: [b('7'), b('z')] }
  assert.deepEqual(await ask(sets.isMember, asked), { areMembers: [true, false] })
  const all = await ask(sets.members, { key: name })
  assert.deepEqual(texts(all.members).sort(), ['7', 'a', 'b'])
  const page = { key: name, pageSize: 100, pageToken: '', match: b('[ab]') }
  const scanned = await ask(sets.scan, page)
  assert.deepEqual([texts(scanned.members).sort(), scanned.nextPageToken], [['a', 'b'], ''])
  const chosen = { key: name, count: 5n, allowRepeats: true }
  assert.equal((await ask(sets.randomMembers, chosen)).members.length, 5)
  const move = { source: name, destination: key(':set2'), member: b('a') }
  assert.deepEqual(await ask(sets.move, move), { moved: true })
  assert.deepEqual(await ask(sets.remove, { key: name, members }), { removed: 2n })
  const pop = { key: key(':set2'), count: 0n }
  assert.deepEqual(texts((await ask(sets.pop, pop)).members), ['a'])
  assert.deepEqual(await ask(sets.count, { key: name }), { count: 0n })
})

test('appends are idempotent, released entries are claimed, and references are minded', async () => {
  const orders = key(':orders')
  const fields = [{ name: b('n'), value: b('1') }]
  const idempotence = { producerId: b('p1'), idempotentId: b('i1') }
  const append = (more: object = {}) =>
    ask(streams.append, {
      ...{ key: orders, id: '', fields, noCreate: false, trim: undefined },
      ...{ idempotence: undefined, ...more },
    })
  const { id } = await append({ idempotence })
  assert.deepEqual(await append({ idempotence }), { id })
  const { id: second } = await append()
  const configure = { key: orders, idempotenceDuration: seconds(7), idempotenceMaxSize: 9 }
  await ask(streams.configure, { ...configure })
  const info = await ask(streams.info, { key: orders, full: false, count: 0n })
  assert.equal(info.length, 2n)
  assert.equal(info.idempotence?.duplicates, 1n)
  assert.deepEqual([info.idempotence?.duration, info.idempotence?.maxSize], [seconds(7), 9n])

  const group = b('g')
  const g = { key: orders, group }
  await ask(groups.create, {
    ...{ ...g, startId: '0', createStream: false, entriesRead: undefined },
  })
  const read = (consumer: string, more: object = {}) =>
    ask(groups.read, {
      ...{ group, consumer: b(consumer), streams: [{ key: orders, after: '>' }], count: 0n },
      ...{ block: undefined, noAck: false, claimMinIdle: undefined, maxCount: 0n, maxBytes: 0n },
      ...more,
    })
  const firstRead = await read('w1', { maxCount: 1n })
  assert.deepEqual(
    firstRead.streams[0]?.entries.map(entry => entry.id),
    [id],
  )
  const nack = { ...g, ids: [id], retryCount: undefined, force: false }
  const mode = NackMode.NACK_MODE_FAIL
  assert.deepEqual(await ask(groups.nack, { ...nack, mode }), { released: 1n })
  const rows = await ask(groups.pendingEntries, {
    ...{ ...g, minIdle: undefined, start: '', end: '', count: 0n, consumer: b('') },
  })
  assert.deepEqual([rows.entries[0]?.id, rows.entries[0]?.idle], [id, undefined])
  const claimed = await read('w2', { claimMinIdle: seconds(60) })
  const history = claimed.streams[0]?.entries.map(entry => [entry.id, entry.history?.deliveryCount])
  assert.deepEqual(history, [
    [id, 1n],
    [second, 0n],
  ])
  const acked = ReferencePolicy.REFERENCE_POLICY_ACKED
  const {
    DELETE_OUTCOME_DELETED: deleted,
    DELETE_OUTCOME_MISSING: missing,
    DELETE_OUTCOME_REFERENCED: referenced,
  } = DeleteOutcome
  const ids = [id]
  const kept = await ask(streams.deleteEx, {
    ...{ key: orders, ids, references: acked },
  })
  assert.deepEqual(kept, { outcomes: [referenced] })
  const done = { ...g, ids: [id, '1-1'], references: acked }
  assert.deepEqual(await ask(groups.ackDelete, done), { outcomes: [deleted, missing] })
  assert.deepEqual(await ask(streams.length, { key: orders }), { length: 1n })
})

test('an operator sees the node, changes settings, and ends, frees and holds clients', {
  timeout: 60_000,
}, async () => {
  const { sections } = await ask(admin.info, { sections: [] })
  const names = sections.map(({ name }) => name)
  for (const name of ['Server', 'Memory', 'Shards']) assert.ok(names.includes(name), name)
  const health = await ask(admin.clusterInfo, {})
  assert.deepEqual([health.ok, health.slotsOk, health.knownNodes], [true, 16384, 3])
  assert.ok(health.configEpoch > 0n)

  const threshold = 'slowlog-log-slower-than'
  const config = async () =>
    Object.entries((await ask(admin.getConfig, { patterns: ['slowlog-log-*'] })).settings)
  await ask(admin.setConfig, { settings: { [threshold]: '0' } })
  assert.deepEqual(await config(), [[threshold, '0']])
  const wrong = await failure(admin.setConfig, { settings: { nonsense: '1' } })
  assert.equal(wrong.code, codes.INVALID_ARGUMENT)
  const connection = await Connection.open(cluster.respPort(leader))
  await connection.ask(['CLIENT', 'SETNAME', 'victim'])
  await connection.ask(['XLEN', String(key(':orders'))])
  const { commands } = await ask(admin.slowLog, { count: 0n })
  assert.ok(
    commands.some(
      ({ argv, clientName }) => clientName === 'victim' && String(argv[0]).toUpperCase() === 'XLEN',
    ),
  )
  await ask(admin.setConfig, { settings: { [threshold]: '10000' } })
  await ask(admin.resetSlowLog, {})
  assert.deepEqual(await ask(admin.slowLog, { count: undefined }), { commands: [] })
  assert.deepEqual(await ask(admin.latency, {}), { events: [] })
  const latency = await ask(admin.commandLatency, { commands: ['xlen'] })
  assert.equal(latency.commands[0]?.command, 'xlen')
  assert.ok((latency.commands[0]?.calls ?? 0n) > 0n)

  const victim = async () =>
    (await ask(admin.listClients, { ids: [] })).clients.find(({ name }) => name === 'victim')
  const waiting = connection.ask(['BLPOP', String(key(':never')), '0'], 30_000)
  await eventually(async () => (await victim())?.blocked === true)
  const id = (await victim())?.id ?? 0n
  const free = { id, withError: false }
  assert.deepEqual(await ask(admin.unblockClient, free), { unblocked: true })
  assert.equal(await waiting, null)
  assert.deepEqual(await ask(admin.unblockClient, free), { unblocked: false })

  await ask(admin.pauseClients, { duration: seconds(30), writesOnly: true })
  const held = connection.ask(['SET', String(key(':held')), '1'], 30_000)
  await eventually(async () => (await victim())?.blocked === true)
  await ask(admin.resumeClients, {})
  assert.equal(await held, 'OK')

  const filter = { id, address: '', localAddress: '', minAge: undefined, all: false }
  assert.deepEqual(await ask(admin.killClients, filter), { killed: 1n })
  await eventually(async () => (await victim()) === undefined)
  connection.close()

  await ask(admin.saveSnapshots, { inBackground: false })
  const { time } = await ask(admin.lastSnapshots, {})
  assert.ok(Math.abs(Number(time?.seconds) - Date.now() / 1000) < 30)
  await ask(admin.resetStats, {})
})
