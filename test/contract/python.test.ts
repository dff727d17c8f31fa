// The client in Python where the contract does not lead it: beside nodes that answer what real ones seldom do, and as
// the heir of a consumer that died.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, listOf } from '../chaos/connection.ts'
import { PYTHON, python } from './languages/python.ts'
import { namesOfShards } from './names.ts'
import { Program } from './program.ts'

const SCRIPTS = join(import.meta.dirname, 'python')
const GROUP = 'family'
const ENTRIES = 40
const WAIT_MS_MAX = 20_000
const ASK_MS = 5_000
const skip = python.missing()

test('the client in Python bears what nodes seldom answer', { timeout: 120_000, skip }, () => {
  python.build()
  const words = [join(SCRIPTS, 'client_test.py')]
  const { status, stderr } = spawnSync(PYTHON, words, { encoding: 'utf8', timeout: 60_000 })
  assert.equal(status, 0, stderr)
})

test('a consumer in Python takes over what a dead one left', {
  timeout: 120_000,
  skip,
}, async () => {
  python.build()
  await LocalCluster.run({}, async cluster => {
    const keys = await namesOfShards(cluster, 'left', 1)
    const addresses = cluster.nodes.map(({ number }) => cluster.grpcAddress(number)).join(',')
    const start = (what: string) => {
      const words = [PYTHON, join(SCRIPTS, 'heir.py'), addresses, keys.join(','), GROUP, what]
      return new Program('entry', words, keys, [])
    }
    const dead = start('leave')
    try {
      await dead.until('entries left', WAIT_MS_MAX, () => processed(dead) === ENTRIES)
    } finally {
      dead.kill()
    }
    const heir = start('take')
    try {
      await heir.until('entries taken over', WAIT_MS_MAX, () => processed(heir) >= ENTRIES)
      for (const [key, tale] of heir.streams) {
        const left = dead.streams.get(key)?.appended.values() ?? []
        assert.deepEqual(new Set(tale.redelivered), new Set(left), `${key}: told as redelivered`)
        for (const [id, count] of tale.acknowledged) assert.equal(count, 1, `${key} ${id}`)
        const connection = await Connection.open(cluster.respPort(await cluster.leaderOf(key)))
        const pending = listOf(await connection.ask(['XPENDING', key, GROUP], ASK_MS))
        connection.close()
        assert.equal(pending[0], 0, `${key}: nothing is pending`)
      }
    } finally {
      heir.kill()
    }
  })
})

function processed(program: Program): number {
  return [...program.streams.values()].reduce((sum, tale) => sum + tale.processed.size, 0)
}
