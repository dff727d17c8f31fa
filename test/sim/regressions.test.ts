// Failures that the field has had, as stories with names (TESTING section 9). None may come back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Argv } from '../../src/base/argv.ts'
import { slotOf } from '../../src/base/slot.ts'
import type { NodeId } from '../../src/base/types.ts'
import { entriesOf } from './actor.ts'
import type { Task } from './client.ts'
import { DATA_DIR } from './cluster.ts'
import { Refused } from './plain.ts'
import { KEY, PLAIN_KNOBS, Scenario } from './scenario.ts'

const KiB = 1024
const CRASHES = ['kill', 'power', 'power-hard'] as const
type Crash = (typeof CRASHES)[number]

/** Adds `count` entries, each acknowledged. */
function addMany(scenario: Scenario, count: number): void {
  const client = scenario.client()
  for (let i = 0; i < count; i += 1) assert.equal(scenario.add(client).outcome, 'ok')
}

/** The node dies within the operation of its disk for which `isIt` holds first; what that operation was to do is not done. */
function dieAt(
  scenario: Scenario,
  node: NodeId,
  how: Crash,
  isIt: (operation: string, path: string) => boolean,
): void {
  const { faults } = scenario.cluster.machine(node).disk
  faults.before = (operation, path) => {
    if (!isIt(operation, path)) return
    faults.before = null
    scenario.cluster.crash(node, how)
    throw new Error('the process is dead')
  }
}

function snapshotsOf(scenario: Scenario, node: NodeId): string[] {
  const { disk } = scenario.cluster.machine(node)
  return disk.paths().filter(path => path.startsWith(`${DATA_DIR}/snapshots/`))
}

/** The node's replica of the shard of `key`; not there while the node does not know the map. */
function replicaOf(scenario: Scenario, node: NodeId, key = KEY) {
  const { node: running } = scenario.cluster.machine(node)
  const shard = scenario.cluster.machines
    .find(each => (each.node?.map().epoch ?? 0) > 0)
    ?.node?.map()
    .ownerOf(slotOf(Buffer.from(key)))
  return [...(running?.replicas() ?? [])].find(replica => replica.shard === shard)
}

/** A bit of a file flips while its node is down. */
function flipAtRest(scenario: Scenario, node: NodeId, path: string, bit: number): void {
  const machine = scenario.cluster.machine(node)
  assert.equal(machine.up, false)
  machine.disk.flipBit(path, bit)
  machine.damaged = true
  scenario.cluster.invariants.damaged(node)
}

test('single-voter-powercut: a cluster of one keeps what it acknowledged (etcd#14370)', () => {
  const scenario = new Scenario('single voter', { nodes: 1, replicas: 1 })
  for (let life = 0; life < 5; life += 1) {
    addMany(scenario, 5)
    scenario.cluster.crash(1, 'power-hard')
    scenario.cluster.start(1)
  }
  assert.equal(scenario.read(scenario.client()).length, 25)
  scenario.finish()
})

test('powercut-all: all machines lose power at once, in the middle of writes (nats#7564)', () => {
  const scenario = new Scenario('power cut')
  const clients = [scenario.client(), scenario.client(), scenario.client()]
  for (let round = 0; round < 4; round += 1) {
    addMany(scenario, 5)
    for (const client of clients) scenario.addLater(client)
    scenario.pass(1 + round / 4)
    const how = round % 2 === 0 ? 'power-hard' : 'power'
    for (const node of scenario.cluster.nodes) scenario.cluster.crash(node, how)
    for (const node of scenario.cluster.nodes) scenario.cluster.start(node)
    scenario.until('clients have their answers', () => clients.every(each => each.open === 0))
  }
  assert.ok(scenario.read(scenario.client()).length >= 20)
  scenario.finish()
})

test('amnesia-majority: one power cut and two pauses make no second history (nats#7567)', () => {
  const scenario = new Scenario('amnesia')
  addMany(scenario, 3)
  const { cluster } = scenario
  const b = scenario.leader()
  const [a, c] = scenario.followers() as [number, number]
  cluster.machine(a).process?.pause()
  addMany(scenario, 10)
  cluster.crash(c, 'power-hard')
  cluster.machine(b).process?.pause()
  cluster.machine(a).process?.resume()
  cluster.start(c)
  const reader = scenario.client()
  assert.equal(scenario.read(reader).length, 13)
  addMany(scenario, 3)
  cluster.machine(b).process?.resume()
  assert.equal(scenario.read(reader).length, 16)
  scenario.finish()
})

