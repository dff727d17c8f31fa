// The configuration of a node: precedence, defaults that depend on others, and every fault as one line.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig, type NodeConfig, printableSettings } from '../../src/config.ts'
import { configurationHelp, configurationPage } from '../../src/config-page.ts'
import { OPTION_KEYS } from '../../src/config-table.ts'

const directory = mkdtempSync(join(tmpdir(), 'slotcast-config-'))
after(() => rmSync(directory, { recursive: true }))

let written = 0
function file(text: string): string {
  written += 1
  const path = join(directory, `${written}.yaml`)
  writeFileSync(path, text)
  return path
}

function load(texts: string[], environment: Record<string, string> = {}): NodeConfig {
  return loadConfig(texts.map(file), environment).config
}

function fault(texts: string[], environment: Record<string, string> = {}): string {
  let message = ''
  assert.throws(
    () => load(texts, environment),
    (error: Error & { code: string }) => {
      message = error.message
      return error.code === 'CONFIG'
    },
  )
  assert.doesNotMatch(message, /\n/, 'one line')
  return message
}

const SEEDS = '[n1=a:7201, n2=b:7202, n3=c:7203]'

test('an empty node file with an id makes a node of its own', () => {
  const config = load(['node: { id: n7 }'])
  assert.equal(config.node.id, 7)
  assert.equal(config.node.hostLabel, 'n7')
  assert.deepEqual(config.node.seeds, [{ id: 7, name: 'n7', host: '127.0.0.1', port: 7201 }])
  assert.equal(config.cluster.shards, 3)
  assert.equal(config.cluster.replicasPerShard, 1)
})

test('three seeds make three shards of three replicas, five make five', () => {
  const three = load([`node: { id: n2, seeds: ${SEEDS} }`])
  assert.equal(three.cluster.shards, 3)
  assert.equal(three.cluster.replicasPerShard, 3)
  const five = load([`node: { id: n2, seeds: "n1=a:1,n2=a:2,n3=a:3,n4=a:4,n5=a:5" }`])
  assert.equal(five.cluster.shards, 5)
  assert.equal(five.cluster.replicasPerShard, 3)
})

test('a standalone node has one shard', () => {
  const config = load(['cluster: { enabled: false }\nnode: { id: n1 }'])
  assert.equal(config.cluster.shards, 1)
  assert.equal(config.cluster.replicasPerShard, 1)
})

test('the peer address among the seeds is advertised, and seeds are sorted', () => {
  const config = load([`node: { id: n2, seeds: [n3=c:7203, n2=b:7202, n1=a:7201] }`])
  assert.deepEqual(config.node.peer.advertise, { host: 'b', port: 7202 })
  assert.deepEqual(
    config.node.seeds.map(seed => seed.id),
    [1, 2, 3],
  )
})

test('environment beats the later file, which beats the earlier file, which beats the default', () => {
  const texts = [
    'cluster: { raft: { tick_ms: 20 } }\nnode: { id: n1, host_label: early, data_dir: /early }',
    'node: { host_label: late, data_dir: /late }',
  ]
  const config = load(texts, { SLOTCAST_NODE_DATA_DIR: '/environment', OTHER: '1' })
  assert.equal(config.cluster.raft.tickMs, 20)
  assert.equal(config.cluster.raft.heartbeatTicks, 2)
  assert.equal(config.node.hostLabel, 'late')
  assert.equal(config.node.dataDir, '/environment')
})

test('the environment may say everything', () => {
  const config = load([], {
    SLOTCAST_NODE_ID: 'n1',
    SLOTCAST_NODE_SEEDS: 'n1=a:7201, n2=b:7202,n3=[::1]:7203',
    SLOTCAST_CLUSTER_RAFT_TICK_MS: '100',
    SLOTCAST_CLUSTER_ENABLED: 'true',
  })
  assert.deepEqual(config.node.seeds[2], { id: 3, name: 'n3', host: '::1', port: 7203 })
  assert.equal(config.cluster.raft.tickMs, 100)
})

test('a v6 address is read and written with its brackets', () => {
  const { config, settings } = loadConfig(
    [file('node: { id: n1, resp: { listen: "[::1]:7001" } }')],
    {},
  )
  assert.deepEqual(config.node.resp.advertise, { host: '::1', port: 7001 })
  assert.equal(printableSettings(settings)['node.resp.listen'], '[::1]:7001')
})

test('an unknown key is told with the nearest known one', () => {
  assert.match(
    fault(['node: { id: n1, data_dri: /x }']),
    /node\.data_dri is unknown, did you mean node\.data_dir\?/,
  )
  assert.match(fault(['nod: { id: n1 }']), /nod is unknown/)
  assert.match(
    fault(['node: { id: n1 }'], { SLOTCAST_NODE_RESP_LISTENS: 'a:1' }),
    /SLOTCAST_NODE_RESP_LISTENS is unknown, did you mean SLOTCAST_NODE_RESP_LISTEN\?/,
  )
})

