// StreamService, GroupService and KeyService.

import { test } from 'node:test'
import { groupMappings } from '../../../../../src/doors/grpc/mapping/group.ts'
import { keyMappings } from '../../../../../src/doors/grpc/mapping/key.ts'
import { streamMappings } from '../../../../../src/doors/grpc/mapping/stream.ts'
import { NackMode } from '../../../../../src/gen/slotcast/v1/consume.ts'
import { GroupServiceService } from '../../../../../src/gen/slotcast/v1/group_service.ts'
import {
  ExpireCondition,
  KeyServiceService,
} from '../../../../../src/gen/slotcast/v1/key_service.ts'
import { ReferencePolicy } from '../../../../../src/gen/slotcast/v1/stream.ts'
import { StreamServiceService } from '../../../../../src/gen/slotcast/v1/stream_service.ts'
import { goldenOf } from './golden.ts'

const b = (text: string): Buffer => Buffer.from(text)
const empty = Buffer.alloc(0)
const seconds = (value: number) => ({ seconds: BigInt(value), nanos: 0 })
const key = b('orders')
const group = b('workers')
const consumer = b('w1')
const references = ReferencePolicy.REFERENCE_POLICY_UNSPECIFIED

const streams = goldenOf(streamMappings, StreamServiceService)
const groups = goldenOf(groupMappings, GroupServiceService)
const keysOf = goldenOf(keyMappings, KeyServiceService)

test('StreamService.Append is XADD with all its options', () => {
  const fields = [{ name: b('item'), value: b('7') }]
  const xadd = (request: object, expected: string) =>
    streams('append', { key, fields, ...request }, expected)
  xadd({}, 'XADD orders * item 7')
  xadd({ id: '5-*' }, 'XADD orders 5-* item 7')
  xadd({ fields: [...fields, ...fields] }, 'XADD orders * item 7 item 7')
  xadd({ noCreate: true, id: '5-1' }, 'XADD orders NOMKSTREAM 5-1 item 7')
  const maxLength = { $case: 'maxLength', value: 10n }
  xadd(
    { noCreate: true, trim: { strategy: maxLength, approximate: true, limit: 0n, references } },
    'XADD orders NOMKSTREAM MAXLEN ~ 10 LIMIT 0 * item 7',
  )
  xadd(
    {
      trim: {
        strategy: { $case: 'minId', value: '3-0' },
        approximate: false,
        limit: undefined,
        references,
      },
    },
    'XADD orders MINID = 3-0 * item 7',
  )
  xadd(
    { trim: { strategy: undefined, approximate: false, limit: undefined, references } },
    'fault: the trim policy has no strategy',
  )
  xadd({ fields: [] }, 'fault: fields is empty')
  xadd({ key: empty }, 'fault: key is required')
  xadd({ key: Buffer.alloc(65_537) }, 'fault: key is over 65536 bytes')
})

test('StreamService reads are XRANGE, XREVRANGE, XREAD, XLEN and XINFO', () => {
  streams('range', { key }, 'XRANGE orders - +')
  streams('range', { key, start: '(1-1', end: '9', count: 5n }, 'XRANGE orders (1-1 9 COUNT 5')
  streams('range', {}, 'fault: key is required')
  streams('reverseRange', { key }, 'XREVRANGE orders + -')
  streams('reverseRange', { key, start: '1', end: '9', count: 1n }, 'XREVRANGE orders 9 1 COUNT 1')
  const positions = [
    { key, after: '0' },
    { key: b('{orders}2'), after: '' },
  ]
  streams('read', { streams: positions }, 'XREAD STREAMS orders {orders}2 0 $')
  streams(
    'read',
    { streams: positions, count: 10n, block: { seconds: 1n, nanos: 500_000_001 } },
    'XREAD COUNT 10 BLOCK 1501 STREAMS orders {orders}2 0 $',
  )
  streams(
    'read',
    { streams: positions, block: seconds(0) },
    'XREAD BLOCK 0 STREAMS orders {orders}2 0 $',
  )
  streams(
    'read',
    { streams: positions, block: seconds(-1) },
    'fault: block is negative or malformed',
  )
  streams('read', {}, 'fault: streams is empty')
  streams('read', { streams: [{ key: empty, after: '' }] }, 'fault: streams: key is required')
  streams('length', { key }, 'XLEN orders')
  streams('info', { key }, 'XINFO STREAM orders')
  streams('info', { key, full: true }, 'XINFO STREAM orders FULL')
  streams('info', { key, full: true, count: 3n }, 'XINFO STREAM orders FULL COUNT 3')
})

