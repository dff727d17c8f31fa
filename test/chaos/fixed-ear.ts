// A RESP subscriber for hundreds of millions of messages: all of one length, each with its publisher and number.
//
// It keeps nothing but the next number of each publisher, and checks that every message is that one.

import { connect, type Socket } from 'node:net'
import { encode } from './connection.ts'

const DIGITS = 8
const PUBLISHERS_MAX = 10
const ZERO = 0x30
const LF = 0x0a

/** What publisher `by` (0 to 9) sends as its message `number`, filled up to `length` bytes. */
export function payloadOf(by: number, number: number, length: number): string {
  return `${by}${String(number).padStart(DIGITS, '0')}`.padEnd(length, 'x')
}

/** Publisher and number of a payload that stands at `at`. */
export function numberAt(bytes: Buffer, at: number): number {
  let number = 0
  for (let i = at + 1; i <= at + DIGITS; i += 1) number = number * 10 + (bytes[i] as number) - ZERO
  return number
}

export class FixedEar {
  /** By publisher: how many of its messages came, all in order and none left out. */
  readonly counts: number[] = Array(PUBLISHERS_MAX).fill(0)
  total = 0
  fault = ''
  closed = false
  readonly #socket: Socket
  readonly #payloadAt: number
  readonly #length: number
  #carry: Buffer = Buffer.alloc(0)
  /** Lines of the confirmation that have yet to come. */
  #linesLeft = 6
  #subscribed: () => void = () => {}

  private constructor(socket: Socket, head: string, payloadLength: number) {
    this.#socket = socket
    this.#payloadAt = head.length
    this.#length = head.length + payloadLength + 2
    socket.on('data', bytes => this.#take(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Subscribes to `channel`, by `pattern` unless that is null. */
  static open(
    port: number,
    channel: string,
    pattern: string | null,
    payloadLength: number,
  ): Promise<FixedEar> {
    const words = pattern === null ? ['message'] : ['pmessage', pattern]
    words.push(channel)
    const bulks = words.map(word => `$${word.length}\r\n${word}\r\n`).join('')
    const head = `*${words.length + 1}\r\n${bulks}$${payloadLength}\r\n`
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        const ear = new FixedEar(socket, head, payloadLength)
        ear.#subscribed = () => resolve(ear)
        socket.write(encode(pattern === null ? ['SUBSCRIBE', channel] : ['PSUBSCRIBE', pattern]))
      })
    })
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause()
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    let at = 0
    while (this.#linesLeft > 0 && at < chunk.length) {
      at = chunk.indexOf(LF, at) + 1
      if (at === 0) return
      this.#linesLeft -= 1
      if (this.#linesLeft === 0) this.#subscribed()
    }
    const length = this.#length
    if (this.#carry.length > 0) {
      const missing = length - this.#carry.length
      if (chunk.length - at < missing) {
        this.#carry = Buffer.concat([this.#carry, chunk.subarray(at)])
        return
      }
      this.#message(Buffer.concat([this.#carry, chunk.subarray(at, at + missing)]), 0)
      at += missing
    }
    for (; at + length <= chunk.length; at += length) this.#message(chunk, at)
    this.#carry = chunk.subarray(at)
  }

  #message(bytes: Buffer, at: number): void {
    const payload = at + this.#payloadAt
    const by = (bytes[payload] as number) - ZERO
    const number = numberAt(bytes, payload)
    const expected = this.counts[by]
    if (number !== expected || bytes[at + this.#length - 1] !== LF)
      this.fault ||= `publisher ${by}: ${number} came in place of ${expected}`
    this.counts[by] = number + 1
    this.total += 1
  }
}
