import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { groupMappings } from '../../../../../src/doors/grpc/mapping/group.ts'
import { keyMappings } from '../../../../../src/doors/grpc/mapping/key.ts'
import { streamMappings } from '../../../../../src/doors/grpc/mapping/stream.ts'
import type { Mapping } from '../../../../../src/doors/grpc/unary.ts'
import { Words } from '../../../../../src/doors/grpc/words.ts'
import { GroupServiceService } from '../../../../../src/gen/slotcast/v1/group_service.ts'
import { KeyServiceService } from '../../../../../src/gen/slotcast/v1/key_service.ts'
import { StreamServiceService } from '../../../../../src/gen/slotcast/v1/stream_service.ts'

const words = new Words()

/** The argv of a request in which all that is not named is unset. */
function argv<Q, A>(mapping: Mapping<Q, A>, blank: Q, request: Partial<Q>): string {
  words.begin()
  const fault = mapping.words({ ...blank, ...request }, words) ?? words.finish()
  if (fault !== null) return `fault: ${fault}`
  const row: string[] = []
  for (let i = 0; i < words.count; i += 1) row.push(words.argv.latin1(i))
  return row.join(' ')
}

const b = (text: string): Buffer => Buffer.from(text)
const empty = Buffer.alloc(0)
const seconds = (value: number) => ({ seconds: BigInt(value), nanos: 0 })
const key = b('orders')
const group = b('workers')
const consumer = b('w1')

const S = Object.fromEntries(
  Object.entries(StreamServiceService).map(([name, rpc]) => [name, rpc.requestDeserialize(empty)]),
)
const G = Object.fromEntries(
  Object.entries(GroupServiceService).map(([name, rpc]) => [name, rpc.requestDeserialize(empty)]),
)
const K = Object.fromEntries(
  Object.entries(KeyServiceService).map(([name, rpc]) => [name, rpc.requestDeserialize(empty)]),
)

type Named<M> = { [N in keyof M]: M[N] extends Mapping<infer Q, unknown> ? Partial<Q> : never }

function golden<M extends Record<string, Mapping<never, unknown>>, N extends keyof M & string>(
  mappings: M,
  blanks: Record<string, unknown>,
  name: N,
  request: Named<M>[N],
  expected: string,
): void {
  const mapping = mappings[name] as unknown as Mapping<object, unknown>
  assert.equal(argv(mapping, blanks[name] as object, request as object), expected)
}

/** Calls that are one command each; streams have handlers of their own. */
function unaryOf(service: ServiceDefinition): string[] {
  const rpcs = Object.entries(service).filter(([, { requestStream }]) => !requestStream)
  return rpcs.map(([name]) => name).sort()
}

test('every rpc has its mapping, and no mapping is without an rpc', () => {
  assert.deepEqual(Object.keys(streamMappings).sort(), unaryOf(StreamServiceService))
  assert.deepEqual(Object.keys(groupMappings).sort(), unaryOf(GroupServiceService))
  assert.deepEqual(Object.keys(keyMappings).sort(), unaryOf(KeyServiceService))
})

test('StreamService.Append is XADD with all its options', () => {
  const fields = [{ name: b('item'), value: b('7') }]
  const xadd = (request: object, expected: string) =>
    golden(streamMappings, S, 'append', { key, fields, ...request }, expected)
  xadd({}, 'XADD orders * item 7')
  xadd({ id: '5-*' }, 'XADD orders 5-* item 7')
  xadd({ fields: [...fields, ...fields] }, 'XADD orders * item 7 item 7')
  xadd({ noCreate: true, id: '5-1' }, 'XADD orders NOMKSTREAM 5-1 item 7')
  const maxLength = { $case: 'maxLength', value: 10n }
  xadd(
    { noCreate: true, trim: { strategy: maxLength, approximate: true, limit: 0n } },
    'XADD orders NOMKSTREAM MAXLEN ~ 10 LIMIT 0 * item 7',
  )
  xadd(
    { trim: { strategy: { $case: 'minId', value: '3-0' }, approximate: false, limit: undefined } },
    'XADD orders MINID = 3-0 * item 7',
  )
  xadd(
    { trim: { strategy: undefined, approximate: false, limit: undefined } },
    'fault: the trim policy has no strategy',
  )
  xadd({ fields: [] }, 'fault: fields is empty')
  xadd({ key: empty }, 'fault: key is required')
  xadd({ key: Buffer.alloc(65_537) }, 'fault: key is over 65536 bytes')
})

