// What the desk answers itself: connections, clients, COMMAND, CONFIG, INFO, CLUSTER.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply } from '../../../src/machine/reply.ts'
import { Rig } from './rig.ts'

/** A reply as plain values: maps as objects. */
function plain(reply: Reply | undefined): unknown {
  switch (reply?.kind) {
    case 'array':
    case 'set':
      return reply.items.map(plain)
    case 'map': {
      const entries: [string, unknown][] = []
      for (let i = 0; i < reply.items.length; i += 2)
        entries.push([String(plain(reply.items[i])), plain(reply.items[i + 1])])
      return Object.fromEntries(entries)
    }
    case 'bulk':
      return Buffer.from(reply.bytes).toString('latin1')
    case 'integer':
      return reply.value
    case 'null':
    case 'null-array':
      return null
    case 'error':
      return `-${reply.text}`
    default:
      return reply !== undefined && 'text' in reply ? reply.text : undefined
  }
}

type Hello = { proto: number; mode: string; id: number }

/** Sends words that are split at blanks, and gives the plain reply. */
function asker(rig = new Rig(), client = rig.client()): (line: string) => unknown {
  return line => plain(client.ask(...line.split(' ')))
}

test('PING, ECHO, SELECT and AUTH answer as Redis does', () => {
  const ask = asker()
  assert.equal(ask('PING'), 'PONG')
  assert.equal(ask('PING hi'), 'hi')
  assert.equal(ask('PING a b'), "-ERR wrong number of arguments for 'ping' command")
  assert.equal(ask('ECHO hi'), 'hi')
  assert.equal(ask('SELECT 0'), 'OK')
  assert.equal(ask('SELECT 1'), '-ERR SELECT is not allowed in cluster mode')
  assert.equal(ask('SELECT x'), '-ERR value is not an integer or out of range')
  assert.equal(ask('AUTH default anything'), 'OK')
  assert.match(String(ask('AUTH secret')), /^-ERR AUTH <password> called without any password/)
  assert.match(String(ask('AUTH me secret')), /^-WRONGPASS/)
  assert.equal(
    asker(new Rig({ clusterEnabled: false }))('SELECT 1'),
    '-ERR DB index is out of range',
  )
})

test('HELLO changes all or nothing', () => {
  const rig = new Rig()
  const client = rig.client()
  const ask = asker(rig, client)
  assert.equal(ask('HELLO 4'), '-NOPROTO unsupported protocol version')
  assert.equal(ask('HELLO x'), '-ERR Protocol version is not an integer or out of range')
  assert.equal(ask('HELLO 3 SETNAME'), "-ERR Syntax error in HELLO option 'SETNAME'")
  assert.match(String(ask('HELLO 3 SETNAME me AUTH other x')), /^-WRONGPASS/)
  assert.deepEqual([client.session.protocol, client.session.name], [2, ''])
  const hello = ask('HELLO 3 AUTH default x SETNAME me') as Hello
  assert.deepEqual([hello.proto, hello.mode, hello.id], [3, 'cluster', client.session.id])
  assert.deepEqual([client.session.protocol, client.session.name], [3, 'me'])
  assert.equal(ask('RESET'), 'RESET')
  assert.deepEqual([client.session.protocol, client.session.name], [2, ''])
})

test('QUIT answers and closes', () => {
  const client = new Rig().client()
  assert.equal(client.ask('QUIT').kind, 'simple')
  assert.equal(client.closed, 'the client quit')
})

test('a client has a name, a library and a line in the list', () => {
  const rig = new Rig()
  const ask = asker(rig)
  assert.equal(ask('CLIENT GETNAME'), null)
  assert.equal(ask('CLIENT SETNAME me'), 'OK')
  assert.equal(ask('CLIENT GETNAME'), 'me')
  assert.match(String(ask('CLIENT SETNAME m\u00e9')), /^-ERR Client names cannot contain/)
  assert.equal(ask('CLIENT SETINFO LIB-NAME lib'), 'OK')
  assert.equal(ask('CLIENT SETINFO lib-ver 1.2'), 'OK')
  assert.equal(ask('CLIENT SETINFO FOO x'), "-ERR Unrecognized option 'FOO'")
  assert.match(
    String(ask('CLIENT INFO')),
    /^id=1 addr=10.0.0.1:5000 .* name=me .* cmd=client\|info .* lib-name=lib lib-ver=1.2 .*\n$/,
  )
  rig.client()
  assert.equal(String(ask('CLIENT LIST')).split('\n').length, 3)
  assert.equal(String(ask('CLIENT LIST ID 2 9')).split('\n').length, 2)
  assert.equal(ask('CLIENT LIST TYPE pubsub'), '')
  assert.equal(ask('CLIENT LIST ID 0'), '')
  assert.equal(ask('CLIENT LIST ID x'), '-ERR Invalid client ID')
  assert.equal(ask('CLIENT NO-EVICT ON'), 'OK')
  assert.equal(ask('CLIENT TRACKING OFF'), 'OK')
  assert.equal(ask('CLIENT NO-TOUCH maybe'), '-ERR syntax error')
})

