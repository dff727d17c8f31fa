// MULTI, EXEC, DISCARD, WATCH, UNWATCH at the desk: what is queued, refused, and done as one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../../../src/base/limits.ts'
import type { Reply } from '../../../src/machine/reply.ts'
import { plain } from '../machine/run.ts'
import { Rig, type RigClient } from './rig.ts'

/** Keys of shards 1 and 2; node 1 leads shard 1. */
const [ONE, TWO] = ['b', 'c'] as const
/** Another slot of shard 1. */
const ONE_TOO = '{f}x'
const ABORTED = '!EXECABORT Transaction discarded because of previous errors.'

function ask(client: RigClient, ...words: string[]): unknown {
  return plain(client.ask(...words))
}

function last(client: RigClient): unknown {
  return plain(client.answers.at(-1)?.reply as Reply)
}

test('commands are queued and done at EXEC, reads among them see the writes before them', () => {
  const client = new Rig().client()
  assert.equal(ask(client, 'MULTI'), '+OK')
  assert.equal(ask(client, 'XLEN', ONE), '+QUEUED')
  assert.equal(ask(client, 'XADD', ONE, '1-1', 'f', 'v'), '+QUEUED')
  assert.equal(ask(client, 'XLEN', ONE), '+QUEUED')
  assert.equal(ask(client, 'XADD', ONE, '1-1', 'f', 'v'), '+QUEUED')
  assert.equal(ask(client, 'XDEL', ONE, '1-1'), '+QUEUED')
  assert.deepEqual(ask(client, 'EXEC'), [
    0,
    '1-1',
    1,
    '!ERR The ID specified in XADD is equal or smaller than the target stream top item',
    1,
  ])
  assert.equal(ask(client, 'XLEN', ONE), 0)
  assert.equal(ask(client, 'EXEC'), '!ERR EXEC without MULTI')
})

test('a transaction is one proposal, one that only reads is a read, an empty one neither', () => {
  const rig = new Rig()
  const client = rig.client()
  const shard = rig.shard()
  shard.manual = true
  for (const words of [['MULTI'], ['XADD', ONE, '1-1', 'f', 'v'], ['XADD', ONE, '2-1', 'f', 'v']])
    client.send(...words)
  assert.equal(shard.queue.length, 0)
  client.send('EXEC')
  assert.equal(shard.queue.length, 1)
  assert.ok(shard.queue[0]?.payload)
  for (const words of [['MULTI'], ['XLEN', ONE], ['XRANGE', ONE, '-', '+', 'COUNT', 'x'], ['EXEC']])
    client.send(...words)
  assert.equal(shard.queue.length, 2)
  assert.ok(shard.queue[1]?.query)
  assert.equal(shard.queue[1]?.afterWrites, true)
  shard.run()
  assert.deepEqual(last(client), [2, '!ERR value is not an integer or out of range'])
  client.send('MULTI')
  client.send('EXEC')
  assert.deepEqual(last(client), [])
  assert.equal(shard.queue.length, 0)
})

test('what is refused while it is queued makes EXEC refuse the rest', () => {
  const rig = new Rig()
  const client = rig.client()
  const refused = (...words: string[]) => {
    assert.equal(ask(client, 'MULTI'), '+OK')
    assert.equal(ask(client, 'XADD', ONE, '*', 'f', 'v'), '+QUEUED')
    const reply = ask(client, ...words)
    assert.equal(ask(client, 'EXEC'), ABORTED)
    assert.equal(ask(client, 'XLEN', ONE), 0)
    return reply
  }
  assert.equal(refused('NOPE'), "!ERR unknown command 'NOPE'")
  assert.equal(refused('XLEN'), "!ERR wrong number of arguments for 'xlen' command")
  assert.equal(refused('CLIENT'), "!ERR wrong number of arguments for 'client' command")
  assert.match(String(refused('XGROUP', 'NOPE')), /unknown subcommand 'NOPE'/)
  assert.equal(refused('DEL', ONE, TWO), "!CROSSSLOT Keys in request don't hash to the same slot")
  assert.equal(refused('XLEN', TWO), '!MOVED 7365 127.0.0.1:7002')
  assert.match(String(refused('XLEN', 'k'.repeat(limits.keyBytesMax + 1))), /key is longer/)
  assert.match(String(refused('DBSIZE')), /dbsize is not allowed inside a transaction/)
  rig.memoryFull = true
  assert.equal(ask(client, 'MULTI'), '+OK')
  assert.match(String(ask(client, 'XLEN', ONE)), /^!OOM/)
  assert.equal(ask(client, 'EXEC'), ABORTED)
})

