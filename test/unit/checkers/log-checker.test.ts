// The log checker flags each anomaly it is there for, and nothing that may happen.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type {
  Add,
  Delete,
  FinalLog,
  LogOp,
  Outcome,
  Range,
  Read,
  SeenEntry,
  Trim,
} from '../../checkers/history.ts'
import { checkLog } from '../../checkers/log-checker.ts'

type Span = readonly [number, number]

function base(span: Span, outcome: Outcome) {
  const t1 = outcome === 'info' ? Infinity : span[1]
  return { process: 1, key: 's', t0: span[0], t1, outcome }
}

function add(span: Span, id: string, value: string, more: Partial<Add> = {}): Add {
  return { ...base(span, 'ok'), op: 'add', value, id, attempts: 1, maxlen: null, ...more }
}

function unknownAdd(span: Span, value: string, attempts = 1): Add {
  return { ...base(span, 'info'), op: 'add', value, id: null, attempts, maxlen: null }
}

function failedAdd(span: Span, value: string): Add {
  return { ...base(span, 'fail'), op: 'add', value, id: null, attempts: 1, maxlen: null }
}

/** `1=a 2=b`: entry 1-0 with value a, entry 2-0 with value b. */
function seen(text: string): SeenEntry[] {
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(word => {
      const [id = '', value = ''] = word.split('=')
      return { id: `${id}-0`, value }
    })
}

function range(span: Span, entries: string): Range {
  return { ...base(span, 'ok'), op: 'range', entries: seen(entries) }
}

function read(span: Span, after: string, entries: string, more: Partial<Read> = {}): Read {
  const facts = { after, count: null, blocking: false, entries: seen(entries) }
  return { ...base(span, 'ok'), op: 'read', ...facts, ...more }
}

function final(node: number, entries: string): FinalLog {
  return { ...base([1000, 1001], 'ok'), op: 'final-log', node, entries: seen(entries) }
}

function trim(
  span: Span,
  limit: { maxlen?: number; minid?: string },
  outcome: Outcome = 'ok',
): Trim {
  const { maxlen = null, minid = null } = limit
  return { ...base(span, outcome), op: 'trim', maxlen, minid }
}

function remove(span: Span, ids: readonly string[], outcome: Outcome = 'ok'): Delete {
  return { ...base(span, outcome), op: 'delete', ids }
}

function names(history: readonly LogOp[], wakeWithin: number | null = null): string[] {
  return [...new Set(checkLog(history, { wakeWithin }).map(anomaly => anomaly.name))].sort()
}

const twoAdds = [add([0, 1], '1-0', 'a'), add([2, 3], '2-0', 'b')]

const flagged: readonly [string, readonly LogOp[], string][] = [
  ['an acknowledged add that is nowhere', [...twoAdds, final(1, '1=a')], 'lost'],
  ['a lost beginning', [...twoAdds, final(1, '2=b')], 'lost'],
  ['a loss on one node', [...twoAdds, final(1, '1=a 2=b'), final(2, '1=a')], 'lost-on-node'],
  ['replicas that differ', [...twoAdds, final(1, '1=a 2=b'), final(2, '1=a')], 'diverged'],
  ['one value at two ids', [...twoAdds, final(1, '1=a 2=b 3=a')], 'duplicate'],
  [
    'an id other than the one that was answered',
    [add([0, 1], '1-0', 'a'), final(1, '2=a')],
    'duplicate',
  ],
  [
    'a retry with a producer that came twice',
    [unknownAdd([0, 1], 'a'), final(1, '1=a 2=a')],
    'duplicate',
  ],
  ['more copies than attempts', [unknownAdd([0, 1], 'a', 2), final(1, '1=a 2=a 3=a')], 'duplicate'],
  ['a value that nobody added', [range([0, 1], '1=z')], 'phantom'],
  ['a value whose add failed', [failedAdd([0, 1], 'a'), range([2, 3], '1=a')], 'failed-but-there'],
  ['one id with two values', [...twoAdds, range([4, 5], '1=a 2=x')], 'two-values'],
  ['two adds that got one id', [add([0, 1], '1-0', 'a'), add([0, 1], '1-0', 'b')], 'two-values'],
  ['a read out of order', [...twoAdds, range([4, 5], '2=b 1=a')], 'disorder'],
  [
    'a later add with a lower id',
    [add([0, 1], '2-0', 'a'), add([2, 3], '1-0', 'b')],
    'id-not-above',
  ],
  [
    'an add below what a read had shown',
    [unknownAdd([0, 9], 'a'), range([1, 2], '5=a'), add([3, 4], '4-0', 'b')],
    'id-not-above',
  ],
  ['a read without what was acknowledged', [...twoAdds, range([4, 5], '1=a')], 'stale-read'],
  ['an empty read', [...twoAdds, read([4, 5], '0-0', '')], 'stale-read'],
  [
    'a read that lost sight of what another saw',
    [unknownAdd([0, 1], 'a'), range([2, 3], '1=a'), range([4, 5], '')],
    'stale-read',
  ],
  [
    'a consumer that skips',
    [...twoAdds, add([2, 9], '3-0', 'c'), read([4, 5], '1-0', '3=c')],
    'gap',
  ],
  [
    'a skip within a limited read',
    [...twoAdds, add([4, 5], '3-0', 'c'), read([6, 7], '0-0', '1=a 3=c', { count: 2 })],
    'gap',
  ],
  ['a consumer that goes back', [...twoAdds, read([4, 5], '2-0', '1=a')], 'went-back'],
  [
    'a trim that takes from the middle',
    [...twoAdds, add([4, 5], '3-0', 'c'), trim([6, 7], { maxlen: 1 }), final(1, '1=a 3=c')],
    'lost',
  ],
  ['a trim that takes too much', [...twoAdds, trim([6, 7], { maxlen: 1 }), final(1, '')], 'lost'],
  [
    'a minid that takes too much',
    [...twoAdds, trim([6, 7], { minid: '2-0' }), final(1, '')],
    'lost',
  ],
  [
    'a failed trim that happened',
    [...twoAdds, trim([6, 7], { maxlen: 1 }, 'fail'), final(1, '2=b')],
    'lost',
  ],
  [
    'a trim that comes after its loss',
    [...twoAdds, range([4, 5], '2=b'), trim([6, 7], { maxlen: 1 })],
    'gap',
  ],
  [
    'an entry that comes back',
    [
      ...twoAdds,
      trim([4, 9], { maxlen: 1 }, 'info'),
      range([10, 11], '2=b'),
      range([12, 13], '1=a 2=b'),
    ],
    'came-back',
  ],
  [
    'a trim without effect',
    [...twoAdds, trim([4, 5], { minid: '2-0' }), range([6, 7], '1=a 2=b')],
    'not-removed',
  ],
  [
    'a delete without effect',
    [...twoAdds, remove([4, 5], ['1-0']), range([6, 7], '1=a 2=b')],
    'not-removed',
  ],
  [
    'a delete that failed and happened',
    [...twoAdds, remove([4, 5], ['1-0'], 'fail'), final(1, '2=b')],
    'lost',
  ],
]

