// A node whose RESP port is thrown any bytes at, by many connections at once, while one
// client works as usual: that one is always served right and in time, the process
// neither ends nor grows beyond a limit, and nothing of those who left stays behind.
//
// SLOTCAST_FUZZ_SECONDS says how long, SLOTCAST_SEED with which bytes. A failure leaves
// the last packets beside the node's log.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, encode, type Plain } from '../chaos/connection.ts'
import { Prng } from '../sim/prng.ts'
import { garbage, pipeline } from './garbage.ts'
import { eventually } from './slotcast-process.ts'

const { SLOTCAST_FUZZ_SECONDS = '10', SLOTCAST_SEED = '1' } = process.env
const STANDALONE = { enabled: false, shards: 1, replicas_per_shard: 1 }
const MiB = 1024 * 1024
/**
 * Commands that are begun may take 512 MiB over all connections, replies that wait 256 MiB.
 * A third more may be what the engine has not collected yet: memory goes up and down.
 */
const GROWTH_MAX = 1024 * MiB
/** What the client that works waits for a reply at most. */
const REPLY_MS_MAX = 10_000
/** When those who left must be forgotten. */
const LEAVE_MS_MAX = 15_000
/** Connections at a time that throw bytes, that send a byte now and then, and that never read. */
const THROWERS = 16
const SLOW = 60
const DEAF = 10
const PACKETS_KEPT = 400

class Attack {
  readonly #port: number
  readonly #prng: Prng
  readonly #last: Buffer[] = []
  packets = 0
  bytes = 0
  isOver = false

  constructor(port: number, seed: number) {
    this.#port = port
    this.#prng = new Prng(`fuzz ${seed}`)
  }

  /** The packets that were sent last, to find which of them did it. */
  get last(): string {
    return this.#last.map(packet => packet.subarray(0, 4096).toString('latin1')).join('\n----\n')
  }

  #open(): Promise<Socket | null> {
    return new Promise(resolve => {
      const socket = connect(this.#port, '127.0.0.1', () => resolve(socket))
      socket.on('error', () => {})
      socket.once('close', () => resolve(null))
    })
  }

  #note(packet: Buffer): void {
    this.packets += 1
    this.bytes += packet.length
    this.#last.push(packet)
    if (this.#last.length > PACKETS_KEPT) this.#last.shift()
  }