test('a mistake in the words of a command is one of its replies and stops no other', () => {
  const client = new Rig().client()
  for (const words of [
    ['MULTI'],
    ['XADD', ONE, 'bad', 'f', 'v'],
    ['XADD', ONE, '1-1', 'f', 'v'],
    ['XREAD', 'COUNT', '1', 'STREAM', ONE],
    ['XADD', ONE, '2-1', 'f', 'v'],
  ])
    client.send(...words)
  assert.deepEqual(ask(client, 'EXEC'), [
    '!ERR Invalid stream ID specified as stream command argument',
    '1-1',
    '!ERR syntax error',
    '2-1',
  ])
})

test('MULTI does not nest, and what is not allowed inside leaves the transaction as it is', () => {
  const client = new Rig().client()
  ask(client, 'MULTI')
  assert.equal(ask(client, 'MULTI'), '!ERR MULTI calls can not be nested')
  assert.equal(ask(client, 'WATCH', ONE), '!ERR WATCH inside MULTI is not allowed')
  ask(client, 'XLEN', ONE)
  assert.deepEqual(ask(client, 'EXEC'), [0])
})

test('DISCARD and RESET leave MULTI, a gone client leaves nothing', () => {
  const rig = new Rig()
  const client = rig.client()
  assert.equal(ask(client, 'DISCARD'), '!ERR DISCARD without MULTI')
  ask(client, 'MULTI')
  ask(client, 'NOPE')
  assert.equal(ask(client, 'DISCARD'), '+OK')
  ask(client, 'MULTI')
  assert.equal(ask(client, 'RESET'), '+RESET')
  assert.equal(ask(client, 'EXEC'), '!ERR EXEC without MULTI')
  ask(client, 'WATCH', ONE)
  ask(client, 'MULTI')
  rig.broker.disconnect(client.session)
  assert.equal(client.session.transaction, null)
  assert.equal(client.session.watch, null)
})

test('keys of two slots are found at EXEC, which answers the redirect as it is', () => {
  const client = new Rig().client()
  ask(client, 'MULTI')
  assert.equal(ask(client, 'XADD', ONE, '*', 'f', 'v'), '+QUEUED')
  assert.equal(ask(client, 'XLEN', ONE_TOO), '+QUEUED')
  assert.equal(ask(client, 'EXEC'), "!CROSSSLOT Keys in request don't hash to the same slot")
  assert.equal(ask(client, 'EXEC'), '!ERR EXEC without MULTI')
  ask(client, 'WATCH', ONE_TOO)
  ask(client, 'MULTI')
  ask(client, 'XLEN', ONE)
  assert.equal(ask(client, 'EXEC'), "!CROSSSLOT Keys in request don't hash to the same slot")
})

test('commands that need no shard are answered in their place', () => {
  const rig = new Rig()
  const client = rig.client()
  const shard = rig.shard()
  for (const words of [
    ['MULTI'],
    ['PING'],
    ['XADD', ONE, '1-1', 'f', 'v'],
    ['CLIENT', 'SETNAME', 'me'],
    ['SELECT', '0'],
    ['UNWATCH'],
    ['XLEN', ONE],
    ['XINFO', 'HELP'],
    ['ECHO', 'x'],
  ])
    client.send(...words)
  shard.manual = true
  assert.equal(client.session.name, '')
  assert.equal(client.send('EXEC'), false, 'the session takes nothing before it knows its name')
  shard.run()
  rig.clock.turn()
  assert.equal(client.resumed, 1)
  const items = last(client) as unknown[]
  assert.ok(Array.isArray(items.splice(6, 1)[0]))
  assert.deepEqual(items, ['+PONG', '1-1', '+OK', '+OK', '+OK', 1, 'x'])
  assert.equal(client.session.name, 'me')
  client.send('MULTI')
  client.send('PING')
  client.send('EXEC')
  assert.deepEqual(last(client), ['+PONG'])
})

test('EXEC with answers of the desk waits for all that came before it', () => {
  const rig = new Rig()
  const client = rig.client()
  rig.shard().manual = true
  client.send('XADD', ONE, '1-1', 'f', 'v')
  client.send('MULTI')
  client.send('HELLO', '3')
  assert.equal(client.send('EXEC'), false)
  assert.equal(client.session.protocol, 2)
  rig.shard().run()
  rig.clock.turn()
  assert.equal(client.session.protocol, 3)
  assert.deepEqual(client.heard.slice(0, 3), ['id', 'OK', 'QUEUED'])
})

