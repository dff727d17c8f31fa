// What the desk answers itself, beside Redis 7.0: equal byte for byte, or of one shape where the values must differ.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { Rig, type RigClient } from '../unit/broker/rig.ts'
import { printWire } from './notation.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import { type Protocol, toWire, type Wire } from './wire.ts'

/** Answered alike, in this order, in RESP2 and RESP3. */
const EQUAL = `
PING
ECHO x
AUTH x
AUTH a b
AUTH default b
AUTH a b c
HELLO 3 AUTH a b
HELLO 4
SELECT x
ACL
ACL WHOAMI
ACL LIST
ACL USERS
ACL CAT
ACL CAT nosuch
ACL GETUSER default
ACL GETUSER nosuch
ACL DELUSER nosuch
ACL DELUSER default
ACL GENPASS x
ACL GENPASS 0
ACL GENPASS 4097
ACL GENPASS 5 6
ACL LOG x
ACL LOG -1
ACL DRYRUN default XLEN s
ACL DRYRUN default XLEN
ACL DRYRUN default nosuch
ACL DRYRUN nosuch XLEN s
ACL SAVE
ACL LOAD
ACL nosuch
CLIENT
CLIENT nosuch
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT CACHING YES
CLIENT TRACKING OFF
CLIENT TRACKING nosuch
CLIENT TRACKINGINFO
CLIENT GETREDIR
CLIENT PAUSE
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1 nosuch
CLIENT PAUSE 0 WRITE
CLIENT UNPAUSE
CLIENT UNPAUSE x
CLIENT LIST nosuch
CLIENT LIST ID
CLIENT LIST ID x
CLIENT LIST ID 0
CLIENT LIST TYPE nosuch
CLIENT LIST TYPE pubsub
CLIENT KILL
CLIENT KILL nosuch
CLIENT KILL ID x
CLIENT KILL ID 0
CLIENT KILL ID 999999
CLIENT KILL TYPE nosuch
CLIENT KILL TYPE pubsub
CLIENT KILL USER nosuch
CLIENT KILL ADDR
CLIENT KILL ADDR 1.2.3.4:5
CLIENT KILL LADDR 1.2.3.4:5
CLIENT KILL SKIPME nosuch
CLIENT KILL ID 999999 SKIPME
CLIENT UNBLOCK x
CLIENT UNBLOCK 1 nosuch
CLIENT UNBLOCK 999999
CLIENT NO-EVICT nosuch
CLIENT NO-EVICT ON
CLIENT NO-EVICT OFF
CLIENT REPLY nosuch
CONFIG
CONFIG nosuch
CONFIG GET
CONFIG GET maxmemory
CONFIG GET nosuch
CONFIG GET MAXMEMORY slowlog-max-len
CONFIG SET maxmemory
CONFIG SET maxmemory x
CONFIG SET maxmemory 1kb
CONFIG GET maxmemory
CONFIG SET maxmemory 2k
CONFIG GET maxmemory
CONFIG SET maxmemory 1GB
CONFIG GET maxmemory
CONFIG SET maxmemory 0 maxmemory 1
CONFIG SET maxmemory 0 timeout
CONFIG SET maxmemory 5 timeout x
CONFIG GET maxmemory
CONFIG SET maxmemory 0
CONFIG SET slowlog-max-len x
CONFIG SET slowlog-log-slower-than x
CONFIG SET loglevel nosuch
CONFIG SET loglevel VERBOSE
CONFIG GET loglevel
CONFIG SET loglevel notice
CONFIG SET latency-tracking nosuch
CONFIG SET latency-tracking no
CONFIG GET latency-tracking
CONFIG SET latency-tracking yes
CONFIG SET timeout -1
CONFIG SET timeout 100
CONFIG GET timeout
CONFIG SET timeout 0
CONFIG SET databases 4
CONFIG SET nosuch 1
CONFIG SET maxmemory 1 nosuch 1
CONFIG SET latency-tracking-info-percentiles 101
CONFIG SET latency-tracking-info-percentiles a
CONFIG SET latency-tracking-info-percentiles 50
CONFIG GET latency-tracking-info-percentiles
CONFIG GET slowlog-log-slower-than
CONFIG RESETSTAT
CONFIG RESETSTAT x
CONFIG REWRITE
COMMAND nosuch
COMMAND COUNT x
COMMAND INFO nosuch
COMMAND DOCS nosuch
COMMAND GETKEYS
COMMAND GETKEYS nosuch a
COMMAND GETKEYS PING x
COMMAND GETKEYS XLEN s
COMMAND GETKEYS XLEN s t
COMMAND GETKEYS XREAD COUNT 1 STREAMS s t 0 0
COMMAND GETKEYSANDFLAGS XLEN s
COMMAND GETKEYSANDFLAGS PING x
COMMAND LIST x
COMMAND LIST FILTERBY nosuch x
COMMAND LIST FILTERBY MODULE nosuch
COMMAND LIST FILTERBY ACLCAT nosuch
COMMAND LIST FILTERBY PATTERN xle?
COMMAND INFO xlen
COMMAND INFO ping
COMMAND INFO xadd
COMMAND INFO slowlog|get
COMMAND INFO memory|usage
COMMAND INFO bgsave
COMMAND INFO acl|whoami
COMMAND INFO lastsave
COMMAND INFO shutdown
COMMAND INFO debug
DEBUG
DEBUG nosuch
DEBUG SLEEP x
DEBUG SLEEP 0
DEBUG OBJECT nosuch
DEBUG RELOAD nosuch
DEBUG RELOAD
DEBUG ERROR ouch
DEBUG SET-ACTIVE-EXPIRE 0
DEBUG SET-ACTIVE-EXPIRE 1
DEBUG DIGEST
FAILOVER
FAILOVER ABORT
FAILOVER TO
FAILOVER TIMEOUT x
REPLICAOF
REPLICAOF no one
INFO nosuch
LATENCY
LATENCY nosuch
LATENCY HISTORY
LATENCY HISTORY command
LATENCY LATEST
LATENCY RESET
LATENCY RESET command
LATENCY GRAPH command
LATENCY DOCTOR
LATENCY HISTOGRAM nosuch
LASTSAVE x
MEMORY
MEMORY nosuch
MEMORY USAGE
MEMORY USAGE nosuch
MEMORY USAGE nosuch SAMPLES
MEMORY USAGE nosuch SAMPLES x
MEMORY USAGE nosuch SAMPLES -1
MEMORY USAGE nosuch SAMPLES 0
MEMORY USAGE nosuch nosuch 1
MEMORY DOCTOR
MEMORY PURGE
ROLE x
SAVE
SAVE x
BGSAVE nosuch
BGSAVE SCHEDULE x
SLOWLOG
SLOWLOG nosuch
SLOWLOG GET x
SLOWLOG GET -2
SLOWLOG GET 1 2
SLOWLOG RESET
SLOWLOG LEN
SLOWLOG GET
SHUTDOWN nosuch
SHUTDOWN NOSAVE SAVE
SHUTDOWN ABORT
SHUTDOWN ABORT NOW
TIME x
WAIT
WAIT x y
WAIT -1 0
WAIT 0 0
WAIT 0 -1
WAIT 0 x
WAIT 1 1
MULTI
SAVE
EXEC
MULTI
SHUTDOWN
DISCARD
MULTI
WAIT 1 0
CLIENT GETNAME
CLIENT PAUSE x
MEMORY USAGE nosuch
DEBUG SLEEP 0
EXEC
nosuch
nosuch a b
`
  .trim()
  .split('\n')