test('every fault of a file is told, with the file', () => {
  const message = fault([
    'cluster: { shards: 5000, name: "No Good" }\nnode: { log: { level: loud } }',
  ])
  assert.match(message, /\.yaml: cluster\.shards is not in 0\.\.1024: 5000/)
  assert.match(message, /cluster\.name does not match/)
  assert.match(message, /node\.log\.level is none of debug, info, warn, error: "loud"/)
  assert.match(message, /node\.id is missing/)
})

test('values of the wrong kind are refused', () => {
  const one = (text: string) => fault([`node: { id: n1 }\n${text}`])
  assert.match(one('cluster: { shards: "3 " }'), /is no whole number/)
  assert.match(one('cluster: { shards: 2.5 }'), /is no whole number: 2\.5/)
  assert.match(one('cluster: { enabled: maybe }'), /is neither true nor false/)
  assert.match(one('cluster: 3'), /cluster is no map of options/)
  assert.match(one('cluster: { name: 3 }'), /is no text: 3/)
  assert.match(fault(['node: { id: x1 }']), /node\.id does not match/)
  assert.match(fault(['node: { id: n1, resp: { listen: "7001" } }']), /is no host:port: "7001"/)
  assert.match(
    fault(['node: { id: n1, resp: { listen: "a:70000" } }']),
    /has no port in 1\.\.65535/,
  )
  assert.match(
    fault(['node: { id: n1, seeds: [a:7201] }']),
    /an item that is no n1=host:port: "a:7201"/,
  )
  assert.match(fault(['node: { id: n1, seeds: [n1=a:1, n1=b:2] }']), /names n1 twice/)
  assert.match(fault(['- a\n- b']), /the file is no map of options/)
})

test('text that is no YAML is told with its line', () => {
  assert.match(fault(['node: { id: n1']), /\.yaml: .* at line 1/)
  assert.match(fault(['node: { id: n1, id: n2 }']), /Map keys must be unique/)
  assert.match(
    fault([]).concat(
      (() => {
        try {
          loadConfig([join(directory, 'absent.yaml')], {})
          return ''
        } catch (error) {
          return (error as Error).message
        }
      })(),
    ),
    /ENOENT: no such file or directory, open '.*absent\.yaml'/,
  )
})

test('options that contradict each other are refused', () => {
  const one = (cluster: string, node = `seeds: ${SEEDS}`) =>
    fault([`cluster: ${cluster}\nnode: { id: n1, ${node} }`])
  assert.match(
    one('{ raft: { heartbeat_ticks: 3 } }'),
    /election_ticks 20 is less than 10 heartbeats/,
  )
  assert.match(one('{ replicas_per_shard: 2 }'), /replicas_per_shard 2 is even/)
  assert.match(one('{ replicas_per_shard: 5 }'), /needs as many node\.seeds, there are 3/)
  assert.match(one('{ enabled: false }'), /allows one seed and one shard/)
  assert.match(one('{}', 'seeds: [n2=b:7202]'), /does not name this node, n1/)
  assert.match(
    one('{}', 'grpc: { listen: "127.0.0.1:7001" }'),
    /node\.grpc\.listen 127\.0\.0\.1:7001 is also node\.resp/,
  )
  assert.match(one('{}', 'resp: { listen: "0.0.0.0:7001" }'), /node\.resp\.advertise is missing/)
})

test('the fingerprint depends on what data depends on, and on nothing else', () => {
  const base = load([`node: { id: n1, seeds: ${SEEDS} }`]).fingerprint
  assert.match(base, /^[0-9a-f]{32}$/)
  const same = load([
    `cluster: { raft: { tick_ms: 60 } }\nnode: { id: n2, data_dir: /x, seeds: ${SEEDS} }`,
  ])
  assert.equal(same.fingerprint, base)
  const moved = load([`node: { id: n1, seeds: [n1=x:1, n3=y:2, n2=z:3] }`])
  assert.equal(moved.fingerprint, base)
  assert.notEqual(
    load(['cluster: { replicas_per_shard: 1 }\nnode: { id: n1 }']).fingerprint,
    load([`cluster: { replicas_per_shard: 1 }\nnode: { id: n1, seeds: [n1=a:1, n2=b:1] }`])
      .fingerprint,
  )
  for (const cluster of ['{ shards: 4 }', '{ name: other }', '{ replicas_per_shard: 1 }']) {
    const other = load([`cluster: ${cluster}\nnode: { id: n1, seeds: ${SEEDS} }`])
    assert.notEqual(other.fingerprint, base, cluster)
  }
})

test('every option is in the page and in the help, and the page on disk is current', () => {
  for (const key of OPTION_KEYS) {
    assert.ok(configurationPage().includes(`### \`${key}\``), key)
    assert.ok(configurationHelp().includes(key), key)
  }
  assert.equal(readFileSync('docs/configuration.md', 'utf8'), configurationPage(), 'npm run docs')
})
