import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminMappings } from '../../../../../src/doors/grpc/mapping/admin.ts'
import { AdminServiceService } from '../../../../../src/gen/slotcast/v1/admin_service.ts'
import { array, bulk, integer, type Reply, text } from '../../../../../src/machine/reply.ts'
import { answer, goldenOf, waits } from './golden.ts'

const admin = goldenOf(adminMappings, AdminServiceService)
const b = (value: string): Buffer => Buffer.from(value)
const verbatim = (value: string): Reply => ({ kind: 'verbatim', text: value })
const map = (...items: Reply[]): Reply => ({ kind: 'map', items })

test('Info and ClusterInfo are read by sections and fields', () => {
  admin('info', {}, 'INFO')
  admin('info', { sections: ['memory', 'shards'] }, 'INFO memory shards')
  admin('clusterInfo', {}, 'CLUSTER INFO')
  const reply = verbatim('# Server\r\nname:n1\r\nurl:a:b\r\n\r\n# Shards\r\nshard1:role=leader\r\n')
  assert.deepEqual(answer(adminMappings.info, reply), {
    sections: [
      { name: 'Server', fields: { name: 'n1', url: 'a:b' } },
      { name: 'Shards', fields: { shard1: 'role=leader' } },
    ],
  })
  const lines = [
    ...['cluster_state:ok', 'cluster_slots_assigned:16384', 'cluster_slots_ok:16000'],
    ...['cluster_known_nodes:5', 'cluster_size:3', 'cluster_current_epoch:7'],
  ]
  const { fields, ...typed } = answer(adminMappings.clusterInfo, verbatim(lines.join('\r\n')))
  assert.deepEqual(typed, {
    ok: true,
    slotsAssigned: 16384,
    slotsOk: 16000,
    knownNodes: 5,
    leaders: 3,
    configEpoch: 7n,
  })
  assert.equal(new Map(Object.entries(fields)).get('cluster_size'), '3')
})

test('settings are read and changed with CONFIG', () => {
  admin('getConfig', {}, 'CONFIG GET *')
  admin('getConfig', { patterns: ['max*', 'save'] }, 'CONFIG GET max* save')
  admin('setConfig', { settings: { timeout: '5' } }, 'CONFIG SET timeout 5')
  admin('setConfig', {}, 'fault: settings is empty')
  admin('resetStats', {}, 'CONFIG RESETSTAT')
  const reply = map(text('timeout'), text('0'))
  assert.deepEqual(answer(adminMappings.getConfig, reply), { settings: { timeout: '0' } })
})

test('what took too long is read with SLOWLOG and LATENCY', () => {
  admin('slowLog', {}, 'SLOWLOG GET')
  admin('slowLog', { count: 0n }, 'SLOWLOG GET -1')
  admin('slowLog', { count: 3n }, 'SLOWLOG GET 3')
  admin('resetSlowLog', {}, 'SLOWLOG RESET')
  admin('latency', {}, 'LATENCY LATEST')
  admin('commandLatency', { commands: ['xadd'] }, 'LATENCY HISTOGRAM xadd')
  const argv = array([bulk(b('XRANGE')), bulk(b('k'))])
  const row = array([integer(4), integer(1_700), integer(1_500_001), argv, text('a:1'), text('me')])
  assert.deepEqual(answer(adminMappings.slowLog, array([row])), {
    commands: [
      {
        id: 4n,
        time: { seconds: 1_700n, nanos: 0 },
        duration: { seconds: 1n, nanos: 500_001_000 },
        argv: [b('XRANGE'), b('k')],
        clientAddress: 'a:1',
        clientName: 'me',
      },
    ],
  })
  const event = array([text('command'), integer(1_700), integer(12), integer(1_001)])
  assert.deepEqual(answer(adminMappings.latency, array([event])), {
    events: [
      {
        event: 'command',
        lastTime: { seconds: 1_700n, nanos: 0 },
        last: { seconds: 0n, nanos: 12_000_000 },
        worst: { seconds: 1n, nanos: 1_000_000 },
      },
    ],
  })
  const histogram = map(
    ...[text('calls'), integer(3)],
    ...[text('histogram_usec'), map(integer(8), integer(2), integer(16), integer(3))],
  )
  assert.deepEqual(answer(adminMappings.commandLatency, map(text('xadd'), histogram)), {
    commands: [
      {
        command: 'xadd',
        calls: 3n,
        buckets: [
          { atMost: { seconds: 0n, nanos: 8_000 }, calls: 2n },
          { atMost: { seconds: 0n, nanos: 16_000 }, calls: 3n },
        ],
      },
    ],
  })
})

test('clients are listed, ended, unblocked and held with CLIENT', () => {
  admin('listClients', {}, 'CLIENT LIST')
  admin('listClients', { ids: [3n, 4n] }, 'CLIENT LIST ID 3 4')
  const line = 'id=3 addr=1.2.3.4:5 laddr=l:1 name= age=9 idle=2 flags=xb cmd=blmpop'
  const { clients } = answer(adminMappings.listClients, verbatim(`${line}\n${line}\n`))
  assert.equal(clients.length, 2)
  const [first] = clients
  assert.ok(first !== undefined)
  const { fields, ...typed } = first
  assert.deepEqual(typed, {
    id: 3n,
    address: '1.2.3.4:5',
    localAddress: 'l:1',
    name: '',
    age: { seconds: 9n, nanos: 0 },
    idle: { seconds: 2n, nanos: 0 },
    blocked: true,
    lastCommand: 'blmpop',
  })
  assert.equal(new Map(Object.entries(fields)).get('flags'), 'xb')
  admin('killClients', {}, 'fault: a filter is required, or all')
  admin('killClients', { all: true }, 'CLIENT KILL SKIPME YES')
  admin(
    'killClients',
    { id: 3n, address: 'a:1', localAddress: 'l:1', minAge: { seconds: 1n, nanos: 1 } },
    'CLIENT KILL ID 3 ADDR a:1 LADDR l:1 MAXAGE 2 SKIPME YES',
  )
  admin('unblockClient', { id: 3n }, 'CLIENT UNBLOCK 3 TIMEOUT')
  admin('unblockClient', { id: 3n, withError: true }, 'CLIENT UNBLOCK 3 ERROR')
  admin('unblockClient', {}, 'fault: id is required')
  const duration = { seconds: 2n, nanos: 0 }
  admin('pauseClients', { duration }, 'CLIENT PAUSE 2000 ALL')
  admin('pauseClients', { duration, writesOnly: true }, 'CLIENT PAUSE 2000 WRITE')
  admin('pauseClients', {}, 'fault: duration is required')
  admin('resumeClients', {}, 'CLIENT UNPAUSE')
})

test('snapshots are written with SAVE, which waits, or BGSAVE', () => {
  admin('saveSnapshots', {}, 'SAVE')
  admin('saveSnapshots', { inBackground: true }, 'BGSAVE')
  admin('lastSnapshots', {}, 'LASTSAVE')
  const { saveSnapshots } = adminMappings
  assert.equal(waits(saveSnapshots, { inBackground: false }), true)
  assert.equal(waits(saveSnapshots, { inBackground: true }), false)
  assert.deepEqual(answer(adminMappings.lastSnapshots, integer(5)), {
    time: { seconds: 5n, nanos: 0 },
  })
})