/** Of one shape: arrays of one length, equal types, equal names in maps. Values are of the moment. */
const ALIKE = [
  'ACL LOG',
  'ACL LOG 1',
  'TIME',
  'ROLE',
  'LASTSAVE',
  'CLIENT ID',
  'CLIENT LIST',
  'ACL GENPASS',
  'BGSAVE SCHEDULE',
]

/** Differences that are meant. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ['CONFIG SET loglevel nosuch', 'there is a level more since 7.2'],
  ['COMMAND INFO nosuch', 'null arrays since 8'],
  ['COMMAND INFO xadd', 'our key specifications have no notes'],
  ['nosuch', 'no arguments are spoken of where there are none, since 8'],
])

function shape(wire: Wire): unknown {
  if (!('items' in wire)) return wire.type
  return { type: wire.type, items: wire.items.map(shape) }
}

/** Redis' own, and what our side says of its own. */
const MEMORY_BYTES_MAX = 512 * 1024 * 1024

/** Sets have no order on the wire, nor have settings. */
function ordered(wire: Wire, line: string): Wire {
  if (!('items' in wire)) return wire
  const items = wire.items.map(item => ordered(item, line))
  const hasNone = wire.type === 'set' || line.startsWith('CONFIG GET')
  if (hasNone) items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return { type: wire.type, items }
}

suite('the desk answers as Redis 7.0 answers', { skip: RedisServer.missing }, () => {
  async function ask(client: RigClient, rig: Rig, line: string, protocol: Protocol): Promise<Wire> {
    const before = client.answers.length
    client.send(...line.split(' '))
    rig.clock.turn()
    if (client.answers.length === before) rig.clock.advance(20)
    const answer = client.answers[before]
    assert.ok(answer !== undefined, `no answer to ${line}`)
    return toWire(answer.reply, protocol)
  }

  for (const protocol of [2, 3] as const)
    test(`in RESP${protocol}`, async () => {
      // It is told to save.
      const directory = mkdtempSync(join(tmpdir(), 'slotcast-oracle-'))
      const memory = ['--maxmemory', String(MEMORY_BYTES_MAX)]
      const debug = ['--enable-debug-command', 'yes']
      const server = await RedisServer.start([...debug, '--dir', directory, ...memory])
      const redis = new ServerTarget('127.0.0.1', server.port, protocol)
      const rig = new Rig({ clusterEnabled: false, debugCommands: 'yes' })
      rig.broker.settings.memoryBytesMax = MEMORY_BYTES_MAX
      rig.shard().followers = 0
      const client = rig.client()
      const different: string[] = []
      for (const line of EQUAL) {
        const want = ordered(await redis.ask(line.split(' ')), line)
        const got = ordered(await ask(client, rig, line, protocol), line)
        if (JSON.stringify(got) !== JSON.stringify(want) && !KNOWN.has(line))
          different.push(`${line}\n  ours  ${printWire(got)}\n  Redis ${printWire(want)}`)
      }
      for (const line of ALIKE) {
        const want = await redis.ask(line.split(' '))
        const got = await ask(client, rig, line, protocol)
        if (JSON.stringify(shape(got)) !== JSON.stringify(shape(want)))
          different.push(`${line}\n  ours  ${printWire(got)}\n  Redis ${printWire(want)}`)
      }
      await redis.close()
      await server.stop()
      rmSync(directory, { recursive: true })
      assert.equal(different.join('\n'), '')
    })
})
