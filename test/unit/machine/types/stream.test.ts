import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../../src/base/argv.ts'
import { Writer } from '../../../../src/base/bytes.ts'
import { BLOCK_ENTRIES, Stream } from '../../../../src/machine/types/stream.ts'
import { StreamBuilder } from '../../../../src/machine/types/stream-builder.ts'
import {
  compareIds,
  formatId,
  type Half,
  half,
  MAX_ID,
  MIN_ID,
  nextId,
  type StreamId,
} from '../../../../src/machine/types/stream-id.ts'
import { built } from './built.ts'

type Row = { id: StreamId; words: string[] }

function append(stream: Stream, id: StreamId, words: readonly string[]): void {
  stream.append(
    id,
    Argv.of('XADD', 'key', '*', ...words.map(w => Buffer.from(w, 'latin1'))),
    3,
    BLOCK_ENTRIES,
  )
}

function rows(
  stream: Stream,
  from = MIN_ID,
  to = MAX_ID,
  count = Number.POSITIVE_INFINITY,
  reverse = false,
): Row[] {
  const found: Row[] = []
  stream.range(from, to, count, reverse, (id, bytes, bounds) => {
    const words: string[] = []
    for (let i = 0; i < bounds.length; i += 2)
      words.push(Buffer.from(bytes.subarray(bounds[i], bounds[i + 1])).toString('latin1'))
    found.push({ id, words })
  })
  return found
}

function filled(count: number, words = ['f', 'v']): Stream {
  const stream = new Stream()
  for (let i = 1; i <= count; i += 1) append(stream, { ms: i, seq: 0 }, words)
  return stream
}

function parts(stream: Stream, bytesMax = 1 << 16): Buffer[] {
  const cut = stream.cut()
  return cutParts(cut, bytesMax)
}

function cutParts(cut: { write(writer: Writer, bytesMax: number): boolean }, bytesMax: number) {
  const found: Buffer[] = []
  for (let done = false; !done; ) {
    const writer = new Writer()
    done = cut.write(writer, bytesMax)
    found.push(writer.take())
  }
  return found
}

function rebuilt(found: readonly Buffer[]): Stream {
  return built(new StreamBuilder(), found)
}

// The model: an array of rows. IDs jump by tiny and by huge steps, so that both halves
// pass 2^53 and reach their ends.

const word = fc.oneof(
  fc.constantFrom('', 'a', 'temperature', '\u00ff\u0000'),
  fc.integer({ min: 0, max: 400 }).map(length => 'x'.repeat(length)),
)
const fields = fc.oneof(
  { weight: 3, arbitrary: word.map(value => ['f', value]) },
  { weight: 1, arbitrary: fc.tuple(word, word, word, word).map(w => [...w]) },
)
const step = fc.oneof(
  fc.integer({ min: 0, max: 3 }).map(BigInt),
  fc.constantFrom(1n << 40n, (1n << 53n) - 1n, 1n << 62n, 1n << 63n),
)
const action = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      ms: step,
      seq: step,
      words: fields,
      times: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('delete' as const), at: fc.nat(1000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('maxlen' as const),
      share: fc.integer({ min: 0, max: 100 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('minid' as const), at: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rebuild' as const) }) },
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

const TOP = (1n << 64n) - 1n

function later(id: StreamId, ms: bigint, seq: bigint): StreamId | null {
  if (ms === 0n) {
    const next = BigInt(id.seq) + (seq === 0n ? 1n : seq)
    return next > TOP ? nextId(id) : { ms: id.ms, seq: half(next) }
  }
  const time = BigInt(id.ms) + ms
  return time > TOP ? nextId(id) : { ms: half(time), seq: half(seq) }
}

class Model {
  stream = new Stream()
  rows: Row[] = []
  added = 0
  deleted: StreamId = MIN_ID

  step(a: Action): void {
    if (a.do === 'append') this.#append(a)
    else if (a.do === 'delete') this.#delete(a.at)
    else if (a.do === 'maxlen') this.#maxlen(Math.floor((this.rows.length * a.share) / 100))
    else if (a.do === 'minid') this.#minid(a.at)
    else this.stream = rebuilt(parts(this.stream, 512))
  }

  #append(a: Extract<Action, { do: 'append' }>): void {
    for (let i = 0; i < a.times; i += 1) {
      const id = later(this.stream.lastId, i === 0 ? a.ms : 0n, i === 0 ? a.seq : 1n)
      if (id === null) return
      append(this.stream, id, a.words)
      this.rows.push({ id, words: a.words })
      this.added += 1
    }
  }

  #delete(at: number): void {
    const row = this.rows[at % Math.max(1, this.rows.length)]
    if (row === undefined) {
      assert.equal(this.stream.delete({ ms: 1, seq: 1 }), false)
      return
    }
    assert.ok(this.stream.delete(row.id))
    assert.ok(!this.stream.delete(row.id), 'twice')
    this.rows = this.rows.filter(other => other !== row)
    if (compareIds(row.id, this.deleted) > 0) this.deleted = row.id
  }

  #maxlen(max: number): void {
    assert.equal(this.stream.trimByLength(max, false, 0), this.rows.length - max)
    this.rows = max === 0 ? [] : this.rows.slice(-max)
  }

  #minid(at: number): void {
    const id = this.rows[at % Math.max(1, this.rows.length)]?.id ?? MIN_ID
    const left = this.rows.filter(row => compareIds(row.id, id) >= 0)
    assert.equal(this.stream.trimByMinId(id, false, 0), this.rows.length - left.length)
    this.rows = left
  }

  check(probe: number): void {
    const { stream } = this
    assert.equal(stream.length, this.rows.length)
    assert.equal(stream.entriesAdded, this.added)
    assert.deepEqual(stream.maxDeletedId, this.deleted)
    assert.deepEqual(stream.firstId(), this.rows[0]?.id ?? MIN_ID)
    assert.deepEqual(stream.topId(), this.rows.at(-1)?.id ?? MIN_ID)
    assert.deepEqual(rows(stream), this.rows)
    assert.deepEqual(rows(stream, MIN_ID, MAX_ID, 7, true), this.rows.slice(-7).reverse())
    const one = this.rows[probe % Math.max(1, this.rows.length)]
    if (one === undefined) return
    const entry = stream.get(one.id)
    assert.deepEqual(entry?.id, one.id)
    assert.ok(stream.has(one.id))
    const i = this.rows.indexOf(one)
    assert.deepEqual(rows(stream, one.id, MAX_ID, 5), this.rows.slice(i, i + 5))
    assert.deepEqual(
      rows(stream, MIN_ID, one.id, 5, true),
      this.rows.slice(Math.max(0, i - 4), i + 1).reverse(),
    )
  }
}

