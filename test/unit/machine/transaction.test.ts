// Transactions and watches in the machine: one step, the same on every replica.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../src/base/argv.ts'
import {
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  writePayloadHeader,
} from '../../../src/base/payload.ts'
import { type Watched, writeTransaction } from '../../../src/base/transaction.ts'
import type { Wait } from '../../../src/base/wait.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { plain, Runner, restored, snapshotBytes, type Word } from './run.ts'

type Words = readonly Word[]

function argvOf(words: Words): Argv {
  return Argv.of(...words.map(word => (typeof word === 'number' ? String(word) : word)))
}

function transaction(commands: readonly Words[], watches: readonly Watched[] = []): Buffer {
  const bytes = Buffer.concat(commands.map(words => argvOf(words).buffer))
  return writeTransaction(watches, commands.length, bytes)
}

function payloadOf(now: number, ...parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.alloc(PAYLOAD_HEADER_BYTES), ...parts])
  writePayloadHeader(payload, now, parts.length)
  return payload
}

function applied(machine: Machine, index: number, payload: Buffer): unknown[] {
  const outcomes: (Reply | Wait)[] = []
  machine.apply(payload, index, outcomes)
  return outcomes.map(plain)
}

/** Runs `commands` as one transaction on a runner. */
function exec(r: Runner, commands: readonly Words[], watches: readonly Watched[] = []): unknown {
  r.index += 1
  return applied(r.machine, r.index, payloadOf(r.now, transaction(commands, watches)))[0]
}

test('a transaction is one outcome of its entry, between those of its neighbours', () => {
  const machine = new Machine()
  const payload = payloadOf(
    1000,
    argvOf(['XADD', 's', '1-1', 'f', 'v']).buffer,
    transaction([
      ['XLEN', 's'],
      ['XADD', 's', '2-1', 'f', 'v'],
      ['XLEN', 's'],
    ]),
    argvOf(['XADD', 's', '3-1', 'f', 'v']).buffer,
  )
  assert.deepEqual(applied(machine, 1, payload), ['1-1', [1, '2-1', 2], '3-1'])
})

test('a command that fails takes nothing back, and what is no command is an error among the replies', () => {
  const r = new Runner()
  const replies = exec(r, [
    ['XADD', 's', '2-1', 'f', 'v'],
    ['XADD', 's', '1-1', 'f', 'v'],
    ['NOPE'],
    ['XADD', 's', 'bad', 'f', 'v'],
    ['XLEN', 's'],
  ])
  assert.deepEqual(replies, [
    '2-1',
    '!ERR The ID specified in XADD is equal or smaller than the target stream top item',
    "!ERR unknown command 'NOPE'",
    '!ERR Invalid stream ID specified as stream command argument',
    1,
  ])
})

test('a reply stays what it was whatever later commands of its transaction do', () => {
  const r = new Runner()
  for (let i = 1; i <= 3; i += 1) r.run('XADD', 's', `${i}-1`, 'f', `v${i}`)
  const range = ['XRANGE', 's', '-', '+']
  const [before, , , , after] = exec(r, [
    range,
    ['XDEL', 's', '1-1'],
    ['XADD', 's', '4-1', 'f', 'x'.repeat(5000)],
    ['XTRIM', 's', 'MAXLEN', 0],
    range,
  ]) as unknown[]
  assert.deepEqual(before, [
    ['1-1', ['f', 'v1']],
    ['2-1', ['f', 'v2']],
    ['3-1', ['f', 'v3']],
  ])
  assert.deepEqual(after, [])
})

test('keys of a transaction are ready once all of it was applied, in the order in which they changed', () => {
  const r = new Runner()
  exec(r, [
    ['XADD', 'b', '1-1', 'f', 'v'],
    ['XADD', 'a', '1-1', 'f', 'v'],
    ['XADD', 'b', '2-1', 'f', 'v'],
    ['XLEN', 'c'],
  ])
  assert.deepEqual(r.machine.takeReadyKeys(), ['b', 'a'])
})

