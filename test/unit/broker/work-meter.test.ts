// What commands cost: measured in runs, alone where they may be slow, and logged when they are.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { Argv } from '../../../src/base/argv.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { parseMultibulk } from '../../../src/base/multibulk.ts'
import { Wait } from '../../../src/base/wait.ts'
import { Settings } from '../../../src/broker/settings.ts'
import { WorkMeter } from '../../../src/broker/work-meter.ts'
import type { CommandSpec } from '../../../src/machine/command.ts'
import { machineTable } from '../../../src/machine/commands/table.ts'
import { fail, OK } from '../../../src/machine/reply.ts'

/** Moves only when told, and counts how often it is read. */
class CountingClock implements Clock {
  time = 1_000
  reads = 0
  now(): number {
    return 1_700_000_000_000
  }
  monotonic(): number {
    this.reads += 1
    return this.time
  }
  after(): { cancel(): void } {
    return { cancel() {} }
  }
  soon(): void {}
}

function spec(name: string): CommandSpec {
  const found = machineTable.named(name)
  assert.ok(found)
  return found
}

const xadd = spec('xadd')
const xgroup = spec('xgroup|create')

let clock: CountingClock
let settings: Settings
let meter: WorkMeter
const entryBytes = Buffer.alloc(8 * 1024)
let used = 0

beforeEach(() => {
  used = 0
  clock = new CountingClock()
  settings = new Settings({ slowerThanMicros: 10_000 })
  meter = new WorkMeter(clock, settings)
})

/** The words as they stand in an entry, behind those before them. */
function placed(...words: string[]): Argv {
  const from = used
  used += Argv.of(...words).buffer.copy(entryBytes, from)
  const argv = new Argv()
  parseMultibulk(argv, entryBytes, from, used)
  return argv
}

/** Applies one command that takes `ms`. */
function apply(facts: CommandSpec, position: number, ms: number, ...words: string[]): void {
  meter.begin(facts, position)
  clock.time += ms
  meter.end(placed(...words), OK)
}

test('reads the clock once for sixteen fast commands', () => {
  meter.entry()
  const before = clock.reads
  for (let i = 0; i < 16; i += 1) apply(xadd, i, 0.001, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  assert.equal(clock.reads - before, 1)
  const stats = meter.stats.of(xadd)
  assert.equal(stats.calls, 16)
  assert.ok(Math.abs(stats.micros - 16) < 0.001, 'each took its share')
})

test('times what is not fast alone', () => {
  meter.entry()
  apply(xadd, 0, 1, 'XADD', 's', '*', 'f', 'v')
  apply(xgroup, 1, 5, 'XGROUP', 'CREATE', 's', 'g', '0')
  apply(xadd, 2, 1, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  assert.ok(Math.abs(meter.stats.of(xgroup).micros - 5_000) < 0.001)
  assert.ok(Math.abs(meter.stats.of(xadd).micros - 2_000) < 0.001)
})

test('logs the longest command of a slow run, with who sent it', () => {
  meter.entry()
  apply(xadd, 0, 0.25, 'XADD', 's', '*', 'f', 'v')
  apply(xadd, 1, 12, 'XADD', 's', 'MAXLEN', '5', '*', 'f', 'v')
  apply(xadd, 2, 0.25, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  const senders = ['a', 'b', 'c'].map(name => ({ options: { address: `${name}:1` }, name }))
  meter.settling(senders)
  const [entry] = meter.slowLog.newest(10)
  assert.equal(meter.slowLog.length, 1)
  assert.equal(entry?.micros, 12_500)
  assert.deepEqual(entry?.words, ['XADD', 's', 'MAXLEN', '5', '*', 'f', 'v'])
  assert.deepEqual([entry?.client, entry?.clientName], ['b:1', 'b'])
})

test('times each alone for a while after a slow run', () => {
  meter.entry()
  apply(xadd, 0, 12, 'XADD', 's', '*', 'f', 'v')
  apply(xadd, 1, 0, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  meter.entry()
  apply(xadd, 0, 0.001, 'XADD', 's', '*', 'longer', 'but not slow')
  apply(xadd, 1, 12, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  const [entry] = meter.slowLog.newest(1)
  assert.deepEqual(entry?.words, ['XADD', 's', '*', 'f', 'v'])
  assert.equal(entry?.micros, 12_000)
  clock.time += 10_001
  meter.entry()
  const before = clock.reads
  for (let i = 0; i < 4; i += 1) apply(xadd, i, 0.001, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  assert.equal(clock.reads - before, 1, 'in runs again')
})

test('logs every command when the bound is 0, and none below', () => {
  settings.slowerThanMicros = 0
  meter.entry()
  for (let i = 0; i < 3; i += 1) apply(xadd, i, 0, 'XADD', String(i), '*', 'f', 'v')
  meter.entryDone()
  assert.deepEqual(
    meter.slowLog.newest(3).map(({ words }) => words[1]),
    ['2', '1', '0'],
  )
  settings.slowerThanMicros = -1
  meter.entry()
  apply(xadd, 0, 60_000, 'XADD', 's', '*', 'f', 'v')
  meter.entryDone()
  assert.equal(meter.slowLog.length, 3)
})

test('counts a command that waits when it is served', () => {
  meter.entry()
  meter.begin(xgroup, 0)
  meter.end(Argv.of('XGROUP'), new Wait(['s'], 0))
  meter.entryDone()
  assert.equal(meter.stats.of(xgroup).calls, 0)
})

test('tells failed from rejected', () => {
  meter.entry()
  meter.begin(xadd, 0)
  meter.end(Argv.of('XADD'), fail('ERR no'))
  meter.entryDone()
  meter.rejected(xadd)
  meter.misspelt(xadd)
  const { calls, failed, rejected } = meter.stats.of(xadd)
  assert.deepEqual([calls, failed, rejected], [2, 2, 1])
})

test('times single fast calls one in sixteen, others always', () => {
  const before = clock.reads
  for (let i = 0; i < 32; i += 1) meter.stop(xadd, meter.start(xadd), OK)
  assert.equal(clock.reads - before, 4)
  for (let i = 0; i < 4; i += 1) meter.stop(xgroup, meter.start(xgroup), OK)
  assert.equal(clock.reads - before, 12)
})

test('tells the latency monitor what is over its threshold', () => {
  settings.latencyThreshold = 5
  meter.entry()
  apply(xgroup, 0, 7, 'XGROUP', 'CREATE', 's', 'g', '0')
  meter.entryDone()
  assert.deepEqual(meter.monitor.series.get('command')?.samples, [
    { at: 1_700_000_000, latency: 7 },
  ])
  assert.equal(meter.slowLog.length, 0, 'the slow log has a bound of its own')
})
