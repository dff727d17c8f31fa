import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import {
  AGAIN_MARK,
  PAYLOAD_HEADER_BYTES,
  PRODUCER_MARK,
  writePayloadHeader,
} from '../../../src/base/payload.ts'
import { writeTransaction } from '../../../src/base/transaction.ts'
import type { Wait } from '../../../src/base/wait.ts'
import type { CommandSpec } from '../../../src/machine/command.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { PRODUCERS_MAX } from '../../../src/machine/sessions.ts'
import { plain, Runner, restored, snapshotBytes } from './run.ts'

type Send = {
  readonly id?: string
  readonly epoch?: number
  readonly sequence: number | bigint
  readonly words?: readonly string[]
}

function marked(send: Send): Buffer {
  const id = Buffer.from(send.id ?? 'p')
  const head = Buffer.alloc(2 + id.length + 12)
  head[0] = PRODUCER_MARK
  head[1] = id.length
  id.copy(head, 2)
  head.writeUInt32LE(send.epoch ?? 1, 2 + id.length)
  head.writeBigUInt64LE(BigInt(send.sequence), 6 + id.length)
  return Buffer.concat([head, Argv.of(...(send.words ?? ['XADD', 'k', '*', 'f', 'v'])).buffer])
}

class Shard {
  machine = new Machine()
  index = 0

  send(...sends: Send[]): unknown[] {
    this.index += 1
    const payload = Buffer.concat([Buffer.alloc(PAYLOAD_HEADER_BYTES), ...sends.map(marked)])
    writePayloadHeader(payload, 1000 + this.index, sends.length)
    const outcomes: (Reply | Wait)[] = []
    this.machine.apply(payload, this.index, outcomes)
    return outcomes.map(plain)
  }
}

const STALE = '!ERR producer epoch is older than the one this producer began'
const FORGOTTEN =
  '!INDOUBT the reply to this producer sequence is no longer remembered, the command may have been applied'

test('a repeated sequence gets the first reply and changes nothing', () => {
  const shard = new Shard()
  assert.deepEqual(shard.send({ sequence: 1 }, { sequence: 1 }), ['1001-0', '1001-0'])
  assert.deepEqual(shard.send({ sequence: 1 }, { sequence: 2 }), ['1001-0', '1002-0'])
  assert.deepEqual(shard.send({ sequence: 9, words: ['XDEL', 'k', '1001-0'] }), [1])
  assert.deepEqual(shard.send({ sequence: 9, words: ['XDEL', 'k', '1001-0'] }), [1])
  assert.deepEqual(
    shard.send({ sequence: 10, words: ['XADD', 'k', '1-1', 'f', 'v'] }),
    shard.send({ sequence: 10 }),
  )
  assert.deepEqual(shard.send({ sequence: 1 }), ['1001-0'], 'even of an entry that is gone')
})

test('numbers may come with gaps and late', () => {
  const shard = new Shard()
  assert.deepEqual(shard.send({ sequence: 5 }, { sequence: 100 }), ['1001-0', '1001-1'])
  assert.deepEqual(shard.send({ sequence: 3 }, { sequence: 5 }), ['1002-0', '1001-0'])
})

test('a newer epoch begins anew, and an older one is refused', () => {
  const shard = new Shard()
  shard.send({ sequence: 1 })
  assert.deepEqual(shard.send({ epoch: 2, sequence: 1 }), ['1002-0'])
  assert.deepEqual(shard.send({ epoch: 1, sequence: 1 }, { epoch: 1, sequence: 2 }), [STALE, STALE])
  assert.deepEqual(shard.send({ id: 'other', epoch: 1, sequence: 1 }), ['1004-0'])
})

test('what is forgotten is in doubt, and a sequence beyond 2^53 is refused', () => {
  const shard = new Shard()
  for (let i = 0; i < 1100; i += 1) shard.send({ sequence: i + 1 })
  assert.deepEqual(shard.send({ sequence: 76 }), [FORGOTTEN])
  assert.deepEqual(shard.send({ sequence: 77 }), ['1077-0'])
  assert.deepEqual(shard.send({ sequence: 2n ** 53n }), ['!ERR producer sequence is out of range'])
})

test('large replies are forgotten sooner, and a reply owns its bytes', () => {
  const shard = new Shard()
  const field = 'x'.repeat(30_000)
  shard.send({ sequence: 1, words: ['XADD', 'k', '5-5', 'f', field] })
  shard.send({ sequence: 2, words: ['XGROUP', 'CREATE', 'k', 'g', '0'] })
  const read = ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '0']
  const history = ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>']
  const first = shard.send({ sequence: 3, words: history })
  assert.deepEqual(shard.send({ sequence: 3, words: history }), first)
  assert.ok(JSON.stringify(first).length > 30_000)
  for (let i = 4; i < 14; i += 1) shard.send({ sequence: i, words: read })
  assert.deepEqual(shard.send({ sequence: 3, words: history }), [FORGOTTEN])
})