test('read-right-after-election: a new leader answers no read from before its time (redisraft#18, #19)', () => {
  const scenario = new Scenario('read after election')
  const { cluster } = scenario
  addMany(scenario, 8)
  for (let round = 0; round < 6; round += 1) {
    const leader = scenario.leader()
    cluster.crash(leader, round % 2 === 0 ? 'kill' : 'power')
    assert.equal(scenario.read(scenario.client()).length, 8)
    cluster.start(leader)
    scenario.pass(400)
  }
  scenario.finish()
})

test('read-while-replaying: after a restart of all the first answer is whole (redisraft#30)', () => {
  const scenario = new Scenario('replaying', {
    raft: { ...PLAIN_KNOBS.raft, applyBytesMax: 1 },
    storage: { ...PLAIN_KNOBS.storage, cacheBytes: 0 },
  })
  addMany(scenario, 30)
  for (const node of scenario.cluster.nodes) scenario.cluster.crash(node, 'kill')
  for (const node of scenario.cluster.nodes) scenario.cluster.start(node)
  assert.equal(scenario.read(scenario.client()).length, 30)
  scenario.finish()
})

test('readindex-duplicate-acks: late heartbeat answers confirm no later read (etcd#20418)', () => {
  const scenario = new Scenario('duplicate acks')
  const { cluster } = scenario
  addMany(scenario, 3)
  const old = scenario.leader()
  const others = scenario.followers()
  // What the followers answer to the old leader is kept, and comes again when it leads no more.
  const kept: (() => void)[] = []
  cluster.network.filters.push((from, to, envelope) => {
    const late = envelope.messages.filter(({ message }) => message.type === 'heartbeat-response')
    if (to === old && late.length > 0)
      kept.push(() => cluster.network.inject(from, to, { ...envelope, messages: late }))
    return envelope
  })
  const reader = scenario.client()
  for (let i = 0; i < 5; i += 1) scenario.read(reader)
  cluster.network.partition([old], others)
  // Stopped, it does not see its time run out: when it goes on, it still believes that it leads.
  cluster.machine(old).process?.pause()
  scenario.until('another leads', () => scenario.leader() !== old)
  addMany(scenario, 2)
  cluster.machine(old).process?.resume()
  const late = scenario.client()
  late.prefer(KEY, old)
  // The read reaches the old leader before the late answers do.
  cluster.scheduler.after(5_000, 0, 'late answers', () => {
    for (const again of kept) again()
  })
  assert.equal(scenario.read(late).length, 5)
  cluster.network.heal()
  scenario.finish()
})

test('crash-in-recovery: power fails again and again while nodes come up (ra#589)', () => {
  const scenario = new Scenario('crash in recovery', {
    storage: {
      ...PLAIN_KNOBS.storage,
      segmentBytes: 4_096,
      snapshotLogBytes: 500,
      logTailBytes: 0,
    },
  })
  const { cluster } = scenario
  for (let round = 0; round < 6; round += 1) {
    addMany(scenario, 10)
    for (const node of cluster.nodes) {
      cluster.crash(node, 'power')
      // Down again after a few operations on the disk, and again a few later.
      for (let step = 1; step < 6; step += 1) {
        cluster.start(node)
        scenario.pass(step * 0.3)
        cluster.crash(node, 'power')
      }
      cluster.start(node)
    }
  }
  assert.equal(scenario.read(scenario.client()).length, 60)
  scenario.finish()
})

test('fsync-eio-then-ok: a node whose fsync failed stops, and comes back with what is true', () => {
  const scenario = new Scenario('fsync error')
  const { cluster } = scenario
  addMany(scenario, 5)
  for (const node of cluster.nodes) {
    const machine = cluster.machine(node)
    const { lives } = machine
    machine.diskTroubled = true
    machine.disk.faults.fails = operation => {
      if (operation !== 'sync') return false
      machine.disk.faults.fails = null
      return true
    }
    const client = scenario.client()
    for (let i = 0; i < 3; i += 1) scenario.add(client)
    scenario.until('the node ended itself and came back', () => machine.lives > lives && machine.up)
    machine.diskTroubled = false
  }
  addMany(scenario, 3)
  scenario.finish()
})

