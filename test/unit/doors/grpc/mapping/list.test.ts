import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listMappings } from '../../../../../src/doors/grpc/mapping/list.ts'
import {
  ListEnd,
  ListMoveOrder,
  ListServiceService,
  ListSide,
} from '../../../../../src/gen/slotcast/v1/list_service.ts'
import {
  array,
  bulk,
  integer,
  NULL,
  NULL_ARRAY,
  type Reply,
} from '../../../../../src/machine/reply.ts'
import { answer, goldenOf, waits } from './golden.ts'

const lists = goldenOf(listMappings, ListServiceService)
const b = (text: string): Buffer => Buffer.from(text)
const key = b('jobs')
const left = ListEnd.LIST_END_LEFT
const right = ListEnd.LIST_END_RIGHT
const block = { seconds: 1n, nanos: 500_000_001 }
const forever = { seconds: 0n, nanos: 0 }
const pair = { source: key, destination: b('{jobs}2') }

test('Push is LPUSH and RPUSH, and their X forms where nothing may be made', () => {
  const elements = [b('a'), b('')]
  lists('push', { key, end: left, elements }, 'LPUSH jobs a ')
  lists('push', { key, end: right, elements }, 'RPUSH jobs a ')
  lists('push', { key, end: left, elements, noCreate: true }, 'LPUSHX jobs a ')
  lists('push', { key, end: right, elements, noCreate: true }, 'RPUSHX jobs a ')
  lists('push', { key, elements }, 'fault: end is required')
  lists('push', { key, elements, end: 7 as never }, 'fault: end is required')
  lists('push', { key, end: left }, 'fault: elements is empty')
  lists('push', { end: left, elements }, 'fault: key is required')
  assert.deepEqual(answer(listMappings.push, integer(3)), { length: 3n })
})

test('Pop is LPOP and RPOP, and BLMPOP where it may wait', () => {
  lists('pop', { key, end: left }, 'LPOP jobs 1')
  lists('pop', { key, end: right, count: 5n }, 'RPOP jobs 5')
  lists('pop', { key, end: left, block }, 'BLMPOP 1.501 1 jobs LEFT COUNT 1')
  lists('pop', { key, end: right, count: 2n, block: forever }, 'BLMPOP 0 1 jobs RIGHT COUNT 2')
  lists('pop', { key }, 'fault: end is required')
  lists('pop', { key, block }, 'fault: end is required')
  lists('pop', { end: left }, 'fault: key is required')
  const negative = { seconds: -1n, nanos: 0 }
  lists('pop', { key, end: left, block: negative }, 'fault: block is negative or malformed')
  const bulks: Reply = { kind: 'bulks', bytes: b('ab'), bounds: [0, 1, 1, 2] }
  const elements = [b('a'), b('b')]
  assert.deepEqual(answer(listMappings.pop, bulks), { elements })
  assert.deepEqual(answer(listMappings.pop, NULL_ARRAY), { elements: [] })
  const waited = array([bulk(key), bulks])
  assert.deepEqual(answer(listMappings.pop, waited, { block }), { elements })
  assert.deepEqual(answer(listMappings.pop, NULL_ARRAY, { block }), { elements: [] })
})

test('PopAny is LMPOP and BLMPOP over keys in order', () => {
  const keys = [key, b('{jobs}2')]
  lists('popAny', { keys, end: left }, 'LMPOP 2 jobs {jobs}2 LEFT COUNT 1')
  lists('popAny', { keys, end: right, count: 9n }, 'LMPOP 2 jobs {jobs}2 RIGHT COUNT 9')
  const wait = { seconds: 0n, nanos: 50_000_000 }
  lists('popAny', { keys, end: left, block: wait }, 'BLMPOP 0.050 2 jobs {jobs}2 LEFT COUNT 1')
  lists('popAny', { end: left }, 'fault: keys is empty')
  lists('popAny', { keys: [b('')], end: left }, 'fault: keys: key is required')
  lists('popAny', { keys }, 'fault: end is required')
  const reply = array([bulk(key), array([bulk(b('a'))])])
  assert.deepEqual(answer(listMappings.popAny, reply), { key, elements: [b('a')] })
  assert.deepEqual(answer(listMappings.popAny, NULL_ARRAY), { key: b(''), elements: [] })
})

