// A running server as a target, over plain sockets; and a redis-server of one's own.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import type { Target } from './target.ts'
import { type Protocol, type Wire, WireReader } from './wire.ts'

/** Debian's. */
export const REDIS_PATH = '/usr/bin/redis-server'
/** How long a reply that is owed may take. */
const REPLY_MS_MAX = 5_000
/** How long a command that may wait gets to arrive before the next is sent elsewhere. */
const ARRIVAL_MS = 25
const START_MS_MAX = 10_000

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

class Connection {
  readonly #socket: Socket
  readonly #reader = new WireReader()
  readonly #replies: Wire[] = []
  #wanted: ((wire: Wire) => void) | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', bytes => {
      this.#reader.push(bytes)
      for (let wire = this.#reader.next(); wire !== null; wire = this.#reader.next())
        this.#replies.push(wire)
      this.#serve()
    })
  }

  #serve(): void {
    if (this.#wanted === null) return
    const reply = this.#replies.shift()
    if (reply === undefined) return
    const wanted = this.#wanted
    this.#wanted = null
    wanted(reply)
  }

  write(words: readonly string[]): void {
    let text = `*${words.length}\r\n`
    for (const word of words) text += `$${word.length}\r\n${word}\r\n`
    this.#socket.write(Buffer.from(text, 'latin1'))
  }

  read(): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no reply came')), REPLY_MS_MAX)
      this.#wanted = wire => {
        clearTimeout(timer)
        resolve(wire)
      }
      this.#serve()
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

export class ServerTarget implements Target {
  readonly #host: string
  readonly #port: number
  readonly #protocol: Protocol
  readonly #connections = new Map<number, Promise<Connection>>()

  constructor(host: string, port: number, protocol: Protocol) {
    this.#host = host
    this.#port = port
    this.#protocol = protocol
  }

  async #open(): Promise<Connection> {
    const socket = openSocket(this.#port, this.#host)
    socket.setNoDelay(true)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const connection = new Connection(socket)
    if (this.#protocol === 3) {
      connection.write(['HELLO', '3'])
      await connection.read()
    }
    return connection
  }

  #connection(number: number): Promise<Connection> {
    let connection = this.#connections.get(number)
    if (connection === undefined) {
      connection = this.#open()
      this.#connections.set(number, connection)
    }
    return connection
  }

  async send(connection: number, words: readonly string[]): Promise<void> {
    const peer = await this.#connection(connection)
    peer.write(words)
    if (connection > 0) await sleep(ARRIVAL_MS)
  }

  /** As `send`, without time for it to arrive. */
  async sendAtOnce(connection: number, words: readonly string[]): Promise<void> {
    const peer = await this.#connection(connection)
    peer.write(words)
  }

  async receive(connection: number): Promise<Wire> {
    return (await this.#connection(connection)).read()
  }

  async ask(words: readonly string[]): Promise<Wire> {
    await this.send(0, words)
    return this.receive(0)
  }

  /** Asks on a connection of several, something that does not wait. */
  async askOn(connection: number, words: readonly string[]): Promise<Wire> {
    const peer = await this.#connection(connection)
    peer.write(words)
    return peer.read()
  }

  /** Sends many commands at once. */
  async askAll(commands: readonly (readonly string[])[]): Promise<Wire[]> {
    const peer = await this.#connection(0)
    for (const words of commands) peer.write(words)
    const replies: Wire[] = []
    while (replies.length < commands.length) replies.push(await peer.read())
    return replies
  }

  pause(ms: number): Promise<void> {
    return sleep(ms)
  }

  async close(): Promise<void> {
    for (const connection of this.#connections.values()) (await connection).close()
    this.#connections.clear()
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
}

/** A redis-server that keeps nothing on disk. */
export class RedisServer {
  readonly port: number
  readonly #process: ChildProcess

  constructor(port: number, process: ChildProcess) {
    this.port = port
    this.#process = process
  }

  /** Why there is none, or false: what node:test takes for `skip`. */
  static get missing(): string | false {
    return existsSync(REDIS_PATH) ? false : `${REDIS_PATH} is not installed`
  }

  static async start(more: readonly string[] = []): Promise<RedisServer> {
    const port = await freePort()
    const options = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      // A script that makes a value grow without end must not take the machine with it.
      '--maxmemory',
      '1gb',
      ...more,
    ]
    const child = spawn(REDIS_PATH, options, { stdio: 'ignore' })
    const deadline = Date.now() + START_MS_MAX
    for (;;) {
      const target = new ServerTarget('127.0.0.1', port, 2)
      try {
        await target.ask(['PING'])
        await target.close()
        return new RedisServer(port, child)
      } catch (error) {
        if (Date.now() > deadline || child.exitCode !== null) {
          child.kill('SIGKILL')
          throw error
        }
        await sleep(20)
      }
    }
  }

  stop(): Promise<void> {
    return new Promise(resolve => {
      this.#process.once('exit', () => resolve())
      this.#process.kill('SIGKILL')
    })
  }
}
