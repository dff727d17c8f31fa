// Server commands at the desk: what is answered later, what acts, what is counted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply } from '../../../src/machine/reply.ts'
import { Rig, type RigClient } from './rig.ts'

function standalone(): Rig {
  return new Rig({ clusterEnabled: false, debugCommands: 'yes' })
}

function textOf(reply: Reply): string {
  return 'text' in reply ? reply.text : reply.kind
}

/** Sends words that are split at blanks, and takes the answer's text. */
function ask(client: RigClient, line: string): string {
  return textOf(client.ask(...line.split(' ')))
}

test('SAVE answers when all is on disk, and says when it cannot be', () => {
  const rig = standalone()
  const client = rig.client()
  assert.equal(ask(client, 'SAVE'), 'OK')
  rig.snapshots.held = true
  assert.equal(client.send('SAVE'), false, 'what comes behind it waits')
  assert.equal(client.answers.length, 1)
  const other = rig.client()
  assert.equal(ask(other, 'BGSAVE'), 'ERR Background save already in progress')
  assert.equal(ask(other, 'SAVE'), 'ERR Background save already in progress')
  assert.equal(ask(other, 'BGSAVE SCHEDULE'), 'Background saving started')
  assert.match(
    ask(other, 'BGREWRITEAOF'),
    /^ERR Background append only file rewriting already in progress/,
  )
  assert.match(
    ask(other, 'INFO persistence'),
    /rdb_bgsave_in_progress:1[\s\S]*aof_rewrite_in_progress:1/,
  )
  rig.snapshots.end(false)
  assert.deepEqual(client.heard, ['OK', 'ERR a snapshot could not be written'])
  assert.match(ask(other, 'INFO persistence'), /rdb_last_bgsave_status:err/)
  assert.deepEqual(other.ask('LASTSAVE'), { kind: 'integer', value: 1_700_000_000 })
})

test('a client that goes while it saves is answered nothing', () => {
  const rig = standalone()
  const client = rig.client()
  rig.snapshots.held = true
  client.send('SAVE')
  client.close('gone')
  rig.snapshots.end(true)
  assert.deepEqual(client.answers, [])
})

test('WAIT waits for more followers than a majority needs, until its time is over', () => {
  const rig = new Rig()
  const client = rig.client()
  assert.deepEqual(client.ask('WAIT', '1', '0'), { kind: 'integer', value: 1 })
  client.send('WAIT', '2', '100')
  rig.clock.advance(10)
  assert.equal(client.answers.length, 1)
  rig.shard().followers = 2
  rig.clock.advance(10)
  assert.deepEqual(client.answers[1]?.reply, { kind: 'integer', value: 2 })
  rig.shard().followers = 1
  client.send('WAIT', '3', '30')
  for (let i = 0; i < 3; i += 1) rig.clock.advance(10)
  assert.deepEqual(client.answers[2]?.reply, { kind: 'integer', value: 1 })
})

test('CLIENT UNBLOCK ends WAIT, and so does the end of its client', () => {
  const rig = new Rig()
  const [client, other] = [rig.client(), rig.client()]
  client.send('WAIT', '2', '0')
  assert.deepEqual(other.ask('CLIENT', 'UNBLOCK', '1'), { kind: 'integer', value: 1 })
  assert.deepEqual(client.answers[0]?.reply, { kind: 'integer', value: 1 })
  rig.clock.turn()
  client.send('WAIT', '2', '0')
  other.ask('CLIENT', 'UNBLOCK', '1', 'ERROR')
  assert.equal(client.heard[1], 'UNBLOCKED client unblocked via CLIENT UNBLOCK')
  rig.clock.turn()
  client.send('WAIT', '2', '0')
  client.close('gone')
  rig.clock.advance(1_000)
  assert.equal(client.answers.length, 2)
})

