import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupMappings } from '../../../../../src/doors/grpc/mapping/group.ts'
import { keyMappings } from '../../../../../src/doors/grpc/mapping/key.ts'
import { streamMappings } from '../../../../../src/doors/grpc/mapping/stream.ts'
import { DeleteOutcome } from '../../../../../src/gen/slotcast/v1/stream.ts'
import {
  array,
  bulk,
  integer,
  NULL,
  NULL_ARRAY,
  type Reply,
  text,
} from '../../../../../src/machine/reply.ts'
import { answer } from './golden.ts'

const id = (ms: number, seq: number): Reply => ({ kind: 'id', id: { ms, seq } })
const b = (value: string): Buffer => Buffer.from(value)
const fields: Reply = { kind: 'bulks', bytes: b('xitem7'), bounds: [1, 5, 5, 6] }
const entry = array([id(1, 1), fields])
const told = {
  id: '1-1',
  fields: [{ name: b('item'), value: b('7') }],
  deleted: false,
  history: undefined,
}
const gone = { id: '2-2', fields: [], deleted: true, history: undefined }

test('entries are read from packed and from plain fields', () => {
  const plain = array([text('1-1'), array([bulk(b('item')), bulk(b('7'))])])
  for (const reply of [entry, plain]) {
    assert.deepEqual(answer(streamMappings.range, array([reply])), { entries: [told] })
  }
  assert.deepEqual(answer(streamMappings.reverseRange, NULL_ARRAY), { entries: [] })
  assert.deepEqual(answer(streamMappings.append, id(1, 1)), { id: '1-1' })
  assert.deepEqual(answer(streamMappings.append, NULL), { id: '' })
})

test('streams are read from pairs and from arrays, and a wait that ended from nothing', () => {
  const list = array([entry, array([id(2, 2), NULL_ARRAY])])
  const expected = { streams: [{ key: b('orders'), entries: [told, gone] }] }
  const pairs: Reply = { kind: 'pairs', items: [bulk(b('orders')), list] }
  const rows = array([array([bulk(b('orders')), list])])
  for (const reply of [pairs, rows]) {
    assert.deepEqual(answer(streamMappings.read, reply), expected)
    assert.deepEqual(answer(groupMappings.read, reply), expected)
  }
  assert.deepEqual(answer(groupMappings.read, NULL_ARRAY), { streams: [] })
  assert.deepEqual(answer(streamMappings.read, NULL), { streams: [] })
})

test('XPENDING is read as a summary and as rows', () => {
  const summary = array([
    integer(2),
    id(1, 1),
    id(2, 2),
    array([array([bulk(b('w1')), text('2')])]),
  ])
  assert.deepEqual(answer(groupMappings.pending, summary), {
    total: 2n,
    lowestId: '1-1',
    highestId: '2-2',
    consumers: [{ consumer: b('w1'), pending: 2n }],
  })
  assert.deepEqual(answer(groupMappings.pending, array([integer(0), NULL, NULL, NULL_ARRAY])), {
    total: 0n,
    lowestId: '',
    highestId: '',
    consumers: [],
  })
  const rows = array([array([id(1, 1), bulk(b('w1')), integer(1500), integer(3)])])
  assert.deepEqual(answer(groupMappings.pendingEntries, rows), {
    entries: [
      {
        id: '1-1',
        consumer: b('w1'),
        idle: { seconds: 1n, nanos: 500_000_000 },
        deliveryCount: 3n,
      },
    ],
  })
})

test('a released entry idles for no time that could be told', () => {
  const rows = array([array([id(1, 1), bulk(b('')), integer(-1), integer(1)])])
  const [entry] = answer(groupMappings.pendingEntries, rows).entries
  assert.deepEqual(entry, { id: '1-1', consumer: b(''), idle: undefined, deliveryCount: 1n })
})

test('XREADGROUP with CLAIM is read with what was before this delivery', () => {
  const claimed = array([id(1, 1), fields, integer(61_000), integer(2)])
  const reply: Reply = { kind: 'pairs', items: [bulk(b('orders')), array([claimed])] }
  const history = { idle: { seconds: 61n, nanos: 0 }, deliveryCount: 2n }
  assert.deepEqual(answer(groupMappings.read, reply), {
    streams: [{ key: b('orders'), entries: [{ ...told, history }] }],
  })
})

test('XDELEX and XACKDEL are read entry by entry', () => {
  const reply = array([integer(1), integer(-1), integer(2)])
  const { outcomes } = answer(streamMappings.deleteEx, reply)
  assert.deepEqual(outcomes, [
    DeleteOutcome.DELETE_OUTCOME_DELETED,
    DeleteOutcome.DELETE_OUTCOME_MISSING,
    DeleteOutcome.DELETE_OUTCOME_REFERENCED,
  ])
  assert.deepEqual(answer(groupMappings.ackDelete, reply), { outcomes })
})

test('XCLAIM and XAUTOCLAIM are read with fields and with IDs only', () => {
  const bare = { id: '1-1', fields: [], deleted: false, history: undefined }
  assert.deepEqual(answer(groupMappings.claim, array([entry])), { entries: [told] })
  assert.deepEqual(answer(groupMappings.claim, array([id(1, 1)])), { entries: [bare] })
  const reply = array([text('0-0'), array([entry]), array([id(3, 3)])])
  assert.deepEqual(answer(groupMappings.autoClaim, reply), {
    nextStart: '0-0',
    entries: [told],
    deletedIds: ['3-3'],
  })
})

