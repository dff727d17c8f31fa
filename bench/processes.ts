// Child processes of a benchmark: started with their words kept for the moment they fail, measured by /proc, ended by id.

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'

/** Linux reports CPU time in this unit, whatever the kernel's own. */
const CLOCK_TICKS_PER_SECOND = 100
const STOP_MS = 8_000
const WORDS_KEPT = 4_000

const running = new Set<Service>()

export class Service {
  readonly name: string
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  #words = ''

  constructor(
    name: string,
    program: string,
    words: readonly string[],
    options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ) {
    this.name = name
    this.child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#words = (this.#words + text).slice(-WORDS_KEPT)
      })
    }
    running.add(this)
    this.ended = new Promise(resolve => {
      const end = (code: number | null): void => {
        running.delete(this)
        resolve(code)
      }
      this.child.on('close', end)
      this.child.on('error', error => {
        this.#words += error.message
        end(null)
      })
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get words(): string {
    return this.#words
  }

  /** Resolves when `holds` does; rejects when the process ended or the time is over. */
  async until(holds: () => boolean | Promise<boolean>, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000
    while (!(await holds())) {
      if (this.child.exitCode !== null || performance.now() > end) {
        throw new Error(`${this.name} does not come up:\n${this.#words}`)
      }
      await pause(50)
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.child.kill(signal)
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS)
    await this.ended
    clearTimeout(timer)
  }
}

/** Ends what a failed phase left behind. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(service => service.stop()))
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** CPU time of a process since its start, user and system, in seconds; good to 10 ms. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
  } catch {
    return Number.NaN
  }
}

/** The same by kind of thread, user and system apart: the loop, the disk's threads, the collector's. */
export function threadSeconds(pid: number): Map<string, number> {
  const seconds = new Map<string, number>()
  const add = (name: string, ticks: string | undefined): void => {
    seconds.set(name, (seconds.get(name) ?? 0) + Number(ticks) / CLOCK_TICKS_PER_SECOND)
  }
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1')
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    add(`${name} user`, fields[11])
    add(`${name} kernel`, fields[12])
  }
  return seconds
}

export function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024
}

/** The process and what it started, the deepest last. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      parents.set(parent, [...(parents.get(parent) ?? []), Number(name)])
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [pid]
  for (const each of found) found.push(...(parents.get(each) ?? []))
  return found
}

/** Waits until the processes' memory has not moved by more than 1 % for three seconds. */
export async function settledMiB(pids: readonly number[], seconds: number): Promise<number[]> {
  const end = performance.now() + seconds * 1000
  let before = pids.map(residentMiB)
  let calm = 0
  while (calm < 3 && performance.now() < end) {
    await pause(1000)
    const now = pids.map(residentMiB)
    calm = now.every((mib, i) => Math.abs(mib - (before[i] ?? 0)) < mib / 100) ? calm + 1 : 0
    before = now
  }
  return before
}

/** A base to which each of `offsets` can be added and makes a port that nobody listens on. */
export async function freePortBase(offsets: readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    // Below those that the kernel gives out by itself.
    const base = 12_000 + Math.floor(Math.random() * 180) * 100
    const free = await Promise.all(offsets.map(offset => isFree(base + offset)))
    if (free.every(Boolean)) return base
  }
  throw new Error('no free ports')
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Runs a program to its end. @throws when it fails */
export async function run(program: string, words: readonly string[]): Promise<string> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors || out}`)
  return out
}

/** Whether a program can be started at all. */
export function isInstalled(program: string): boolean {
  const paths = (process.env['PATH'] ?? '').split(':')
  return [...paths, '/usr/sbin', '/usr/lib/rabbitmq/bin'].some(path => {
    try {
      return readdirSync(path).includes(program)
    } catch {
      return false
    }
  })
}
