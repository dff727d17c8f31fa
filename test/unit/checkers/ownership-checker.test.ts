// The ownership checker flags each anomaly it is there for, and nothing that may happen.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type {
  Ack,
  Add,
  Claim,
  Deliver,
  FinalGroup,
  FinalLog,
  History,
  Operation,
  Outcome,
  Pending,
  SeenPending,
} from '../../checkers/history.ts'
import { checkOwnership } from '../../checkers/ownership-checker.ts'

type Span = readonly [number, number]

function base(span: Span, outcome: Outcome) {
  const t1 = outcome === 'info' ? Infinity : span[1]
  return { process: 1, key: 's', t0: span[0], t1, outcome }
}

function ids(text: string): string[] {
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(word => `${word}-0`)
}

function entriesOf(text: string) {
  return ids(text).map(id => ({ id, value: `v${id}` }))
}

function add(span: Span, id: string): Add {
  const facts = { value: `v${id}-0`, id: `${id}-0`, attempts: 1, maxlen: null }
  return { ...base(span, 'ok'), op: 'add', ...facts }
}

function deliver(span: Span, consumer: string, entries: string, outcome: Outcome = 'ok'): Deliver {
  return { ...base(span, outcome), op: 'deliver', consumer, entries: entriesOf(entries) }
}

function own(span: Span, consumer: string, entries: string): History {
  return { ...base(span, 'ok'), op: 'history', consumer, ids: ids(entries) }
}

function ack(span: Span, of: string, count: number, outcome: Outcome = 'ok'): Ack {
  return { ...base(span, outcome), op: 'ack', ids: ids(of), attempts: 1, count }
}

function claim(
  span: Span,
  consumer: string,
  of: string,
  minIdle = 0,
  outcome: Outcome = 'ok',
): Claim {
  const facts = { consumer, minIdle, asked: ids(of), ids: outcome === 'ok' ? ids(of) : [] }
  return { ...base(span, outcome), op: 'claim', ...facts }
}

/** `1:c:2`: entry 1-0 is pending for c, delivered twice. */
function seen(text: string): SeenPending[] {
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(word => {
      const [id = '', consumer = '', deliveries = '1'] = word.split(':')
      return { id: `${id}-0`, consumer, deliveries: Number(deliveries) }
    })
}

function pending(span: Span, text: string): Pending {
  return { ...base(span, 'ok'), op: 'pending', pending: seen(text) }
}

function final(node: number, text: string, last: string, consumers = 'c d'): FinalGroup {
  return {
    ...base([1000, 1001], 'ok'),
    op: 'final-group',
    node,
    pending: seen(text),
    consumers: consumers.split(' '),
    lastDelivered: `${last}-0`,
  }
}

function finalLog(entries: string): FinalLog {
  return { ...base([1000, 1001], 'ok'), op: 'final-log', node: 1, entries: entriesOf(entries) }
}

function names(history: readonly Operation[], clockSlack: number | null = 5): string[] {
  return [...new Set(checkOwnership(history, { clockSlack }).map(anomaly => anomaly.name))].sort()
}

const two = [add([0, 1], '1'), add([2, 3], '2')]
const delivered = [...two, deliver([4, 5], 'c', '1 2')]

