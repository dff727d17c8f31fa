// Random commands on lists, answered by the state machine and by servers: all replies of
// all connections must be equal, and so must be what is left. The servers are Redis 7.0,
// and the one at SLOTCAST_CONFORMANCE (host:port), a standalone node of ours.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { MachineTarget } from './machine-target.ts'
import { onLists, type Said, withWaiting } from './random-lists.ts'
import { RedisServer, ServerTarget } from './server-target.ts'
import type { Wire } from './wire.ts'

const SETUP: readonly Said[] = [{ on: 0, words: ['XADD', 's', '1-1', 'f', 'v'] }]
const ENDING: readonly Said[] = ['l', 'm', 'n'].flatMap(key => [
  { on: 0, words: ['LLEN', key] },
  { on: 0, words: ['LRANGE', key, '0', '-1'] },
])
/** Longer than any wait. */
const PAUSE_MS = Number.POSITIVE_INFINITY
const CONNECTIONS = [0, 1, 2, 3, 4]
/** How often a server is asked whether all wait that should. */
const TRIES_MAX = 2000

type Heard = { readonly words: readonly string[]; readonly wire: Wire }
/** What was said, whether it waits, and how many connections wait then. */
type Played = Said & { readonly waits: boolean; readonly waiting: number }

/** Plays to the machine. @returns what was said, without what a waiting connection could not say, and heard */
async function ours(said: readonly Said[]): Promise<readonly [Played[], Heard[][]]> {
  const target = new MachineTarget(2)
  const played: Played[] = []
  const heard: Heard[][] = CONNECTIONS.map(() => [])
  for (const { on, words } of said) {
    if (target.isWaiting(on)) continue
    await target.send(on, words)
    const waiting = CONNECTIONS.filter(connection => target.isWaiting(connection)).length
    played.push({ on, words, waits: target.isWaiting(on), waiting })
  }
  await target.pause(PAUSE_MS)
  for (const { on, words } of played) heard[on]?.push({ words, wire: await target.receive(on) })
  return [played, heard]
}

/** Answers of a server on several connections. */
class Server {
  readonly #target: ServerTarget
  readonly #ids: string[] = []

  constructor(host: string, port: number) {
    this.#target = new ServerTarget(host, port, 2)
  }

  async open(): Promise<void> {
    for (const on of CONNECTIONS) {
      await this.#target.sendAtOnce(on, ['CLIENT', 'ID'])
      const wire = await this.#target.receive(on)
      this.#ids.push('text' in wire ? wire.text : '')
    }
  }

  close(): Promise<void> {
    return this.#target.close()
  }

  /** Until so many clients are blocked. */
  async #settled(waiting: number): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const wire = await this.#target.ask(['INFO', 'clients'])
      if ('text' in wire && wire.text.includes(`blocked_clients:${waiting}\r`)) return
    }
    throw new Error(`never were there ${waiting} blocked clients`)
  }

  async play(played: readonly Played[]): Promise<Heard[][]> {
    const heard: Heard[][] = CONNECTIONS.map(() => [])
    await this.#target.ask(['FLUSHALL'])
    const owed: (readonly string[])[][] = CONNECTIONS.map(() => [])
    const receive = async (on: number): Promise<void> => {
      for (const words of owed[on]?.splice(0) ?? [])
        heard[on]?.push({ words, wire: await this.#target.receive(on) })
    }
    for (const { on, words, waits, waiting } of played) {
      owed[on]?.push(words)
      await this.#target.sendAtOnce(on, words)
      if (!waits) await receive(on)
      if (waits) await this.#settled(waiting)
    }
    for (const id of this.#ids.slice(1)) await this.#target.ask(['CLIENT', 'UNBLOCK', id])
    for (const on of CONNECTIONS) await receive(on)
    return heard
  }
}

async function compare(server: Server, random: readonly Said[]): Promise<void> {
  const [played, mine] = await ours([...SETUP, ...random, ...ENDING])
  assert.deepEqual(await server.play(played), mine)
}

function compareRandom(server: () => Server, runs: number): void {
  test('of one connection', () =>
    fc.assert(
      fc.asyncProperty(onLists, commands =>
        compare(
          server(),
          commands.map(words => ({ on: 0, words })),
        ),
      ),
      { seed: 21, numRuns: runs },
    ))

  test('of connections that wait', () =>
    fc.assert(
      fc.asyncProperty(withWaiting, said => compare(server(), said)),
      { seed: 22, numRuns: runs },
    ))
}

suite('random commands on lists are answered as Redis 7.0 answers them', {
  skip: RedisServer.missing,
}, () => {
  let redis: RedisServer
  let server: Server

  before(async () => {
    redis = await RedisServer.start()
    server = new Server('127.0.0.1', redis.port)
    await server.open()
  })
  after(async () => {
    await server.close()
    await redis.stop()
  })

  compareRandom(() => server, 400)
})

const { SLOTCAST_CONFORMANCE: address = '' } = process.env

suite('random commands on lists are answered by a server as by the machine alone', {
  skip: address === '' ? 'SLOTCAST_CONFORMANCE is not set' : false,
}, () => {
  const [host = '', port = ''] = address.split(':')
  const server = new Server(host, Number(port))
  before(() => server.open())
  after(() => server.close())

  compareRandom(() => server, 100)
})
