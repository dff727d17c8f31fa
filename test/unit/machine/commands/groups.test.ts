// Groups on replicas: random commands, applied where someone asks, where nobody does,
// and after a snapshot, leave the same state.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Argv } from '../../../../src/base/argv.ts'
import { Wait } from '../../../../src/base/wait.ts'
import { isError } from '../../../../src/machine/command.ts'
import { machineTable } from '../../../../src/machine/commands/table.ts'
import { Machine } from '../../../../src/machine/machine.ts'
import { MachineTarget } from '../../../conformance/machine-target.ts'
import { printWire } from '../../../conformance/notation.ts'
import { changing } from '../../../conformance/random-commands.ts'
import { toWire } from '../../../conformance/wire.ts'
import { entry, restored, snapshotBytes } from '../run.ts'

const NOW = 1_700_000_000_000

/** Answers of a query, or null where `words` are no query. */
function query(machine: Machine, words: readonly string[]): string | null {
  const argv = Argv.of(...words)
  const spec = machineTable.find(argv)
  if (isError(spec) || spec.query === undefined) return null
  const args = spec.parse?.(argv)
  const outcome = isError(args) ? args : machine.query(spec, args, NOW * 2)
  return outcome instanceof Wait ? 'wait' : printWire(toWire(outcome, 3))
}

const SHOWN = ['s', 't'].flatMap(key => [
  ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
  ['XINFO', 'GROUPS', key],
  ...['g', 'h'].flatMap(group => [
    ['XINFO', 'CONSUMERS', key, group],
    ['XPENDING', key, group, '-', '+', '1000'],
    ['XPENDING', key, group, '-', '+', '1000', 'alice'],
  ]),
])

test('replicas agree, whether anybody asks them and whether they began with a snapshot', () => {
  fc.assert(
    fc.property(
      changing,
      fc.nat(),
      fc.integer({ min: 1, max: 2000 }),
      (commands, cut, bytesMax) => {
        const leader = new Machine()
        const follower = new Machine()
        let late = new Machine()
        for (const [i, words] of commands.entries()) {
          if (i === cut % commands.length) late = restored(snapshotBytes(leader, bytesMax))
          const bytes = entry(NOW + i * 7, words)
          leader.apply(bytes, i + 1, [])
          follower.apply(bytes, i + 1, null)
          if (i >= cut % commands.length) late.apply(bytes, i + 1, null)
        }
        for (const words of SHOWN) {
          const want = query(leader, words)
          assert.equal(query(follower, words), want)
          assert.equal(query(late, words), want)
        }
        assert.equal(follower.digest(), leader.digest())
        assert.equal(late.digest(), leader.digest())
      },
    ),
    { seed: 3, numRuns: 150 },
  )
})

test('an error names groups and keys as UTF-8 on one line', () => {
  const machine = new Machine()
  assert.equal(
    query(machine, ['XPENDING', 'schlüssel', 'a\r\nb']),
    `-${Buffer.from("NOGROUP No such key 'schlüssel' or consumer group 'a  b'").toString('latin1')}`,
  )
})

test('the lag of a group in a long stream with deletions is counted exactly', () => {
  const machine = new Machine()
  let index = 0
  const apply = (...words: string[]) => {
    index += 1
    machine.apply(entry(NOW, words), index, null)
  }
  for (let ms = 1; ms <= 1000; ms += 1) apply('XADD', 's', `${ms}-0`, 'f', 'v')
  apply('XGROUP', 'CREATE', 's', 'g', '0')
  for (const ms of [1, 77, 400, 401, 402, 999]) apply('XDEL', 's', `${ms}-0`)
  const lag = () => /"lag": (-?\d+|nil)/.exec(query(machine, ['XINFO', 'GROUPS', 's']) ?? '')?.[1]
  assert.equal(lag(), '994')
  apply('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '450', 'STREAMS', 's', '>')
  assert.equal(lag(), '544')
  apply('XREADGROUP', 'GROUP', 'g', 'c', 'NOACK', 'STREAMS', 's', '>')
  assert.equal(lag(), '0')
})

test('who asks for no idle time gets what is pending, however far behind the clock is', async () => {
  const target = new MachineTarget(2)
  const ask = async (now: number, words: string) => {
    target.now = now
    await target.send(0, words.split(' '))
    return printWire(await target.receive(0))
  }
  await ask(NOW, 'XADD s 1-0 f v')
  await ask(NOW, 'XGROUP CREATE s g 0')
  await ask(NOW, 'XREADGROUP GROUP g c STREAMS s >')
  assert.equal(await ask(NOW - 9, 'XPENDING s g - + 9'), '[["1-0", "c", 0, 1]]')
  assert.equal(await ask(NOW - 9, 'XPENDING s g IDLE 0 - + 9 c'), '[["1-0", "c", 0, 1]]')
  assert.equal(await ask(NOW - 9, 'XPENDING s g IDLE 1 - + 9'), '[]')
  assert.equal(await ask(NOW - 9, 'XCLAIM s g d 0 1-0 JUSTID'), '["1-0"]')
  assert.equal(await ask(NOW - 20, 'XAUTOCLAIM s g e 0 - JUSTID'), '["0-0", ["1-0"], []]')
})
