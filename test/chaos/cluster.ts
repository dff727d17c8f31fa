// A cluster of real processes for tests that break it: each node can be killed,
// paused, ended and started again, on data and ports of its own.
//
// Nodes run as `slotcast node`, without a supervisor, since a test decides when
// one comes back. What they print is kept when a test fails.

import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { slotOf } from '../../src/base/slot.ts'
import { freePortBase } from '../integration/slotcast-process.ts'
import { Connection, listOf, type Plain, Refused } from './connection.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const POLL_MS = 50
/** Far over what is promised: machines that test are busy. */
const READY_MS_MAX = 60_000
const LOG_LINES_SHOWN = 30

type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type ClusterOptions = {
  readonly nodes?: number
  /** Under `cluster:` in the file that all nodes share. */
  readonly settings?: Record<string, unknown>
  /** Data directories that are not below the cluster's own. */
  readonly dataDirs?: Readonly<Record<number, string>>
}

export class LocalNode {
  readonly number: number
  readonly dataDir: string
  readonly logPath: string
  readonly #files: readonly string[]
  #child: ChildProcess | null = null
  #ended: Promise<Ended> = Promise.resolve({ code: null, signal: null })

  constructor(number: number, directory: string, dataDir: string) {
    this.number = number
    this.dataDir = dataDir
    this.logPath = join(directory, `n${number}.log`)
    this.#files = [join(directory, 'cluster.yaml'), join(directory, `n${number}.yaml`)]
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  /** What the node printed since it was first started. */
  get log(): string {
    return readFileSync(this.logPath, 'utf8')
  }

  start(): void {
    if (this.#child !== null) throw new Error(`n${this.number} runs already`)
    const log = openSync(this.logPath, 'a')
    const configs = this.#files.flatMap(file => ['--config', file])
    // The channel ends a node whose test was killed.
    const child = spawn(process.execPath, [MAIN, 'node', ...configs], {
      stdio: ['ignore', log, log, 'ipc'],
    })
    closeSync(log)
    this.#child = child
    this.#ended = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.#child = null
        resolve({ code, signal })
      })
    })
  }

  signal(name: NodeJS.Signals): void {
    if (this.#child === null) throw new Error(`n${this.number} is not running`)
    this.#child.kill(name)
  }

  /** Waits for the end of the process. */
  ended(): Promise<Ended> {
    return this.#ended
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  /** SIGTERM. @returns how it ended, and after how many ms */
  async terminate(): Promise<Ended & { readonly ms: number }> {
    const since = performance.now()
    this.signal('SIGTERM')
    const ended = await this.#ended
    return { ...ended, ms: performance.now() - since }
  }
}

export class LocalCluster {
  readonly directory: string
  readonly nodes: readonly LocalNode[]
  readonly #base: number
  #isOver = false

  private constructor(directory: string, base: number, options: ClusterOptions) {
    this.directory = directory
    this.#base = base
    const count = options.nodes ?? 3
    this.nodes = Array.from({ length: count }, (_, i) => {
      const dataDir = options.dataDirs?.[i + 1] ?? join(directory, `n${i + 1}`)
      return new LocalNode(i + 1, directory, dataDir)
    })
    const cluster = { name: 'chaos', ...options.settings }
    writeFileSync(join(directory, 'cluster.yaml'), stringify({ cluster }))
    const door = (offset: number, node: number) => ({ listen: `127.0.0.1:${base + offset + node}` })
    const seeds = this.nodes.map(({ number }) => `n${number}=127.0.0.1:${base + 200 + number}`)
    for (const { number, dataDir } of this.nodes) {
      const node = {
        id: `n${number}`,
        data_dir: dataDir,
        resp: door(0, number),
        grpc: door(100, number),
        peer: door(200, number),
        admin: door(300, number),
        seeds,
      }
      writeFileSync(join(directory, `n${number}.yaml`), stringify({ node }))
    }
  }

  /** Starts a cluster, runs `story` on it, and ends it. When the story fails, the data and the logs stay. */
  static async run(
    options: ClusterOptions,
    story: (cluster: LocalCluster) => Promise<void>,
  ): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), 'slotcast-chaos-'))
    mkdirSync(directory, { recursive: true })
    const base = await freePortBase(options.nodes ?? 3)
    const cluster = new LocalCluster(directory, base, options)
    try {
      for (const node of cluster.nodes) node.start()
      await cluster.awaitReady()
      await story(cluster)
    } catch (error) {
      cluster.#tell()
      throw error
    } finally {
      await cluster.#end()
    }
    rmSync(directory, { recursive: true, force: true })
  }

  /** The story has ended: nobody will answer any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  node(number: number): LocalNode {
    const node = this.nodes[number - 1]
    if (node === undefined) throw new Error(`no node ${number}`)
    return node
  }

  respPort(node: number): number {
    return this.#base + node
  }

  grpcAddress(node: number): string {
    return `127.0.0.1:${this.#base + 100 + node}`
  }

  httpPort(node: number): number {
    return this.#base + 300 + node
  }

  /** The node that listens on a RESP or a gRPC port. */
  nodeAt(port: number): number {
    return (port - this.#base) % 100
  }

  /** What /readyz says: null when the node serves, else why not. */
  async readiness(node: number): Promise<string | null> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.httpPort(node)}/readyz`, {
        signal: AbortSignal.timeout(2_000),
      })
      const text = await response.text()
      return response.status === 200 ? null : text.trim()
    } catch (error) {
      return `no answer: ${(error as Error).message}`
    }
  }

  /** What /metrics says. */
  async metrics(node: number): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#base + 300 + node}/metrics`)).text()
  }

  /** Waits until `nodes` serve. @returns ms */
  async awaitReady(nodes = this.nodes.map(node => node.number)): Promise<number> {
    const since = performance.now()
    const waiting = new Map<number, string>(nodes.map(node => [node, '']))
    while (waiting.size > 0) {
      for (const node of [...waiting.keys()]) {
        const reason = await this.readiness(node)
        if (reason === null) waiting.delete(node)
        else waiting.set(node, reason)
      }
      const ms = performance.now() - since
      if (ms > READY_MS_MAX)
        throw new Error(`not ready: ${[...waiting].map(([n, why]) => `n${n}: ${why}`).join('; ')}`)
      if (waiting.size > 0) await sleep(POLL_MS)
    }
    return performance.now() - since
  }

  /** The node that leads the shard of `key`, as a running node knows it. */
  async leaderOf(key: string): Promise<number> {
    const slot = slotOf(Buffer.from(key, 'latin1'))
    const end = performance.now() + READY_MS_MAX
    while (performance.now() < end) {
      for (const { number, isRunning } of this.nodes) {
        if (!isRunning) continue
        const leader = await this.#ask(number, ['CLUSTER', 'SLOTS']).then(
          slots => leaderIn(slots, slot),
          () => null,
        )
        if (leader !== null && this.node(this.nodeAt(leader)).isRunning) return this.nodeAt(leader)
      }
      await sleep(POLL_MS)
    }
    throw new Error(`nobody leads slot ${slot}`)
  }

  /** Waits until every node leads a shard, as all do once leaders that came back are at home again. */
  async awaitHome(): Promise<void> {
    const end = performance.now() + READY_MS_MAX
    for (;;) {
      const slots = await this.#ask(1, ['CLUSTER', 'SLOTS'])
      const leaders = new Set(listOf(slots).map(range => String(listOf(listOf(range)[2] ?? [])[1])))
      if (leaders.size === this.nodes.length) return
      if (performance.now() > end) throw new Error(`only ${[...leaders]} lead`)
      await sleep(POLL_MS)
    }
  }

  /** For each node a key that it leads. */
  async keyOfEach(prefix: string): Promise<string[]> {
    const keys: string[] = []
    for (let i = 0; keys.filter(Boolean).length < this.nodes.length; i += 1) {
      const key = `${prefix}${i}`
      const leader = await this.leaderOf(key)
      keys[leader - 1] ??= key
    }
    return keys
  }

  /** For each shard a key that it has. */
  async keyOfEachShard(prefix: string): Promise<string[]> {
    const ranges = listOf(await this.#ask(1, ['CLUSTER', 'SLOTS'])).map(range =>
      listOf(range).slice(0, 2).map(Number),
    )
    return ranges.map(([first = 0, last = 0]) => {
      for (let i = 0; ; i += 1) {
        const slot = slotOf(Buffer.from(`${prefix}${i}`))
        if (first <= slot && slot <= last) return `${prefix}${i}`
      }
    })
  }

  async #ask(node: number, words: readonly string[]): Promise<Plain> {
    const connection = await Connection.open(this.respPort(node))
    try {
      return await connection.ask(words, 2_000)
    } finally {
      connection.close()
    }
  }

  async #end(): Promise<void> {
    this.#isOver = true
    for (const node of this.nodes) {
      if (!node.isRunning) continue
      node.signal('SIGCONT')
      node.signal('SIGKILL')
    }
    await Promise.all(this.nodes.map(node => node.ended()))
  }

  #tell(): void {
    console.error(`data and logs stay in ${this.directory}`)
    for (const node of this.nodes) {
      const lines = node.log.trimEnd().split('\n').slice(-LOG_LINES_SHOWN)
      console.error(`n${node.number}:\n${lines.map(line => `  ${line}`).join('\n')}`)
    }
  }
}

/** The RESP port of the leader of `slot` in an answer of CLUSTER SLOTS, or null. */
function leaderIn(slots: Plain, slot: number): number | null {
  if (slots instanceof Refused) return null
  for (const range of listOf(slots)) {
    const [first, last, leader] = listOf(range)
    if (Number(first) <= slot && slot <= Number(last)) {
      const port = Number(listOf(leader)[1])
      return port > 0 ? port : null
    }
  }
  return null
}
