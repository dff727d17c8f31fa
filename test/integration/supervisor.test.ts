// `slotcast dev` with real processes: ready, a dead node started again, and nothing left behind.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ask, eventually, freePortBase, isAlive, SlotcastProcess } from './slotcast-process.ts'

const root = mkdtempSync(join(tmpdir(), 'slotcast-dev-'))
const started: SlotcastProcess[] = []
after(async () => {
  for (const { child } of started) child.kill('SIGTERM')
  await Promise.all(started.map(({ ended }) => ended))
  rmSync(root, { recursive: true, force: true })
})

let runs = 0
async function dev(nodes: number, ...flags: string[]) {
  runs += 1
  const dataDir = join(root, String(runs))
  const base = await freePortBase(nodes)
  const process = new SlotcastProcess(
    ['dev', '--nodes', `${nodes}`, '--data-dir', dataDir, '--port-base', `${base}`, ...flags],
    // A variable of one node must not reach them all.
    { SLOTCAST_NODE_ID: 'n9' },
  )
  started.push(process)
  const pid = (node: number): number =>
    Number(readFileSync(join(dataDir, `n${node}`, 'node.pid'), 'utf8'))
  const ready = (node: number): Promise<boolean> =>
    fetch(`http://127.0.0.1:${base + 300 + node}/readyz`).then(
      response => response.status === 200,
      () => false,
    )
  return { process, dataDir, base, pid, ready }
}

const patience = { timeout: 60_000 }

test('three nodes come up, a killed one comes back, Ctrl-C ends all', patience, async () => {
  const { process, base, pid, ready } = await dev(3)
  await process.line(/^ready/)
  for (const node of [1, 2, 3]) {
    await process.line(
      new RegExp(
        `^n${node} .*127\\.0\\.0\\.1:${base + node} .*:${base + 100 + node} .*:${base + 200 + node} .*:${base + 300 + node} `,
      ),
    )
    assert.ok(await ready(node))
  }
  const victim = pid(2)
  const from = process.lines.length
  global.process.kill(victim, 'SIGKILL')
  await process.line(/^n2 ended \(SIGKILL\); starting it again in 1 s$/, from)
  await process.line(/^n2 started again/, from)
  await eventually(() => ready(2))
  assert.notEqual(pid(2), victim)
  const pids = [1, 2, 3].map(pid)
  process.child.kill('SIGINT')
  assert.deepEqual(await process.ended, { code: 0, signal: null })
  assert.deepEqual(pids.map(isAlive), [false, false, false])
})

test('with --no-restart a dead node stays dead', patience, async () => {
  const { process, pid } = await dev(3, '--no-restart')
  await process.line(/^ready/)
  const victim = pid(1)
  global.process.kill(victim, 'SIGKILL')
  await process.line(/^n1 ended \(SIGKILL\); left dead/)
  process.child.kill('SIGTERM')
  assert.equal((await process.ended).code, 0)
})

test('nodes end with a supervisor that was killed', patience, async () => {
  const { process, pid } = await dev(3)
  await process.line(/^ready/)
  const pids = [1, 2, 3].map(pid)
  process.child.kill('SIGKILL')
  await eventually(() => pids.every(id => !isAlive(id)))
})

test(
  'one node is standalone, and answers like a Redis without cluster mode',
  patience,
  async () => {
    const { process, base } = await dev(1)
    await process.line(/^ready/)
    assert.match(await ask(base + 1, ['INFO', 'cluster']), /cluster_enabled:0/)
    assert.match(await ask(base + 1, ['XADD', 'a', '1-1', 'f', 'v']), /1-1/)
    assert.equal(await ask(base + 1, ['EXISTS', 'a', 'b', 'c']), ':1\r\n', 'no CROSSSLOT')
    process.child.kill('SIGTERM')
    assert.equal((await process.ended).code, 0)
  },
)

test('one node with --cluster has slots', patience, async () => {
  const { process, base } = await dev(1, '--cluster')
  await process.line(/^ready/)
  assert.match(await ask(base + 1, ['INFO', 'cluster']), /cluster_enabled:1/)
  assert.match(await ask(base + 1, ['DEL', 'a', 'b']), /^-CROSSSLOT/)
  process.child.kill('SIGTERM')
  assert.equal((await process.ended).code, 0)
})
