// The sending end of a link: a stream that a peer opened here, with a bound on what waits in it.

import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Hello } from '../../gen/slotcast/peer/v1/peer.ts'
import type { Envelope } from '../../replica/ports.ts'
import { envelopeBytesMax, messageBytesMax } from './codec.ts'
import { FRAME_BYTES_SOFT_MAX, type Frame } from './frames.ts'

/** For what may be lost, as a share of the bytes that Raft's messages may have. */
const LOSSY_SHARE = 0.5

export class Outlet {
  readonly #call: ServerWritableStream<unknown, Frame>
  readonly #bufferBytesMax: number
  #waitingBytes = 0
  /** Of these, what may be lost. It takes no room of Raft's. */
  #lossyBytes = 0
  #open = true

  /** Greets the peer with `hello`. `onClose` runs once, when the peer or the connection ended it. */
  constructor(
    call: ServerWritableStream<unknown, Frame>,
    hello: Hello,
    bufferBytesMax: number,
    onClose: () => void,
  ) {
    this.#call = call
    this.#bufferBytesMax = bufferBytesMax
    const closed = (): void => {
      if (!this.#open) return
      this.#open = false
      onClose()
    }
    call.on('cancelled', closed)
    call.on('close', closed)
    call.on('error', closed)
    call.write({ kind: 'welcome', hello })
  }

  /** Bytes that are left for what may be lost. */
  get room(): number {
    if (this.#waitingBytes === 0) return Number.POSITIVE_INFINITY
    // One message of any size goes, else a large one never would.
    if (this.#lossyBytes === 0) return Number.MAX_SAFE_INTEGER
    return Math.max(0, this.#bufferBytesMax * LOSSY_SHARE - this.#lossyBytes)
  }

  /** @returns the bytes that were taken, or 0 when the envelope is dropped */
  send(envelope: Envelope): number {
    const bytes = envelopeBytesMax(envelope)
    if (!this.#open) return 0
    // An empty buffer takes an envelope of any size, else a large one would never go.
    const kept = this.#waitingBytes - this.#lossyBytes
    if (kept > 0 && kept + bytes - envelope.pubsub.length > this.#bufferBytesMax) return 0
    if (bytes <= FRAME_BYTES_SOFT_MAX) this.#write(envelope, bytes)
    else this.#writeInParts(envelope)
    return bytes
  }

  /** Tells the peer that this node stops, and ends the stream. */
  goodbye(): void {
    if (!this.#open) return
    this.#open = false
    this.#call.write({ kind: 'goodbye' })
    this.#call.end()
  }

  /** Ends the stream because a newer one took its place. */
  end(): void {
    if (!this.#open) return
    this.#open = false
    this.#call.end()
  }

  #write(envelope: Envelope, bytes: number): void {
    const lossy = envelope.pubsub.length
    this.#waitingBytes += bytes
    this.#lossyBytes += lossy
    // Called when the connection took the bytes, within its flow-control window.
    this.#call.write({ kind: 'envelope', envelope }, () => {
      this.#waitingBytes -= bytes
      this.#lossyBytes -= lossy
    })
  }

  /** The same messages in the same order, in frames that the receiver's limit allows. */
  #writeInParts(envelope: Envelope): void {
    const rest: Envelope = { ...envelope, messages: [], chunks: [], pubsub: NOTHING.pubsub }
    for (const chunk of envelope.chunks) {
      this.#write({ ...NOTHING, chunks: [chunk] }, chunk.bytes.length)
    }
    let from = 0
    let bytes = 0
    for (const [i, { message }] of envelope.messages.entries()) {
      const more = messageBytesMax(message)
      if (i > from && bytes + more > FRAME_BYTES_SOFT_MAX) {
        this.#write({ ...NOTHING, messages: envelope.messages.slice(from, i) }, bytes)
        from = i
        bytes = 0
      }
      bytes += more
    }
    this.#write({ ...rest, messages: envelope.messages.slice(from) }, bytes)
    const { pubsub } = envelope
    if (pubsub.length > 0) this.#write({ ...NOTHING, pubsub }, pubsub.length)
  }
}

const NOTHING: Envelope = {
  messages: [],
  chunks: [],
  acks: [],
  leads: [],
  facts: Buffer.alloc(0),
  pubsub: Buffer.alloc(0),
}