test('CLIENT KILL closes others at once and itself behind the reply', () => {
  const rig = new Rig()
  const [first, second] = [rig.client(), rig.client()]
  assert.equal(plain(first.ask('CLIENT', 'KILL', 'ID', '2')), 1)
  assert.equal(second.closed, 'killed by CLIENT KILL')
  assert.equal(plain(first.ask('CLIENT', 'KILL', 'ID', '2')), 0)
  assert.equal(plain(first.ask('CLIENT', 'KILL', 'ID', '1')), 0, 'SKIPME is the default')
  assert.equal(plain(first.ask('CLIENT', 'KILL', '1.2.3.4:5')), '-ERR No such client')
  assert.equal(plain(first.ask('CLIENT', 'KILL', 'ID', '1', 'SKIPME', 'no')), 1)
  assert.equal(first.closed, 'killed by CLIENT KILL')
})

test('CLIENT REPLY silences commands, the next or all', () => {
  const client = new Rig().client()
  client.send('CLIENT', 'REPLY', 'SKIP')
  client.send('PING')
  client.send('ECHO', 'one')
  client.send('CLIENT', 'REPLY', 'OFF')
  client.send('PING')
  client.send('XADD', 'b', '*', 'f', 'v')
  client.send('CLIENT', 'REPLY', 'ON')
  assert.deepEqual(client.heard, ['bulk', 'OK'])
})

test('COMMAND tells what clients need to route', () => {
  const ask = asker()
  const count = ask('COMMAND COUNT')
  assert.equal((ask('COMMAND') as unknown[]).length, count)
  const names = ask('COMMAND LIST') as string[]
  assert.equal(names.filter(name => !name.includes('|')).length, count)
  assert.ok(names.includes('client|list'))
  const [xread, xadd, unknown] = ask('COMMAND INFO xread xadd nosuch') as unknown[][]
  assert.deepEqual(xread?.slice(0, 6), [
    'xread',
    -4,
    ['readonly', 'blocking', 'movablekeys'],
    0,
    0,
    0,
  ])
  assert.deepEqual(xadd?.slice(3, 6), [1, 1, 1])
  assert.equal(unknown, null)
  const [lmove, lmpop, blpop] = ask('COMMAND INFO lmove lmpop blpop') as unknown[][]
  assert.deepEqual(lmove?.slice(3, 6), [1, 2, 1])
  assert.deepEqual(lmpop?.slice(3, 6), [0, 0, 0])
  assert.deepEqual(blpop?.slice(3, 6), [1, -2, 1])
  assert.deepEqual(ask('COMMAND GETKEYS BLMPOP 0 2 a b LEFT'), ['a', 'b'])
  const [create] = ask('COMMAND INFO xgroup|create') as unknown[][]
  assert.deepEqual(create?.slice(0, 2), ['xgroup|create', -5])
  assert.deepEqual(ask('COMMAND GETKEYS XREAD COUNT 1 STREAMS a b 0 0'), ['a', 'b'])
  assert.deepEqual(ask('COMMAND GETKEYSANDFLAGS XLEN k'), [['k', ['RO']]])
  assert.deepEqual(ask('COMMAND GETKEYSANDFLAGS SET k v'), [['k', ['OW', 'update']]])
  assert.deepEqual(ask('COMMAND GETKEYSANDFLAGS SET k v GET'), [['k', ['RW', 'access', 'update']]])
  assert.equal(ask('COMMAND GETKEYS PING'), '-ERR The command has no key arguments')
  assert.equal(ask('COMMAND GETKEYS NOSUCH'), '-ERR Invalid command specified')
  assert.equal(
    ask('COMMAND GETKEYS XADD k'),
    '-ERR Invalid number of arguments specified for command',
  )
  assert.deepEqual(ask('COMMAND LIST FILTERBY PATTERN xgroup|cr*e'), ['xgroup|create'])
  assert.deepEqual(Object.keys(ask('COMMAND DOCS xadd nosuch') as object), ['xadd'])
})