test('where nobody asks the same state comes out, with reads that draw or find keys expired', () => {
  const word = fc.constantFrom<Words>(
    ['XADD', 'a', '*', 'f', 'v'],
    ['XADD', 'b', '*', 'f', 'v'],
    ['XLEN', 'a'],
    ['XRANGE', 'b', '-', '+'],
    ['DEL', 'a'],
    ['PEXPIRE', 'a', '5'],
    ['PEXPIRE', 'b', '5'],
    ['RANDOMKEY'],
    ['EXISTS', 'a', 'b'],
    ['FLUSHALL'],
  )
  const watch = fc.record({
    key: fc.constantFrom('a', 'b'),
    index: fc.nat(30),
    existed: fc.boolean(),
  })
  const step = fc.tuple(
    fc.array(word, { maxLength: 5 }),
    fc.array(watch, { maxLength: 1 }),
    fc.nat(6),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const asked = new Machine()
      const silent = new Machine()
      let joined = new Machine()
      let now = 1000
      for (const [i, [commands, watches, pause]] of steps.entries()) {
        now += pause
        const payload = payloadOf(now, transaction(commands, watches))
        asked.apply(payload, i + 1, [])
        silent.apply(payload, i + 1, null)
        joined.apply(payload, i + 1, null)
        if (i % 7 === 3) joined = restored(snapshotBytes(joined))
      }
      assert.equal(silent.digest(), asked.digest())
      assert.equal(joined.digest(), asked.digest())
      assert.deepEqual(snapshotBytes(silent), snapshotBytes(asked))
      assert.deepEqual(snapshotBytes(joined), snapshotBytes(asked))
    }),
  )
})

test('a watched key that changed stops the whole transaction', () => {
  const r = new Runner()
  r.run('XADD', 'k', '1-1', 'f', 'v')
  const add: Words[] = [['XADD', 'k', '*', 'f', 'v']]
  const known = r.machine.watch('k', r.now)
  assert.deepEqual(known, { key: 'k', index: 1, existed: true })
  assert.equal((exec(r, add, [known]) as unknown[]).length, 1)
  assert.equal(exec(r, add, [known]), 'null-array')
  assert.equal(r.run('XLEN', 'k'), 2)
})

test('a change by an earlier command of the same entry counts', () => {
  const machine = new Machine()
  const watch = machine.watch('k', 1000)
  const add = argvOf(['XADD', 'k', '*', 'f', 'v']).buffer
  const payload = payloadOf(1000, add, transaction([['XLEN', 'k']], [watch]))
  assert.equal(applied(machine, 1, payload)[1], 'null-array')
})

test('what Redis calls a change of a watched key is one, and nothing else', () => {
  const prepare: Words[] = [
    ['XADD', 's', '1-1', 'f', 'v'],
    ['XADD', 's', '2-1', 'f', 'v'],
    ['XGROUP', 'CREATE', 's', 'g', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1, 'STREAMS', 's', '>'],
  ]
  const changes: [boolean, ...Word[]][] = [
    [true, 'XADD', 's', '3-1', 'f', 'v'],
    [false, 'XADD', 's', '1-1', 'f', 'v'],
    [true, 'XDEL', 's', '1-1'],
    [false, 'XDEL', 's', '7-7'],
    [true, 'XTRIM', 's', 'MAXLEN', 1],
    [false, 'XTRIM', 's', 'MAXLEN', 100],
    [false, 'XSETID', 's', '9-9'],
    [false, 'XGROUP', 'CREATE', 's', 'h', '0'],
    [false, 'XGROUP', 'DESTROY', 's', 'g'],
    [false, 'XGROUP', 'SETID', 's', 'g', '0'],
    [false, 'XGROUP', 'CREATECONSUMER', 's', 'g', 'd'],
    [false, 'XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>'],
    [false, 'XACK', 's', 'g', '1-1'],
    [false, 'XCLAIM', 's', 'g', 'd', 0, '1-1'],
    [true, 'EXPIRE', 's', 100],
    [false, 'PERSIST', 's'],
    [true, 'RENAME', 's', 't'],
    [false, 'COPY', 's', 't'],
    [true, 'DEL', 's'],
    [true, 'FLUSHALL'],
    [true, 'XGROUP', 'CREATE', 'w', 'g', '$', 'MKSTREAM'],
    [true, 'COPY', 's', 'w'],
  ]
  for (const [isChange, ...words] of changes) {
    const r = new Runner()
    for (const command of prepare) r.run(...command)
    const watches = ['s', 'w'].map(key => r.machine.watch(key, r.now))
    r.run(...words)
    assert.equal(r.machine.isChanged(watches, r.now), isChange, words.join(' '))
  }
})

