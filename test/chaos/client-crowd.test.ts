// Many clients lose a node: all are back soon, and they do not ask for the map all at once.
//
// SLOTCAST_CHAOS_CLIENTS says how many; 2,000 are to be back within 10 s, which is printed.

import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CrowdReport } from './client-crowd.ts'
import { LocalCluster } from './cluster.ts'

const { SLOTCAST_CHAOS_CLIENTS = '100' } = process.env
const CLIENTS = Number(SLOTCAST_CHAOS_CLIENTS)
const PROCESSES = 4
const CROWD = join(import.meta.dirname, 'client-crowd.ts')
/** Of one client, however long the outage is: one question or watch lost, some tries by luck. */
const MAP_CALLS_MAX = 6

test('clients that lose a node are back soon, and ask for the map a few times at most', {
  timeout: 600_000,
}, async context => {
  await LocalCluster.run({}, async cluster => {
    const keys = (await cluster.keyOfEach('crowd')).join(',')
    const seeds = cluster.nodes.map(({ number }) => cluster.grpcAddress(number)).join(',')
    const crowds: ChildProcess[] = Array.from({ length: PROCESSES }, (_, i) =>
      fork(CROWD, [String(Math.ceil(CLIENTS / PROCESSES)), `p${i}`, keys, seeds]),
    )
    try {
      const begun = performance.now()
      await Promise.all(crowds.map(crowd => once(crowd, 'message')))
      context.diagnostic(`connected after ${Math.round(performance.now() - begun)} ms`)
      await sleep(1_500)
      await cluster.node(1).kill()
      for (const crowd of crowds) crowd.send('killed')
      const told = await Promise.all(crowds.map(crowd => once(crowd, 'message')))
      const reports = told.map(([report]) => report as CrowdReport)
      const back = reports.flatMap(({ backMs }) => backMs).sort((a, b) => a - b)
      const sum = (of: Exclude<keyof CrowdReport, 'backMs' | 'failures'>): number =>
        reports.reduce((total, report) => total + report[of], 0)
      const at = (part: number): number =>
        Math.round(back[Math.min(back.length - 1, Math.floor(back.length * part))] ?? 0)
      context.diagnostic(
        `${back.length} clients were back after ${at(0.5)} ms (half), ${at(0.99)} ms (99 %), ${at(1)} ms (all)`,
      )
      context.diagnostic(
        `${sum('questions')} questions for the map, ${sum('watches')} watches anew, ${sum('retries')} retries, ${sum('redirects')} redirects, ${sum('lost')} connections lost`,
      )
      assert.deepEqual(
        reports.flatMap(({ failures }) => failures),
        [],
      )
      const calls = sum('questions') + sum('watches')
      assert.ok(calls <= MAP_CALLS_MAX * back.length, `${calls} calls for the map`)
    } finally {
      for (const crowd of crowds) crowd.kill('SIGKILL')
    }
  })
})
