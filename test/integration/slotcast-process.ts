// The command line as a process for tests: its lines, its exit, and free ports for it.

import { type ChildProcess, spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

export class SlotcastProcess {
  readonly child: ChildProcess
  readonly lines: string[] = []
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly #waits: { pattern: RegExp; from: number; resolve: (line: string) => void }[] = []

  constructor(words: readonly string[], environment: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [MAIN, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = ''
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n')
        rest = parts.pop() ?? ''
        for (const line of parts) this.#take(line)
      })
    }
    this.ended = new Promise(resolve => {
      this.child.on('close', (code, signal) => {
        this.#take(`(ended with ${signal ?? code})`)
        resolve({ code, signal })
      })
    })
  }

  /** The first line from now on, or from line `from` on, that matches; rejects when the process ends first. */
  line(pattern: RegExp, from = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const found = this.lines.slice(from).find(line => pattern.test(line))
      if (found !== undefined) {
        resolve(found)
        return
      }
      this.#waits.push({ pattern, from, resolve })
      void this.ended.then(() => reject(new Error(`no ${pattern} in:\n${this.lines.join('\n')}`)))
    })
  }

  #take(line: string): void {
    this.lines.push(line)
    for (const { pattern, from, resolve } of this.#waits) {
      if (this.lines.length > from && pattern.test(line)) resolve(line)
    }
  }
}

/** A base for --port-base with `count` nodes, all of whose ports are free. */
export async function freePortBase(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const base = 20_000 + Math.floor(Math.random() * 200) * 50
    const ports = [0, 100, 200, 300].flatMap(offset =>
      Array.from({ length: count }, (_, i) => base + offset + i + 1),
    )
    const free = await Promise.all(ports.map(isFree))
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

/** Sends one command in RESP and resolves with what comes back first. */
export function ask(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('data', bytes => {
      socket.destroy()
      resolve(bytes.toString())
    })
    const bulks = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
    socket.write(`*${words.length}\r\n${bulks.join('')}`)
  })
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Asks again and again until `holds`; the test's own timeout ends it otherwise. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 20))
}