  /** Sends a few packets, each in some pieces; reads or not; ends in one way or another. */
  async #throw(prng: Prng): Promise<void> {
    const socket = await this.#open()
    if (socket === null) return
    if (prng.below(4) > 0) socket.on('data', () => {})
    for (let left = 1 + prng.below(3); left > 0 && !socket.destroyed; left -= 1) {
      const packet = garbage(prng)
      this.#note(packet)
      const pieces = prng.below(3) === 0 ? 1 + prng.below(5) : 1
      for (let i = 0; i < pieces; i += 1) {
        const from = Math.floor((packet.length * i) / pieces)
        socket.write(packet.subarray(from, Math.floor((packet.length * (i + 1)) / pieces)))
        if (pieces > 1) await sleep(prng.below(4))
      }
    }
    await sleep(prng.below(20))
    const end = prng.below(3)
    if (end === 0) socket.end()
    else if (end === 1) socket.resetAndDestroy()
    await sleep(prng.below(10))
    socket.destroy()
  }

  /** Begins a command and sends the rest so slowly that it never ends. */
  async #dribble(prng: Prng): Promise<void> {
    const socket = await this.#open()
    if (socket === null) return
    const length = [10, 10_000, 1_000_000, 15_000_000][prng.below(4)] as number
    socket.on('data', () => {})
    socket.write(pipeline(prng))
    socket.write(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${length}\r\n`)
    socket.write(Buffer.alloc(Math.min(length - 5, prng.below(1_000_000)), 'x'))
    for (let left = 20 + prng.below(200); left > 0 && !this.isOver; left -= 1) {
      if (socket.destroyed) break
      socket.write('x')
      await sleep(10)
    }
    socket.destroy()
  }

  /** Asks for far more than it will ever read. */
  async #ignore(prng: Prng): Promise<void> {
    const socket = await this.#open()
    if (socket === null) return
    socket.pause()
    const ask = encode(prng.below(2) === 0 ? ['GET', 'big'] : ['LRANGE', 'long', '0', '-1'])
    for (let left = 50 + prng.below(200); left > 0 && !this.isOver; left -= 1) {
      if (socket.destroyed) break
      socket.write(ask)
      if (left % 20 === 0) await sleep(10)
    }
    await sleep(prng.below(3_000))
    socket.destroy()
  }

  async run(): Promise<void> {
    const loop = async (number: number, one: (prng: Prng) => Promise<void>): Promise<void> => {
      const prng = this.#prng.fork(`connection ${number}`)
      while (!this.isOver) await one(prng)
    }
    const loops: Promise<void>[] = []
    const add = (count: number, one: (prng: Prng) => Promise<void>): void => {
      for (let i = 0; i < count; i += 1) loops.push(loop(loops.length, one))
    }
    add(THROWERS, prng => this.#throw(prng))
    add(SLOW, prng => this.#dribble(prng))
    add(DEAF, prng => this.#ignore(prng))
    await Promise.all(loops)
  }
}

/** The client that works: it knows what every reply must be. */
class Worker {
  readonly #connection: Connection
  #round = 0
  slowestMs = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get rounds(): number {
    return this.#round
  }

  async #ask(...words: (string | number)[]): Promise<Plain> {
    const since = performance.now()
    const reply = await this.#connection.ask(words, REPLY_MS_MAX)
    this.slowestMs = Math.max(this.slowestMs, performance.now() - since)
    return reply
  }

  async work(): Promise<void> {
    this.#round += 1
    const n = this.#round
    assert.equal(await this.#ask('SET', 'mine:text', `value ${n}`), 'OK')
    assert.equal(await this.#ask('GET', 'mine:text'), `value ${n}`)
    assert.equal(await this.#ask('RPUSH', 'mine:list', n), Math.min(n, 101))
    assert.equal(await this.#ask('LTRIM', 'mine:list', -100, -1), 'OK')
    assert.equal(await this.#ask('LINDEX', 'mine:list', -1), String(n))
    assert.equal(await this.#ask('XADD', 'mine:stream', 'MAXLEN', 100, `${n}-1`, 'n', n), `${n}-1`)
    assert.deepEqual(await this.#ask('XRANGE', 'mine:stream', `${n}-1`, '+'), [
      [`${n}-1`, ['n', String(n)]],
    ])
    assert.equal(await this.#ask('INCR', 'mine:count'), n)
    await sleep(2)
  }
}

async function infoOf(connection: Connection, section: string, field: string): Promise<string> {
  const text = String(await connection.ask(['INFO', section], 30_000))
  return new RegExp(`^${field}:(.*)\r?$`, 'm').exec(text)?.[1]?.trim() ?? ''
}

function residentBytes(pid: string): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(found?.[1]) * 1024
}

const seconds = Number(SLOTCAST_FUZZ_SECONDS)

test(`${seconds} s of any bytes`, { timeout: (seconds + 120) * 1000 }, async t => {
  await LocalCluster.run({ nodes: 1, settings: STANDALONE }, async cluster => {
    const port = cluster.respPort(1)
    const connection = await Connection.open(port)
    await connection.ask(['SET', 'big', 'x'.repeat(MiB)])
    for (let i = 0; i < 10; i += 1)
      await connection.ask(['RPUSH', 'long', ...Array.from({ length: 1000 }, () => 'x'.repeat(90))])
    const pid = await infoOf(connection, 'server', 'process_id')
    const before = residentBytes(pid)
    let end = 0
    let most = before
    const attack = new Attack(port, Number(SLOTCAST_SEED))
    const worker = new Worker(connection)
    const attacked = attack.run()
    try {
      end = performance.now() + seconds * 1000
      while (performance.now() < end) {
        await worker.work()
        most = Math.max(most, residentBytes(pid))
        assert.ok(most - before < GROWTH_MAX, `grew by ${Math.round((most - before) / MiB)} MiB`)
      }
      attack.isOver = true
      await attacked
      await worker.work()
      assert.equal(await infoOf(connection, 'server', 'process_id'), pid)
      assert.equal(await cluster.readiness(1), null)
      await eventually(async () => {
        const left = await infoOf(connection, 'clients', 'connected_clients')
        if (performance.now() > end + LEAVE_MS_MAX)
          assert.equal(left, '1', `is still here: ${await connection.ask(['CLIENT', 'LIST'])}`)
        return left === '1'
      })
      assert.equal(await infoOf(connection, 'clients', 'blocked_clients'), '0')
      assert.ok(!/"level":"(error|fatal)"/.test(cluster.node(1).log), 'the log tells of errors')
    } catch (error) {
      writeFileSync(join(cluster.directory, 'packets.txt'), attack.last, 'latin1')
      throw error
    } finally {
      attack.isOver = true
      await attacked
      connection.close()
    }
    t.diagnostic(
      `${attack.packets} packets of ${Math.round(attack.bytes / MiB)} MiB, ${worker.rounds} rounds, ` +
        `slowest reply ${Math.round(worker.slowestMs)} ms, grew by ${Math.round((most - before) / MiB)} MiB`,
    )
  })
})