test('Move is LMOVE and BLMOVE, and no element is another than an empty one', () => {
  lists('move', { ...pair, from: right, to: left }, 'LMOVE jobs {jobs}2 RIGHT LEFT')
  lists('move', { ...pair, from: left, to: right, block }, 'BLMOVE jobs {jobs}2 LEFT RIGHT 1.501')
  lists('move', { ...pair, to: left }, 'fault: from is required')
  lists('move', { ...pair, from: left }, 'fault: to is required')
  lists('move', { source: key, from: left, to: left }, 'fault: destination is required')
  lists('move', { destination: key, from: left, to: left }, 'fault: source is required')
  assert.deepEqual(answer(listMappings.move, bulk(b(''))), { element: b('') })
  for (const none of [NULL, NULL_ARRAY]) {
    assert.deepEqual(answer(listMappings.move, none), { element: undefined })
  }
})

test('MoveMany is LMOVEM and BLMOVEM, with an order where it matters', () => {
  const ends = { ...pair, from: left, to: right }
  const bulkOrder = ListMoveOrder.LIST_MOVE_ORDER_BULK
  const order = ListMoveOrder.LIST_MOVE_ORDER_ONE_BY_ONE
  lists('moveMany', ends, 'LMOVEM jobs {jobs}2 LEFT RIGHT COUNT 1 BULK')
  lists('moveMany', { ...ends, count: 3n }, 'fault: order is required')
  lists('moveMany', { ...ends, count: 3n, order }, 'LMOVEM jobs {jobs}2 LEFT RIGHT COUNT 3 OBO')
  lists(
    'moveMany',
    { ...ends, count: 3n, exactly: true, order: bulkOrder, block },
    'BLMOVEM jobs {jobs}2 LEFT RIGHT 1.501 EXACTLY 3 BULK',
  )
  assert.deepEqual(answer(listMappings.moveMany, array([bulk(b('a'))])), { elements: [b('a')] })
  assert.deepEqual(answer(listMappings.moveMany, NULL_ARRAY), { elements: [] })
})

test('reads are LLEN, LRANGE, LINDEX and LPOS', () => {
  lists('length', { key }, 'LLEN jobs')
  lists('range', { key }, 'LRANGE jobs 0 -1')
  lists('range', { key, start: -3n, stop: 0n }, 'LRANGE jobs -3 0')
  lists('index', { key, index: -1n }, 'LINDEX jobs -1')
  lists('position', { key, element: b('a') }, 'LPOS jobs a COUNT 1')
  lists(
    'position',
    { key, element: b('a'), rank: -2n, count: 0n, maxComparisons: 100n },
    'LPOS jobs a RANK -2 COUNT 0 MAXLEN 100',
  )
  assert.deepEqual(answer(listMappings.range, array([bulk(b('a'))])), { elements: [b('a')] })
  assert.deepEqual(answer(listMappings.index, NULL), { element: undefined })
  assert.deepEqual(answer(listMappings.position, array([integer(4)])), { positions: [4n] })
})

test('writes in place are LSET, LINSERT, LREM and LTRIM', () => {
  lists('set', { key, index: 2n, element: b('a') }, 'LSET jobs 2 a')
  const beside = { key, pivot: b('p'), element: b('a') }
  const { LIST_SIDE_AFTER: after, LIST_SIDE_BEFORE: before } = ListSide
  lists('insert', { ...beside, side: before }, 'LINSERT jobs BEFORE p a')
  lists('insert', { ...beside, side: after }, 'LINSERT jobs AFTER p a')
  lists('insert', beside, 'fault: side is required')
  lists('remove', { key, element: b('a') }, 'LREM jobs 0 a')
  lists('remove', { key, element: b('a'), count: -2n }, 'LREM jobs -2 a')
  lists('trim', { key, start: 1n }, 'LTRIM jobs 1 -1')
  lists('trim', { key, start: -10n, stop: -2n }, 'LTRIM jobs -10 -2')
  const inserted = (length: number) => answer(listMappings.insert, integer(length))
  assert.deepEqual(inserted(3), { inserted: true, length: 3n })
  for (const none of [0, -1]) assert.deepEqual(inserted(none), { inserted: false, length: 0n })
})

test('just what may wait gets a session of its own', () => {
  const { pop, popAny, move, moveMany } = listMappings
  const asked = (request: { block?: typeof forever }) => [
    waits(pop, request),
    waits(popAny, request),
    waits(move, request),
    waits(moveMany, request),
  ]
  assert.deepEqual(asked({ block: forever }), [true, true, true, true])
  assert.deepEqual(asked({}), [false, false, false, false])
})
