// A plain RESP connection to one node, as a test wants it: one promise a command, and
// no repetition behind the caller's back. What was sent on a connection that broke
// may have been done, so a break is an exception of its own and never a reply.

import { connect, type Socket } from 'node:net'
import { type Wire, WireReader } from '../conformance/wire.ts'

/** An error reply. */
export class Refused {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** MOVED, ERR, ... */
  get word(): string {
    return this.text.split(' ', 1)[0] ?? ''
  }
}

/** A reply as plain values; maps are flat lists. */
export type Plain = string | number | null | Refused | readonly Plain[]

/** The connection ended, or nothing came in time: whether the command was done is unknown. */
export class Dropped extends Error {
  override readonly name = 'Dropped'
}

type Awaited = {
  readonly resolve: (reply: Plain) => void
  readonly reject: (why: Dropped) => void
  readonly timer: NodeJS.Timeout
}

export class Connection {
  readonly #socket: Socket
  readonly #reader = new WireReader()
  readonly #awaited: Awaited[] = []
  #isOpen = true

  /** @throws when nobody listens there: then nothing was sent */
  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', bytes => this.#take(bytes))
    socket.on('error', () => {})
    socket.on('close', () => this.#end('the connection broke'))
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @throws Dropped */
  ask(words: readonly (string | number)[], timeoutMs = 10_000): Promise<Plain> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        reject(new Dropped('the connection is closed'))
        return
      }
      const timer = setTimeout(() => this.#end(`no reply to ${words[0]} in time`), timeoutMs)
      this.#awaited.push({ resolve, reject, timer })
      this.#socket.write(encode(words))
    })
  }

  /** Sends bytes that are no command of ours. */
  send(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  close(): void {
    this.#end('closed by the test')
  }

  #take(bytes: Buffer): void {
    this.#reader.push(bytes)
    for (let wire = this.#reader.next(); wire !== null; wire = this.#reader.next()) {
      const awaited = this.#awaited.shift()
      if (awaited === undefined) return
      clearTimeout(awaited.timer)
      awaited.resolve(plainOf(wire))
    }
  }

  #end(why: string): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#socket.destroy()
    for (const { reject, timer } of this.#awaited.splice(0)) {
      clearTimeout(timer)
      reject(new Dropped(why))
    }
  }
}

/** A command as a RESP array of bulks; words are latin1. */
export function encode(words: readonly (string | number)[]): Buffer {
  const bulks = words.map(word => `$${String(word).length}\r\n${word}\r\n`)
  return Buffer.from(`*${words.length}\r\n${bulks.join('')}`, 'latin1')
}

function plainOf(wire: Wire): Plain {
  switch (wire.type) {
    case 'error':
      return new Refused(wire.text)
    case 'integer':
      return Number(wire.text)
    case 'simple':
    case 'bulk':
    case 'verbatim':
      return wire.text
    case 'null-bulk':
    case 'null-array':
    case 'nil':
      return null
    default:
      return wire.items.map(plainOf)
  }
}

export function listOf(plain: Plain | undefined): readonly Plain[] {
  return Array.isArray(plain) ? plain : []
}

export function textOf(plain: Plain | undefined): string {
  if (typeof plain === 'string' || typeof plain === 'number') return String(plain)
  throw new Error(`not a text: ${JSON.stringify(plain)}`)
}

/** A field of a map in its flat form. */
export function fieldOf(map: Plain | undefined, name: string): Plain {
  const items = listOf(map)
  const at = items.indexOf(name)
  return at < 0 ? null : (items[at + 1] ?? null)
}

/** Entries as XRANGE has them: id and fields, of which the second is the value. */
export function entriesOf(plain: Plain | undefined): { id: string; value: string }[] {
  return listOf(plain).map(item => {
    const [id, fields] = listOf(item)
    return { id: textOf(id), value: textOf(listOf(fields)[1]) }
  })
}

/** The entries of the only stream of an XREAD or XREADGROUP. */
export function readEntriesOf(plain: Plain): { id: string; value: string }[] {
  const [stream] = listOf(plain)
  return entriesOf(listOf(stream)[1])
}

/** XPENDING's long answer: id, consumer, idle, deliveries. */
export function pendingOf(plain: Plain): { id: string; consumer: string; deliveries: number }[] {
  return listOf(plain).map(item => {
    const [id, consumer, , deliveries] = listOf(item)
    return { id: textOf(id), consumer: textOf(consumer), deliveries: Number(deliveries) }
  })
}