test('XINFO is read, with what is unknown left unset', () => {
  const map = (...items: Reply[]): Reply => ({ kind: 'map', items })
  const group = [
    text('name'),
    bulk(b('workers')),
    text('consumers'),
    integer(1),
    text('pending'),
    integer(2),
    text('last-delivered-id'),
    id(2, 2),
    text('entries-read'),
    NULL,
    text('lag'),
    integer(4),
  ]
  const told = { name: b('workers'), lastDeliveredId: '2-2', entriesRead: undefined, lag: 4n }
  for (const row of [map(...group), array(group)]) {
    assert.deepEqual(answer(groupMappings.listGroups, array([row])), {
      groups: [{ ...told, consumers: 1n, pending: 2n }],
    })
  }
  const consumer = map(
    ...[text('name'), bulk(b('w1')), text('pending'), integer(2)],
    ...[text('idle'), integer(1001), text('inactive'), integer(-1)],
  )
  assert.deepEqual(answer(groupMappings.listConsumers, array([consumer])), {
    consumers: [
      {
        name: b('w1'),
        pending: 2n,
        idle: { seconds: 1n, nanos: 1_000_000 },
        inactive: undefined,
      },
    ],
  })
})

const common = [
  ...[text('length'), integer(2), text('radix-tree-keys'), integer(1)],
  ...[text('radix-tree-nodes'), integer(2), text('last-generated-id'), id(2, 2)],
  ...[text('max-deleted-entry-id'), id(0, 0), text('entries-added'), integer(2)],
  ...[text('recorded-first-entry-id'), id(1, 1), text('idmp-duration'), integer(100)],
  ...[text('idmp-maxsize'), integer(50), text('pids-tracked'), integer(1)],
  ...[text('iids-tracked'), integer(2), text('iids-added'), integer(4)],
  ...[text('iids-duplicates'), integer(3)],
]
const base = {
  length: 2n,
  lastGeneratedId: '2-2',
  maxDeletedEntryId: '0-0',
  entriesAdded: 2n,
  recordedFirstEntryId: '1-1',
  groups: 1n,
  idempotence: {
    duration: { seconds: 100n, nanos: 0 },
    maxSize: 50n,
    producers: 1n,
    tracked: 2n,
    added: 4n,
    duplicates: 3n,
  },
}

test('XINFO STREAM is read with its first and last entry', () => {
  const short: Reply = {
    kind: 'map',
    items: [
      ...common,
      text('groups'),
      integer(1),
      text('first-entry'),
      entry,
      text('last-entry'),
      NULL,
    ],
  }
  assert.deepEqual(answer(streamMappings.info, short), {
    ...base,
    firstEntry: told,
    lastEntry: undefined,
    entries: [],
    groupDetails: [],
  })
})

test('XINFO STREAM FULL is read with groups, consumers and pending entries', () => {
  const pending = [id(1, 1), integer(1_700_000_000_000), integer(3)] as const
  const consumer: Reply = {
    kind: 'map',
    items: [
      ...[text('name'), bulk(b('w1')), text('seen-time'), integer(5), text('active-time')],
      ...[integer(-1), text('pel-count'), integer(1), text('pending'), array([array(pending)])],
    ],
  }
  const row = array([pending[0], bulk(b('w1')), pending[1], pending[2]])
  const group: Reply = {
    kind: 'map',
    items: [
      ...[text('name'), bulk(b('g')), text('last-delivered-id'), id(1, 1)],
      ...[text('entries-read'), integer(1), text('lag'), NULL, text('pel-count'), integer(1)],
      ...[text('nacked-count'), integer(0)],
      ...[text('pending'), array([row]), text('consumers'), array([consumer])],
    ],
  }
  const full: Reply = {
    kind: 'map',
    items: [...common, text('entries'), array([entry]), text('groups'), array([group])],
  }
  const held = {
    id: '1-1',
    consumer: b('w1'),
    deliveryTimeMs: 1_700_000_000_000n,
    deliveryCount: 3n,
  }
  assert.deepEqual(answer(streamMappings.info, full), {
    ...base,
    firstEntry: undefined,
    lastEntry: undefined,
    entries: [told],
    groupDetails: [
      {
        group: {
          name: b('g'),
          consumers: 1n,
          pending: 1n,
          lastDeliveredId: '1-1',
          entriesRead: 1n,
          lag: undefined,
        },
        pending: [held],
        consumers: [
          {
            name: b('w1'),
            seenTimeMs: 5n,
            activeTimeMs: -1n,
            pendingCount: 1n,
            pending: [held],
          },
        ],
        nacked: 0n,
      },
    ],
  })
})

test('keys are read, and the last page has no token', () => {
  const page = (cursor: string): Reply => array([text(cursor), array([bulk(b('a')), bulk(b('b'))])])
  const keys = [b('a'), b('b')]
  assert.deepEqual(answer(keyMappings.scan, page('17')), { keys, nextPageToken: '17' })
  assert.deepEqual(answer(keyMappings.scan, page('0')), { keys, nextPageToken: '' })
  assert.deepEqual(answer(keyMappings.type, { kind: 'simple', text: 'stream' }), { type: 'stream' })
  assert.deepEqual(answer(keyMappings.count, integer(3)), { keys: 3n })
})
