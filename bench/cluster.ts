// Our own cluster as the benchmarks run it: `slotcast dev` with three nodes, in a directory of its own.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { freePortBase, pause, Service } from './processes.ts'
import { ask } from './redis.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
const READY_SECONDS = 60
const LEADER_ATTEMPTS = 50
export const NODES = 3
/** Where `slotcast dev` listens, from its base on. */
const PORT_OFFSETS = [0, 100, 200, 300].flatMap(door => [door + 1, door + 2, door + 3])

export type Leader = { readonly node: number; readonly resp: number; readonly grpc: number }

export class Cluster {
  readonly dataDir: string
  readonly portBase: number
  readonly #nodeOptions: string
  #service: Service

  private constructor(dataDir: string, portBase: number, nodeOptions: string) {
    this.dataDir = dataDir
    this.portBase = portBase
    this.#nodeOptions = nodeOptions
    this.#service = this.#start()
  }

  /** @param nodeOptions flags of the Node.js that runs the nodes */
  static async start(dataDir: string, nodeOptions = ''): Promise<Cluster> {
    const cluster = new Cluster(dataDir, await freePortBase(PORT_OFFSETS), nodeOptions)
    await cluster.#untilReady()
    return cluster
  }

  /** Seconds from the start of the processes to the line `ready`. */
  async startAgain(): Promise<number> {
    const from = performance.now()
    this.#service = this.#start()
    await this.#untilReady()
    return (performance.now() - from) / 1000
  }

  #start(): Service {
    const place = ['--data-dir', this.dataDir, '--port-base', String(this.portBase)]
    const words = [MAIN, 'dev', '--nodes', String(NODES), ...place, '--no-restart']
    const env =
      this.#nodeOptions === '' ? process.env : { ...process.env, NODE_OPTIONS: this.#nodeOptions }
    return new Service('slotcast', process.execPath, words, { env })
  }

  async #untilReady(): Promise<void> {
    await this.#service.until(() => /^ready/m.test(this.#service.words), READY_SECONDS)
  }

  /** Process ids of the nodes, n1 first. */
  pids(): number[] {
    return Array.from({ length: NODES }, (_, i) =>
      Number.parseInt(readFileSync(join(this.dataDir, `n${i + 1}`, 'node.pid'), 'utf8'), 10),
    )
  }

  grpcAddress(node: number): string {
    return `127.0.0.1:${this.portBase + 100 + node}`
  }

  respPort(node: number): number {
    return this.portBase + node
  }

  /** Whoever does not send a question about the key elsewhere leads its shard. */
  async leaderOf(key: string): Promise<Leader> {
    for (let attempt = 0; attempt < LEADER_ATTEMPTS; attempt += 1) {
      for (let node = 1; node <= NODES; node += 1) {
        const answer = await ask(this.respPort(node), ['EXISTS', key])
        if (answer.startsWith(':')) {
          return { node, resp: this.respPort(node), grpc: this.portBase + 100 + node }
        }
      }
      await pause(200)
    }
    throw new Error(`no leader for ${key}`)
  }

  /** A series of each node's own metrics, n1 first; asking resets the loop's delay. */
  async metric(series: string): Promise<number[]> {
    const read = async (node: number): Promise<number> => {
      const response = await fetch(`http://127.0.0.1:${this.portBase + 300 + node}/metrics`)
      const lines = (await response.text()).split('\n')
      return Number(
        lines
          .find(line => line.startsWith(series))
          ?.split(' ')
          .at(-1) ?? Number.NaN,
      )
    }
    return Promise.all(Array.from({ length: NODES }, (_, i) => read(i + 1)))
  }

  /** Bytes of the largest whole snapshot of each node, and their names: a new name is a new snapshot. */
  snapshots(): { name: string; bytes: number }[] {
    return Array.from({ length: NODES }, (_, i) => {
      const directory = join(this.dataDir, `n${i + 1}`, 'snapshots')
      let largest = { name: '', bytes: 0 }
      for (const name of readdirSync(directory)) {
        if (!name.endsWith('.snap')) continue
        const bytes = statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
        if (bytes > largest.bytes) largest = { name, bytes }
      }
      return largest
    })
  }

  /** The nodes hold still while another server has the machine; all at once, so that none misses another. */
  hold(): void {
    for (const pid of this.pids()) process.kill(pid, 'SIGSTOP')
  }

  release(): void {
    for (const pid of this.pids()) process.kill(pid, 'SIGCONT')
  }

  async kill(): Promise<void> {
    for (const pid of this.pids()) process.kill(pid, 'SIGKILL')
    await this.#service.ended
  }

  async stop(): Promise<void> {
    await this.#service.stop()
  }
}
