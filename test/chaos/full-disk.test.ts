// A full disk (TESTING 6, fault 11): what grows is refused with a clear error, what
// shrinks and what reads goes on, the node lives, and it recovers when space returns.
//
// One node's data stands on a small file system in memory; a file beside the data takes
// the space and gives it back.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { GROUP } from './actors.ts'
import { Client } from './client.ts'
import { LocalCluster } from './cluster.ts'
import { entriesOf, listOf, type Plain, Refused, readEntriesOf } from './connection.ts'
import { Load } from './load.ts'

const MiB = 1024 * 1024
const SIZE_MIB = 64
const MOUNT = 'mount'
const UNMOUNT = 'umount'
const settings = {
  storage: {
    segment_bytes: 2 * MiB,
    snapshot_log_bytes: 2 * MiB,
    log_tail_bytes: 1 * MiB,
    disk_reserve_bytes: 12 * MiB,
  },
}

/** A file system of its own, or why there is none. */
function mountSmall(): { directory: string; why: null } | { directory: null; why: string } {
  const directory = mkdtempSync(join(tmpdir(), 'slotcast-full-'))
  const options = ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tmpfs', directory]
  const { status, stderr } = spawnSync(MOUNT, options, { encoding: 'utf8' })
  if (status === 0) return { directory, why: null }
  rmdirSync(directory)
  return { directory: null, why: `no small file system: ${stderr?.trim() || 'mount failed'}` }
}

class SmallDisk {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  get #ballast(): string {
    return join(this.directory, 'ballast')
  }

  get free(): number {
    const { bavail, bsize } = statfsSync(this.directory)
    return bavail * bsize
  }

  /** Takes space until `left` bytes are free. */
  fill(left: number): void {
    rmSync(this.#ballast, { force: true })
    writeFileSync(this.#ballast, Buffer.alloc(Math.max(0, this.free - left), 1))
  }

  empty(): void {
    rmSync(this.#ballast, { force: true })
  }

  unmount(): void {
    spawnSync(UNMOUNT, [this.directory])
    rmdirSync(this.directory)
  }
}

async function replyOf(client: Client, key: string, words: readonly (string | number)[]) {
  const { reply } = await client.perform({ words, key, expects: ['MISCONF'] })
  return reply
}

/** Asks again and again until the reply is as wanted. */
async function until(ask: () => Promise<Plain>, wanted: (reply: Plain) => boolean): Promise<Plain> {
  for (let i = 0; i < 200; i += 1) {
    const reply = await ask()
    if (wanted(reply)) return reply
    await sleep(100)
  }
  assert.fail('never came about')
}

const isFull = (reply: Plain): boolean => reply instanceof Refused && reply.word === 'MISCONF'

/** What a leader with a full disk refuses, and what it goes on doing. @returns how many entries are left */
async function checkLeader(client: Client, key: string): Promise<number> {
  const ask = (...words: (string | number)[]): Promise<Plain> => replyOf(client, key, words)
  const add = (): Promise<Plain> => ask('XADD', key, '*', 'v', 'x')
  const refused = await until(add, isFull)
  assert.match((refused as Refused).text, /disk of this node is full/)
  const before = entriesOf(await ask('XRANGE', key, '-', '+'))
  const got = readEntriesOf(
    await ask('XREADGROUP', 'GROUP', GROUP, 'me', 'COUNT', 4, 'STREAMS', key, '>'),
  )
  assert.equal(got.length, 4, 'deliveries go on')
  assert.equal(await ask('XACK', key, GROUP, ...got.map(({ id }) => id)), 4)
  assert.equal(await ask('XDEL', key, before[5]?.id ?? ''), 1)
  assert.equal(await ask('XLEN', key), before.length - 1)
  assert.equal(await ask('XTRIM', key, 'MAXLEN', before.length - 3), 2)
  assert.equal(listOf(await ask('XREAD', 'COUNT', 2, 'STREAMS', key, '0')).length, 1)
  assert.ok(isFull(await ask('XGROUP', 'CREATE', key, 'other', '0')), 'a new group grows')
  assert.ok(isFull(await add()), 'it is still refused')
  return before.length - 3
}

test('a node whose disk is full refuses what grows, and lives', { timeout: 240_000 }, async t => {
  const { directory, why } = mountSmall()
  if (directory === null) {
    t.skip(why)
    return
  }
  const disk = new SmallDisk(directory)
  try {
    await LocalCluster.run({ settings, dataDirs: { 1: join(directory, 'n1') } }, async cluster => {
      const keys = await cluster.keyOfEach('orders')
      const own = keys[0] as string
      const client = new Client(cluster)
      assert.equal(
        await replyOf(client, own, ['XGROUP', 'CREATE', own, GROUP, '0', 'MKSTREAM']),
        'OK',
      )
      for (let i = 0; i < 20; i += 1) await replyOf(client, own, ['XADD', own, '*', 'v', `${i}`])
      disk.fill(4 * MiB)
      const left = await checkLeader(client, own)
      // Now nothing at all is left, and what the others lead goes on growing: their majority has room.
      disk.fill(0)
      const load = new Load(cluster, keys.slice(1))
      await load.start()
      const pad = 'x'.repeat(64 * 1024)
      for (let i = 0; i < 200; i += 1)
        await replyOf(client, `big{${keys[1]}}`, ['XADD', `big{${keys[1]}}`, '*', 'v', pad])
      assert.equal(await replyOf(client, own, ['XLEN', own]), left, 'reads go on')
      assert.ok(cluster.node(1).isRunning, 'the node lives')
      disk.empty()
      await until(
        () => replyOf(client, own, ['XADD', own, '*', 'v', 'again']),
        reply => typeof reply === 'string',
      )
      client.close()
      await load.stop()
      console.log(`a full disk: ${await load.judge()}; and it recovered`)
    })
  } finally {
    disk.unmount()
  }
})