test('retry-over-failover-once: a retry with a producer session is done once (redpanda#3039)', () => {
  const scenario = new Scenario('retry')
  const { cluster } = scenario
  const client = scenario.client()
  let sequence = 0
  for (let round = 0; round < 8; round += 1) {
    sequence += 1
    const leader = scenario.leader()
    scenario.addLater(client, KEY, { id: 'p', epoch: 1, sequence })
    scenario.pass(0.2 + round * 0.25)
    cluster.crash(leader, 'kill')
    scenario.until('the retry is answered', () => client.open === 0)
    cluster.start(leader)
    scenario.pass(300)
  }
  assert.equal(scenario.read(client).length, 8)
  scenario.finish()
})

test('clock-back-ids-increase: ids rise through jumps of every clock', () => {
  const scenario = new Scenario('clock')
  const { cluster } = scenario
  const client = scenario.client()
  for (const offset of [3_600_000, -3_600_000, 0, -7_200_000]) {
    for (const machine of cluster.machines) machine.clock.offset = offset * (machine.id - 2)
    for (let i = 0; i < 4; i += 1) assert.equal(scenario.add(client).outcome, 'ok')
    const leader = scenario.leader()
    cluster.crash(leader, 'kill')
    for (let i = 0; i < 4; i += 1) scenario.add(client)
    cluster.start(leader)
  }
  scenario.finish()
})

test('pause-no-tick-storm: nodes that were stopped for a minute depose nobody', () => {
  const scenario = new Scenario('tick storm')
  const { cluster } = scenario
  addMany(scenario, 2)
  // Leadership goes to where the map wants it first.
  scenario.pass(10_000)
  const leader = scenario.leader()
  const terms = (): number[] =>
    cluster.machines.flatMap(machine =>
      [...(machine.node?.replicas() ?? [])].map(replica => replica.term),
    )
  const before = Math.max(...terms())
  const [follower] = scenario.followers()
  const process = cluster.machine(follower ?? 0).process
  for (let i = 0; i < 3; i += 1) {
    process?.pause()
    scenario.pass(60_000)
    process?.resume()
    scenario.pass(2_000)
  }
  assert.equal(scenario.leader(), leader)
  assert.equal(Math.max(...terms()), before)
  addMany(scenario, 2)
  scenario.finish()
})

test('disk-full-still-trims: a full disk refuses growth, and nothing else', () => {
  const scenario = new Scenario('disk full')
  const { cluster } = scenario
  const client = scenario.client()
  assert.equal(scenario.ask(client, ['XGROUP', 'CREATE', KEY, 'g', '0', 'MKSTREAM']).outcome, 'ok')
  addMany(scenario, 10)
  const readGroup = ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '2', 'STREAMS', KEY, '>']
  assert.equal(scenario.ask(client, readGroup, { key: KEY }).outcome, 'ok')
  for (const machine of cluster.machines) {
    machine.diskTroubled = true
    machine.disk.faults.quotaBytes = machine.disk.usedBytes() + 30_000
  }
  scenario.pass(3_000)
  const hasty = scenario.client()
  hasty.patience = 500_000
  const refused = scenario.ask(hasty, ['XADD', KEY, '*', 'v', 'too much'])
  assert.equal(refused.outcome, 'fail')
  assert.ok(!(refused.reply instanceof Refused) || refused.reply.word === 'MISCONF')
  assert.equal(scenario.read(client).length, 10)
  assert.equal(scenario.ask(client, ['XTRIM', KEY, 'MAXLEN', '5']).outcome, 'ok')
  for (const machine of cluster.machines) machine.mendDisk()
  scenario.pass(3_000)
  assert.equal(scenario.ask(client, ['XADD', KEY, '*', 'v', 'room']).outcome, 'ok')
})