test('WAITAOF counts this disk where the node leads', () => {
  const rig = new Rig()
  const client = rig.client()
  const items = (...numbers: number[]) => ({
    kind: 'array',
    items: numbers.map(value => ({ kind: 'integer', value })),
  })
  assert.deepEqual(client.ask('WAITAOF', '1', '1', '0'), items(1, 1))
  assert.equal(
    ask(client, 'WAITAOF 2 0 0'),
    'ERR value is out of range, value must between 0 and 1',
  )
  rig.shard().isLeader = false
  assert.deepEqual(client.ask('WAITAOF', '0', '0', '0'), items(0, 0))
})

test('SHUTDOWN stops the node, with SAVE when all is on disk', () => {
  const rig = standalone()
  rig.snapshots.held = true
  rig.client().send('SHUTDOWN', 'SAVE')
  assert.equal(rig.stopped, false)
  rig.snapshots.end(true)
  assert.equal(rig.stopped, true)
  const now = standalone()
  const client = now.client()
  client.send('SHUTDOWN', 'NOSAVE', 'NOW', 'FORCE')
  assert.equal(now.stopped, true)
  assert.deepEqual(client.answers, [], 'its connection closes instead')
})

test('FAILOVER and REPLICAOF are refused in a cluster', () => {
  const client = new Rig().client()
  assert.equal(ask(client, 'FAILOVER'), 'ERR FAILOVER not allowed in cluster mode.')
  assert.equal(ask(client, 'REPLICAOF h 1'), 'ERR REPLICAOF not allowed in cluster mode.')
})

test('DEBUG is for whom the operator allowed it', () => {
  const refused = /^ERR DEBUG command not allowed/
  assert.match(ask(new Rig().client(), 'DEBUG SLEEP 0'), refused)
  const local = new Rig({ debugCommands: 'local' })
  assert.match(ask(local.client(), 'DEBUG SLEEP 0'), refused, 'it comes from 10.0.0.1')
  assert.equal(ask(standalone().client(), 'DEBUG SLEEP 0'), 'OK')
})

