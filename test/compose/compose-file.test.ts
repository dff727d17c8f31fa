// docker-compose.yml gives the cluster of `npm start`: same ports on the host, ready, redirecting to addresses that work.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster } from 'ioredis'
import { ask, eventually } from '../integration/slotcast-process.ts'
import { composeCommand, noEngine } from './engine.ts'

const ROOT = join(import.meta.dirname, '../..')
const PORTS = [7001, 7002, 7003, 7101, 7102, 7103, 7301, 7302, 7303]

function compose(...words: string[]): string {
  const [command = '', ...first] = composeCommand ?? []
  const run = spawnSync(command, [...first, '-p', 'slotcast-test', ...words], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  assert.equal(run.status, 0, `${words.join(' ')}:\n${run.stdout}${run.stderr}`)
  return run.stdout
}

function isTaken(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(true))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
  })
}

async function whySkip(): Promise<string | false> {
  if (noEngine !== false) return noEngine
  if (composeCommand === null) return 'no docker compose'
  const taken = await Promise.all(PORTS.map(isTaken))
  const port = PORTS.find((_, i) => taken[i])
  return port === undefined ? false : `port ${port} is taken`
}

const skip = await whySkip()
const patience = { skip, timeout: 600_000 }

before(() => {
  if (skip === false) compose('up', '-d', '--build')
}, patience)
after(() => {
  if (skip === false) compose('down', '-v', '--timeout', '6')
}, patience)

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200
  } catch {
    return false
  }
}

test('three nodes are ready, and healthy by their own check', patience, async () => {
  for (const port of [7301, 7302, 7303]) await eventually(() => isReady(port))
  await eventually(() => {
    const ids = compose('ps', '-q').trim().split('\n')
    const states = spawnSync('docker', ['inspect', '-f', '{{.State.Health.Status}}', ...ids], {
      encoding: 'utf8',
    }).stdout
    return states === 'healthy\nhealthy\nhealthy\n'
  })
})

test('a cluster client on the host follows redirects over all nodes', patience, async () => {
  assert.match(await ask(7001, ['CLUSTER', 'SLOTS']), /127\.0\.0\.1/)
  const client = new Cluster([{ host: '127.0.0.1', port: 7001 }])
  for (let i = 0; i < 50; i += 1) await client.xadd(`stream ${i}`, '1-1', 'field', `${i}`)
  for (let i = 0; i < 50; i += 1) {
    assert.deepEqual(await client.xrange(`stream ${i}`, '-', '+'), [['1-1', ['field', `${i}`]]])
  }
  client.disconnect()
})

test(
  'a stopped node ends in time with exit code 0, and its data are there again',
  patience,
  async () => {
    const id = compose('ps', '-q', 'node-2').trim()
    compose('stop', 'node-2')
    const code = spawnSync('docker', ['inspect', '-f', '{{.State.ExitCode}}', id], {
      encoding: 'utf8',
    }).stdout.trim()
    assert.equal(code, '0')
    compose('start', 'node-2')
    await eventually(() => isReady(7302))
    const client = new Cluster([{ host: '127.0.0.1', port: 7003 }])
    for (let i = 0; i < 50; i += 1) assert.equal(await client.xlen(`stream ${i}`), 1)
    client.disconnect()
  },
)
