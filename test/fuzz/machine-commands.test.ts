// Arguments that nobody thought of: whatever words a command has, it is answered, the
// machine stays whole, and every replica agrees.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../src/base/argv.ts'
import type { Wait } from '../../src/base/wait.ts'
import { isError } from '../../src/machine/command.ts'
import { COMMANDS, machineTable } from '../../src/machine/commands/table.ts'
import { keysOf } from '../../src/machine/keys-of.ts'
import { Machine } from '../../src/machine/machine.ts'
import type { Reply } from '../../src/machine/reply.ts'
import { entry, plain, restored, snapshotBytes, type Word } from '../unit/machine/run.ts'

const names = COMMANDS.flatMap(spec =>
  spec.subcommands === undefined
    ? [[spec.name]]
    : [...spec.subcommands.values()].map(sub => sub.name.split('|')),
)
const OPTIONS = [
  'MAXLEN',
  'MINID',
  '~',
  '=',
  'LIMIT',
  'NOMKSTREAM',
  'COUNT',
  'BLOCK',
  'STREAMS',
  'GROUP',
  'NOACK',
  'MKSTREAM',
  'ENTRIESREAD',
  'ENTRIESADDED',
  'MAXDELETEDID',
  'IDLE',
  'TIME',
  'RETRYCOUNT',
  'FORCE',
  'JUSTID',
  'LASTID',
  'FULL',
  'MATCH',
  'TYPE',
  'ASYNC',
  'KEEPREF',
  'DELREF',
  'ACKED',
  'IDS',
  'IDMP',
]
const IDS = [
  '*',
  '$',
  '>',
  '+',
  '-',
  '0',
  '0-0',
  '0-1',
  '1-1',
  '1000-0',
  '1000-*',
  '(1-1',
  '(-',
  '5-',
  '--1',
  '18446744073709551615-18446744073709551615',
  '18446744073709551615',
  '9007199254740992-9007199254740993',
]
const word: fc.Arbitrary<Word> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('a', 'b', '{t}c', 'g', 'h', 'c1') },
  { weight: 4, arbitrary: fc.constantFrom(...IDS) },
  { weight: 3, arbitrary: fc.constantFrom(...OPTIONS) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('1', '2', '-1', '100', '9223372036854775807', '1.5', ''),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }) },
)
const command: fc.Arbitrary<Word[]> = fc
  .tuple(fc.constantFrom(...names), fc.array(word, { maxLength: 9 }))
  .map(([name, words]) => [...name, ...words])

test('any words are answered, and replicas that had them are equal', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), commands => {
      const leader = new Machine()
      const follower = new Machine()
      let index = 0
      for (const words of commands) {
        const argv = Argv.of(...words.map(w => (typeof w === 'number' ? String(w) : w)))
        const spec = machineTable.find(argv)
        if (isError(spec)) continue
        for (const i of keysOf(spec, argv)) assert.ok(i > 0 && i < argv.count)
        if (spec.apply === undefined) {
          const args = spec.parse?.(argv)
          if (!isError(args)) plain(leader.query(spec, args, 1000))
          continue
        }
        index += 1
        const outcomes: (Reply | Wait)[] = []
        leader.apply(entry(1000, words), index, outcomes)
        follower.apply(entry(1000, words), index, null)
        for (const outcome of outcomes) plain(outcome)
      }
      const bytes = snapshotBytes(leader)
      assert.deepEqual(snapshotBytes(follower), bytes)
      assert.equal(leader.digest(), follower.digest())
      assert.deepEqual(snapshotBytes(restored(bytes, 777)), bytes)
    }),
    { seed: 9, numRuns: 300 },
  )
})
