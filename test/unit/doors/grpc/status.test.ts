import assert from 'node:assert/strict'
import { test } from 'node:test'
import { status as codes, type Metadata } from '@grpc/grpc-js'
import { clientErrorOf, ERROR_TABLE } from '../../../../src/base/errors.ts'
import { invalid, statusOf } from '../../../../src/doors/grpc/status.ts'
import { slotMoved } from '../../../../src/doors/grpc/topology.ts'
import { ErrorInfo, RetryInfo } from '../../../../src/gen/google/rpc/error_details.ts'
import { Status } from '../../../../src/gen/google/rpc/status.ts'
import { SlotMoved } from '../../../../src/gen/slotcast/v1/topology.ts'
import { noSuchKey, type Redirect } from '../../../../src/machine/reply.ts'
import { FakeDesk } from './fake-desk.ts'

function details(metadata: Metadata): { status: Status; byType: Map<string, Buffer> } {
  const status = Status.decode(metadata.get('grpc-status-details-bin')[0] as Buffer)
  const byType = new Map(
    status.details.map(detail => [detail.typeUrl.split('/')[1] ?? '', detail.value]),
  )
  return { status, byType }
}

const part = (byType: Map<string, Buffer>, type: string): Buffer => {
  const found = byType.get(type)
  assert.ok(found !== undefined, `no ${type} among ${[...byType.keys()]}`)
  return found
}

test('a redirect says where to go in its message, in a trailer and in typed details', () => {
  const redirect: Redirect = { kind: 'MOVED', slot: 3999, epoch: 7, shard: 1, leader: 2 }
  const text = 'MOVED 3999 127.0.0.1:7102'
  const status = statusOf({ kind: 'error', text, redirect }, slotMoved(new FakeDesk(), redirect))
  assert.equal(status.code, codes.FAILED_PRECONDITION)
  assert.equal(status.details, text)
  assert.deepEqual(status.metadata.get('slotcast-redirect'), [text])
  assert.deepEqual(status.metadata.get('slotcast-code'), [text])
  const { status: packed, byType } = details(status.metadata)
  assert.equal(packed.code, codes.FAILED_PRECONDITION)
  assert.equal(packed.message, text)
  const info = ErrorInfo.decode(part(byType, 'google.rpc.ErrorInfo'))
  assert.deepEqual(info, { reason: 'MOVED', domain: 'slotcast', metadata: {} })
  const moved = SlotMoved.decode(part(byType, 'slotcast.v1.SlotMoved'))
  assert.deepEqual(moved, {
    slot: 3999,
    configEpoch: 7n,
    shardId: 1,
    leader: { nodeId: 'n2', host: '127.0.0.1', port: 7102 },
    replicas: [
      { nodeId: 'n1', host: '127.0.0.1', port: 7101 },
      { nodeId: 'n3', host: '127.0.0.1', port: 7103 },
    ],
    range: { first: 0, last: 8191 },
  })
  assert.equal(byType.has('google.rpc.RetryInfo'), false)
})

test('a redirect to a shard or a leader that the map does not know is still a redirect', () => {
  const redirect: Redirect = { kind: 'MOVED', slot: 1, epoch: 9, shard: 40, leader: 50 }
  const moved = slotMoved(new FakeDesk(), redirect)
  assert.equal(moved.leader, undefined)
  assert.deepEqual(moved.replicas, [])
  assert.equal(moved.range, undefined)
})

test('what passes by waiting carries RetryInfo, and nothing else does', () => {
  for (const [text, code, retry] of [
    ['CLUSTERDOWN The cluster is down', codes.UNAVAILABLE, true],
    ['LOADING the node replays its log', codes.UNAVAILABLE, true],
    ['UNBLOCKED force unblock from blocking operation', codes.UNAVAILABLE, true],
    ['TRYAGAIN too much under way', codes.RESOURCE_EXHAUSTED, true],
    ['OOM command not allowed', codes.RESOURCE_EXHAUSTED, true],
    ['ERR Background save already in progress', codes.ABORTED, true],
    ['ERR index out of range', codes.OUT_OF_RANGE, false],
    ["ERR unknown command 'NO', with args beginning with: ", codes.UNIMPLEMENTED, false],
    ['INDOUBT leadership went', codes.UNKNOWN, false],
    ['WRONGTYPE Operation against a key', codes.FAILED_PRECONDITION, false],
    ['NOGROUP No such key', codes.NOT_FOUND, false],
    ['BUSYGROUP Consumer Group name already exists', codes.ALREADY_EXISTS, false],
    ['CROSSSLOT Keys in request', codes.INVALID_ARGUMENT, false],
    ['ERR syntax error', codes.INVALID_ARGUMENT, false],
    ['NEVERHEARD of it', codes.INVALID_ARGUMENT, false],
    [noSuchKey.text, codes.NOT_FOUND, false],
  ] as const) {
    const status = statusOf({ kind: 'error', text }, null)
    assert.equal(status.code, code, text)
    assert.deepEqual(status.metadata.get('slotcast-code'), [text])
    assert.deepEqual(status.metadata.get('slotcast-redirect'), [])
    const { byType } = details(status.metadata)
    const info = ErrorInfo.decode(part(byType, 'google.rpc.ErrorInfo'))
    assert.equal(info.reason, clientErrorOf(text).reason)
    assert.equal(byType.has('google.rpc.RetryInfo'), retry, text)
    if (!retry) continue
    const { retryDelay } = RetryInfo.decode(part(byType, 'google.rpc.RetryInfo'))
    assert.ok(retryDelay !== undefined && retryDelay.nanos > 0)
  }
})

test('every row of the table of errors has a status', () => {
  for (const row of Object.values(ERROR_TABLE)) assert.ok(codes[row.grpc] > 0, row.word)
})

test('a text that no header can carry is told as far as one can', () => {
  const status = invalid(`bad word '\u0000\r\n é \ud800' ${'x'.repeat(100_000)}`)
  const [trailer] = status.metadata.get('slotcast-code')
  assert.match(String(trailer), /^ERR bad word '\?\?\? \? \?' x+$/)
  assert.ok(status.details.length <= 1024)
  assert.doesNotThrow(() => encodeURI(status.details))
})
