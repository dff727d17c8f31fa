// RESP as `slotcast bench` speaks it: pipelined commands, and answers skipped rather than read.

import { connect, type Socket } from 'node:net'
import type { BenchWire, WireCommand, WireListener, WireProtocol } from './bench-wire.ts'
import { parseAddress } from './config-values.ts'

const CR = 0x0d
const DOLLAR = 0x24
const MINUS = 0x2d
const STAR = 0x2a

export const respProtocol: WireProtocol = {
  encode(words) {
    const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)]
    for (const word of words) parts.push(Buffer.from(`$${word.length}\r\n`), word, CRLF)
    return Buffer.concat(parts)
  },
  connect: (address, listener) => new RespWire(address, listener),
}

const CRLF = Buffer.from('\r\n')
const NOTHING = Buffer.alloc(0)

class RespWire implements BenchWire {
  readonly #socket: Socket
  readonly #listener: WireListener
  /** Answers come in the order of the commands. */
  #tags: number[] = []
  #answered = 0
  #rest: Buffer = NOTHING
  #isOpen = true

  constructor(address: string, listener: WireListener) {
    this.#listener = listener
    const parsed = parseAddress(address)
    if (parsed instanceof Error) throw parsed
    this.#socket = connect({ ...parsed, noDelay: true })
    this.#socket.on('data', bytes => this.#take(bytes as Buffer))
    this.#socket.on('error', error => this.#break(error.message))
    this.#socket.on('close', () => this.#break('the connection was closed'))
  }

  send(commands: readonly WireCommand[], tags: readonly number[]): void {
    for (const tag of tags) this.#tags.push(tag)
    const [only] = commands
    this.#socket.write(commands.length === 1 && only !== undefined ? only : Buffer.concat(commands))
  }

  close(): void {
    this.#isOpen = false
    this.#socket.destroy()
  }

  #break(reason: string): void {
    if (!this.#isOpen) return
    this.close()
    this.#listener.broken(reason)
  }

  #take(bytes: Buffer): void {
    const input = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let position = 0
    while (position < input.length && this.#isOpen) {
      const end = skipReply(input, position)
      if (end < 0) break
      this.#tell(input, position, end)
      position = end
    }
    this.#rest = position === input.length ? NOTHING : input.subarray(position)
    if (this.#answered > 1024) {
      this.#tags = this.#tags.slice(this.#answered)
      this.#answered = 0
    }
    this.#listener.batch()
  }

  #tell(input: Buffer, from: number, end: number): void {
    const tag = this.#tags[this.#answered]
    if (tag === undefined) return
    this.#answered += 1
    if (input[from] !== MINUS) {
      this.#listener.done(tag, input, from, end)
      return
    }
    const text = input.latin1Slice(from + 1, end - 2)
    const moved = /^(?:MOVED|ASK) \d+ (\S+)$/.exec(text)?.[1]
    if (moved === undefined) this.#listener.failed(tag, text)
    else this.#listener.moved(tag, moved)
  }
}

/** @returns where the reply that begins at `at` ends, or -1 when it goes on in later bytes */
export function skipReply(input: Buffer, at: number): number {
  const line = input.indexOf(CR, at)
  if (line < 0 || line + 2 > input.length) return -1
  const type = input[at]
  if (type !== DOLLAR && type !== STAR) return line + 2
  const count = Number(input.latin1Slice(at + 1, line))
  let end = line + 2
  if (type === DOLLAR) {
    if (count < 0) return end
    end += count + 2
    return end > input.length ? -1 : end
  }
  for (let i = 0; i < count; i += 1) {
    end = end < input.length ? skipReply(input, end) : -1
    if (end < 0) return -1
  }
  return end
}
