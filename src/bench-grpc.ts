// gRPC as `slotcast bench` speaks it: one CommandService.Session a connection, frames made and read by hand.
//
// The load generator shares the machine with what it measures, so an answer that
// is as expected costs it a few bytes looked at, not an object.

import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import type { BenchWire, WireCommand, WireListener, WireProtocol } from './bench-wire.ts'
import { CallResult, CommandServiceService } from './gen/slotcast/v1/command_service.ts'

const FIELD_CALLS = 0x0a
const FIELD_TAG = 0x08
const FIELD_ARGV = 0x12
const FIELD_REPLY = 0x12
const FIELD_BULK = 0x22
const VARINT_BYTES_MAX = 10
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024

const identity = (bytes: Buffer): Buffer => bytes

export const sessionProtocol: WireProtocol = {
  encode(words) {
    const length = words.reduce((sum, word) => sum + VARINT_BYTES_MAX + word.length, 0)
    const bytes = Buffer.allocUnsafeSlow(length)
    let position = 0
    for (const word of words) {
      bytes[position] = FIELD_ARGV
      position = writeVarint(bytes, position + 1, word.length)
      position += word.copy(bytes, position)
    }
    return bytes.subarray(0, position)
  },
  connect: (address, listener) => new SessionWire(address, listener),
}

class SessionWire implements BenchWire {
  readonly #client: Client
  readonly #stream: ClientDuplexStream<Buffer, Buffer>
  readonly #listener: WireListener
  #isOpen = true

  constructor(address: string, listener: WireListener) {
    this.#listener = listener
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      // Each client of the load is a connection of its own.
      'grpc.use_local_subchannel_pool': 1,
    })
    const { path } = CommandServiceService.session
    this.#stream = this.#client.makeBidiStreamRequest(path, identity, identity)
    this.#stream.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#stream.on('error', error => this.#break(error.message))
    this.#stream.on('end', () => this.#break('the session was ended'))
  }

  send(commands: readonly WireCommand[], tags: readonly number[]): void {
    let length = 0
    for (const command of commands) length += command.length + 3 * VARINT_BYTES_MAX
    const frame = Buffer.allocUnsafe(length)
    let position = 0
    for (const [i, command] of commands.entries()) {
      const tag = tags[i] ?? 0
      frame[position] = FIELD_CALLS
      position = writeVarint(frame, position + 1, 1 + varintBytes(tag) + command.length)
      frame[position] = FIELD_TAG
      position = writeVarint(frame, position + 1, tag)
      position += command.copy(frame, position)
    }
    this.#stream.write(frame.subarray(0, position))
  }

  close(): void {
    this.#isOpen = false
    this.#stream.on('error', () => {})
    this.#stream.cancel()
    this.#client.close()
  }

  #break(reason: string): void {
    if (!this.#isOpen) return
    this.close()
    this.#listener.broken(reason)
  }

  #take(bytes: Buffer): void {
    let position = 0
    while (position < bytes.length && bytes[position] === FIELD_CALLS) {
      const length = readVarint(bytes, position + 1)
      position = varintEnd + length
      this.#tell(bytes, varintEnd, position)
    }
    this.#listener.batch()
  }

  #tell(bytes: Buffer, from: number, to: number): void {
    if (bytes[from] === FIELD_TAG) {
      const tag = readVarint(bytes, from + 1)
      if (bytes[varintEnd] === FIELD_REPLY) {
        readVarint(bytes, varintEnd + 1)
        if (bytes[varintEnd] === FIELD_BULK) {
          this.#listener.done(tag, bytes, varintEnd, to)
          return
        }
      }
    }
    this.#tellRare(CallResult.decode(bytes.subarray(from, to)), bytes, from, to)
  }

  #tellRare({ tag, outcome }: CallResult, bytes: Buffer, from: number, to: number): void {
    const number = Number(tag)
    switch (outcome?.$case) {
      case 'reply':
        if (outcome.value.kind?.$case === 'error') {
          this.#listener.failed(number, outcome.value.kind.value.text)
        } else this.#listener.done(number, bytes, from, to)
        break
      case 'redirect': {
        const address = outcome.value.text.split(' ')[2]
        if (address === undefined) this.#listener.failed(number, outcome.value.text)
        else this.#listener.moved(number, address)
        break
      }
      case 'error':
        this.#listener.failed(number, outcome.value.text)
        break
      case undefined:
        this.#listener.failed(number, 'an answer without an outcome')
    }
  }
}

function varintBytes(value: number): number {
  let count = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count += 1
  return count
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  let position = at
  let rest = value
  while (rest >= 0x80) {
    bytes[position] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
    position += 1
  }
  bytes[position] = rest
  return position + 1
}

/** Where the varint that was read last ends. */
let varintEnd = 0

function readVarint(bytes: Buffer, at: number): number {
  let value = 0
  let scale = 1
  let position = at
  let byte = 0
  do {
    byte = bytes[position] ?? 0
    value += (byte & 0x7f) * scale
    scale *= 0x80
    position += 1
  } while (byte >= 0x80)
  varintEnd = position
  return value
}