test('orphan-pending: what a dead consumer held can be claimed after an election (rabbitmq#15473)', () => {
  const scenario = new Scenario('orphan')
  const { cluster } = scenario
  const client = scenario.client()
  scenario.ask(client, ['XGROUP', 'CREATE', KEY, 'g', '0', 'MKSTREAM'])
  addMany(scenario, 6)
  const dying = scenario.client()
  const words = ['XREADGROUP', 'GROUP', 'g', 'dying', 'STREAMS', KEY, '>']
  dying.begin({ words, key: KEY, producer: null, repeatable: false, block: 0 }, () => {})
  scenario.pass(0.9)
  const leader = scenario.leader()
  cluster.crash(leader, 'kill')
  dying.die()
  scenario.until('another leads', () => scenario.leader() !== leader)
  const heir = scenario.client()
  const taken = scenario.ask(heir, ['XAUTOCLAIM', KEY, 'g', 'heir', '0', '0', 'COUNT', '100'])
  const rest = scenario.ask(heir, ['XREADGROUP', 'GROUP', 'g', 'heir', 'STREAMS', KEY, '>'], {
    key: KEY,
  })
  const seen = JSON.stringify([taken.reply, rest.reply]).match(/\d{13}-\d+/g) ?? []
  assert.equal(new Set(seen.filter(id => !id.startsWith('0'))).size, 6)
  cluster.start(leader)
  scenario.finish()
})

test('empty-wal-file: a log that was begun and never written stops nobody (ra#170)', () => {
  const scenario = new Scenario('empty wal', { nodes: 1, replicas: 1 })
  const { cluster } = scenario
  for (let life = 0; life < 10; life += 1) {
    cluster.crash(1, 'power-hard')
    cluster.start(1)
    scenario.pass(life * 0.1)
  }
  addMany(scenario, 2)
  scenario.finish()
})

test('deposed-in-doubt: a deposed leader that never heard of a write calls its fate unknown, and it may be done', () => {
  const scenario = new Scenario('in doubt')
  const { cluster } = scenario
  addMany(scenario, 3)
  const old = scenario.leader()
  // Its followers take the write; their word never reaches it.
  for (const node of scenario.followers()) cluster.network.cutOneWay(node, old)
  const heard: string[] = []
  const asker = {
    closed: false,
    answer: () => heard.push('answer'),
    lose: (_ticket: number, why: string) => heard.push(why),
  }
  cluster.machine(old).process?.run(() => {
    const argv = Argv.of('XADD', 'doubted', '5-1', 'v', 'unknown')
    assert.equal(replicaOf(scenario, old)?.propose(asker, 1, argv, null, true), null)
  })
  scenario.until('who asked hears of it', () => heard.length > 0)
  assert.deepEqual(heard, ['in-doubt'])
  scenario.until('another leads', () => scenario.leader() !== old)
  cluster.network.heal()
  const client = scenario.client()
  const words = ['XRANGE', 'doubted', '-', '+']
  const ending = scenario.ask(client, words, { key: KEY, repeatable: true })
  assert.equal(entriesOf(ending.reply).length, 1)
  scenario.finish()
})

/** What the disk does from the beginning of a snapshot until the log before it is gone. */
const STEPS_OF_A_SNAPSHOT = [
  'create snapshots',
  'write snapshots',
  'sync snapshots',
  'rename snapshots',
  'sync directory snapshots',
  'write wal',
  'sync wal',
  'remove snapshots',
  'rename wal',
  'sync directory wal',
]

test('snapshot-log-gap: wherever power fails while a snapshot takes the place of the log, both fit (redisraft#43)', () => {
  const scenario = new Scenario('snapshot gap', {
    nodes: 1,
    replicas: 1,
    storage: {
      ...PLAIN_KNOBS.storage,
      segmentBytes: 4 * KiB,
      snapshotLogBytes: 1_000,
      logTailBytes: 0,
    },
  })
  const machine = scenario.cluster.machine(1)
  const client = scenario.client()
  // Much log and little state, so that snapshots come often.
  const words = ['XADD', 'filler', 'MAXLEN', '3', '*', 'v', 'x'.repeat(200)]
  const filler: Task = { words, key: KEY, producer: null, repeatable: true, block: 0 }
  for (const wanted of STEPS_OF_A_SNAPSHOT) {
    for (const how of ['power', 'power-hard'] as const) {
      for (let times = 1; times <= 3; times += 1) {
        // Counted from where a snapshot's file is begun.
        let hasBegun = false
        let left = times
        dieAt(scenario, 1, how, (operation, path) => {
          const step = `${operation} ${path.split('/')[2]}`
          hasBegun ||= step === 'create snapshots'
          if (hasBegun && step === wanted) left -= 1
          return left === 0
        })
        scenario.addLater(client)
        scenario.until(`it dies: ${wanted}`, () => {
          if (client.open === 0) client.begin(filler, () => {})
          return !machine.up
        })
        scenario.cluster.start(1)
        scenario.until('the client is answered', () => client.open === 0)
        // Nobody could repair it.
        assert.equal(replicaOf(scenario, 1)?.amnesiac, false)
      }
    }
  }
  scenario.finish()
})