test('CONFIG tells what holds, and changes all or nothing', () => {
  const rig = new Rig()
  const ask = asker(rig)
  const { settings } = rig.broker
  assert.deepEqual(ask('CONFIG GET save'), { save: '' })
  assert.deepEqual(ask('CONFIG GET APPEND* nosuch'), { appendfsync: 'always', appendonly: 'yes' })
  assert.equal(ask('CONFIG SET maxmemory 5 appendonly yes'), 'OK', 'what holds may be set')
  assert.equal(settings.memoryBytesMax, 5)
  assert.match(String(ask('CONFIG SET maxmemory 6 appendonly no')), /can't set immutable config$/)
  assert.match(String(ask('CONFIG SET maxmemory 6 timeout x')), /parsed into an integer$/)
  assert.equal(settings.memoryBytesMax, 5, 'nothing of either')
  assert.equal(ask('CONFIG SET slowlog-max-len 1 maxclients 7'), 'OK')
  assert.deepEqual([settings.slowLogLengthMax, settings.clientsMax], [1, 7])
  assert.equal(
    ask('CONFIG SET nosuch 5'),
    "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
  )
  assert.equal(ask('CONFIG RESETSTAT'), 'OK')
})

test('settings of how Redis encodes and frees values are remembered and do nothing', () => {
  const ask = asker()
  assert.deepEqual(ask('CONFIG GET list-max-listpack-size'), { 'list-max-listpack-size': '-2' })
  assert.equal(ask('CONFIG SET list-max-listpack-size 4 lazyfree-lazy-expire yes'), 'OK')
  assert.deepEqual(ask('CONFIG GET list-max-l* *lazy-expire'), {
    'lazyfree-lazy-expire': 'yes',
    'list-max-listpack-size': '4',
  })
  assert.match(String(ask('CONFIG SET list-compress-depth -1')), /must be between 0 and 2147483647/)
  assert.match(String(ask('CONFIG SET set-max-intset-entries x')), /parsed into an integer$/)
  assert.match(String(ask('CONFIG SET lazyfree-lazy-expire 1')), /must be 'yes' or 'no'$/)
})

test('the entries of a block are set in every shard that is led here, by its log', () => {
  const rig = new Rig({ clusterEnabled: false })
  const client = rig.client()
  const set = (words: string) => plain(client.ask('CONFIG', 'SET', ...words.split(' ')))
  client.send('CONFIG', 'SET', 'stream-node-max-entries', '7', 'timeout', '9')
  rig.clock.turn()
  assert.deepEqual(client.heard, ['OK'])
  assert.deepEqual(plain(client.ask('CONFIG', 'GET', 'stream-node-max-e*')), {
    'stream-node-max-entries': '7',
  })
  assert.equal(rig.broker.settings.idleSecondsMax, 9)
  assert.match(String(set('stream-node-max-entries -1')), /must be between 0 and/)
  assert.match(String(set('stream-node-max-entries 8 timeout x')), /parsed into an integer$/)
  assert.equal(rig.shard().machine.keyspace.blockEntries, 7, 'all or nothing')
  for (const line of ['MULTI', 'CONFIG SET stream-node-max-entries 9', 'EXEC'])
    client.send(...line.split(' '))
  rig.clock.turn()
  assert.equal(rig.shard().machine.keyspace.blockEntries, 9)
})

test('there are no scripts and no functions to flush', () => {
  const ask = asker()
  assert.equal(ask('SCRIPT FLUSH'), 'OK')
  assert.equal(ask('function flush async'), 'OK')
  assert.equal(ask('SCRIPT FLUSH now'), '-ERR SCRIPT FLUSH only support SYNC|ASYNC option')
  assert.equal(ask('FUNCTION FLUSH now'), '-ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
  assert.equal(ask('SCRIPT LOAD x'), "-ERR unknown subcommand 'LOAD'. Try SCRIPT HELP.")
})

test('INFO has the sections that were asked for, and says who is blocked', () => {
  const rig = new Rig()
  const ask = asker(rig)
  rig.client().send('XREAD', 'BLOCK', '0', 'STREAMS', 'b', '$')
  const all = String(ask('INFO'))
  for (const line of ['loading:0', 'cluster_enabled:1', 'role:', 'blocked_clients:1'])
    assert.ok(all.includes(line), line)
  assert.match(
    String(ask('INFO replication clients')),
    /^# Clients\r\n[^#]*\r\n# Replication\r\n[^#]*$/,
  )
  assert.equal(ask('INFO nosuch'), '')
})

test('TIME, ROLE and WAIT', () => {
  const rig = new Rig()
  const ask = asker(rig)
  assert.deepEqual(ask('TIME'), [String(rig.clock.time / 1000), '0'])
  assert.equal((ask('ROLE') as unknown[]).length, 3)
  assert.equal(ask('WAIT 1 100'), 1, 'a majority of three has one replica beside the leader')
  assert.equal(ask('WAIT 2 -1'), '-ERR timeout is negative')
  rig.shard(1).isLeader = false
  rig.shard(1).leader = 2
  assert.deepEqual((ask('ROLE') as unknown[]).slice(1, 4), ['127.0.0.1', 7002, 'connected'])
})

test('CLUSTER SLOTS names as followers only nodes that never lead, SHARDS all', () => {
  const rig = new Rig()
  const ask = asker(rig)
  const slots = ask('CLUSTER SLOTS') as [number, number, ...[string, number, string, object][]][]
  assert.deepEqual(
    slots.map(([first, last]) => [first, last]),
    [
      [0, 5460],
      [5461, 10_922],
      [10_923, 16_383],
    ],
  )
  assert.deepEqual(
    slots.map(range => range.slice(2).map(node => (node as unknown[])[1])),
    [[7001], [7002], [7003]],
  )
  assert.deepEqual(slots[0]?.[2], ['127.0.0.1', 7001, '1'.repeat(32) + '0'.repeat(8), {}])
  rig.leaders.set(2, 3)
  const moved = ask('CLUSTER SLOTS') as unknown[][]
  assert.equal((moved[1]?.[2] as unknown[] | undefined)?.[1], 7003)
  // Node 2 leads nothing now, but will again: nobody may take it for a replica.
  assert.equal(moved[0]?.length, 3)
  const shards = ask('CLUSTER SHARDS') as { slots: number[]; nodes: { health: string }[] }[]
  assert.deepEqual(shards[0]?.slots, [0, 5460])
  assert.deepEqual(
    shards[0]?.nodes.map(node => node.health),
    ['online', 'online', 'online'],
  )
})

test('CLUSTER SLOTS leaves out followers that lead meanwhile or are down', () => {
  const rig = new Rig({ homes: [1, 2, 1] })
  rig.leaders.set(3, 1)
  const ask = asker(rig)
  const listed = () =>
    (ask('CLUSTER SLOTS') as unknown[][]).map(range =>
      range.slice(2).map(node => (node as unknown[])[1]),
    )
  assert.deepEqual(listed(), [
    [7001, 7003],
    [7002, 7003],
    [7001, 7003],
  ])
  rig.down.add(3)
  assert.deepEqual(listed(), [[7001], [7002], [7001]])
  rig.down.delete(3)
  rig.leaders.set(1, 3)
  assert.deepEqual(listed(), [[7003], [7002], [7001]])
})

test('CLUSTER NODES has one line a node with the slots that it leads', () => {
  const rig = new Rig()
  const ask = asker(rig)
  rig.leaders.set(2, 1)
  const lines = String(ask('CLUSTER NODES')).trimEnd().split('\n')
  assert.equal(lines.length, 3)
  assert.match(
    lines[0] ?? '',
    /^1{32}0{8} 127\.0\.0\.1:7001@7201 myself,\w+ - 0 0 7 connected 0-10922$/,
  )
  assert.match(lines[1] ?? '', / connected$/)
  assert.equal(ask('CLUSTER MYID'), '1'.repeat(32) + '0'.repeat(8))
  assert.match(String(ask('CLUSTER MYSHARDID')), /^[0-9a-f]{40}$/)
})

test('CLUSTER INFO is ok while every slot has a leader', () => {
  const rig = new Rig()
  const ask = asker(rig)
  assert.match(String(ask('CLUSTER INFO')), /^cluster_state:ok\r\ncluster_slots_assigned:16384\r\n/)
  rig.leaders.delete(3)
  assert.match(String(ask('CLUSTER INFO')), /^cluster_state:fail\r\n/)
})

test('CLUSTER answers about keys and slots, and refuses what the cluster does itself', () => {
  const rig = new Rig()
  const ask = asker(rig)
  const slot = ask('CLUSTER KEYSLOT b')
  assert.equal(slot, 3300)
  ask('XADD b * f v')
  assert.equal(ask(`CLUSTER COUNTKEYSINSLOT ${slot}`), 1)
  assert.deepEqual(ask(`CLUSTER GETKEYSINSLOT ${slot} 10`), ['b'])
  assert.equal(ask('CLUSTER COUNTKEYSINSLOT 16384'), '-ERR Invalid slot')
  assert.equal(ask('CLUSTER GETKEYSINSLOT 1 -1'), '-ERR Invalid slot or number of keys')
  assert.match(String(ask('CLUSTER MEET 127.0.0.1 7005')), /^-ERR CLUSTER MEET is not supported/)
  assert.equal(ask('CLUSTER FOO'), "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.")
  assert.match(String((ask('CLUSTER HELP') as unknown[])[0]), /^CLUSTER <subcommand>/)
  const alone = asker(new Rig({ clusterEnabled: false }))
  assert.equal(alone('CLUSTER SLOTS'), '-ERR This instance has cluster support disabled')
})