test('a stream is what an array of its entries would be', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 25 }), fc.nat(1000), (actions, probe) => {
      const model = new Model()
      for (const a of actions) {
        model.step(a)
        model.check(probe)
      }
    }),
    { seed: 5, numRuns: 120 },
  )
})

test('an ID that is not there is not found between, before or behind the others', () => {
  const stream = filled(250)
  for (const ms of [0, 251, 1000] as Half[]) assert.equal(stream.get({ ms, seq: 0 }), null)
  for (const ms of [1, 100, 101, 250]) {
    assert.equal(stream.has({ ms, seq: 1 }), false)
    assert.equal(stream.has({ ms, seq: 0 }), true)
  }
  assert.deepEqual(rows(stream, { ms: 5, seq: 0 }, { ms: 4, seq: 0 }), [])
  assert.deepEqual(rows(stream, MIN_ID, MAX_ID, 0), [])
})

test('rough trimming drops whole blocks of 100 only, and no more than its limit', () => {
  assert.equal(BLOCK_ENTRIES, 100)
  assert.equal(filled(1000).trimByLength(555, true, 0), 400)
  assert.equal(filled(1000).trimByLength(600, true, 0), 400)
  assert.equal(filled(1000).trimByLength(0, true, 0), 1000)
  assert.equal(filled(1000).trimByLength(0, true, 250), 200)
  assert.equal(filled(1000).trimByLength(0, true, 99), 0)
  assert.equal(filled(1000).trimByMinId({ ms: 555, seq: 0 }, true, 0), 500)
  assert.equal(filled(1000).trimByMinId({ ms: 501, seq: 0 }, true, 300), 300)
  assert.equal(filled(1000).trimByMinId({ ms: 5000, seq: 0 }, true, 0), 1000)
})

test('blocks are left behind by count and by bytes, whatever is trimmed meanwhile', () => {
  assert.equal(filled(100).blockCount, 1)
  assert.equal(filled(101).blockCount, 2)
  assert.equal(filled(40, ['f', 'x'.repeat(1000)]).blockCount, 3)
  assert.equal(filled(3, ['f', 'x'.repeat(100_000)]).blockCount, 3)
  const stream = new Stream()
  for (let i = 1; i <= 10_000; i += 1) {
    append(stream, { ms: i, seq: 0 }, ['f', 'x'.repeat(100)])
    stream.trimByLength(10, false, 0)
  }
  assert.equal(stream.length, 10)
  assert.equal(stream.blockCount, 1)
  assert.equal(rows(stream).length, 10)
})

test('a trimmed stream goes on in the same blocks as its copy from a snapshot', () => {
  const stream = filled(350)
  stream.trimByLength(330, false, 0)
  stream.delete({ ms: 340, seq: 0 })
  stream.delete({ ms: 120, seq: 0 })
  const copy = rebuilt(parts(stream))
  assert.deepEqual(Buffer.concat(parts(copy)), Buffer.concat(parts(stream)))
  for (let i = 351; i <= 700; i += 1)
    for (const one of [stream, copy]) append(one, { ms: i, seq: 0 }, ['f', 'v'])
  assert.equal(copy.trimByLength(200, true, 0), stream.trimByLength(200, true, 0))
  assert.deepEqual(Buffer.concat(parts(copy)), Buffer.concat(parts(stream)))
})