test('StreamService reads are XRANGE, XREVRANGE, XREAD, XLEN and XINFO', () => {
  golden(streamMappings, S, 'range', { key }, 'XRANGE orders - +')
  golden(
    streamMappings,
    S,
    'range',
    { key, start: '(1-1', end: '9', count: 5n },
    'XRANGE orders (1-1 9 COUNT 5',
  )
  golden(streamMappings, S, 'range', {}, 'fault: key is required')
  golden(streamMappings, S, 'reverseRange', { key }, 'XREVRANGE orders + -')
  golden(
    streamMappings,
    S,
    'reverseRange',
    { key, start: '1', end: '9', count: 1n },
    'XREVRANGE orders 9 1 COUNT 1',
  )
  const streams = [
    { key, after: '0' },
    { key: b('{orders}2'), after: '' },
  ]
  golden(streamMappings, S, 'read', { streams }, 'XREAD STREAMS orders {orders}2 0 $')
  golden(
    streamMappings,
    S,
    'read',
    { streams, count: 10n, block: { seconds: 1n, nanos: 500_000_001 } },
    'XREAD COUNT 10 BLOCK 1501 STREAMS orders {orders}2 0 $',
  )
  golden(
    streamMappings,
    S,
    'read',
    { streams, block: seconds(0) },
    'XREAD BLOCK 0 STREAMS orders {orders}2 0 $',
  )
  golden(
    streamMappings,
    S,
    'read',
    { streams, block: seconds(-1) },
    'fault: block is negative or malformed',
  )
  golden(streamMappings, S, 'read', {}, 'fault: streams is empty')
  golden(
    streamMappings,
    S,
    'read',
    { streams: [{ key: empty, after: '' }] },
    'fault: streams: key is required',
  )
  golden(streamMappings, S, 'length', { key }, 'XLEN orders')
  golden(streamMappings, S, 'info', { key }, 'XINFO STREAM orders')
  golden(streamMappings, S, 'info', { key, full: true }, 'XINFO STREAM orders FULL')
  golden(
    streamMappings,
    S,
    'info',
    { key, full: true, count: 3n },
    'XINFO STREAM orders FULL COUNT 3',
  )
})

test('StreamService writes are XDEL, XTRIM and XSETID', () => {
  golden(streamMappings, S, 'delete', { key, ids: ['1-1', '2'] }, 'XDEL orders 1-1 2')
  golden(streamMappings, S, 'delete', { key }, 'fault: ids is empty')
  const strategy = { $case: 'maxLength', value: 0n } as const
  golden(
    streamMappings,
    S,
    'trim',
    { key, policy: { strategy, approximate: false, limit: undefined } },
    'XTRIM orders MAXLEN = 0',
  )
  golden(streamMappings, S, 'trim', { key }, 'fault: policy is required')
  golden(streamMappings, S, 'setId', { key, lastId: '9-9' }, 'XSETID orders 9-9')
  golden(
    streamMappings,
    S,
    'setId',
    { key, lastId: '9-9', entriesAdded: 0n, maxDeletedId: '8-8' },
    'XSETID orders 9-9 ENTRIESADDED 0 MAXDELETEDID 8-8',
  )
  golden(streamMappings, S, 'setId', { key }, 'fault: last_id is required')
})

test('GroupService keeps groups and consumers with XGROUP and XINFO', () => {
  const g = { key, group }
  golden(groupMappings, G, 'create', g, 'XGROUP CREATE orders workers $')
  golden(
    groupMappings,
    G,
    'create',
    { ...g, startId: '0', createStream: true, entriesRead: -1n },
    'XGROUP CREATE orders workers 0 MKSTREAM ENTRIESREAD -1',
  )
  golden(groupMappings, G, 'create', { key }, 'fault: group is required')
  golden(groupMappings, G, 'setId', g, 'XGROUP SETID orders workers $')
  golden(
    groupMappings,
    G,
    'setId',
    { ...g, id: '5', entriesRead: 2n },
    'XGROUP SETID orders workers 5 ENTRIESREAD 2',
  )
  golden(groupMappings, G, 'destroy', g, 'XGROUP DESTROY orders workers')
  golden(
    groupMappings,
    G,
    'createConsumer',
    { ...g, consumer },
    'XGROUP CREATECONSUMER orders workers w1',
  )
  golden(groupMappings, G, 'createConsumer', g, 'fault: consumer is required')
  golden(
    groupMappings,
    G,
    'deleteConsumer',
    { ...g, consumer },
    'XGROUP DELCONSUMER orders workers w1',
  )
  golden(groupMappings, G, 'listGroups', { key }, 'XINFO GROUPS orders')
  golden(groupMappings, G, 'listConsumers', g, 'XINFO CONSUMERS orders workers')
})