test('nothing blocks in a transaction', () => {
  const client = new Rig().client()
  ask(client, 'XGROUP', 'CREATE', ONE, 'g', '$', 'MKSTREAM')
  for (const words of [
    ['MULTI'],
    ['XREAD', 'BLOCK', '0', 'STREAMS', ONE, '$'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', ONE, '>'],
  ])
    client.send(...words)
  assert.deepEqual(ask(client, 'EXEC'), ['null-array', 'null-array'])
  for (const words of [['MULTI'], ['XREAD', 'BLOCK', '0', 'STREAMS', ONE, '$']])
    client.send(...words)
  assert.deepEqual(ask(client, 'EXEC'), ['null-array'])
  assert.equal(client.session.waits.size, 0)
})

test('a watched key that changed makes EXEC answer null, once', () => {
  const rig = new Rig()
  const client = rig.client()
  const other = rig.client()
  const watched = (...words: string[]) => {
    ask(client, 'WATCH', ONE)
    ask(other, ...words)
    ask(client, 'MULTI')
    ask(client, 'XLEN', ONE)
    return ask(client, 'EXEC')
  }
  assert.deepEqual(watched('PING'), [0])
  assert.equal(watched('XADD', ONE, '1-1', 'f', 'v'), 'null-array')
  assert.deepEqual(watched('XLEN', ONE), [1])
  assert.deepEqual(watched('XDEL', ONE, '7-7'), [1])
  assert.equal(watched('XDEL', ONE, '1-1'), 'null-array')
  assert.equal(watched('DEL', ONE), 'null-array')
  assert.deepEqual(watched('DEL', ONE), [0])
  ask(client, 'MULTI')
  ask(client, 'XADD', ONE, '9-1', 'f', 'v')
  assert.deepEqual(ask(client, 'EXEC'), ['9-1'])
})

test('a transaction with a write that finds its key changed does nothing', () => {
  const client = new Rig().client()
  ask(client, 'WATCH', ONE)
  ask(client, 'XADD', ONE, '1-1', 'f', 'v')
  ask(client, 'MULTI')
  ask(client, 'XADD', ONE, '2-1', 'f', 'v')
  ask(client, 'PING')
  assert.equal(ask(client, 'EXEC'), 'null-array')
  assert.equal(ask(client, 'XLEN', ONE), 1)
})

test('UNWATCH, DISCARD and EXEC forget what was watched', () => {
  const client = new Rig().client()
  const commit = () => {
    ask(client, 'XADD', ONE, '*', 'f', 'v')
    ask(client, 'MULTI')
    ask(client, 'PING')
    return ask(client, 'EXEC')
  }
  ask(client, 'WATCH', ONE)
  assert.equal(ask(client, 'UNWATCH'), '+OK')
  assert.deepEqual(commit(), ['+PONG'])
  ask(client, 'WATCH', ONE)
  ask(client, 'MULTI')
  ask(client, 'DISCARD')
  assert.deepEqual(commit(), ['+PONG'])
  ask(client, 'WATCH', ONE)
  assert.equal(commit(), 'null-array')
  assert.deepEqual(commit(), ['+PONG'])
  ask(client, 'WATCH', ONE)
  ask(client, 'MULTI')
  ask(client, 'NOPE')
  assert.equal(ask(client, 'EXEC'), ABORTED)
  assert.deepEqual(commit(), ['+PONG'])
})

test('a pipelined EXEC waits for its WATCH, and fails if what became of that is unknown', () => {
  const rig = new Rig()
  const client = rig.client()
  const shard = rig.shard()
  shard.manual = true
  client.send('WATCH', ONE)
  client.send('MULTI')
  client.send('XLEN', ONE)
  assert.equal(client.send('EXEC'), false)
  assert.equal(shard.queue.length, 1)
  shard.run()
  rig.clock.turn()
  assert.equal(shard.queue.length, 1)
  shard.run()
  assert.deepEqual(last(client), [0])
  client.send('WATCH', ONE)
  client.send('MULTI')
  client.send('XLEN', ONE)
  client.send('EXEC')
  shard.lose('moved')
  rig.clock.turn()
  assert.equal(last(client), 'null-array')
})

test('EXEC whose leadership went is redirected, one whose leader is unknown waits for it', () => {
  const rig = new Rig()
  const client = rig.client()
  const shard = rig.shard()
  const queue = () => {
    ask(client, 'MULTI')
    ask(client, 'XADD', ONE, '*', 'f', 'v')
  }
  queue()
  shard.isLeader = false
  rig.leaders.set(1, 3)
  assert.equal(ask(client, 'EXEC'), '!MOVED 3300 127.0.0.1:7003')
  assert.equal(ask(client, 'EXEC'), '!ERR EXEC without MULTI')
  rig.leaders.set(1, 0)
  queue()
  assert.equal(client.send('EXEC'), false)
  shard.isLeader = true
  rig.leaders.set(1, 1)
  rig.broker.topologyChanged()
  rig.clock.turn()
  assert.equal((last(client) as unknown[]).length, 1)
  shard.manual = true
  client.send('MULTI')
  client.send('XADD', ONE, '*', 'f', 'v')
  client.send('EXEC')
  shard.lose('in-doubt')
  assert.match(String(last(client)), /^!INDOUBT/)
})

test('EXEC that is refused as a whole says why', () => {
  const rig = new Rig()
  const client = rig.client()
  const queued = (): unknown => {
    ask(client, 'MULTI')
    ask(client, 'XADD', ONE, '*', 'f', 'v')
    return null
  }
  queued()
  rig.memoryFull = true
  assert.equal(
    ask(client, 'EXEC'),
    "!EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
  )
  rig.memoryFull = false
  queued()
  rig.shard().refusal = 'disk-full'
  assert.match(String(ask(client, 'EXEC')), /^!EXECABORT .* because of: MISCONF The disk/)
  queued()
  rig.shard().refusal = 'overloaded'
  assert.match(String(ask(client, 'EXEC')), /^!EXECABORT .* because of: TRYAGAIN/)
  assert.equal(ask(client, 'EXEC'), '!ERR EXEC without MULTI')
})

test('a follower serves a transaction of reads to who asked for stale ones', () => {
  const rig = new Rig()
  const client = rig.client()
  ask(client, 'READONLY')
  ask(client, 'WATCH', TWO)
  ask(client, 'MULTI')
  assert.equal(ask(client, 'XLEN', TWO), '+QUEUED')
  assert.equal(ask(client, 'PING'), '+QUEUED')
  assert.deepEqual(ask(client, 'EXEC'), [0, '+PONG'])
  ask(client, 'MULTI')
  assert.match(String(ask(client, 'XADD', TWO, '*', 'f', 'v')), /^!MOVED/)
})

test('a session without order has no transactions', () => {
  const client = new Rig().client(false, 'grpc')
  assert.match(String(ask(client, 'MULTI')), /^!ERR transactions need a session/)
  assert.match(String(ask(client, 'WATCH', ONE)), /^!ERR transactions need a session/)
  assert.equal(ask(client, 'EXEC'), '!ERR EXEC without MULTI')
})

test('transactions and watches have bounds', () => {
  const client = new Rig().client()
  ask(client, 'MULTI')
  const big = 'x'.repeat(limits.valueBytesMax - 1024)
  assert.equal(ask(client, 'XADD', ONE, '*', 'f', big), '+QUEUED')
  assert.match(String(ask(client, 'ECHO', big)), /^!ERR transaction is larger than/)
  assert.equal(ask(client, 'EXEC'), ABORTED)
  ask(client, 'MULTI')
  for (let i = 0; i < limits.transactionCommandsMax; i += 1) client.send('XLEN', ONE)
  assert.equal(last(client), '+QUEUED')
  assert.match(String(ask(client, 'XLEN', ONE)), /^!ERR transaction is larger than/)
  ask(client, 'DISCARD')
  const keys = Array.from({ length: limits.watchedKeysMax }, (_, i) => `{${ONE}}${i}`)
  assert.equal(ask(client, 'WATCH', ...keys), '+OK')
  assert.equal(ask(client, 'WATCH', ...keys), '+OK')
  assert.match(String(ask(client, 'WATCH', `{${ONE}}more`)), /^!ERR more than 4096 keys/)
})

test('a standalone node takes all keys, and questions about all of them', () => {
  const client = new Rig({ clusterEnabled: false }).client()
  for (const words of [
    ['MULTI'],
    ['XADD', ONE, '1-1', 'f', 'v'],
    ['XADD', TWO, '1-1', 'f', 'v'],
    ['DBSIZE'],
    ['SCAN', '0', 'COUNT', '1'],
    ['FLUSHALL'],
    ['DBSIZE'],
    ['KEYS', '*'],
  ])
    assert.equal(ask(client, ...words), words[0] === 'MULTI' ? '+OK' : '+QUEUED')
  const items = ask(client, 'EXEC') as unknown[]
  const [cursor, keys] = items.splice(3, 1)[0] as [string, string[]]
  assert.deepEqual(items, ['1-1', '1-1', 2, '+OK', 0, []])
  assert.deepEqual(keys, [ONE])
  for (const words of [['XADD', ONE, '1-1', 'f', 'v'], ['XADD', TWO, '1-1', 'f', 'v'], ['MULTI']])
    ask(client, ...words)
  ask(client, 'SCAN', cursor, 'COUNT', '10')
  ask(client, 'SCAN', 'x')
  assert.deepEqual(ask(client, 'EXEC'), [['0', [ONE, TWO]], '!ERR invalid cursor'])
})

test('CLIENT LIST shows the transaction', () => {
  const rig = new Rig()
  const client = rig.client()
  ask(client, 'WATCH', ONE, `{${ONE}}too`)
  assert.match(String(ask(client, 'CLIENT', 'LIST')), /flags=N .* multi=-1 watch=2 /)
  ask(client, 'MULTI')
  ask(client, 'XLEN', ONE)
  const other = rig.client()
  assert.match(String(ask(other, 'CLIENT', 'LIST', 'ID', '1')), /flags=x .* multi=1 watch=2 /)
})