test('StreamService writes are XDEL, XTRIM and XSETID', () => {
  streams('delete', { key, ids: ['1-1', '2'] }, 'XDEL orders 1-1 2')
  streams('delete', { key }, 'fault: ids is empty')
  const strategy = { $case: 'maxLength', value: 0n } as const
  streams(
    'trim',
    { key, policy: { strategy, approximate: false, limit: undefined, references } },
    'XTRIM orders MAXLEN = 0',
  )
  streams('trim', { key }, 'fault: policy is required')
  streams('setId', { key, lastId: '9-9' }, 'XSETID orders 9-9')
  streams(
    'setId',
    { key, lastId: '9-9', entriesAdded: 0n, maxDeletedId: '8-8' },
    'XSETID orders 9-9 ENTRIESADDED 0 MAXDELETEDID 8-8',
  )
  streams('setId', { key }, 'fault: last_id is required')
})

test('GroupService keeps groups and consumers with XGROUP and XINFO', () => {
  const g = { key, group }
  groups('create', g, 'XGROUP CREATE orders workers $')
  groups(
    'create',
    { ...g, startId: '0', createStream: true, entriesRead: -1n },
    'XGROUP CREATE orders workers 0 MKSTREAM ENTRIESREAD -1',
  )
  groups('create', { key }, 'fault: group is required')
  groups('setId', g, 'XGROUP SETID orders workers $')
  groups('setId', { ...g, id: '5', entriesRead: 2n }, 'XGROUP SETID orders workers 5 ENTRIESREAD 2')
  groups('destroy', g, 'XGROUP DESTROY orders workers')
  groups('createConsumer', { ...g, consumer }, 'XGROUP CREATECONSUMER orders workers w1')
  groups('createConsumer', g, 'fault: consumer is required')
  groups('deleteConsumer', { ...g, consumer }, 'XGROUP DELCONSUMER orders workers w1')
  groups('listGroups', { key }, 'XINFO GROUPS orders')
  groups('listConsumers', g, 'XINFO CONSUMERS orders workers')
})

test('GroupService delivers and acknowledges with XREADGROUP and XACK', () => {
  const g = { group, consumer }
  const positions = [{ key, after: '' }]
  groups('read', { ...g, streams: positions }, 'XREADGROUP GROUP workers w1 STREAMS orders >')
  groups(
    'read',
    { ...g, streams: [{ key, after: '0' }], count: 2n, block: seconds(5), noAck: true },
    'XREADGROUP GROUP workers w1 COUNT 2 BLOCK 5000 NOACK STREAMS orders 0',
  )
  groups('read', { group, streams: positions }, 'fault: consumer is required')
  groups('read', { consumer, streams: positions }, 'fault: group is required')
  groups('read', g, 'fault: streams is empty')
  groups('ack', { key, group, ids: ['1-1', '2-2'] }, 'XACK orders workers 1-1 2-2')
  groups('ack', { key, group }, 'fault: ids is empty')
})