test('GroupService delivers and acknowledges with XREADGROUP and XACK', () => {
  const g = { group, consumer }
  const streams = [{ key, after: '' }]
  golden(
    groupMappings,
    G,
    'read',
    { ...g, streams },
    'XREADGROUP GROUP workers w1 STREAMS orders >',
  )
  golden(
    groupMappings,
    G,
    'read',
    { ...g, streams: [{ key, after: '0' }], count: 2n, block: seconds(5), noAck: true },
    'XREADGROUP GROUP workers w1 COUNT 2 BLOCK 5000 NOACK STREAMS orders 0',
  )
  golden(groupMappings, G, 'read', { group, streams }, 'fault: consumer is required')
  golden(groupMappings, G, 'read', { consumer, streams }, 'fault: group is required')
  golden(groupMappings, G, 'read', g, 'fault: streams is empty')
  golden(
    groupMappings,
    G,
    'ack',
    { key, group, ids: ['1-1', '2-2'] },
    'XACK orders workers 1-1 2-2',
  )
  golden(groupMappings, G, 'ack', { key, group }, 'fault: ids is empty')
})

test('GroupService looks after pending entries with XPENDING, XCLAIM and XAUTOCLAIM', () => {
  const g = { key, group }
  golden(groupMappings, G, 'pending', g, 'XPENDING orders workers')
  golden(groupMappings, G, 'pendingEntries', g, 'XPENDING orders workers - + 100')
  golden(
    groupMappings,
    G,
    'pendingEntries',
    { ...g, minIdle: seconds(1), start: '(1', end: '5', count: 3n, consumer },
    'XPENDING orders workers IDLE 1000 (1 5 3 w1',
  )
  const c = { ...g, consumer }
  const ids = ['1-1', '2-2']
  golden(groupMappings, G, 'claim', { ...c, ids }, 'XCLAIM orders workers w1 0 1-1 2-2')
  golden(
    groupMappings,
    G,
    'claim',
    {
      ...c,
      ids,
      minIdle: seconds(60),
      delivered: { $case: 'idle', value: seconds(2) },
      retryCount: 4n,
      force: true,
      justId: true,
      lastId: '9-9',
    },
    'XCLAIM orders workers w1 60000 1-1 2-2 IDLE 2000 RETRYCOUNT 4 FORCE JUSTID LASTID 9-9',
  )
  golden(
    groupMappings,
    G,
    'claim',
    { ...c, ids, delivered: { $case: 'deliveryTime', value: seconds(1_700_000_000) } },
    'XCLAIM orders workers w1 0 1-1 2-2 TIME 1700000000000',
  )
  golden(groupMappings, G, 'claim', c, 'fault: ids is empty')
  golden(groupMappings, G, 'autoClaim', c, 'XAUTOCLAIM orders workers w1 0 -')
  golden(
    groupMappings,
    G,
    'autoClaim',
    { ...c, minIdle: seconds(1), start: '5-0', count: 7n, justId: true },
    'XAUTOCLAIM orders workers w1 1000 5-0 COUNT 7 JUSTID',
  )
})

test('KeyService is DEL, UNLINK, EXISTS, TYPE, SCAN, DBSIZE and FLUSHALL', () => {
  const keys = [key, b('{orders}2')]
  golden(keyMappings, K, 'delete', { keys }, 'DEL orders {orders}2')
  golden(keyMappings, K, 'delete', {}, 'fault: keys is empty')
  golden(keyMappings, K, 'delete', { keys: [empty] }, 'fault: keys: key is required')
  golden(keyMappings, K, 'unlink', { keys }, 'UNLINK orders {orders}2')
  golden(keyMappings, K, 'exists', { keys }, 'EXISTS orders {orders}2')
  golden(keyMappings, K, 'type', { key }, 'TYPE orders')
  golden(keyMappings, K, 'scan', {}, 'SCAN 0')
  golden(
    keyMappings,
    K,
    'scan',
    { pageSize: 20, pageToken: '17', match: b('o*'), type: 'stream' },
    'SCAN 17 MATCH o* COUNT 20 TYPE stream',
  )
  golden(keyMappings, K, 'scan', { pageToken: 'x' }, 'fault: page_token is not one of ours')
  golden(keyMappings, K, 'count', {}, 'DBSIZE')
  golden(keyMappings, K, 'flushAll', {}, 'FLUSHALL')
})
