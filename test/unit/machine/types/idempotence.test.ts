// Idempotent producers against a model of lists, and across snapshots.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../../src/base/argv.ts'
import { Reader, Writer } from '../../../../src/base/bytes.ts'
import { hashFields } from '../../../../src/machine/types/field-hash.ts'
import { Idempotence, readIdempotence } from '../../../../src/machine/types/idempotence.ts'
import type { StreamId } from '../../../../src/machine/types/stream-id.ts'

function parts(idempotence: Idempotence, bytesMax: number): Buffer[] {
  const cut = idempotence.cut()
  const out: Buffer[] = []
  for (let done = false; !done; ) {
    const writer = new Writer()
    done = cut.write(writer, bytesMax)
    out.push(writer.take())
  }
  return out
}

function rebuilt(pieces: readonly Buffer[]): Idempotence {
  let into: Idempotence | null = null
  for (const piece of pieces) {
    const read: Idempotence | string = readIdempotence(new Reader(piece), into)
    assert.ok(typeof read !== 'string')
    into = read
  }
  assert.ok(into !== null)
  return into
}

function find(idempotence: Idempotence, producer: string, iid: string, now: number) {
  const bytes = Buffer.from(`<${iid}>`)
  return idempotence.find(producer, bytes, 1, bytes.length - 1, now)
}

function remember(
  idempotence: Idempotence,
  producer: string,
  iid: string,
  id: StreamId,
  now: number,
): void {
  const bytes = Buffer.from(`<${iid}>`)
  idempotence.remember(producer, bytes, 1, bytes.length - 1, id, now)
}

const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      producer: fc.constantFrom('a', 'b', 'c\xff'),
      iid: fc.integer({ min: 0, max: 60 }),
      times: fc.integer({ min: 1, max: 40 }),
      pass: fc.integer({ min: 0, max: 3000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rebuild' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('configure' as const),
      duration: fc.constantFrom(1, 4, 100),
      maxSize: fc.constantFrom(1, 5, 40, 1000),
    }),
  },
)

type Known = { readonly iid: string; readonly id: StreamId }

test('each producer remembers its last iids, as a list would, for their time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(400), (steps, bytesMax) => {
      let tested = new Idempotence()
      let model = new Map<string, Known[]>()
      let [duration, maxSize, now, seq, added] = [100, 100, 10_000, 0, 0]
      const live = (list: readonly Known[]): Known[] =>
        list.filter(({ id }) => Number(id.ms) + duration * 1000 > now)
      for (const s of steps) {
        if (s.do === 'configure') {
          if (s.duration !== duration || s.maxSize !== maxSize) model = new Map()
          duration = s.duration
          maxSize = s.maxSize
          tested.configure(duration, maxSize)
        } else if (s.do === 'rebuild') {
          const pieces = parts(tested, bytesMax)
          tested = rebuilt(pieces)
          assert.deepEqual(Buffer.concat(parts(tested, bytesMax)), Buffer.concat(pieces))
        } else {
          now += s.pass
          for (let k = 0; k < s.times; k += 1) {
            const iid: string = `${s.iid + k}`.repeat(1 + (k % 9))
            const list = live(model.get(s.producer) ?? [])
            const known: StreamId | null = list.find(each => each.iid === iid)?.id ?? null
            assert.deepEqual(find(tested, s.producer, iid, now), known)
            if (known !== null) continue
            const id = { ms: now, seq }
            seq += 1
            added += 1
            remember(tested, s.producer, iid, id, now)
            model.set(s.producer, [...list, { iid, id }].slice(-maxSize))
          }
        }
        const lists = [...model.values()].map(live)
        assert.deepEqual(tested.tracked(now), {
          producers: lists.filter(list => list.length > 0).length,
          iids: lists.reduce((sum, list) => sum + list.length, 0),
        })
        assert.equal(tested.added, added)
      }
    }),
    { seed: 13, numRuns: 150 },
  )
})

test('a cut holds what was remembered, however much is added and dropped meanwhile', () => {
  const idempotence = new Idempotence()
  for (let i = 0; i < 100; i += 1) remember(idempotence, 'p', `i${i}`, { ms: 1, seq: i }, 1)
  const cut = idempotence.cut()
  for (let i = 100; i < 400; i += 1) remember(idempotence, 'p', `i${i}`, { ms: 1, seq: i }, 1)
  remember(idempotence, 'q', 'i', { ms: 1, seq: 400 }, 1)
  const writer = new Writer()
  assert.ok(cut.write(writer, 1 << 20))
  const copy = rebuilt([writer.take()])
  assert.deepEqual(copy.tracked(1), { producers: 1, iids: 100 })
  assert.deepEqual(find(copy, 'p', 'i7', 1), { ms: 1, seq: 7 })
  assert.equal(find(copy, 'p', 'i100', 1), null)
})

test('producers and bytes are bounded: whoever was silent for the longest goes first', () => {
  const idempotence = new Idempotence()
  for (let i = 0; i < 20_000; i += 1) remember(idempotence, `p${i}`, 'i', { ms: 1, seq: i }, 1)
  assert.equal(idempotence.tracked(1).producers, 16_384)
  assert.equal(find(idempotence, 'p3615', 'i', 1), null)
  assert.deepEqual(find(idempotence, 'p3616', 'i', 1), { ms: 1, seq: 3616 })
  const large = new Idempotence()
  const iid = 'x'.repeat(300_000)
  for (let i = 0; i < 10; i += 1) remember(large, 'p', iid + i, { ms: 1, seq: i }, 1)
  assert.deepEqual(large.tracked(1), { producers: 1, iids: 4 })
  for (let i = 0; i < 300; i += 1) remember(large, `q${i}`, iid, { ms: 1, seq: i }, 1)
  assert.ok(large.tracked(1).producers < 230)
  assert.deepEqual(find(large, 'q299', iid, 1), { ms: 1, seq: 299 })
})

test('producers that fell silent leave a few at a time', () => {
  const idempotence = new Idempotence()
  for (let i = 0; i < 100; i += 1) remember(idempotence, `p${i}`, 'i', { ms: 1000, seq: i }, 1000)
  const late = 1000 + 100 * 1000
  assert.deepEqual(idempotence.tracked(late - 1), { producers: 100, iids: 100 })
  assert.deepEqual(idempotence.tracked(late), { producers: 0, iids: 0 })
  const before = parts(idempotence, 1 << 20)[0]?.length ?? 0
  for (let i = 0; i < 30; i += 1) remember(idempotence, 'q', `${i}`, { ms: late, seq: i }, late)
  assert.deepEqual(idempotence.tracked(late), { producers: 1, iids: 30 })
  assert.ok((parts(idempotence, 1 << 20)[0]?.length ?? 0) < before)
})

test('the iid of fields does not know their order, but everything else', () => {
  const hash = (...words: string[]) =>
    hashFields(Argv.of('XADD', 'k', '*', ...words), 3).toString('hex')
  assert.equal(hash('a', '1', 'b', '2'), hash('b', '2', 'a', '1'))
  const others = [
    hash('a', '1'),
    hash('a', '1', 'a', '1'),
    hash('a', '1', 'a', '1', 'a', '1'),
    hash('1', 'a'),
    hash('a1', ''),
    hash('', 'a1'),
    hash('a', '1', 'b', '2'),
    hash('a', '2', 'b', '1'),
    hash('', ''),
    hash('a', '1', '', ''),
  ]
  assert.equal(new Set(others).size, others.length)
})