test('GroupService looks after pending entries with XPENDING, XCLAIM and XAUTOCLAIM', () => {
  const g = { key, group }
  groups('pending', g, 'XPENDING orders workers')
  groups('pendingEntries', g, 'XPENDING orders workers - + 100')
  groups(
    'pendingEntries',
    { ...g, minIdle: seconds(1), start: '(1', end: '5', count: 3n, consumer },
    'XPENDING orders workers IDLE 1000 (1 5 3 w1',
  )
  const c = { ...g, consumer }
  const ids = ['1-1', '2-2']
  groups('claim', { ...c, ids }, 'XCLAIM orders workers w1 0 1-1 2-2')
  groups(
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
  groups(
    'claim',
    { ...c, ids, delivered: { $case: 'deliveryTime', value: seconds(1_700_000_000) } },
    'XCLAIM orders workers w1 0 1-1 2-2 TIME 1700000000000',
  )
  groups('claim', c, 'fault: ids is empty')
  groups('autoClaim', c, 'XAUTOCLAIM orders workers w1 0 -')
  groups(
    'autoClaim',
    { ...c, minIdle: seconds(1), start: '5-0', count: 7n, justId: true },
    'XAUTOCLAIM orders workers w1 1000 5-0 COUNT 7 JUSTID',
  )
})

test('KeyService finds, counts and deletes with DEL, UNLINK, EXISTS, TOUCH, TYPE, SCAN, DBSIZE and FLUSHALL', () => {
  const keys = [key, b('{orders}2')]
  keysOf('delete', { keys }, 'DEL orders {orders}2')
  keysOf('delete', {}, 'fault: keys is empty')
  keysOf('delete', { keys: [empty] }, 'fault: keys: key is required')
  keysOf('unlink', { keys }, 'UNLINK orders {orders}2')
  keysOf('exists', { keys }, 'EXISTS orders {orders}2')
  keysOf('touch', { keys }, 'TOUCH orders {orders}2')
  keysOf('touch', {}, 'fault: keys is empty')
  keysOf('type', { key }, 'TYPE orders')
  keysOf('memoryUsage', { key }, 'MEMORY USAGE orders')
  keysOf('scan', {}, 'SCAN 0')
  keysOf(
    'scan',
    { pageSize: 20, pageToken: '17', match: b('o*'), type: 'stream' },
    'SCAN 17 MATCH o* COUNT 20 TYPE stream',
  )
  keysOf('scan', { pageToken: 'x' }, 'fault: page_token is not one of ours')
  keysOf('count', {}, 'DBSIZE')
  keysOf('flushAll', {}, 'FLUSHALL')
})

test('KeyService keeps expiry and names with PEXPIRE, PTTL, PERSIST, RENAME and COPY', () => {
  const ttl = { $case: 'ttl', value: { seconds: 1n, nanos: 500_000_000 } } as const
  const expireTime = { $case: 'expireTime', value: seconds(1_900_000_000) } as const
  const at = ExpireCondition
  keysOf('expire', { key, expiry: ttl }, 'PEXPIRE orders 1500')
  keysOf('expire', { key, expiry: expireTime }, 'PEXPIREAT orders 1900000000000')
  for (const [condition, word] of [
    [at.EXPIRE_CONDITION_NONE, 'NX'],
    [at.EXPIRE_CONDITION_ANY, 'XX'],
    [at.EXPIRE_CONDITION_LATER, 'GT'],
    [at.EXPIRE_CONDITION_EARLIER, 'LT'],
  ] as const) {
    keysOf('expire', { key, expiry: ttl, condition }, `PEXPIRE orders 1500 ${word}`)
  }
  const unknown = 9 as unknown as ExpireCondition
  keysOf('expire', { key, expiry: ttl, condition: unknown }, 'fault: condition is unknown')
  keysOf('expire', { key }, 'fault: expiry is required')
  const negative = { $case: 'ttl', value: seconds(-1) } as const
  keysOf('expire', { key, expiry: negative }, 'fault: ttl is negative or malformed')
  keysOf('ttl', { key }, 'PTTL orders')
  keysOf('expireTime', { key }, 'PEXPIRETIME orders')
  keysOf('persist', { key }, 'PERSIST orders')
  const newKey = b('{orders}2')
  keysOf('rename', { key, newKey }, 'RENAME orders {orders}2')
  keysOf('rename', { key, newKey, ifAbsent: true }, 'RENAMENX orders {orders}2')
  keysOf('rename', { key }, 'fault: new_key is required')
  const pair = { source: key, destination: newKey }
  keysOf('copy', pair, 'COPY orders {orders}2')
  keysOf('copy', { ...pair, replace: true }, 'COPY orders {orders}2 REPLACE')
  keysOf('copy', { source: key }, 'fault: destination is required')
  keysOf('copy', { destination: key }, 'fault: source is required')
})

test('KeyService carries values from key to key with DUMP and RESTORE', () => {
  const dump = b('bytes')
  const ttl = { $case: 'ttl', value: { seconds: 0n, nanos: 1 } } as const
  const expireTime = { $case: 'expireTime', value: seconds(1_900_000_000) } as const
  keysOf('dump', { key }, 'DUMP orders')
  keysOf('restore', { key, dump }, 'RESTORE orders 0 bytes')
  keysOf('restore', { key, dump, expiry: ttl, replace: true }, 'RESTORE orders 1 bytes REPLACE')
  keysOf('restore', { key, dump, expiry: expireTime }, 'RESTORE orders 1900000000000 bytes ABSTTL')
  keysOf('restore', { key }, 'fault: dump is required')
  for (const value of [seconds(0), seconds(-1)]) {
    const expiry = { $case: 'ttl', value } as const
    keysOf('restore', { key, dump, expiry }, 'fault: expiry is not above zero')
  }
})

test('appends are idempotent, and references minded, as the request says', () => {
  const fields = [{ name: b('item'), value: b('7') }]
  const append = { key, fields }
  const producerId = b('p1')
  const policy = ReferencePolicy
  const trim = {
    strategy: { $case: 'maxLength', value: 10n },
    approximate: false,
    limit: undefined,
    references: policy.REFERENCE_POLICY_ACKED,
  } as const
  streams(
    'append',
    { ...append, trim, idempotence: { producerId, idempotentId: b('i1') } },
    'XADD orders MAXLEN = 10 ACKED IDMP p1 i1 * item 7',
  )
  streams(
    'append',
    { ...append, idempotence: { producerId, idempotentId: b('') } },
    'XADD orders IDMPAUTO p1 * item 7',
  )
  streams(
    'append',
    { ...append, idempotence: { producerId: b(''), idempotentId: b('i1') } },
    'fault: idempotence.producer_id is required',
  )
  streams('trim', { key, policy: trim }, 'XTRIM orders MAXLEN = 10 ACKED')
  const ids = ['1-1', '2-2']
  streams('deleteEx', { key, ids }, 'XDELEX orders IDS 2 1-1 2-2')
  const references = policy.REFERENCE_POLICY_DELETE
  streams('deleteEx', { key, ids, references }, 'XDELEX orders DELREF IDS 2 1-1 2-2')
  streams('deleteEx', { key }, 'fault: ids is empty')
  const unknown = 9 as unknown as ReferencePolicy
  streams('deleteEx', { key, ids, references: unknown }, 'fault: references is unknown')
  const g = { key, group }
  groups(
    'ackDelete',
    { ...g, ids, references: policy.REFERENCE_POLICY_KEEP },
    'XACKDEL orders workers KEEPREF IDS 2 1-1 2-2',
  )
  groups('ackDelete', g, 'fault: ids is empty')
  streams(
    'configure',
    { key, idempotenceDuration: { seconds: 9n, nanos: 1 }, idempotenceMaxSize: 5 },
    'XCFGSET orders IDMP-DURATION 10 IDMP-MAXSIZE 5',
  )
  streams('configure', { key }, 'XCFGSET orders')
})

test('entries are released with XNACK, and taken over with CLAIM within the limits of a read', () => {
  const g = { key, group }
  const ids = ['1-1']
  groups('nack', { ...g, ids }, 'XNACK orders workers FAIL IDS 1 1-1')
  groups('nack', { ...g, ids, mode: 9 as never }, 'fault: mode is unknown')
  groups(
    'nack',
    { ...g, ids, mode: NackMode.NACK_MODE_SILENT },
    'XNACK orders workers SILENT IDS 1 1-1',
  )
  groups(
    'nack',
    { ...g, ids, mode: NackMode.NACK_MODE_FAIL, retryCount: 0n, force: true },
    'XNACK orders workers FAIL IDS 1 1-1 RETRYCOUNT 0 FORCE',
  )
  groups('nack', { ...g, mode: NackMode.NACK_MODE_FATAL }, 'fault: ids is empty')
  groups(
    'read',
    {
      group,
      consumer,
      streams: [{ key, after: '' }],
      count: 2n,
      maxCount: 3n,
      maxBytes: 4096n,
      block: seconds(1),
      claimMinIdle: seconds(60),
    },
    'XREADGROUP GROUP workers w1 COUNT 2 MAXCOUNT 3 MAXSIZE 4096 BLOCK 1000 CLAIM 60000 STREAMS orders >',
  )
  streams(
    'read',
    { streams: [{ key, after: '0' }], maxCount: 3n, maxBytes: 10n },
    'XREAD MAXCOUNT 3 MAXSIZE 10 STREAMS orders 0',
  )
})
