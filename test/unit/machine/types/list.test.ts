// Lists against plain arrays, with cuts taken at any time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Writer } from '../../../../src/base/bytes.ts'
import { Words, wordAt } from '../../../../src/machine/types/element.ts'
import { List } from '../../../../src/machine/types/list.ts'
import { ListBuilder } from '../../../../src/machine/types/list-builder.ts'
import type { Cut } from '../../../../src/machine/types/part.ts'
import { built as builtFrom } from './built.ts'

function words(list: List): string[] {
  const out: string[] = []
  list.forwards(0, list.length, (bytes, at, index) => {
    assert.equal(index, out.length)
    out.push(wordAt(bytes, at).toString('latin1'))
    return true
  })
  return out
}

function wordsBackwards(list: List): string[] {
  const out: string[] = []
  list.backwards(list.length - 1, list.length, (bytes, at, index) => {
    assert.equal(index, list.length - 1 - out.length)
    out.push(wordAt(bytes, at).toString('latin1'))
    return true
  })
  return out.reverse()
}

function partsOf(cut: Cut, bytesMax: number): Buffer[] {
  const parts: Buffer[] = []
  for (let last = false; !last; ) {
    const writer = new Writer()
    last = cut.write(writer, bytesMax)
    parts.push(writer.take())
  }
  return parts
}

function built(parts: readonly Buffer[]): List {
  return builtFrom(new ListBuilder(), parts)
}

function taken(gathered: Words): string[] {
  const out: string[] = []
  for (let i = 0; i < gathered.bounds.length; i += 2)
    out.push(gathered.bytes.toString('latin1', gathered.bounds[i], gathered.bounds[i + 1]))
  return out
}

const anyWord = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', '', '0', '7', '127', '128', '-1', 'job') },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 130 }).map(n => 'w'.repeat(n)) },
  { weight: 2, arbitrary: fc.integer().map(String) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(5000), 'y'.repeat(8300), 'z'.repeat(20_000)) },
)

const KINDS = [
  ...['head', 'head', 'tail', 'tail', 'head-run', 'tail-run', 'take-head', 'take-tail'],
  ...['drop-head', 'drop-tail', 'set', 'insert', 'insert-run', 'remove', 'remove-last', 'cut'],
] as const

const anyStep = fc.record({
  kind: fc.constantFrom(...KINDS),
  word: anyWord,
  where: fc.double({ min: 0, max: 0.999, noNaN: true }),
  count: fc.integer({ min: 1, max: 600 }),
})

type Step = { kind: (typeof KINDS)[number]; word: string; where: number; count: number }

class Model {
  readonly list = new List()
  words: string[] = []
  readonly cuts: { cut: Cut; want: string[] }[] = []

  #push(word: string, atHead: boolean): void {
    const bytes = Buffer.from(`<${word}>`, 'latin1')
    if (atHead) this.list.pushHead(bytes, 1, bytes.length - 1)
    else this.list.pushTail(bytes, 1, bytes.length - 1)
    if (atHead) this.words.unshift(word)
    else this.words.push(word)
  }

  #take(count: number, atHead: boolean, asked: boolean): void {
    const few = Math.min(count, this.words.length)
    const want = atHead
      ? this.words.splice(0, few)
      : this.words.splice(this.words.length - few, few).reverse()
    const gathered = asked ? new Words(16) : null
    if (atHead) this.list.takeHead(few, gathered)
    else this.list.takeTail(few, gathered)
    if (gathered !== null) assert.deepEqual(taken(gathered), want)
  }

  #remove(word: string, max: number, reverse: boolean): void {
    const places = this.words.flatMap((other, i) => (other === word ? [i] : []))
    const gone = new Set(reverse ? places.slice(-max) : places.slice(0, max))
    this.words = this.words.filter((_, i) => !gone.has(i))
    const bytes = Buffer.from(word, 'latin1')
    assert.equal(this.list.remove(bytes, 0, bytes.length, max, reverse), gone.size)
  }

  step({ kind, word, where, count }: Step): void {
    const bytes = Buffer.from(word, 'latin1')
    const index = Math.floor(where * this.words.length)
    if (kind === 'head' || kind === 'tail') this.#push(word, kind === 'head')
    else if (kind === 'head-run' || kind === 'tail-run')
      for (let i = 0; i < count; i += 1) this.#push(`${word}${i % 5}`, kind === 'head-run')
    else if (kind === 'take-head' || kind === 'take-tail')
      this.#take(count, kind === 'take-head', true)
    else if (kind === 'drop-head' || kind === 'drop-tail')
      this.#take(count, kind === 'drop-head', false)
    else if (kind === 'remove') this.#remove(`${word}1`, count, false)
    else if (kind === 'remove-last') this.#remove(`${word}1`, count, true)
    else if (kind === 'cut') this.cuts.push({ cut: this.list.cut(), want: [...this.words] })
    else if (this.words.length === 0) return
    else if (kind === 'set') {
      this.list.set(index, bytes, 0, bytes.length)
      this.words[index] = word
    } else {
      for (let i = 0; i < (kind === 'insert' ? 1 : count); i += 1) {
        this.list.insertBefore(index, bytes, 0, bytes.length)
        this.words.splice(index, 0, word)
      }
    }
  }

  check(): void {
    const { list } = this
    assert.equal(list.length, this.words.length)
    assert.deepEqual(words(list), this.words)
    assert.deepEqual(wordsBackwards(list), this.words)
    if (list.length === 0) {
      assert.equal(list.bytes, 0)
      assert.equal(list.blockCount, 0)
      return
    }
    assert.equal(list.headWord().toString('latin1'), this.words[0])
    assert.equal(list.tailWord().toString('latin1'), this.words.at(-1))
  }
}

