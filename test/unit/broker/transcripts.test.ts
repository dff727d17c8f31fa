// The transcripts that need more than the state machine, played to the desk of a standalone node.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transcripts } from '../../conformance/cases.ts'
import { DeskTarget } from '../../conformance/desk-target.ts'
import { play } from '../../conformance/target.ts'

for (const [file, cases] of transcripts())
  for (const each of cases) {
    if (file !== 'transactions') continue
    test(`${file}: ${each.name}`, async () => {
      for (const protocol of [2, 3] as const)
        assert.deepEqual(await play(new DeskTarget(protocol), each, protocol), [])
    })
  }