test('DEBUG RELOAD keeps all there is', () => {
  const rig = standalone()
  const client = rig.client()
  client.ask('XADD', 's', '1-1', 'f', 'v')
  client.ask('XGROUP', 'CREATE', 's', 'g', '0')
  client.ask('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
  const digest = ask(client, 'DEBUG DIGEST')
  assert.equal(ask(client, 'DEBUG RELOAD NOSAVE'), 'OK')
  assert.equal(ask(client, 'DEBUG LOADAOF'), 'OK')
  assert.equal(ask(client, 'DEBUG DIGEST'), digest)
  assert.deepEqual(client.ask('XACK', 's', 'g', '1-1'), { kind: 'integer', value: 1 })
  assert.notEqual(ask(client, 'DEBUG DIGEST'), digest)
})

test('MEMORY USAGE of a stream grows with it, and looks at as much as it is told to', () => {
  const client = standalone().client()
  const usage = (...more: string[]) => {
    const reply = client.ask('MEMORY', 'USAGE', 's', ...more)
    return reply.kind === 'integer' ? Number(reply.value) : 0
  }
  for (let i = 1; i <= 1_000; i += 1) client.ask('XADD', 's', `${i}-1`, 'f', 'x'.repeat(100))
  const all = usage('SAMPLES', '0')
  assert.ok(all > 100_000 && all < 150_000, `${all} bytes`)
  assert.ok(Math.abs(usage() - all) < all / 10, `${usage()} is far from ${all}`)
  client.ask('XGROUP', 'CREATE', 's', 'g', '0')
  client.ask('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1000', 'STREAMS', 's', '>')
  assert.ok(usage('SAMPLES', '0') > all + 30_000, 'what is pending counts')
})

test('a silent client is cut off when timeout says so, one that waits is not', () => {
  const rig = standalone()
  const [admin, silent, waiting] = [rig.client(), rig.client(), rig.client()]
  waiting.send('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')
  admin.ask('CONFIG', 'SET', 'timeout', '5')
  for (let i = 0; i < 8; i += 1) {
    rig.broker.flush()
    admin.ask('PING')
    rig.clock.advance(1_000)
  }
  assert.equal(silent.closed, 'idle for too long')
  assert.deepEqual([admin.closed, waiting.closed], [null, null])
})

test('INFO counts calls, failures and refusals of each command, and errors by their word', () => {
  const rig = standalone()
  const client = rig.client()
  client.ask('XADD', 's', '1-1', 'f', 'v')
  client.ask('XADD', 's', '1-1', 'f', 'v')
  client.ask('XADD', 's')
  client.ask('XADD', 's', 'nonsense', 'f', 'v')
  client.ask('XLEN', 's')
  rig.memoryFull = true
  client.ask('XADD', 's', '2-1', 'f', 'v')
  client.ask('NOSUCH')
  const info = ask(client, 'INFO commandstats errorstats')
  assert.match(
    info,
    /cmdstat_xadd:calls=3,usec=\d+,usec_per_call=[\d.]+,rejected_calls=2,failed_calls=2/,
  )
  assert.match(info, /cmdstat_xlen:calls=1,/)
  assert.match(info, /errorstat_ERR:count=4\r\nerrorstat_OOM:count=1/)
  assert.match(
    ask(client, 'INFO all'),
    /latency_percentiles_usec_xadd:p50=[\d.]+,p99=[\d.]+,p99.9=/,
  )
  assert.doesNotMatch(ask(client, 'INFO'), /# Commandstats/)
  client.ask('CONFIG', 'RESETSTAT')
  assert.doesNotMatch(ask(client, 'INFO commandstats errorstats'), /xadd|errorstat_/)
})

test('an error within the reply of EXEC counts as an error', () => {
  const rig = standalone()
  const client = rig.client()
  client.ask('RPUSH', 'l', 'a')
  client.ask('MULTI')
  client.ask('XADD', 'l', '1-1', 'f', 'v')
  client.ask('PING')
  client.ask('EXEC')
  client.ask('MULTI')
  client.ask('XLEN', 'l')
  client.ask('EXEC')
  const info = ask(client, 'INFO stats errorstats')
  assert.match(info, /errorstat_WRONGTYPE:count=2/)
  assert.match(info, /total_error_replies:2\r/)
})

test('SLOWLOG says what was asked and by whom, secrets left out', () => {
  const rig = standalone()
  const client = rig.client()
  client.ask('CLIENT', 'SETNAME', 'me')
  client.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
  client.ask('XADD', 's', '1-1', 'f', 'v')
  client.ask('XRANGE', 's', '-', '+')
  client.ask('AUTH', 'default', 'secret')
  const reply = client.ask('SLOWLOG', 'GET', '3')
  const plain = (item: Reply): unknown =>
    item.kind === 'array'
      ? item.items.map(plain)
      : item.kind === 'bulk'
        ? Buffer.from(item.bytes).toString()
        : 'text' in item
          ? item.text
          : item.kind
  const entries = plain(reply) as unknown[][]
  assert.deepEqual(
    entries.map(entry => entry.slice(3)),
    [
      [['AUTH', '(redacted)', '(redacted)'], '10.0.0.1:5000', 'me'],
      [['XRANGE', 's', '-', '+'], '10.0.0.1:5000', 'me'],
      [['XADD', 's', '1-1', 'f', 'v'], '10.0.0.1:5000', 'me'],
    ],
  )
})

test('what came in and went out is counted of clients that are gone, too', () => {
  const rig = standalone()
  const [client, other] = [rig.client(), rig.client()]
  client.session.bytesIn = 100
  client.session.bytesOut = 200
  other.session.bytesIn = 5
  client.close('gone')
  assert.match(ask(other, 'INFO stats'), /total_net_input_bytes:105\r\ntotal_net_output_bytes:200/)
  other.ask('CONFIG', 'RESETSTAT')
  assert.match(ask(other, 'INFO stats'), /total_net_input_bytes:0\r\ntotal_net_output_bytes:0/)
})

test('MEMORY USAGE knows strings and lists, and is no use of a key', () => {
  const rig = standalone()
  const client = rig.client()
  const usage = (key: string) => {
    const reply = client.ask('MEMORY', 'USAGE', key)
    return 'value' in reply ? Number(reply.value) : -1
  }
  for (const [key, word] of Object.entries({ n: '7', s: 'x'.repeat(500), b: 'x'.repeat(5_000) })) {
    client.send('SET', key, word)
    rig.clock.turn()
  }
  assert.ok(usage('n') > 0 && usage('n') < 300)
  assert.ok(usage('s') - usage('n') >= 500)
  assert.ok(usage('b') - usage('s') >= 4_500)
  for (let i = 0; i < 100; i += 1) {
    client.send('RPUSH', 'l', 'x'.repeat(1_000))
    rig.clock.turn()
  }
  assert.ok(usage('l') > 100_000 && usage('l') < 200_000)
  rig.clock.advance(5_000)
  usage('l')
  assert.deepEqual(client.ask('OBJECT', 'IDLETIME', 'l'), { kind: 'integer', value: 5 })
  assert.match(ask(client, 'DEBUG OBJECT n'), /encoding:int .*lru_seconds_idle:5/)
})

test('commands of a transaction count one by one, those that only read as well', () => {
  const rig = standalone()
  const client = rig.client()
  for (const line of ['MULTI', 'SET k v', 'GET k', 'PING', 'EXEC']) {
    client.send(...line.split(' '))
    rig.clock.turn()
  }
  for (const line of ['WATCH k', 'MULTI', 'GET k', 'EXEC', 'EXEC']) {
    client.send(...line.split(' '))
    rig.clock.turn()
  }
  const stats = ask(client, 'INFO commandstats')
  const calls = (name: string) =>
    new RegExp(`cmdstat_${name}:calls=(\\d+),.*failed_calls=(\\d+)`).exec(stats)?.slice(1).join(' ')
  assert.equal(calls('set'), '1 0')
  assert.equal(calls('get'), '2 0')
  assert.equal(calls('ping'), '1 0')
  assert.equal(calls('watch'), '1 0')
  assert.equal(calls('multi'), '2 0')
  assert.equal(calls('exec'), '3 1')
})

test('DEBUG SET-ACTIVE-EXPIRE 0 leaves dead keys where they are', () => {
  const rig = standalone()
  const client = rig.client()
  client.send('SET', 'k', 'v', 'PX', '5')
  rig.clock.turn()
  const later = rig.clock.now() + 10
  assert.equal(ask(client, 'DEBUG SET-ACTIVE-EXPIRE 0'), 'OK')
  assert.equal(rig.shard().machine.chore(later), null)
  assert.equal(ask(client, 'DEBUG SET-ACTIVE-EXPIRE 1'), 'OK')
  assert.notEqual(rig.shard().machine.chore(later), null)
})

test('a wait that ended without an answer is a call', () => {
  const rig = standalone()
  const [client, other] = [rig.client(), rig.client()]
  const calls = () =>
    /cmdstat_xread:calls=(\d+),.*failed_calls=(\d+)/
      .exec(ask(other, 'INFO commandstats'))
      ?.slice(1)
      .join(' ')
  client.send('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')
  assert.equal(calls(), '0 0')
  other.ask('CLIENT', 'UNBLOCK', '1')
  assert.equal(calls(), '1 0')
  rig.clock.turn()
  client.send('XREAD', 'BLOCK', '0', 'STREAMS', 's', '$')
  other.ask('CLIENT', 'UNBLOCK', '1', 'ERROR')
  assert.equal(calls(), '2 1')
})

test('what a client with NO-TOUCH reads is not used by that', () => {
  const rig = standalone()
  const client = rig.client()
  client.send('SET', 'k', 'v')
  rig.clock.turn()
  rig.clock.advance(5_000)
  const idle = () => client.ask('OBJECT', 'IDLETIME', 'k')
  ask(client, 'CLIENT NO-TOUCH ON')
  ask(client, 'GET k')
  assert.deepEqual(idle(), { kind: 'integer', value: 5 })
  ask(client, 'TOUCH k')
  assert.deepEqual(idle(), { kind: 'integer', value: 0 })
  rig.clock.advance(5_000)
  ask(client, 'CLIENT NO-TOUCH OFF')
  ask(client, 'GET k')
  assert.deepEqual(idle(), { kind: 'integer', value: 0 })
})
