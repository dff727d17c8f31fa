// Golden scenarios of our own core, in the notation of the traces.
//
// They hold what traces of others do not show. Expected output is recorded, and
// read before it is committed:
//
//   node test/traces/tool/run.mjs record test/golden/raft/*.txt --adapter test/traces/adapter.ts

import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { test } from 'node:test'
import { adapter } from '../../traces/adapter.ts'
import type * as trace from '../../traces/tool/adapter.d.ts'

const tool: Pick<typeof trace, 'checkTrace' | 'listTraces'> = await import(
  new URL('../../traces/tool/index.mjs', import.meta.url).href
)

const files = tool.listTraces(import.meta.dirname)
assert.ok(files.length > 0, 'no golden scenarios')
for (const file of files) {
  test(`golden ${basename(file, '.txt')}: the core does what was recorded`, async () => {
    const result = await tool.checkTrace(file, adapter, { messageOrder: 'strict' })
    assert.deepEqual(
      [result.status, result.mismatches, result.invariantViolations],
      ['pass', [], []],
    )
  })
}
