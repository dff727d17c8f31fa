// Interaction traces: what the core does, message by message, is what they say.
//
// scenarios/ are our own and always run. The traces of etcd's raft library are not
// part of this repository: they are looked for where ETCD_TRACES says (a folder
// with interaction/, quorum/ and confchange/), else beside the checkout.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { adapter } from './adapter.ts'
import type * as trace from './tool/adapter.d.ts'

/** What a file of cases expects that our arithmetic does otherwise. */
type CaseResult = { file: string; cases: number; mismatches: unknown[] }
type Part<K extends 'quorum' | 'confChange'> = NonNullable<trace.RaftTraceAdapter[K]>
/** The tool is plain JavaScript that also stands alone; this is what we use of it. */
type Tool = Pick<typeof trace, 'checkTrace' | 'listTraces'> & {
  checkQuorum(path: string, quorum: Part<'quorum'>): Promise<CaseResult[]>
  checkConfChange(path: string, confChange: Part<'confChange'>): Promise<CaseResult[]>
}

const { checkConfChange, checkQuorum, checkTrace, listTraces }: Tool = await import(
  new URL('./tool/index.mjs', import.meta.url).href
)

const here = import.meta.dirname
const scenarios = join(here, 'scenarios')
const { ETCD_TRACES } = process.env
const upstream =
  ETCD_TRACES ?? join(here, '..', '..', '..', 'shared', 'tools', 'etcd-traces', 'upstream')
const skip = existsSync(upstream)
  ? false
  : `no traces of etcd's library at ${upstream}; set ETCD_TRACES to run them`

function runTraces(set: string, folder: string): void {
  const files = listTraces(folder)
  // A loop over nothing proves nothing.
  assert.ok(files.length > 0, `no traces in ${folder}`)
  for (const file of files) {
    test(`${set} ${basename(file, '.txt')}: the core does what the trace says`, async () => {
      const result = await checkTrace(file, adapter, { messageOrder: 'strict' })
      assert.deepEqual(
        { status: result.status, reason: result.reason },
        { status: 'pass', reason: undefined },
        JSON.stringify([result.mismatches, result.invariantViolations], null, 2),
      )
      assert.equal(result.ran, result.directives)
    })
  }
}

runTraces('scenario', scenarios)
if (skip === false) runTraces('upstream', join(upstream, 'interaction'))
else test('upstream traces', { skip }, () => {})

test('quorums are those of the upstream cases', { skip }, async () => {
  const { quorum } = adapter
  assert.ok(quorum)
  const results = await checkQuorum(join(upstream, 'quorum'), quorum)
  assert.ok(results.reduce((cases, r) => cases + r.cases, 0) >= 200)
  assert.deepEqual(
    results.flatMap(r => r.mismatches),
    [],
  )
})

test('configuration changes lead where the upstream cases say', { skip }, async () => {
  const { confChange } = adapter
  assert.ok(confChange)
  const results = await checkConfChange(join(upstream, 'confchange'), confChange)
  assert.ok(results.reduce((cases, r) => cases + r.cases, 0) >= 50)
  assert.deepEqual(
    results.flatMap(r => r.mismatches),
    [],
  )
})
