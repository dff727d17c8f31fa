// Runs of any length at any place come out as if they had been written in one piece.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOCK_BYTES, DirectWriter, type RawError } from '../../../src/storage/direct-writer.ts'
import { seeded } from './rig.ts'

const MiB = 1024 * 1024

/** A file that takes whole blocks only, and of each write as many bytes as `takes` says. */
class Blocks {
  bytes = Buffer.alloc(0)
  takes: (length: number) => number | RawError = length => length
  readonly #queue: (() => void)[] = []

  write(bytes: Buffer, position: number, done: (error: RawError | null, count: number) => void) {
    assert.equal(position % BLOCK_BYTES, 0)
    assert.equal(bytes.length % BLOCK_BYTES, 0)
    assert.equal(bytes.byteOffset % BLOCK_BYTES, 0)
    const taken = this.takes(bytes.length)
    this.#queue.push(() => {
      if (typeof taken !== 'number') {
        done(taken, 0)
        return
      }
      const size = Math.max(this.bytes.length, position + taken)
      const grown = Buffer.alloc(size)
      this.bytes.copy(grown)
      bytes.copy(grown, position, 0, taken)
      this.bytes = grown
      done(null, taken)
    })
  }

  read(position: number, length: number): Buffer {
    return this.bytes.subarray(position, position + length)
  }

  run(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next()
  }
}

function writeAt(writer: DirectWriter, file: Blocks, parts: Buffer[], at: number): RawError | null {
  let outcome: RawError | null | undefined
  writer.write(parts, at, error => {
    outcome = error
  })
  file.run()
  assert.ok(outcome !== undefined, 'no word of the end')
  return outcome
}

test('runs one behind the other are what one run would be, and zeros stand behind', () => {
  const random = seeded(3)
  const file = new Blocks()
  let writer = new DirectWriter(file)
  let model = Buffer.alloc(0)
  for (let round = 0; round < 300; round += 1) {
    // Now and then by somebody who does not know the block that it begins in.
    if (random.below(10) === 0) writer = new DirectWriter(file)
    const large = random.below(50) === 0
    const parts = Array.from({ length: random.below(5) }, (_, i) =>
      Buffer.alloc(random.below(large ? MiB : 3000), round * 7 + i + 1),
    )
    assert.equal(writeAt(writer, file, parts, model.length), null)
    model = Buffer.concat([model, ...parts])
    assert.ok(file.bytes.subarray(0, model.length).equals(model), `round ${round}`)
    const behind = file.bytes.subarray(model.length)
    assert.ok(behind.length < BLOCK_BYTES && behind.every(byte => byte === 0))
  }
  assert.ok(model.length > MiB)
})

test('a write that ends early, also inside a block, goes on from there', () => {
  const random = seeded(4)
  const file = new Blocks()
  file.takes = length => 512 * (1 + random.below(length / 512))
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i * 31))
  assert.equal(writeAt(new DirectWriter(file), file, [bytes], 0), null)
  assert.ok(file.bytes.subarray(0, bytes.length).equals(bytes))
})

test('a failure is told, and what was written before stays', () => {
  const file = new Blocks()
  const writer = new DirectWriter(file)
  assert.equal(writeAt(writer, file, [Buffer.alloc(5000, 1)], 0), null)
  const broken: RawError = Object.assign(new Error('broken'), { code: 'EIO' })
  file.takes = () => broken
  assert.equal(writeAt(writer, file, [Buffer.alloc(10, 2)], 5000), broken)
  assert.ok(file.bytes.subarray(0, 5000).every(byte => byte === 1))
})
