// StringService and SetService.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setMappings } from '../../../../../src/doors/grpc/mapping/set.ts'
import { stringMappings } from '../../../../../src/doors/grpc/mapping/string.ts'
import { SetServiceService } from '../../../../../src/gen/slotcast/v1/set_service.ts'
import {
  StringServiceService,
  type StringServiceSetRequest,
} from '../../../../../src/gen/slotcast/v1/string_service.ts'
import {
  array,
  bulk,
  integer,
  NULL,
  OK,
  type Reply,
  text,
} from '../../../../../src/machine/reply.ts'
import { answer, goldenOf } from './golden.ts'

const strings = goldenOf(stringMappings, StringServiceService)
const sets = goldenOf(setMappings, SetServiceService)
const b = (value: string): Buffer => Buffer.from(value)
const key = b('name')
const value = b('v')
const keys = [key, b('{name}2')]
const ttl = { $case: 'ttl', value: { seconds: 2n, nanos: 1 } } as const
const expireTime = { $case: 'expireTime', value: { seconds: 9n, nanos: 0 } } as const

test('Set is SET with its conditions and its expiry', () => {
  const set = (request: Partial<StringServiceSetRequest>, expected: string) =>
    strings('set', { key, value, ...request }, expected)
  set({}, 'SET name v')
  set({ condition: { $case: 'ifAbsent', value: true } }, 'SET name v NX')
  set({ condition: { $case: 'ifAbsent', value: false } }, 'SET name v')
  set({ condition: { $case: 'ifPresent', value: true } }, 'SET name v XX')
  set({ condition: { $case: 'ifEqual', value: b('old') } }, 'SET name v IFEQ old')
  set({ condition: { $case: 'ifNotEqual', value: b('') } }, 'SET name v IFNE ')
  set({ expiry: ttl }, 'SET name v PX 2001')
  set({ expiry: expireTime, returnPrevious: true }, 'SET name v GET PXAT 9000')
  set({ expiry: { $case: 'keepTtl', value: true } }, 'SET name v KEEPTTL')
  set({ key: b('') }, 'fault: key is required')
  const negative = { $case: 'ttl', value: { seconds: 0n, nanos: -1 } } as const
  set({ expiry: negative }, 'fault: ttl is negative or malformed')
})

test('Set tells whether it stored, also where the answer is the value before', () => {
  const { set } = stringMappings
  assert.deepEqual(answer(set, OK), { stored: true, previous: undefined })
  assert.deepEqual(answer(set, NULL), { stored: false, previous: undefined })
  const old = bulk(b('old'))
  const previous = b('old')
  type Condition = StringServiceSetRequest['condition']
  const told = (condition: Condition, reply: Reply) =>
    answer(set, reply, { condition, returnPrevious: true })
  assert.deepEqual(told(undefined, old), { stored: true, previous })
  assert.deepEqual(told(undefined, NULL), { stored: true, previous: undefined })
  const cases: [Condition, boolean, boolean][] = [
    [{ $case: 'ifAbsent', value: true }, true, false],
    [{ $case: 'ifPresent', value: true }, false, true],
    [{ $case: 'ifEqual', value: b('old') }, false, true],
    [{ $case: 'ifEqual', value: b('new') }, false, false],
    [{ $case: 'ifNotEqual', value: b('old') }, true, false],
    [{ $case: 'ifNotEqual', value: b('new') }, true, true],
  ]
  for (const [condition, whenMissing, whenOld] of cases) {
    assert.equal(told(condition, NULL).stored, whenMissing, condition?.$case)
    assert.equal(told(condition, old).stored, whenOld, condition?.$case)
  }
})

test('StringService reads, adds and counts with the commands of strings', () => {
  strings('get', { key }, 'GET name')
  strings('multiGet', { keys }, 'MGET name {name}2')
  strings('multiGet', {}, 'fault: keys is empty')
  const pairs = [{ key, value }]
  strings('multiSet', { pairs }, 'MSET name v')
  strings('multiSet', { pairs, ifAbsent: true }, 'MSETNX name v')
  strings('multiSet', {}, 'fault: pairs is empty')
  strings('multiSet', { pairs: [{ key: b(''), value }] }, 'fault: pairs: key is required')
  strings('getDelete', { key }, 'GETDEL name')
  strings('getExpire', { key }, 'GETEX name')
  strings('getExpire', { key, expiry: ttl }, 'GETEX name PX 2001')
  strings('getExpire', { key, expiry: { $case: 'persist', value: true } }, 'GETEX name PERSIST')
  strings('append', { key, value }, 'APPEND name v')
  strings('length', { key }, 'STRLEN name')
  strings('increment', { key }, 'INCRBY name 1')
  strings('increment', { key, amount: 0n }, 'INCRBY name 0')
  strings('increment', { key, amount: -(2n ** 63n) }, 'INCRBY name -9223372036854775808')
  strings('incrementFloat', { key, amount: 0.1 }, 'INCRBYFLOAT name 0.1')
  strings('incrementFloat', { key, amount: Number.NaN }, 'fault: amount is not finite')
  assert.deepEqual(answer(stringMappings.get, NULL), { value: undefined })
  assert.deepEqual(answer(stringMappings.get, bulk(b(''))), { value: b('') })
  assert.deepEqual(answer(stringMappings.multiGet, array([bulk(value), NULL])), {
    values: [{ value }, { value: undefined }],
  })
  assert.deepEqual(answer(stringMappings.increment, integer(-7n)), { value: -7n })
  assert.deepEqual(answer(stringMappings.incrementFloat, text('3.5')), { value: 3.5 })
  assert.deepEqual(answer(stringMappings.multiSet, OK), { stored: true })
  assert.deepEqual(answer(stringMappings.multiSet, integer(0), { ifAbsent: true }), {
    stored: false,
  })
})

test('SetService is SADD, SREM, SMISMEMBER, SMEMBERS, SCARD, SPOP, SRANDMEMBER, SMOVE and SSCAN', () => {
  const members = [b('a'), b('')]
  sets('add', { key, members }, 'SADD name a ')
  sets('add', { key }, 'fault: members is empty')
  sets('remove', { key, members }, 'SREM name a ')
  sets('isMember', { key, members }, 'SMISMEMBER name a ')
  sets('members', { key }, 'SMEMBERS name')
  sets('count', { key }, 'SCARD name')
  sets('pop', { key }, 'SPOP name 1')
  sets('pop', { key, count: 4n }, 'SPOP name 4')
  sets('randomMembers', { key, count: 4n }, 'SRANDMEMBER name 4')
  sets('randomMembers', { key, allowRepeats: true }, 'SRANDMEMBER name -1')
  const pair = { source: key, destination: b('{name}2'), member: b('a') }
  sets('move', pair, 'SMOVE name {name}2 a')
  sets('move', { ...pair, destination: b('') }, 'fault: destination is required')
  sets('scan', { key }, 'SSCAN name 0')
  sets(
    'scan',
    { key, pageToken: '17', pageSize: 5, match: b('a*') },
    'SSCAN name 17 MATCH a* COUNT 5',
  )
  sets('scan', { key, pageToken: '-1' }, 'fault: page_token is not one of ours')
  const set: Reply = { kind: 'set', items: members.map(bulk) }
  assert.deepEqual(answer(setMappings.members, set), { members })
  assert.deepEqual(answer(setMappings.isMember, array([integer(1), integer(0)])), {
    areMembers: [true, false],
  })
  assert.deepEqual(answer(setMappings.scan, array([text('0'), array([bulk(b('a'))])])), {
    members: [b('a')],
    nextPageToken: '',
  })
})