test('a key that dies by its time is changed to whoever watched it alive, and to nobody else', () => {
  const r = new Runner()
  r.run('XADD', 'k', '*', 'f', 'v')
  r.run('PEXPIRE', 'k', 10)
  const alive = r.machine.watch('k', r.now)
  r.now += 10
  assert.equal(r.machine.isChanged([alive], r.now), true)
  const dead = r.machine.watch('k', r.now)
  assert.equal(dead.existed, false)
  assert.equal(r.run('DEL', 'k'), 0)
  assert.equal(r.machine.isChanged([dead], r.now), false)
  r.run('XADD', 'k', '*', 'f', 'v')
  assert.equal(r.machine.isChanged([dead], r.now), true)
})

test('a missing key that was made and removed again is changed, others hardly ever', () => {
  const r = new Runner()
  const keys = Array.from({ length: 200 }, (_, i) => `key:${i}`)
  const watches = keys.map(key => r.machine.watch(key, r.now))
  r.run('XADD', 'key:7', '*', 'f', 'v')
  r.run('DEL', 'key:7')
  const changed = watches.filter(watch => r.machine.isChanged([watch], r.now))
  assert.deepEqual(
    changed.map(({ key }) => key),
    ['key:7'],
  )
  const later = r.machine.watch('key:7', r.now)
  assert.equal(r.machine.isChanged([later], r.now), false)
})

test('a missing key that was made and died by its time is changed, whether it was removed or not', () => {
  for (const bury of [
    [],
    [
      ['TYPE', 'k'],
      ['LPUSH', 'k2', 'a'],
    ],
    [['FLUSHALL']],
    [['DEL', 'k']],
  ]) {
    const r = new Runner()
    const before = r.machine.watch('k', r.now)
    r.run('XADD', 'k', '*', 'f', 'v')
    r.run('PEXPIRE', 'k', 10)
    r.now += 10
    const dead = r.machine.watch('k', r.now)
    for (const words of bury) r.run(...words)
    assert.equal(r.machine.isChanged([before], r.now), true, bury.join(' '))
    assert.equal(r.machine.isChanged([dead], r.now), false, bury.join(' '))
  }
})

test('a snapshot remembers what was changed and removed, as of its cut', () => {
  const r = new Runner()
  r.run('XADD', 'a', '*', 'f', 'v')
  r.run('XADD', 'gone', '*', 'f', 'v')
  const watches = ['a', 'gone', 'none'].map(key => r.machine.watch(key, r.now))
  const missing = { key: 'gone', index: 2, existed: false }
  r.run('XADD', 'a', '*', 'f', 'v')
  r.run('DEL', 'gone')
  const reader = r.machine.snapshot()
  r.run('XADD', 'a', '*', 'f', 'v')
  r.run('XADD', 'none', '*', 'f', 'v')
  r.run('DEL', 'none')
  const parts: Uint8Array[] = []
  for (let part = reader.next(64); part !== null; part = reader.next(64))
    parts.push(Buffer.from(part))
  reader.close()
  const machine = restored(Buffer.concat(parts))
  const changed = [...watches, missing].map(watch => machine.isChanged([watch], r.now))
  assert.deepEqual(changed, [true, true, false, true])
  assert.equal(machine.isChanged([machine.watch('a', r.now)], r.now), false)
  assert.equal(machine.watch('a', r.now).index, 4)
  assert.equal(machine.isChanged([{ key: 'a', index: 3, existed: true }], r.now), false)
})

test('a producer repeats a whole transaction without doing it twice', () => {
  const machine = new Machine()
  const id = Buffer.from('p')
  const mark = Buffer.alloc(2 + id.length + 12)
  mark[0] = PRODUCER_MARK
  mark[1] = id.length
  id.copy(mark, 2)
  mark.writeUInt32LE(1, 2 + id.length)
  mark.writeBigUInt64LE(5n, 6 + id.length)
  const body = transaction([['XADD', 's', '*', 'f', 'v'], ['XLEN', 's'], ['NOPE']])
  const whole = Buffer.concat([mark, body])
  const plainOne = argvOf(['XADD', 's', '*', 'f', 'v']).buffer
  const replies = ['1000-0', 1, "!ERR unknown command 'NOPE'"]
  machine.apply(payloadOf(1000, whole), 1, null)
  assert.deepEqual(applied(machine, 2, payloadOf(2000, whole, plainOne)), [replies, '2000-0'])
  assert.deepEqual(applied(restored(snapshotBytes(machine)), 3, payloadOf(3000, whole)), [replies])
})
