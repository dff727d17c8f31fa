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
const SILENT = new Set(['XACK', 'XAUTOCLAIM', 'XCLAIM', 'XGROUP', 'XREADGROUP', 'XSETID'])
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
        const after = look(target.machine.keyspace)
        for (const [key, { bytes, changed }] of after) {
          const was = before.get(key)
          if (was === undefined || was.bytes === bytes) continue
          const isTold = changed > was.changed || SILENT.has(step.words[0]?.toUpperCase() ?? '')
          assert.ok(isTold, `${step.text} (line ${step.line}) changes ${key} and does not say so`)
        }
        before = after
      }
    }
  })