test('what trimming left before the first entry does not decide where a block ends', () => {
  // 16 KiB hold 53 entries of 305 bytes; as many as were trimmed find room again.
  for (let count = 25; count <= 50; count += 1) {
    const stream = filled(count, ['f', 'x'.repeat(300)])
    stream.trimByLength(count - 15, false, 0)
    const copy = rebuilt(parts(stream))
    for (let i = count + 1; i <= count + 15; i += 1)
      for (const one of [stream, copy]) append(one, { ms: i, seq: 0 }, ['f', 'x'.repeat(300)])
    assert.equal(stream.blockCount, 1, `${count} entries`)
    assert.deepEqual(Buffer.concat(parts(copy)), Buffer.concat(parts(stream)))
  }
})

test('a cut and the entries handed out stay as they were, whatever changes', () => {
  const stream = filled(250, ['f', 'value'])
  const before = rows(stream)
  const expected = Buffer.concat(parts(stream))
  const cut = stream.cut()
  const last = stream.get({ ms: 250, seq: 0 })
  const text = () =>
    Buffer.from(last?.bytes.subarray(last.bounds[2], last.bounds[3]) ?? []).toString()
  stream.delete({ ms: 250, seq: 0 })
  for (let i = 251; i < 500; i += 1) append(stream, { ms: i, seq: 0 }, ['other', 'WORDS'])
  stream.delete({ ms: 150, seq: 0 })
  stream.trimByLength(3, false, 0)
  assert.deepEqual(Buffer.concat(cutParts(cut, 1 << 16)), expected)
  assert.equal(text(), 'value')
  assert.equal(before.length, 250)
  assert.deepEqual(before[249]?.words, ['f', 'value'])
})

test('a cut stays as it was when its last block goes and the one before grows again', () => {
  // The second block was begun at the size of the first and has room behind its last entry.
  const stream = filled(201, ['f', 'x'.repeat(130)])
  stream.trimByLength(51, false, 0)
  assert.equal(stream.blockCount, 2)
  const expected = Buffer.concat(parts(stream))
  const cut = stream.cut()
  stream.delete({ ms: 201, seq: 0 })
  append(stream, { ms: 300, seq: 0 }, ['f', 'later'])
  assert.equal(stream.blockCount, 1)
  assert.deepEqual(Buffer.concat(cutParts(cut, 1 << 16)), expected)
})

test('IDs of any size read as they were written', () => {
  const stream = new Stream()
  const ids: StreamId[] = [
    { ms: 0, seq: 1 },
    { ms: 0, seq: Number.MAX_SAFE_INTEGER },
    { ms: 0, seq: 1n << 53n },
    { ms: 0, seq: TOP },
    { ms: Number.MAX_SAFE_INTEGER, seq: 0 },
    { ms: 1n << 63n, seq: 5 },
    MAX_ID,
  ]
  for (const id of ids) append(stream, id, ['a', formatId(id)])
  assert.deepEqual(
    rows(stream).map(row => row.id),
    ids,
  )
  for (const id of ids) assert.ok(stream.has(id), formatId(id))
})

test('what comes after an ID is counted alike from either end, with gaps and trims', () => {
  const size = 12 * BLOCK_ENTRIES
  const someId = fc.nat({ max: size + 2 })
  const gone = fc.array(someId, { maxLength: 40 })
  fc.assert(
    fc.property(
      gone,
      fc.nat({ max: size }),
      fc.array(someId, { minLength: 1 }),
      (ids, left, at) => {
        const stream = filled(size)
        for (const ms of ids) stream.delete({ ms, seq: 0 })
        stream.trimByLength(left, false, 0)
        const there = rows(stream).map(({ id }) => Number(id.ms))
        for (const ms of at) {
          assert.equal(stream.countAfter({ ms, seq: 0 }), there.filter(other => other > ms).length)
        }
      },
    ),
    { seed: 6, numRuns: 40 },
  )
})

test('saturated-counts: entries are counted up to 2^63 - 1, and a snapshot of the most is read', () => {
  const stream = new Stream()
  stream.entriesAdded = 2n ** 63n - 2n
  const words = Argv.of('XADD', 's', '*', 'f', 'v')
  for (let ms = 1; ms <= 3; ms += 1) stream.append({ ms, seq: 0 }, words, 3, BLOCK_ENTRIES)
  assert.equal(stream.entriesAdded, 2n ** 63n - 1n)
  assert.equal(rebuilt(parts(stream, 4096)).entriesAdded, 2n ** 63n - 1n)
})
