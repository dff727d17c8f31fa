// Every command that changes a value says so: WATCH lives by it (keyspace.ts).
//
// All transcripts are played, and after each command every key whose bytes are
// others must have been changed by that entry. Redis' own exceptions are listed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Writer } from '../../../src/base/bytes.ts'
import type { Keyspace } from '../../../src/machine/keyspace.ts'
import { transcripts } from '../../conformance/cases.ts'
import { MachineTarget } from '../../conformance/machine-target.ts'

/** Changes of groups are none to WATCH, and neither is the last ID. */
const SILENT = new Set([
  'XACK',
  'XACKDEL',
  'XAUTOCLAIM',
  'XCLAIM',
  'XGROUP',
  'XNACK',
  'XREADGROUP',
  'XSETID',
])
/** An XADD of an idempotent producer that comes again only counts: see below. */
const MAY_BE_SILENT = new Set(['IDMP', 'IDMPAUTO'])
const PART_BYTES = 1 << 20

type Seen = { readonly bytes: string; readonly changed: number }

function look(keyspace: Keyspace): Map<string, Seen> {
  const seen = new Map<string, Seen>()
  for (const { key, value, expiry, changed, died } of keyspace.row) {
    if (died !== 0) continue
    const writer = new Writer()
    writer.varint(expiry)
    const cut = value.cut()
    while (!cut.write(writer, PART_BYTES));
    seen.set(key, { bytes: Buffer.from(writer.take()).toString('latin1'), changed })
  }
  return seen
}

for (const [file, cases] of transcripts())
  test(`what ${file} changes is known as changed`, async () => {
    for (const each of cases) {
      if (each.server) continue
      const target = new MachineTarget(2)
      let before = look(target.machine.keyspace)
      for (const step of each.steps) {
        if (step.waitMs > 0) await target.pause(step.waitMs)
        if (step.words.length === 0) continue
        await target.send(step.connection, step.words)
        const isSilent =
          SILENT.has(step.words[0]?.toUpperCase() ?? '') ||
          step.words.some(word => MAY_BE_SILENT.has(word.toUpperCase()))
        const after = look(target.machine.keyspace)
        for (const [key, { bytes, changed }] of after) {
          const was = before.get(key)
          if (was === undefined || was.bytes === bytes) continue
          const isTold = changed > was.changed || isSilent
          assert.ok(isTold, `${step.text} (line ${step.line}) changes ${key} and does not say so`)
        }
        before = after
      }
    }
  })

/** Runs commands on the key `s`. @returns of each whether it said that it changed the key */
async function told(commands: readonly string[]): Promise<boolean[]> {
  const target = new MachineTarget(2)
  const changed = () => target.machine.keyspace.row.find(({ key }) => key === 's')?.changed ?? 0
  const out: boolean[] = []
  for (const command of commands) {
    const before = changed()
    await target.send(0, command.split(' '))
    out.push(changed() > before)
  }
  return out
}

test('an idempotent producer changes a stream once, however often it comes', async () => {
  assert.deepEqual(
    await told([
      'XADD s IDMP p i * a 1',
      'XADD s IDMP p i * a 1',
      'XADD s IDMPAUTO p * a 1',
      'XADD s IDMPAUTO p * a 1',
      'XCFGSET s IDMP-DURATION 7',
      'XADD s 9999999999999-1 a 1',
      'XIDMPRECORD s p j 9999999999999-1',
    ]),
    [true, false, true, false, true, true, true],
  )
})

test('removal by ID changes a stream, what only becomes of pending entries does not', async () => {
  const made = [
    'XADD s 1-1 a 1',
    'XADD s 1-2 a 1',
    'XADD s 1-3 a 1',
    'XGROUP CREATE s g 0',
    'XGROUP CREATE s h 0',
    'XREADGROUP GROUP g c STREAMS s >',
    'XREADGROUP GROUP h c STREAMS s >',
  ]
  const outcomes = await told([
    ...made,
    'XNACK s g FAIL IDS 1 1-1',
    'XREADGROUP GROUP g c CLAIM 0 STREAMS s >',
    'XACKDEL s g ACKED IDS 1 1-1',
    'XACKDEL s h ACKED IDS 1 1-1',
    'XDELEX s ACKED IDS 1 1-2',
    'XDELEX s DELREF IDS 1 1-2',
    'XDELEX s DELREF IDS 1 1-2',
    'XTRIM s MAXLEN 0 ACKED',
    'XTRIM s MAXLEN 0 DELREF',
  ])
  assert.deepEqual(outcomes.slice(made.length), [
    false,
    false,
    false,
    true,
    false,
    true,
    false,
    false,
    true,
  ])
})
