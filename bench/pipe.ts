// A connection that asks many things in one write and waits for all their answers: the least a driver can cost.

import { connect, type Socket } from 'node:net'
import { skipReply } from '../src/bench-resp.ts'

const MINUS = 0x2d
const NOTHING = Buffer.alloc(0)

export class Pipe {
  readonly #socket: Socket
  #input: Buffer = NOTHING
  #position = 0
  #wanted = 0
  #resolve: ((answers: Buffer) => void) | null = null
  #reject: ((reason: Error) => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', bytes => this.#take(bytes as Buffer))
    socket.on('error', error => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
  }

  static open(port: number): Promise<Pipe> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Pipe(socket)))
    })
  }

  /**
   * Sends `count` commands that stand in `bytes`; one exchange at a time.
   *
   * @returns their answers, one after the other; rejects with the first that is an error
   */
  exchange(bytes: Buffer, count: number): Promise<Buffer> {
    this.#input = NOTHING
    this.#position = 0
    this.#wanted = count
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#socket.write(bytes)
    })
  }

  ask(...words: readonly (string | number)[]): Promise<Buffer> {
    return this.exchange(command(...words), 1)
  }

  close(): void {
    this.#resolve = null
    this.#reject = null
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes])
    while (this.#wanted > 0 && this.#position < this.#input.length) {
      const end = skipReply(this.#input, this.#position)
      if (end < 0) return
      if (this.#input[this.#position] === MINUS) {
        this.#fail(new Error(this.#input.latin1Slice(this.#position + 1, end - 2)))
        return
      }
      this.#position = end
      this.#wanted -= 1
    }
    if (this.#wanted === 0) this.#resolve?.(this.#input)
  }

  #fail(reason: Error): void {
    this.#reject?.(reason)
  }
}

export function command(...words: readonly (string | number)[]): Buffer {
  const bulks = words.map(String).map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return Buffer.from(`*${words.length}\r\n${bulks.join('')}`)
}

/** `make(i)` for each of the numbers, a few hundred in one write. */
export async function fillBy(
  pipe: Pipe,
  from: number,
  to: number,
  make: (i: number) => Buffer,
): Promise<void> {
  for (let i = from; i < to; i += FILL_BATCH) {
    const count = Math.min(FILL_BATCH, to - i)
    const commands = Array.from({ length: count }, (_, k) => make(i + k))
    await pipe.exchange(Buffer.concat(commands), count)
  }
}

const FILL_BATCH = 500