test('half-written-snapshot: who dies while a snapshot is written or received comes up without it (redisraft#654)', () => {
  const scenario = new Scenario('half-written', {
    storage: {
      ...PLAIN_KNOBS.storage,
      segmentBytes: 256 * KiB,
      snapshotLogBytes: 400 * KiB,
      logTailBytes: 0,
    },
  })
  const { cluster } = scenario
  // Some chunks of state, so that a file can be half there, and more log than state.
  const fill = (): void => {
    const client = scenario.client()
    for (let i = 0; i < 60; i += 1) {
      const words = ['XADD', 'bulk', 'MAXLEN', '40', '*', 'v', 'x'.repeat(20 * KiB)]
      assert.notEqual(scenario.ask(client, words, { key: KEY }).outcome, 'fail')
    }
    scenario.add(client)
  }
  /** Dies at the third write to a snapshot beyond `index` that is not whole. */
  const dieHalfway = (node: NodeId, how: Crash, index: number): void => {
    let writes = 0
    dieAt(scenario, node, how, (operation, path) => {
      const isHalf = path.endsWith('.snap.tmp') && Number(path.split('-')[1]) > index
      if (operation === 'write' && isHalf) writes += 1
      return writes === 3
    })
  }
  const comeUp = (node: NodeId, how: Crash): void => {
    const left = snapshotsOf(scenario, node).filter(path => path.endsWith('.tmp'))
    if (how === 'kill') assert.equal(left.length, 1, 'there is half a snapshot')
    cluster.start(node)
    const stays = snapshotsOf(scenario, node).filter(path => !path.endsWith('.snap'))
    assert.deepEqual(stays, [])
    scenario.until('it serves', () => cluster.machine(node).node?.ready() === null)
  }
  fill()
  for (const how of CRASHES) {
    const [late] = scenario.followers() as [NodeId]
    const last = replicaOf(scenario, late)?.raft.lastIndex ?? 0
    cluster.crash(late, how)
    fill()
    fill()
    // What it takes itself is of what it had.
    dieHalfway(late, how, last)
    cluster.start(late)
    scenario.until('it dies as it receives', () => !cluster.machine(late).up)
    comeUp(late, how)
    scenario.until('it received all', () => (replicaOf(scenario, late)?.installed ?? 0) > 0)
  }
  for (const how of CRASHES) {
    const leader = scenario.leader()
    dieHalfway(leader, how, 0)
    fill()
    scenario.until('it dies as it writes', () => !cluster.machine(leader).up)
    comeUp(leader, how)
  }
  fill()
  scenario.finish()
})

test('bitflip-minority-leads: whose log lost an entry to a flipped bit helps nobody to lead without it (nats#7549)', () => {
  const scenario = new Scenario('bit flip')
  const { cluster } = scenario
  const b = scenario.leader()
  const [a, c] = scenario.followers() as [NodeId, NodeId]
  const client = scenario.client()
  for (let i = 0; i < 3; i += 1) assert.equal(scenario.add(client).outcome, 'ok')
  scenario.pass(1_000)
  cluster.network.partition([c], [a, b])
  for (let i = 0; i < 10; i += 1) assert.equal(scenario.add(client).outcome, 'ok')
  scenario.pass(1_000)
  cluster.crash(a, 'kill')
  cluster.crash(b, 'power')
  // The fourth value is on a and b only.
  const { disk } = cluster.machine(a)
  const [log] = disk.paths().filter(path => path.endsWith('.wal')) as [string]
  const at = disk.bytes(log).indexOf(`${client.id}:4`)
  assert.ok(at > 0)
  flipAtRest(scenario, a, log, at * 8)
  cluster.network.heal()
  cluster.start(a)
  assert.equal(replicaOf(scenario, a)?.amnesiac ?? true, true)
  for (let i = 0; i < 20; i += 1) {
    scenario.pass(1_000)
    for (const node of [a, c]) assert.notEqual(replicaOf(scenario, node)?.isLeader, true)
  }
  cluster.start(b)
  assert.equal(scenario.read(scenario.client()).length, 13)
  scenario.until('a is repaired', () => cluster.machine(a).node?.ready() === null)
  // Now it counts again, and has what it had lost.
  cluster.crash(b, 'power')
  assert.equal(scenario.read(scenario.client()).length, 13)
  cluster.start(b)
  scenario.finish()
})