const flagged: readonly [string, readonly Operation[], string][] = [
  [
    'a new entry that two consumers got',
    [...delivered, deliver([6, 7], 'd', '2')],
    'delivered-twice',
  ],
  ['an owner without a claim', [...delivered, own([6, 7], 'd', '1')], 'wrong-owner'],
  [
    'a pending entry of someone who never got it',
    [...delivered, pending([6, 7], '1:d:1 2:c:1')],
    'wrong-owner',
  ],
  [
    'an owner whose entry was claimed',
    [...delivered, claim([20, 21], 'd', '1'), own([22, 23], 'c', '1')],
    'wrong-owner',
  ],
  [
    'a delivery after the ack',
    [...delivered, ack([6, 7], '1', 1), own([8, 9], 'c', '1')],
    'acked-came-back',
  ],
  [
    'a claim after the ack',
    [...delivered, ack([6, 7], '1', 1), claim([8, 9], 'd', '1')],
    'acked-came-back',
  ],
  [
    'an ack that is still pending at the end',
    [...delivered, ack([6, 7], '1', 1), final(1, '1:c:1 2:c:1', '2')],
    'acked-came-back',
  ],
  [
    'an ack that counted twice',
    [...delivered, ack([6, 7], '1', 1), ack([8, 9], '1', 1)],
    'acked-twice',
  ],
  ['an ack that was ignored', [...delivered, ack([6, 7], '1', 0)], 'ack-ignored'],
  [
    'new entries out of order in one reply',
    [...two, deliver([4, 5], 'c', '2 1')],
    'delivery-disorder',
  ],
  [
    'new entries that go back',
    [...two, deliver([4, 5], 'c', '2'), deliver([6, 7], 'd', '1')],
    'delivery-went-back',
  ],
  [
    'a new entry below a pending one',
    [...two, deliver([3, 4], 'c', '', 'info'), pending([5, 6], '2:c:1'), deliver([7, 8], 'd', '1')],
    'delivery-went-back',
  ],
  ['a claim before its idle time', [...delivered, claim([10, 11], 'd', '1', 100)], 'claimed-early'],
  [
    'two claims at once that both won',
    [...delivered, claim([200, 201], 'd', '1', 100), claim([202, 203], 'e', '1', 100)],
    'claimed-early',
  ],
  [
    'a counter that did not rise',
    [...delivered, claim([200, 201], 'd', '1', 100), pending([300, 301], '1:d:1 2:c:1')],
    'delivery-count',
  ],
  [
    'a counter that rose by itself',
    [...delivered, pending([300, 301], '1:c:2 2:c:1')],
    'delivery-count',
  ],
  ['a pending entry that vanished', [...delivered, final(1, '1:c:1', '2')], 'pending-lost'],
  [
    'an entry that nobody got',
    [...two, deliver([4, 5], 'c', '2'), final(1, '2:c:1', '2')],
    'skipped',
  ],
  [
    'a group that forgot how far it was',
    [...delivered, final(1, '1:c:1', '1')],
    'last-delivered-went-back',
  ],
  [
    'an entry of a consumer who is not there',
    [...delivered, final(1, '1:c:1 2:c:1', '2', 'd')],
    'orphan',
  ],
  [
    'replicas that differ',
    [
      ...delivered,
      ack([6, 7], '1', 0, 'info'),
      final(1, '1:c:1 2:c:1', '2'),
      final(2, '2:c:1', '2'),
    ],
    'diverged',
  ],
]

for (const [what, history, name] of flagged) {
  test(`it flags ${what} as ${name}`, () => {
    const found = names(history)
    assert.ok(found.includes(name), `found only ${found}`)
  })
}

const legal: readonly [string, readonly Operation[]][] = [
  ['an empty history', []],
  [
    'delivery, ack and rest',
    [
      ...delivered,
      ack([6, 7], '1', 1),
      ack([8, 9], '1', 0),
      pending([10, 11], '2:c:1'),
      final(1, '2:c:1', '2'),
      final(2, '2:c:1', '2'),
    ],
  ],
  [
    'a claim after the idle time',
    [
      ...delivered,
      claim([200, 201], 'd', '1', 100),
      own([202, 203], 'd', '1'),
      pending([204, 205], '1:d:3 2:c:1'),
      final(1, '1:d:3 2:c:1', '2'),
    ],
  ],
  [
    'an unknown delivery that happened',
    [...two, deliver([4, 5], 'c', '', 'info'), final(1, '1:c:1 2:c:1', '2')],
  ],
  [
    'an unknown delivery that did not happen',
    [...two, deliver([4, 5], 'c', '', 'info'), final(1, '', '0')],
  ],
  [
    'an unknown ack that happened',
    [...delivered, ack([6, 7], '1', 0, 'info'), final(1, '2:c:1', '2')],
  ],
  [
    'an unknown ack that did not happen',
    [...delivered, ack([6, 7], '1', 0, 'info'), final(1, '1:c:1 2:c:1', '2')],
  ],
  [
    'an ack of nothing after an unknown one',
    [...delivered, ack([6, 7], '1', 0, 'info'), ack([8, 9], '1', 0)],
  ],
  [
    'an unknown claim that happened late',
    [
      ...delivered,
      claim([6, 7], 'd', '1', 0, 'info'),
      pending([8, 9], '1:c:1 2:c:1'),
      pending([20, 21], '1:d:2 2:c:1'),
      own([22, 23], 'd', '1'),
      final(1, '1:d:3 2:c:1', '2'),
    ],
  ],
  [
    'claims that take turns',
    [
      ...delivered,
      claim([200, 201], 'd', '1', 100),
      claim([400, 401], 'c', '1', 100),
      claim([600, 601], 'd', '1', 100),
      final(1, '1:d:4 2:c:1', '2'),
    ],
  ],
  [
    'consumers at once',
    [...two, deliver([4, 9], 'd', '2'), deliver([5, 8], 'c', '1'), final(1, '1:c:1 2:d:1', '2')],
  ],
  [
    'entries that were deleted',
    [...delivered, { ...base([6, 7], 'ok'), op: 'delete', ids: ['1-0'] }, final(1, '2:c:1', '2')],
  ],
  ['an add of unknown fate that turns up', [finalLog('1'), final(1, '', '0')]],
]

for (const [what, history] of legal) {
  test(`it lets pass ${what}`, () => assert.deepEqual(names(history), []))
}

test('idle times are not judged when clocks jumped', () => {
  assert.deepEqual(names([...delivered, claim([10, 11], 'd', '1', 100)], null), [])
})