test('the reply of a command that waits is not remembered', () => {
  const shard = new Shard()
  shard.send({ sequence: 1, words: ['XGROUP', 'CREATE', 'k', 'g', '0', 'MKSTREAM'] })
  const read = {
    sequence: 2,
    words: ['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'k', '>'],
  }
  assert.deepEqual(shard.send(read), ['wait 0 k'])
  shard.send({ sequence: 3, words: ['XADD', 'k', '5-5', 'f', 'v'] })
  assert.deepEqual(shard.send(read), [['k', [['5-5', ['f', 'v']]]]])
  assert.deepEqual(shard.send(read), [['k', [['5-5', ['f', 'v']]]]])
})

test('a command that waits is done when it comes again, however many numbers came between', () => {
  const shard = new Shard()
  const pop = { sequence: 1, words: ['BLPOP', 'l', '0'] }
  assert.deepEqual(shard.send(pop), ['wait 0 l'])
  for (let i = 2; i < 1200; i += 1) shard.send({ sequence: i })
  const copy = new Shard()
  copy.machine = restored(snapshotBytes(shard.machine))
  copy.index = shard.index
  for (const each of [shard, copy]) {
    assert.deepEqual(each.send(pop), ['wait 0 l'])
    each.send({ sequence: 1200, words: ['RPUSH', 'l', 'a', 'b'] })
    assert.deepEqual(each.send(pop), [['l', 'a']])
    assert.deepEqual(each.send(pop), [['l', 'a']], 'now it is remembered')
    for (let i = 1201; i < 2500; i += 1) each.send({ sequence: i })
    assert.deepEqual(each.send(pop), [FORGOTTEN])
  }
})

test('so many waits are known of a producer, and no more', () => {
  const shard = new Shard()
  const pop = (sequence: number) => ({ sequence, words: ['BLPOP', 'l', '0'] })
  for (let i = 1; i <= 300; i += 1) shard.send(pop(i))
  for (let i = 301; i < 1700; i += 1) shard.send({ sequence: i })
  assert.deepEqual(shard.send(pop(44)), [FORGOTTEN])
  assert.deepEqual(shard.send(pop(45)), ['wait 0 l'])
})

test('the producer that was silent for the longest is forgotten first', () => {
  const shard = new Shard()
  for (let i = 0; i < PRODUCERS_MAX; i += 1) shard.send({ id: `p${i}`, sequence: 1 })
  shard.send({ id: 'p0', sequence: 2 })
  shard.send({ id: 'new', sequence: 1 })
  assert.deepEqual(shard.send({ id: 'p0', sequence: 1 }), ['1001-0'])
  const again = shard.send({ id: 'p1', sequence: 1 })
  assert.notDeepEqual(again, ['1002-0'], 'p1 is unknown and its command applied again')
})

test('sessions are in snapshots, as of the cut', () => {
  const shard = new Shard()
  shard.send({ sequence: 1 }, { id: 'q', sequence: 7, words: ['XGROUP', 'CREATE', 'k', 'g', '0'] })
  shard.send({ id: 'r', sequence: 1, words: ['XADD', 'k', '1-1', 'f', 'v'] })
  const expected = snapshotBytes(shard.machine)
  const reader = shard.machine.snapshot()
  shard.send({ sequence: 2 }, { id: 'r', epoch: 5, sequence: 1 }, { id: 'new', sequence: 1 })
  assert.deepEqual(Buffer.from(reader.next(1 << 20) ?? []), expected)
  reader.close()
  const copy = new Shard()
  copy.machine = restored(expected, 3)
  copy.index = 2
  assert.deepEqual(snapshotBytes(copy.machine), expected)
  assert.deepEqual(copy.send({ sequence: 1 }, { id: 'q', sequence: 7 }, { sequence: 2 }), [
    '1001-0',
    '+OK',
    '1003-0',
  ])
})

test('skipped-again: a command that waited and comes again is passed over where its producer has the reply', () => {
  const shard = new Shard()
  assert.deepEqual(shard.send({ sequence: 1 }), ['1001-0'])
  const again = marked({ sequence: 1 })
  const at = again.indexOf('*5')
  const whole = Buffer.concat([
    again.subarray(0, at),
    Buffer.from([AGAIN_MARK]),
    again.subarray(at),
  ])
  const payload = Buffer.concat([
    Buffer.alloc(PAYLOAD_HEADER_BYTES),
    whole,
    marked({ sequence: 2 }),
  ])
  writePayloadHeader(payload, 2000, 2)
  const outcomes: (Reply | Wait)[] = []
  shard.machine.apply(payload, 2, outcomes)
  assert.deepEqual(outcomes.map(plain), ['1001-0', '2000-0'])
})

test('kept-reads: what a producer reads in a transaction is the same on every replica', () => {
  const shard = new Shard()
  const members = Array.from({ length: 60 }, (_, i) => String(i))
  const set = ['SADD', 'k', ...members]
  shard.send({ sequence: 1, words: set })
  // Only the leader was asked.
  const asked = new Runner()
  for (let i = 0; i < 5; i += 1) asked.run('SRANDMEMBER', 'none')
  const follower = restored(snapshotBytes(shard.machine))
  shard.machine.query(
    ...(Object.values(asked.parsed('SRANDMEMBER', 'k')) as [CommandSpec, unknown]),
    9000,
  )
  const words = [
    ['SRANDMEMBER', 'k', '9'],
    ['OBJECT', 'IDLETIME', 'k'],
  ].map(all => Argv.of(...all))
  const transaction = writeTransaction([], 2, Buffer.concat(words.map(({ buffer }) => buffer)))
  const mark = marked({ sequence: 2 })
  const bytes = Buffer.concat([
    Buffer.alloc(PAYLOAD_HEADER_BYTES),
    mark.subarray(0, mark.indexOf('*')),
    transaction,
  ])
  writePayloadHeader(bytes, 99_000, 1)
  shard.machine.apply(bytes, 2, [])
  follower.apply(bytes, 2, null)
  assert.deepEqual(snapshotBytes(follower), snapshotBytes(shard.machine))
})
