// A local cluster: one process for each node, started, watched and ended by this one.
//
// The nodes' configuration is written as files, so that each can be run by hand as
// well. Their logs go to files beside their data; this process prints what a person
// at a terminal wants to know. A pipe to each node tells it when this process is
// gone, however it went, so that none is left behind.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, createWriteStream, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { OperationalError } from './base/errors.ts'
import { formatAddress } from './config.ts'

export type SupervisorOptions = {
  readonly nodes: number
  readonly dataDir: string
  readonly portBase: number
  readonly host: string
  /** Start a node again that died. */
  readonly restart: boolean
  /** Slots and redirects; false makes a standalone node. */
  readonly cluster: boolean
  /** Who may use DEBUG; absent: nobody. */
  readonly enableDebugCommand?: string
}

const RESTART_MS = 1000
const POLL_MS = 100
/** From SIGTERM to SIGKILL. */
const STOP_MS = 5000
const SHARDS_MIN = 3
const SHARDS_MAX = 16

/** Offsets of a node's ports from the base, to which its number is added. */
const PORT_OFFSETS = { resp: 0, grpc: 100, peer: 200, admin: 300 } as const
type DoorName = keyof typeof PORT_OFFSETS

type Child = {
  readonly name: string
  readonly number: number
  readonly log: string
  process: ChildProcess | null
  /** Newest line on standard error: why it died, most likely. */
  lastWords: string
  restartTimer: NodeJS.Timeout | null
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #children: Child[] = []
  #ready = false
  #stopping = false
  #finish: ((error: OperationalError | null) => void) | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
    const { nodes, dataDir, portBase } = options
    const last = portBase + PORT_OFFSETS.admin + nodes
    if (last > 65_535) {
      throw new OperationalError(
        'CONFIG',
        `--port-base ${portBase} leaves no room: ${last} is no port`,
      )
    }
    for (let number = 1; number <= nodes; number += 1) {
      const name = `n${number}`
      this.#children.push({
        name,
        number,
        log: join(dataDir, `${name}.log`),
        process: null,
        lastWords: '',
        restartTimer: null,
      })
    }
  }

  /** Resolves when all nodes were stopped by a signal. @throws OperationalError when a node cannot start */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finish = error => (error === null ? resolve() : reject(error))
      try {
        this.#writeConfiguration()
      } catch (error) {
        reject(new OperationalError('CONFIG', (error as Error).message, error))
        return
      }
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(signal, () => this.#stop(null))
      }
      if (process.channel !== undefined) process.on('disconnect', () => this.#stop(null))
      for (const child of this.#children) {
        this.#start(child)
        say(this.#introduce(child))
      }
      this.#awaitReady(performance.now())
    })
  }

  #port(child: Child, door: DoorName): number {
    return this.#options.portBase + PORT_OFFSETS[door] + child.number
  }

  #address(child: Child, door: DoorName): string {
    return formatAddress({ host: reachable(this.#options.host), port: this.#port(child, door) })
  }

  #introduce(child: Child): string {
    const doors = (['resp', 'grpc', 'peer', 'admin'] as const).map(
      door => `${door === 'admin' ? 'http' : door} ${this.#address(child, door)}`,
    )
    return `${child.name}  ${doors.join('  ')}  log ${child.log}`
  }

  #writeConfiguration(): void {
    const { nodes, dataDir, host, cluster, enableDebugCommand } = this.#options
    mkdirSync(dataDir, { recursive: true })
    const replicas = cluster && nodes >= 3 ? 3 : 1
    writeFileSync(
      join(dataDir, 'cluster.yaml'),
      stringify({
        cluster: {
          name: 'dev',
          enabled: cluster,
          shards: cluster ? Math.min(Math.max(nodes, SHARDS_MIN), SHARDS_MAX) : 1,
          replicas_per_shard: replicas,
        },
      }),
    )
    const seeds = this.#children.map(child => `${child.name}=${this.#address(child, 'peer')}`)
    for (const child of this.#children) {
      const door = (name: DoorName): object => ({
        listen: formatAddress({ host, port: this.#port(child, name) }),
        advertise: this.#address(child, name),
      })
      const node = {
        id: child.name,
        data_dir: join(dataDir, child.name),
        resp: door('resp'),
        grpc: door('grpc'),
        peer: door('peer'),
        admin: door('admin'),
        seeds,
        ...(enableDebugCommand === undefined ? {} : { enable_debug_command: enableDebugCommand }),
      }
      writeFileSync(join(dataDir, `${child.name}.yaml`), stringify({ node }))
    }
  }

  #start(child: Child): void {
    const { dataDir } = this.#options
    const log = openSync(child.log, 'a')
    const started = spawn(
      process.execPath,
      [
        ...NODE_FLAGS,
        join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'main.ts' : 'main.js'),
        'node',
        '--config',
        join(dataDir, 'cluster.yaml'),
        '--config',
        join(dataDir, `${child.name}.yaml`),
      ],
      { stdio: ['ignore', log, 'pipe', 'ipc'], env: environmentOfChild() },
    )
    closeSync(log)
    child.process = started
    child.lastWords = ''
    const copy = createWriteStream(child.log, { flags: 'a' })
    started.stderr?.pipe(copy)
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      child.lastWords = text.trimEnd().split('\n').at(-1) ?? child.lastWords
    })
    // The streams are read to their end before this is emitted, unlike 'exit'.
    started.on('close', (code, signal) => this.#ended(child, code, signal))
    started.on('error', error => {
      child.lastWords = error.message
    })
  }

  #ended(child: Child, code: number | null, signal: NodeJS.Signals | null): void {
    child.process = null
    if (this.#stopping) {
      this.#finishWhenAllEnded(null)
      return
    }
    const why = child.lastWords === '' ? '' : `: ${child.lastWords.replace(/^slotcast: /, '')}`
    const how = `${child.name} ended (${signal ?? `exit code ${code}`})${why}`
    if (!this.#ready && signal === null) {
      // It never worked: starting it again and again would hide the reason.
      this.#stop(new OperationalError('CONFIG', how))
    } else if (this.#options.restart) {
      say(`${how}; starting it again in 1 s`)
      child.restartTimer = setTimeout(() => {
        this.#start(child)
        say(`${child.name} started again, process ${child.process?.pid}`)
      }, RESTART_MS)
    } else {
      say(`${how}; left dead (--no-restart)`)
      if (this.#children.every(other => other.process === null)) {
        this.#stop(new OperationalError('CONFIG', 'no node is left'))
      }
    }
  }

  #awaitReady(since: number): void {
    const poll = async (): Promise<void> => {
      if (this.#stopping) return
      const states = await Promise.all(this.#children.map(child => this.#isReady(child)))
      if (this.#stopping) return
      if (!states.every(ready => ready)) {
        setTimeout(() => void poll(), POLL_MS)
        return
      }
      this.#ready = true
      const seconds = ((performance.now() - since) / 1000).toFixed(1)
      const [first] = this.#children
      const port = first === undefined ? 0 : this.#port(first, 'resp')
      const flag = this.#options.cluster ? '-c ' : ''
      say(
        `ready: ${this.#children.length} node${this.#children.length > 1 ? 's' : ''} after ${seconds} s; try: redis-cli ${flag}-p ${port}`,
      )
    }
    void poll()
  }

  async #isReady(child: Child): Promise<boolean> {
    try {
      const response = await fetch(`http://${this.#address(child, 'admin')}/readyz`, {
        signal: AbortSignal.timeout(1000),
      })
      await response.text()
      return response.status === 200
    } catch {
      return false
    }
  }

  #stop(error: OperationalError | null): void {
    if (this.#stopping) {
      // A second signal is impatience.
      for (const child of this.#children) child.process?.kill('SIGKILL')
      return
    }
    this.#stopping = true
    for (const child of this.#children) {
      if (child.restartTimer !== null) clearTimeout(child.restartTimer)
      child.process?.kill('SIGTERM')
    }
    const kill = setTimeout(() => {
      for (const child of this.#children) child.process?.kill('SIGKILL')
    }, STOP_MS)
    kill.unref()
    this.#finishWhenAllEnded(error)
  }

  #failure: OperationalError | null = null

  #finishWhenAllEnded(error: OperationalError | null): void {
    this.#failure ??= error
    if (this.#children.every(child => child.process === null)) this.#finish?.(this.#failure)
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * Half of V8's default young generation, in MiB: its memory stays warmer than with all of
 * it, and is collected less often than with less. At 50 connections and 16 XADDs a
 * pipeline the nodes together spent 5.7 us a command with 2, 5.2 us with 8 and with 16.
 */
const NODE_FLAGS = ['--max-semi-space-size=8']

/** What belongs to one node must not come from the environment of all. */
function environmentOfChild(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('SLOTCAST_NODE_') || name === 'SLOTCAST_NODE_LOG_LEVEL',
    ),
  )
}

/** An address that others can dial, for nodes that listen on all. */
function reachable(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host
  const addresses = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return (
    addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1'
  )
}
