// The transcripts of test/conformance, played to the state machine alone: no server is needed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transcripts } from '../../conformance/cases.ts'
import { MachineTarget } from '../../conformance/machine-target.ts'
import { play } from '../../conformance/target.ts'

for (const [file, cases] of transcripts())
  for (const each of cases) {
    const skip = each.server ? 'uses commands outside the state machine' : false
    test(`${file}: ${each.name}`, { skip }, async () => {
      for (const protocol of [2, 3] as const)
        assert.deepEqual(await play(new MachineTarget(protocol), each, protocol), [])
    })
  }
