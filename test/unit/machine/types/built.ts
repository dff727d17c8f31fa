// A value from its parts, which are read as a snapshot's are: whole, out of memory that is used again.

import assert from 'node:assert/strict'
import { Reader, Writer } from '../../../../src/base/bytes.ts'
import type { Builder, Cut } from '../../../../src/machine/types/part.ts'

/** What a cut writes, in parts of about `bytesMax`. */
export function* partsOf(cut: Cut, bytesMax: number): Generator<Buffer> {
  for (let last = false; !last; ) {
    const writer = new Writer()
    last = cut.write(writer, bytesMax)
    yield writer.take()
  }
}

export function built<T extends object>(builder: Builder<T>, parts: Iterable<Buffer>): T {
  for (const part of parts) {
    const bytes = Buffer.from(part)
    assert.equal(builder.read(new Reader(bytes)), null)
    bytes.fill(0xee)
  }
  const value = builder.finish()
  assert.ok(typeof value !== 'string', String(value))
  return value
}
