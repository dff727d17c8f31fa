// What keeps a node from starting is told in one line, with a non-zero exit code.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freePortBase, SlotcastProcess } from './slotcast-process.ts'

const root = mkdtempSync(join(tmpdir(), 'slotcast-bad-'))
after(() => rmSync(root, { recursive: true, force: true }))
const patience = { timeout: 60_000 }

/** The line for people, and the exit code, of a command that must fail. */
async function failure(words: readonly string[], environment = {}) {
  const process = new SlotcastProcess(words, environment)
  const { code } = await process.ended
  const lines = process.lines.filter(line => line.startsWith('slotcast: '))
  assert.equal(lines.length, 1, process.lines.join('\n'))
  return { code, line: lines[0] ?? '' }
}

function occupy(port: number): Promise<Server> {
  return new Promise(resolve => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server))
  })
}

async function nodeFile(dataDir: string, extra = ''): Promise<{ file: string; base: number }> {
  mkdirSync(dataDir, { recursive: true })
  const base = await freePortBase(1)
  const door = (offset: number): string => `{ listen: 127.0.0.1:${base + offset + 1} }`
  const file = join(dataDir, 'node.yaml')
  writeFileSync(
    file,
    `cluster: { enabled: false }
node:
  id: n1
  data_dir: ${dataDir}/n1
  resp: ${door(0)}
  grpc: ${door(100)}
  peer: ${door(200)}
  admin: ${door(300)}
${extra}`,
  )
  return { file, base }
}

test('an unknown option in a file', patience, async () => {
  const { file } = await nodeFile(join(root, 'unknown'), '  data_dirs: x\n')
  const { code, line } = await failure(['node', '--config', file])
  assert.equal(code, 1)
  assert.match(line, /node\.data_dirs is unknown, did you mean node\.data_dir\?/)
})

test('a file that is not there', patience, async () => {
  const { code, line } = await failure(['node', '--config', join(root, 'absent.yaml')])
  assert.equal(code, 1)
  assert.match(line, /no such file/)
})

for (const [door, offset] of Object.entries({ resp: 0, grpc: 100, peer: 200, admin: 300 })) {
  test(`the ${door} port in use`, patience, async () => {
    const { file, base } = await nodeFile(join(root, door))
    const port = base + offset + 1
    const server = await occupy(port)
    const { code, line } = await failure(['node', '--config', file])
    server.close()
    assert.equal(code, 1)
    assert.match(line, new RegExp(`127\\.0\\.0\\.1:${port}`))
  })
}

test('a data directory that a living process holds', patience, async () => {
  const { file } = await nodeFile(join(root, 'locked'))
  const first = new SlotcastProcess(['node', '--config', file])
  await first.line(/doors open/)
  const other = await freePortBase(1)
  const { code, line } = await failure(['node', '--config', file], {
    SLOTCAST_NODE_RESP_LISTEN: `127.0.0.1:${other + 1}`,
    SLOTCAST_NODE_GRPC_LISTEN: `127.0.0.1:${other + 101}`,
    SLOTCAST_NODE_PEER_LISTEN: `127.0.0.1:${other + 201}`,
    SLOTCAST_NODE_ADMIN_LISTEN: `127.0.0.1:${other + 301}`,
  })
  assert.equal(code, 1)
  assert.match(line, new RegExp(`in use by process ${first.child.pid}`))
  const verify = await failure(['verify', '--data-dir', join(root, 'locked', 'n1')])
  assert.equal(verify.code, 1)
  assert.match(verify.line, /in use by process/)
  first.child.kill('SIGTERM')
  assert.equal((await first.ended).code, 0)
})

test('a configuration that contradicts the data directory', patience, async () => {
  const { file } = await nodeFile(join(root, 'contradicts'))
  const first = new SlotcastProcess(['node', '--config', file])
  await first.line(/doors open/)
  first.child.kill('SIGTERM')
  assert.equal((await first.ended).code, 0)
  const cluster = await failure(['node', '--config', file], { SLOTCAST_CLUSTER_NAME: 'other' })
  assert.equal(cluster.code, 1)
  const id = await failure(['node', '--config', file], { SLOTCAST_NODE_ID: 'n2' })
  assert.equal(id.code, 1)
  assert.match(id.line, /belongs to node 1|node/)
  const whole = new SlotcastProcess(['verify', '--data-dir', join(root, 'contradicts', 'n1')])
  assert.equal((await whole.ended).code, 0)
  await whole.line(/^ok: /)
})

test('a supervisor whose node cannot start stops, with the reason', patience, async () => {
  const base = await freePortBase(3)
  const server = await occupy(base + 202)
  const { code, line } = await failure([
    'dev',
    '--data-dir',
    join(root, 'dev'),
    '--port-base',
    `${base}`,
  ])
  server.close()
  assert.equal(code, 1)
  assert.match(line, /n2 ended .*cannot listen for peers on .*: the port is in use/)
})

test('flags that make no sense', patience, async () => {
  for (const flags of [
    ['--nodes', '0'],
    ['--nodes', 'three'],
    ['--port-base', '65500'],
    ['--frobnicate'],
  ]) {
    const process = new SlotcastProcess(['dev', '--data-dir', join(root, 'flags'), ...flags])
    const { code } = await process.ended
    assert.equal(code, 1, flags.join(' '))
  }
})
