// A RESP publisher of numbered messages (fixed-ear.ts), as fast as its replies come and its listeners allow.

import { connect, type Socket } from 'node:net'
import { encode } from './connection.ts'
import { payloadOf } from './fixed-ear.ts'

const LF = 0x0a
const MINUS = 0x2d
/** Bytes of one pipeline, about. */
const PIPELINE_BYTES = 64 * 1024
const LOOK_MS = 2

export class FixedPublisher {
  sent = 0
  answered = 0
  fault = ''
  readonly #socket: Socket
  readonly #by: number
  readonly #channel: string
  readonly #length: number

  constructor(port: number, by: number, channel: string, length: number) {
    this.#by = by
    this.#channel = channel
    this.#length = length
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('error', error => {
      this.fault ||= error.message
    })
    this.#socket.on('data', bytes => {
      if (bytes.includes(MINUS)) this.fault ||= bytes.toString()
      for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) this.answered += 1
    })
  }

  /**
   * Publishes `count` messages, and waits for the replies.
   *
   * @param heard  how many of them the slowest listener has
   * @param ahead  how many more may have been published
   */
  async publish(count: number, heard: () => number, ahead: number): Promise<void> {
    const pipeline = Math.max(1, Math.floor(PIPELINE_BYTES / (this.#length + 50)))
    while (this.answered < count && this.fault === '') {
      const most = Math.min(count, heard() + ahead, this.answered + 4 * pipeline)
      const batch: Buffer[] = []
      for (; this.sent < most && batch.length < pipeline; this.sent += 1)
        batch.push(encode(['PUBLISH', this.#channel, payloadOf(this.#by, this.sent, this.#length)]))
      if (batch.length === 0) await new Promise(resolve => setTimeout(resolve, LOOK_MS))
      else {
        this.#socket.write(Buffer.concat(batch))
        await new Promise(resolve => setImmediate(resolve))
      }
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
