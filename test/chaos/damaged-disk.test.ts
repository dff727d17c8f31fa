// A node's log damaged while it was down (TESTING 6, faults 14 and 15): a torn tail is
// cut, a corruption is reported and repaired from peers, and no replica ends with
// other entries than the others.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from './cluster.ts'
import { Load } from './load.ts'
import { NewestSegment } from './wal-files.ts'

const MiB = 1024 * 1024
const VICTIM = 2

type Damage = {
  readonly name: string
  /** How the node ends before. */
  readonly end: 'SIGKILL' | 'SIGTERM'
  /** @returns what was done */
  readonly harm: (segment: NewestSegment) => string
  /** What the node must say at the next start. */
  readonly says: RegExp
  /** Null: it depends on whether the node had acknowledged what it lost. */
  readonly repaired: boolean | null
}

/** The last record: of the last batch, so nobody knew it to be synced. */
function lastOf(segment: NewestSegment): { offset: number; next: number } {
  const last = segment.records.at(-1)
  assert.ok(last !== undefined && segment.syncedBelow <= last.offset)
  return last
}

const damages: readonly Damage[] = [
  {
    name: 'a bit flipped in the middle of the log is reported and repaired',
    end: 'SIGTERM',
    harm: segment => {
      const middle = segment.records[segment.records.length >> 1]
      assert.ok(middle !== undefined && middle.next <= segment.syncedBelow)
      const offset = (middle.offset + middle.next) >> 1
      segment.flip(offset)
      return `a bit flipped at ${offset} of ${segment.syncedBelow} synced bytes`
    },
    says: /the write-ahead log is damaged/,
    repaired: true,
  },
  {
    name: 'a log cut in its middle is reported and repaired',
    end: 'SIGTERM',
    harm: segment => {
      const offset = segment.syncedBelow >> 1
      segment.cut(offset)
      return `the file ends at ${offset} of ${segment.syncedBelow} synced bytes`
    },
    says: /the write-ahead log is damaged/,
    repaired: true,
  },
  {
    name: 'a batch that was being written is cut, and nobody misses it',
    end: 'SIGKILL',
    harm: segment => {
      const offset = segment.beginRecord()
      return `half a record behind the last one, at ${offset}`
    },
    says: /torn tail cut/,
    repaired: false,
  },
  {
    name: 'a torn last batch is cut, also one that was acknowledged',
    end: 'SIGKILL',
    harm: segment => {
      const { offset, next } = lastOf(segment)
      segment.tear((offset + next) >> 1)
      return `the record at ${offset} torn in its middle`
    },
    says: /torn tail cut/,
    // A kill tears nothing: this batch was whole, and its leader may have counted it.
    repaired: null,
  },
]

for (const { name, end, harm, says, repaired } of damages) {
  test(name, { timeout: 180_000 }, async () => {
    const storage = { segment_bytes: 4 * MiB }
    await LocalCluster.run({ settings: { storage } }, async cluster => {
      const load = new Load(cluster, await cluster.keyOfEach('orders'))
      await load.start()
      await sleep(3_000)
      const victim = cluster.node(VICTIM)
      victim.signal(end)
      await victim.ended()
      const done = harm(new NewestSegment(victim.dataDir))
      await sleep(1_000)
      const before = victim.log.length
      victim.start()
      await cluster.awaitReady()
      await sleep(1_000)
      const log = victim.log.slice(before)
      assert.match(log, says)
      if (repaired !== null)
        assert.equal(/shard is repaired/.test(log), repaired, 'it is repaired by its leaders')
      await load.stop()
      console.log(`${done}: ${await load.judge()}`)
    })
  })
}

test('each node of an idle cluster is repaired, although its peers have nothing new', {
  timeout: 240_000,
}, async () => {
  const storage = { segment_bytes: 4 * MiB }
  await LocalCluster.run({ settings: { storage } }, async cluster => {
    const load = new Load(cluster, await cluster.keyOfEach('orders'))
    await load.start()
    await sleep(1_500)
    await load.stop()
    for (const node of cluster.nodes) {
      await node.terminate()
      const segment = new NewestSegment(node.dataDir)
      // The newest that was synced: nearly all of the log is good.
      const hit = segment.records.findLast(({ next }) => next <= segment.syncedBelow)
      segment.flip((hit?.next ?? 0) - 1)
      node.start()
      await cluster.awaitReady()
      assert.match(node.log, /the write-ahead log is damaged/)
    }
    console.log(`each log damaged in turn, nobody writing: ${await load.judge()}`)
  })
})

test('a node with a damaged log says so as long as nobody can repair it, and grants no majority', {
  timeout: 180_000,
}, async () => {
  const storage = { segment_bytes: 4 * MiB }
  await LocalCluster.run({ settings: { storage } }, async cluster => {
    const load = new Load(cluster, await cluster.keyOfEach('orders'))
    await load.start()
    await sleep(2_000)
    const victim = cluster.node(VICTIM)
    await victim.terminate()
    const segment = new NewestSegment(victim.dataDir)
    const middle = segment.records[segment.records.length >> 1]
    segment.flip(((middle?.offset ?? 0) + (middle?.next ?? 0)) >> 1)
    await sleep(1_000)
    for (const other of cluster.nodes) if (other !== victim) await other.kill()
    victim.start()
    await said(() => cluster.readiness(VICTIM), /damaged/)
    // With one good node there would be a majority, if the damaged one voted.
    const [good, last] = cluster.nodes.filter(node => node !== victim)
    good?.start()
    await sleep(5_000)
    assert.match((await cluster.readiness(VICTIM)) ?? 'ready', /damaged/)
    assert.notEqual(
      await cluster.readiness(good?.number ?? 0),
      null,
      'one good node is no majority',
    )
    last?.start()
    await cluster.awaitReady()
    await load.stop()
    console.log(`damaged, and alone for a while: ${await load.judge()}`)
  })
})

async function said(ask: () => Promise<string | null>, what: RegExp): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const answer = await ask()
    if (answer !== null && what.test(answer)) return
    await sleep(50)
  }
  assert.fail(`never said ${what}, but ${await ask()}`)
}
