// The data of an entry, frozen: what a log of a released version holds, every later one must apply alike.
//
// payload.hex holds the bytes. A change shows here and needs a new version or a new mark.
// Made anew, on purpose: GOLDEN_WRITE=1 npx node --test test/golden/formats/payload.test.ts

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import { writeTransaction } from '../../../src/base/transaction.ts'
import { Wait } from '../../../src/base/wait.ts'
import { Machine } from '../../../src/machine/machine.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { Batch } from '../../../src/replica/batch.ts'
import { plain } from '../../unit/machine/run.ts'

const PATH = new URL('./payload.hex', import.meta.url)
const ASKER = { closed: false, answer() {}, lose() {} }

/** A command, one of a producer, a transaction of that producer, one whose watched key has changed, and one that waited. */
function payload(): Buffer {
  const batch = new Batch<Reply>()
  const add = (argv: Argv, sequence: number | null) =>
    batch.add(ASKER, 0, argv, sequence === null ? null : { id: 'pro', epoch: 2, sequence })
  const whole = (commands: readonly (readonly string[])[], key: string) => {
    const bytes = Buffer.concat(commands.map(words => Argv.of(...words).buffer))
    const argv = new Argv()
    argv.buffer = writeTransaction([{ key, index: 0, existed: false }], commands.length, bytes)
    argv.end = argv.buffer.length
    return argv
  }
  add(Argv.of('XADD', 's', '1-1', 'f', 'v'), null)
  add(Argv.of('XADD', 's', '*', 'f', 'v'), 7)
  add(
    whole(
      [
        ['XLEN', 's'],
        ['XADD', 't', '*', 'f', 'v'],
        ['XLEN', 't'],
      ],
      'b\xff',
    ),
    8,
  )
  add(whole([['DEL', 's']], 's'), null)
  // A first call would be refused for the type of the key; this one waits on.
  batch.addAgain(ASKER, 0, Argv.of('BLPOP', 's', '0'), null)
  return batch.seal(1_700_000_000_000).payload
}

test('the data of an entry is the one that was released, and means what it meant', () => {
  const bytes = payload()
  const { GOLDEN_WRITE } = process.env
  if (GOLDEN_WRITE === '1')
    writeFileSync(PATH, `${(bytes.toString('hex').match(/.{1,64}/g) ?? []).join('\n')}\n`)
  const frozen = Buffer.from(readFileSync(PATH, 'utf8').replaceAll('\n', ''), 'hex')
  assert.equal(bytes.toString('hex'), frozen.toString('hex'))
  const outcomes: (Reply | Wait)[] = []
  new Machine().apply(frozen, 1, outcomes)
  const added = '1700000000000-0'
  const waits = outcomes.pop()
  assert.ok(waits instanceof Wait)
  assert.deepEqual(outcomes.map(plain), ['1-1', added, [2, added, 1], 'null-array'])
})
