// The TypeScript examples run, each for a few seconds on a real cluster, and say what they should.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { LocalCluster } from '../chaos/cluster.ts'

const run = promisify(execFile)
const EXAMPLES = join(import.meta.dirname, '../../examples/typescript')

test('every example does what it says', { timeout: 120_000 }, async () => {
  await LocalCluster.run({}, async cluster => {
    const output = async (name: string, seconds: number): Promise<string> => {
      const words = [join(EXAMPLES, `${name}.ts`), cluster.grpcAddress(1), String(seconds)]
      return (await run(process.execPath, words, { timeout: 60_000 })).stdout
    }
    const [mails, dashboard, sensors, ring] = await Promise.all([
      output('email-workers', 3),
      output('dashboard', 4),
      output('sensor-pipeline', 6),
      output('circular-queue', 2),
    ])
    const [, written, sent] = /(\d+) mails written, (\d+) sent/.exec(mails) ?? []
    assert.ok(Number(sent) > 0 && Number(written) - Number(sent) <= 1, mails)
    const events = /(\d+) events written/.exec(dashboard)?.[1]
    assert.ok(Number(events) > 0, dashboard)
    assert.equal(dashboard.match(new RegExp(`saw ${events} events`, 'g'))?.length, 2, dashboard)
    assert.match(dashboard, /[1-9]\d* alerts shown/)
    const [, measured, stored] = /(\d+) measured, (\d+) stored/.exec(sensors) ?? []
    assert.ok(Number(measured) > 0 && /died with 20/.test(sensors), sensors)
    assert.equal(stored, measured, sensors)
    assert.match(ring, /4 jobs in the ring/)
  })
})