test('snapshot-corrupt-no-delete: a flipped bit in a snapshot costs no file, no shard and no data (nats#7556)', () => {
  const scenario = new Scenario('corrupt snapshot', {
    shards: 2,
    storage: {
      ...PLAIN_KNOBS.storage,
      segmentBytes: 4 * KiB,
      snapshotLogBytes: 300,
      logTailBytes: 0,
    },
  })
  const { cluster } = scenario
  const keys = [KEY, ...['a', 'b', 'c', 'd'].filter(key => isElsewhere(scenario, key))].slice(0, 2)
  assert.equal(keys.length, 2)
  const client = scenario.client()
  const addToAll = (): void => {
    for (let i = 0; i < 12; i += 1) {
      for (const key of keys) scenario.add(client, key)
    }
    scenario.pass(1_000)
  }
  addToAll()
  const [victim] = scenario.followers() as [NodeId]
  const machine = cluster.machine(victim)
  const shards = [0, ...new Set(keys.map(key => replicaOf(scenario, victim, key)?.shard ?? 0))]
  assert.equal(shards.length, 3)
  for (const shard of shards) {
    const before = new Map(
      shards.map(each => [each, machine.node?.storage.shard(each).lastIndex() ?? 0]),
    )
    cluster.crash(victim, 'kill')
    const files = snapshotsOf(scenario, victim)
    const path = files.find(each => each.startsWith(`${DATA_DIR}/snapshots/${shard}-`)) ?? ''
    assert.notEqual(path, '', `shard ${shard} has a snapshot`)
    // In the middle of the state, behind the header.
    flipAtRest(scenario, victim, path, 8 * 120)
    cluster.start(victim)
    const kept = snapshotsOf(scenario, victim)
    assert.ok(kept.includes(`${path}.damaged`), 'the bad file is kept for people to look at')
    for (const other of shards) {
      const log = machine.node?.storage.shard(other)
      assert.equal(log?.damaged === null, other !== shard, `shard ${other}`)
      if (other === shard) continue
      assert.ok((log?.lastIndex() ?? 0) >= (before.get(other) ?? 0), `shard ${other}`)
      assert.ok(kept.some(each => each.startsWith(`${DATA_DIR}/snapshots/${other}-`)))
    }
    // The others go on and miss nothing, and give it back what it lost.
    addToAll()
    for (const key of keys) scenario.read(client, key)
    scenario.until('it is repaired', () => machine.node?.ready() === null)
    machine.damaged = false
    const leader = scenario.leader()
    cluster.crash(leader, 'power')
    for (const key of keys) scenario.read(client, key)
    cluster.start(leader)
    scenario.until('all serve', () => cluster.machines.every(each => each.node?.ready() === null))
    if (scenario.leader() === victim)
      cluster.machine(victim).process?.run(() => handOver(scenario, victim))
    scenario.until('another leads', () => scenario.leader() !== victim)
  }
  scenario.finish(keys)
})

/** Whether `key` belongs to another shard than `KEY`. */
function isElsewhere(scenario: Scenario, key: string): boolean {
  const map = scenario.cluster.machine(1).node?.map()
  const shardOf = (each: string) => map?.ownerOf(slotOf(Buffer.from(each)))
  return shardOf(key) !== shardOf(KEY)
}

/** The node gives the shard of `KEY` to another one. */
function handOver(scenario: Scenario, node: NodeId): void {
  const to = scenario.cluster.nodes.find(each => each !== node) ?? 0
  replicaOf(scenario, node)?.transferLeader(to)
}
