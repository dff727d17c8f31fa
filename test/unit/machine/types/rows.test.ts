// Rows against a sorted array, with cuts taken at any time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type FixedRows,
  halfAt,
  ID_WORDS,
  Rows,
  TIMED_WORDS,
} from '../../../../src/machine/types/rows.ts'
import {
  compareIds,
  equalIds,
  formatId,
  type StreamId,
} from '../../../../src/machine/types/stream-id.ts'

const WIDTH = ID_WORDS + 1

type Pair = { id: StreamId; word: number }

function listed(rows: Rows): string[] {
  const out: string[] = []
  for (rows.first(); rows.valid; rows.next()) out.push(`${formatId(rows.id())}=${rows.word(4)}`)
  return out
}

function listedCut(cut: FixedRows): string[] {
  const out: string[] = []
  for (const { words, from, to } of cut.chunks)
    for (let at = from * cut.width; at < to * cut.width; at += cut.width)
      out.push(`${halfAt(words, at)}-${halfAt(words, at + 2)}=${words[at + 4]}`)
  return out
}

function written(model: readonly Pair[]): string[] {
  return model.map(({ id, word }) => `${formatId(id)}=${word}`)
}

const anyId = fc.record({
  ms: fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1) },
    { weight: 1, arbitrary: fc.constantFrom(2n ** 53n, 2n ** 63n, 2n ** 64n - 1n) },
  ),
  seq: fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 60 }) },
    { weight: 1, arbitrary: fc.constantFrom(2n ** 53n + 1n, 2n ** 64n - 1n) },
  ),
})

const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('place' as const), id: anyId }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const), id: anyId }) },
  // Runs grow chunks to their full size and empty them again.
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('append-run' as const, 'remove-run' as const, 'remove-some' as const),
      id: anyId,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), id: anyId }) },
)

class Model {
  readonly pairs: Pair[] = []
  readonly rows = new Rows(WIDTH)
  readonly cuts: { cut: FixedRows; want: string[] }[] = []
  #word = 0

  place(id: StreamId): void {
    const at = this.pairs.findIndex(pair => compareIds(pair.id, id) >= 0)
    const there = at >= 0 && equalIds((this.pairs[at] as Pair).id, id)
    this.#word += 1
    if (there) (this.pairs[at] as Pair).word = this.#word
    else this.pairs.splice(at < 0 ? this.pairs.length : at, 0, { id, word: this.#word })
    assert.equal(this.rows.place(id), !there)
    this.rows.setWord(4, this.#word)
    assert.equal(formatId(this.rows.id()), formatId(id))
  }

  remove(id: StreamId): void {
    const at = this.pairs.findIndex(pair => compareIds(pair.id, id) >= 0)
    const next = at < 0 ? undefined : this.pairs[at]
    const there = next !== undefined && equalIds(next.id, id)
    assert.equal(this.rows.seek(id), there)
    assert.equal(this.rows.valid, next !== undefined)
    if (!there) return
    this.rows.remove()
    this.pairs.splice(at, 1)
    const follower = this.pairs[at]
    assert.equal(this.rows.valid, follower !== undefined)
    if (follower !== undefined) assert.equal(formatId(this.rows.id()), formatId(follower.id))
  }

  cut(): void {
    this.cuts.push({ cut: this.rows.cut(), want: written(this.pairs) })
  }
}

test('rows hold what a sorted array holds, and a cut what they held when it was taken', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), steps => {
      const model = new Model()
      for (const { kind, id } of steps) {
        if (kind === 'place') model.place(id)
        else if (kind === 'remove') model.remove(id)
        else if (kind === 'cut') model.cut()
        else if (kind === 'append-run')
          for (let seq = 100; seq < 500; seq += 1) model.place({ ms: id.ms, seq })
        else if (kind === 'remove-run')
          for (let seq = 100; seq < 400; seq += 1) model.remove({ ms: id.ms, seq })
        else for (let seq = 100; seq < 500; seq += 7) model.remove({ ms: id.ms, seq })
      }
      assert.equal(model.rows.size, model.pairs.length)
      assert.deepEqual(listed(model.rows), written(model.pairs))
      for (const { cut, want } of model.cuts) {
        assert.equal(cut.size, want.length)
        assert.deepEqual(listedCut(cut), want)
      }
    }),
    { seed: 7, numRuns: 150 },
  )
})

test('rows are counted from one ID to another, whichever of the two are there', () => {
  fc.assert(
    fc.property(
      fc.array(anyId, { maxLength: 30 }),
      fc.integer({ min: 0, max: 3 }),
      anyId,
      anyId,
      (ids, runs, a, b) => {
        const rows = new Rows(ID_WORDS)
        const all = [...ids]
        for (let run = 0; run < runs; run += 1)
          for (let seq = 100; seq < 500; seq += 1) all.push({ ms: 10 + run, seq })
        for (const id of all) rows.place(id)
        const [from, to] = compareIds(a, b) <= 0 ? [a, b] : [b, a]
        const within = new Set(
          all.filter(id => compareIds(id, from) >= 0 && compareIds(id, to) <= 0).map(formatId),
        )
        assert.equal(rows.countBetween(from, to), within.size)
      },
    ),
    { seed: 8, numRuns: 300 },
  )
})

test('timed rows are sorted by time and then by ID', () => {
  const entry = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), anyId)
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 200 }), entries => {
      const rows = new Rows(TIMED_WORDS, true)
      const model = new Map<string, (typeof entries)[number]>()
      for (const [high, low, id] of entries) {
        const key = `${high} ${low} ${formatId(id)}`
        assert.equal(rows.placeTimed(high, low, id), !model.has(key))
        model.set(key, [high, low, id])
      }
      const sorted = [...model.values()].sort(
        (a, b) => a[0] - b[0] || a[1] - b[1] || compareIds(a[2], b[2]),
      )
      const got: string[] = []
      for (rows.first(); rows.valid; rows.next())
        got.push(`${rows.word(0)} ${rows.word(1)} ${formatId(rows.id())}`)
      assert.deepEqual(
        got,
        sorted.map(([high, low, id]) => `${high} ${low} ${formatId(id)}`),
      )
      for (const [high, low, id] of entries) assert.ok(rows.seekTimed(high, low, id))
    }),
    { seed: 9, numRuns: 100 },
  )
})

test('the last row is found, and a seek behind it finds nothing', () => {
  const rows = new Rows(WIDTH)
  rows.last()
  assert.equal(rows.valid, false)
  for (let ms = 1; ms <= 1000; ms += 1) rows.place({ ms, seq: 0 })
  rows.last()
  assert.deepEqual(rows.id(), { ms: 1000, seq: 0 })
  assert.equal(rows.seek({ ms: 1000, seq: 1 }), false)
  assert.equal(rows.valid, false)
})

test('wide words hold 64 bits exactly', () => {
  const rows = new Rows(ID_WORDS + 2)
  rows.place({ ms: 1, seq: 1 })
  for (const value of [0, 1, 2 ** 32, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n]) {
    rows.setWide(4, value)
    assert.equal(rows.wide(4), value)
  }
})
