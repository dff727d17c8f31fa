// A client that listens on one connection and writes down what it is sent.

import { connect, type Socket } from 'node:net'
import { type Wire, WireReader } from '../conformance/wire.ts'
import { encode } from './connection.ts'

/** What was sent: its words, whatever their types. */
export type Told = readonly string[]

export class Listening {
  readonly told: Told[] = []
  readonly #socket: Socket
  readonly #reader = new WireReader()
  readonly #watchers: { readonly holds: (told: Told) => boolean; readonly done: () => void }[] = []
  closed = false
  readonly ended: Promise<void>

  /** @throws when nobody listens there */
  static open(port: number): Promise<Listening> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Listening(socket))
      })
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', bytes => this.#take(bytes))
    socket.on('error', () => {})
    this.ended = new Promise(resolve => {
      socket.on('close', () => {
        this.closed = true
        resolve()
      })
    })
  }

  say(...words: readonly string[]): void {
    this.#socket.write(encode(words))
  }

  /** Until something is told for which `holds` is true; it may have been already. */
  heard(holds: (told: Told) => boolean): Promise<void> {
    if (this.told.some(holds)) return Promise.resolve()
    return new Promise(resolve => this.#watchers.push({ holds, done: resolve }))
  }

  /** Subscribes, and waits for the last confirmation. */
  async subscribe(word: string, ...names: readonly string[]): Promise<void> {
    const last = names.at(-1)
    const confirmed = this.heard(told => told[0] === word.toLowerCase() && told[1] === last)
    this.say(word, ...names)
    await confirmed
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause()
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#reader.push(bytes)
    for (let wire = this.#reader.next(); wire !== null; wire = this.#reader.next()) {
      const told = wordsOf(wire)
      this.told.push(told)
      for (const watcher of [...this.#watchers]) {
        if (!watcher.holds(told)) continue
        this.#watchers.splice(this.#watchers.indexOf(watcher), 1)
        watcher.done()
      }
    }
  }
}

function wordsOf(wire: Wire): Told {
  if ('items' in wire) return wire.items.flatMap(wordsOf)
  return ['text' in wire ? wire.text : '']
}