for (const [what, history, name] of flagged) {
  test(`it flags ${what} as ${name}`, () => {
    const found = names(history)
    assert.ok(found.includes(name), `found only ${found}`)
  })
}

test('it flags a blocked read that slept beside its entry', () => {
  const history = [read([0, 500], '0-0', '1=a', { blocking: true }), add([10, 20], '1-0', 'a')]
  assert.deepEqual(names(history, 100), ['woke-late'])
  assert.deepEqual(names(history, null), [])
})

const legal: readonly [string, readonly LogOp[]][] = [
  ['an empty history', []],
  [
    'adds and reads in turn',
    [...twoAdds, range([4, 5], '1=a 2=b'), final(1, '1=a 2=b'), final(2, '1=a 2=b')],
  ],
  ['an unknown add that is there', [unknownAdd([0, 1], 'a'), final(1, '1=a')]],
  ['an unknown add that is not there', [unknownAdd([0, 1], 'a'), final(1, '')]],
  ['two copies after two attempts', [unknownAdd([0, 1], 'a', 2), final(1, '1=a 2=a')]],
  [
    'an unknown add that appears late',
    [unknownAdd([0, 1], 'a'), range([2, 3], ''), range([4, 5], '1=a')],
  ],
  [
    'adds at once in any order',
    [add([0, 5], '2-0', 'a'), add([1, 4], '1-0', 'b'), final(1, '1=b 2=a')],
  ],
  ['a read beside an add, without it', [add([0, 5], '1-0', 'a'), range([1, 4], '')]],
  ['a read beside an add, with it', [add([0, 5], '1-0', 'a'), range([1, 4], '1=a')]],
  ['a limited read', [...twoAdds, read([4, 5], '0-0', '1=a', { count: 1 })]],
  ['a read behind everything', [...twoAdds, read([4, 5], '2-0', '')]],
  ['a trim', [...twoAdds, trim([4, 5], { maxlen: 1 }), range([6, 7], '2=b'), final(1, '2=b')]],
  [
    'an unknown trim that happened late',
    [
      ...twoAdds,
      trim([4, 5], { minid: '2-0' }, 'info'),
      range([6, 7], '1=a 2=b'),
      range([8, 9], '2=b'),
      final(1, '2=b'),
    ],
  ],
  [
    'a trim beside a read',
    [...twoAdds, trim([4, 9], { maxlen: 0 }), range([5, 6], '2=b'), final(1, '')],
  ],
  ['an add that trims', [...twoAdds, add([4, 5], '3-0', 'c', { maxlen: 1 }), final(1, '3=c')]],
  [
    'an unknown add that trims',
    [...twoAdds, { ...unknownAdd([4, 5], 'c'), maxlen: 1 }, range([6, 7], '2=b'), final(1, '2=b')],
  ],
  [
    'a delete in the middle',
    [
      ...twoAdds,
      add([4, 5], '3-0', 'c'),
      remove([6, 7], ['2-0'], 'info'),
      range([8, 9], '1=a 3=c'),
      final(1, '1=a 3=c'),
    ],
  ],
  [
    'streams that have nothing to do with each other',
    [add([0, 1], '5-0', 'a'), { ...add([2, 3], '1-0', 'b'), key: 'other' }],
  ],
  ['ids that are longer than others', [add([0, 1], '9-10', 'a'), add([2, 3], '10-9', 'b')]],
]

for (const [what, history] of legal) {
  test(`it lets pass ${what}`, () => assert.deepEqual(checkLog(history), []))
}

test('it lets pass a history in which nearly every outcome is unknown', () => {
  const history: LogOp[] = []
  const present: string[] = []
  for (let i = 1; i <= 200; i += 1) {
    history.push(unknownAdd([i, i + 50], `v${i}`))
    if (i % 3 === 0) present.push(`${i}=v${i}`)
    if (i % 10 === 0) history.push(range([i + 1000, i + 1001], present.slice(0, i / 6).join(' ')))
  }
  history.push(
    ...[1, 2, 3].map(node => ({ ...final(node, present.join(' ')), t0: 9000, t1: 9001 })),
  )
  assert.deepEqual(checkLog(history), [])
})
