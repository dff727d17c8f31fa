// A client in another language, made from proto/ alone: test/integration/python/session.py.
//
// Needs a Python with grpcio: Debian's python3-grpcio and protobuf-compiler will do. Runs
// against a cluster of its own, or one whose gRPC doors SLOTCAST_GRPC names
// (`host:port,host:port`).

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { LocalCluster } from '../chaos/cluster.ts'

const PYTHON = '/usr/bin/python3'
const PROTOC = 'protoc'
const PROGRAM = fileURLToPath(new URL('python/session.py', import.meta.url))

/** Why the program cannot run here, or false. */
function missing(): string | false {
  if (spawnSync(PYTHON, ['-c', 'import grpc, google.protobuf']).status !== 0) {
    return `${PYTHON} has no grpcio`
  }
  const makers = [spawnSync(PROTOC, ['--version']), spawnSync(PYTHON, ['-c', 'import grpc_tools'])]
  if (makers.every(({ status }) => status !== 0)) return 'neither protoc nor grpc_tools is here'
  return false
}

/** Runs the program against the cluster that SLOTCAST_GRPC names, or against one of its own. */
async function session(run: (addresses: readonly string[]) => Promise<void>): Promise<void> {
  const { SLOTCAST_GRPC: named } = process.env
  if (named) return run(named.split(','))
  return LocalCluster.run({}, cluster =>
    run(cluster.nodes.map(({ number }) => cluster.grpcAddress(number))),
  )
}

test('a Python client made from proto/ does a whole session and follows redirects', {
  skip: missing(),
  timeout: 120_000,
}, async () => {
  await session(async addresses => {
    const { stdout } = await promisify(execFile)(PYTHON, [PROGRAM, ...addresses])
    const done = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    assert.equal(done.nodes, addresses.length)
    assert.equal(done.appended_in_sessions, 8 * 64)
    if (addresses.length === 1) return
    assert.ok(done.redirects_by_details > 0, 'redirects were followed from status details')
    assert.ok(done.redirects_by_trailer > 0, 'redirects were followed from the trailer')
    assert.ok(done.redirects_in_band > 0, 'redirects were followed within sessions')
  })
})