test('a list holds what an array holds, and a cut what it held when it was taken', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30 }), steps => {
      const model = new Model()
      for (const step of steps) {
        model.step(step)
        model.check()
      }
      for (const { cut, want } of model.cuts)
        assert.deepEqual(words(built(partsOf(cut, 700))), want)
    }),
    { seed: 11, numRuns: 400 },
  )
})

test('lists of equal elements make equal snapshots, whatever blocks they stand in', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20 }), steps => {
      const model = new Model()
      for (const step of steps) model.step(step)
      const fresh = new List()
      for (const word of model.words) {
        const bytes = Buffer.from(word, 'latin1')
        fresh.pushTail(bytes, 0, bytes.length)
      }
      const parts = partsOf(model.list.cut(), 4096)
      assert.deepEqual(partsOf(fresh.cut(), 4096), parts)
      const copy = built(parts)
      assert.deepEqual(partsOf(copy.cut(), 4096), parts)
      assert.equal(copy.bytes, model.list.bytes)
    }),
    { seed: 12, numRuns: 100 },
  )
})

test('a word at any index is found from either end', () => {
  const list = new List()
  for (let i = 0; i < 5000; i += 1) {
    const bytes = Buffer.from(`word ${i}`)
    list.pushTail(bytes, 0, bytes.length)
  }
  for (const index of [0, 1, 17, 2499, 2500, 2501, 4998, 4999])
    assert.equal(list.wordAt(index)?.toString(), `word ${index}`)
  assert.equal(list.wordAt(5000), null)
  assert.equal(list.wordAt(-1), null)
})

test('a walk goes on until its count or its visitor ends it', () => {
  const list = new List()
  for (let i = 0; i < 3000; i += 1) {
    const bytes = Buffer.from(String(i))
    list.pushTail(bytes, 0, bytes.length)
  }
  const seen: number[] = []
  list.forwards(10, 3, (_bytes, _at, index) => seen.push(index) < 9)
  list.backwards(2990, 3, (_bytes, _at, index) => seen.push(index) < 9)
  list.forwards(2999, 10, (_bytes, _at, index) => seen.push(index) < 9)
  list.backwards(1, 10, (_bytes, _at, index) => seen.push(index) < 9)
  assert.deepEqual(seen, [10, 11, 12, 2990, 2989, 2988, 2999, 1, 0])
})

test('a queue that moves on keeps one small block, and a long one that is emptied lets go', () => {
  const list = new List()
  const bytes = Buffer.from('a job of some twenty bytes')
  for (let i = 0; i < 3; i += 1) list.pushTail(bytes, 0, bytes.length)
  for (let i = 0; i < 10_000; i += 1) {
    list.pushTail(bytes, 0, bytes.length)
    list.takeHead(1, null)
    list.pushHead(bytes, 0, bytes.length)
    list.takeTail(1, null)
  }
  assert.equal(list.blockCount, 1)
  for (let i = 0; i < 10_000; i += 1) list.pushHead(bytes, 0, bytes.length)
  assert.ok(list.blockCount < 20, `${list.blockCount} blocks`)
  list.takeTail(10_000, null)
  assert.equal(list.length, 3)
  assert.equal(list.blockCount, 1)
})

test('blocks that lost most of their elements are joined', () => {
  const list = new List()
  for (let i = 0; i < 20_000; i += 1) {
    const bytes = Buffer.from(
      i % 100 === 0 ? 'a word that stays in its place' : 'another that goes',
    )
    list.pushTail(bytes, 0, bytes.length)
  }
  const gone = Buffer.from('another that goes')
  assert.equal(list.remove(gone, 0, gone.length, 1_000_000, false), 19_800)
  assert.equal(list.length, 200)
  assert.ok(list.blockCount <= 2, `${list.blockCount} blocks`)
})
