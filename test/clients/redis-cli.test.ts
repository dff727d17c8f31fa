// redis-cli -c, which follows redirects.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import type { LocalCluster } from '../chaos/cluster.ts'
import { has, programPath } from './client.ts'
import { livesThrough } from './story.ts'

livesThrough({
  name: 'redis-cli',
  missing: () => (has('redis-cli', '--version') ? false : 'redis-cli is not installed'),
  build: () => {},
  command: [process.execPath, programPath('redis-cli.ts')],
  besides: sessionsFromEachNode,
})

/** As somebody at a terminal types: on keys of all nodes, from each node. */
async function sessionsFromEachNode(cluster: LocalCluster): Promise<void> {
  const keys = await cluster.keyOfEachShard('orders')
  for (const { number } of cluster.nodes)
    for (const key of keys) redisCliSession(cluster.respPort(number), key)
}

/** Runs all commands by one redis-cli, which prints an answer each. */
function type(port: number, commands: readonly string[]): string[] {
  const { stdout, status, stderr } = spawnSync('redis-cli', ['-c', '-p', String(port)], {
    input: `${commands.join('\n')}\n`,
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.equal(status, 0, stderr)
  return stdout.split('\n').filter(line => line !== '' && !line.startsWith('-> Redirected'))
}

/** The commands of the README and their kin, on one key. */
function redisCliSession(port: number, key: string): void {
  const lines = type(port, [
    `DEL ${key}`,
    `XADD ${key} 1-1 item book qty 1`,
    `XADD ${key} 1-2 item pen`,
    `XADD ${key} MAXLEN 3 2-* item cup`,
    `XGROUP CREATE ${key} billing 0`,
    `XREADGROUP GROUP billing worker-1 COUNT 2 BLOCK 5000 STREAMS ${key} >`,
    `XACK ${key} billing 1-1`,
    `XCLAIM ${key} billing worker-2 0 1-2 JUSTID`,
    `XPENDING ${key} billing`,
    `XLEN ${key}`,
    `XRANGE ${key} (1-1 + COUNT 1`,
    `XADD ${key} 1-1 item late`,
    `XTRIM ${key} MINID 2`,
    `XINFO STREAM ${key}`,
    `TYPE ${key}`,
    `CLUSTER KEYSLOT ${key}`,
    `EXISTS ${key}`,
    `DEL ${key}`,
  ])
  const text = lines.join('|')
  const group = `${key}|1-1|item|book|qty|1|1-2|item|pen`
  assert.match(text, /^[01]\|1-1\|1-2\|2-0\|OK\|/)
  assert.ok(text.includes(`|OK|${group}|1|1-2|1|1-2|1-2|worker-2|1|3|1-2|item|pen|`), text)
  assert.match(
    text,
    /\|ERR The ID specified in XADD is equal or smaller than the target stream top item\|2\|/,
  )
  assert.match(text, /\|length\|1\|.*\|last-generated-id\|2-0\|/)
  assert.match(text, /\|stream\|\d+\|1\|1$/)
}
