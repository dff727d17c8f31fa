// A write that waits, out of the batch in which it was first proposed: its words, and its number if a producer gave it one.

import { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import { INCOMPLETE, parseMultibulk } from '../base/multibulk.ts'
import { PRODUCER_MARK, readProducerMark } from '../base/payload.ts'
import type { Producer, SealedBatch } from './batch.ts'

/** A command to be proposed again, in memory of its own. */
export type BlockedWrite = { readonly argv: Argv; readonly producer: Producer | null }

/** Command `i` of a batch in memory of its own, to be proposed again when its keys change. */
export function blockedWrite(batch: SealedBatch<unknown>, i: number): BlockedWrite {
  const argv = new Argv()
  const end = parseMultibulk(argv, batch.payload, batch.starts[i] as number, batch.payload.length)
  assert(end > INCOMPLETE, 'an entry holds a command that does not parse')
  const mark = batch.marks[i] as number
  if (batch.payload[mark] !== PRODUCER_MARK) return { argv: argv.copy(), producer: null }
  // Its number stays its own, so that a client that lost the answer may ask again.
  const { id, epoch, sequence } = readProducerMark(batch.payload, mark)
  return {
    argv: argv.copy(),
    producer: { id: Buffer.from(id, 'latin1').toString('utf8'), epoch, sequence },
  }
}
