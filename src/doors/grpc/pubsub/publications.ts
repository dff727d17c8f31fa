// Messages of channels as Subscribe's frames have them, made once for all subscribers of the node.
//
// The bytes are those of a SubscribeResponse with one event: frames of several messages are
// made by putting them behind each other, as Protocol Buffers allow. They are never written
// to again, so that all streams send from, and queue, the same ones.

import { varintBytes, writeVarint } from '../../../base/bytes.ts'
import type { Publication } from '../../../broker/pubsub/publication.ts'

// Tags (number << 3 | wire type) of SubscribeResponse, SubscribeEvent and PublishedMessage.
const FRAME_EVENTS = 0x0a
const EVENT_MESSAGE = 0x0a
const CHANNEL = 0x0a
const PAYLOAD = 0x12
const PATTERN = 0x1a
const SHARDED = 0x20
const ORIGIN = 0x2a
const SEQUENCE = 0x30

/** A tag and a length before `bytes` bytes, and these. */
function fieldBytes(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes
}

function writeHead(target: Buffer, at: number, tag: number, bytes: number): number {
  target[at] = tag
  return writeVarint(target, at + 1, bytes)
}

/** The message as it is sent. `origin` is the name of the node that it was published on. */
export function encodePublication(publication: Publication, origin: string): Buffer {
  const { kind, pattern, source, channelFrom, channelTo, payloadFrom, payloadTo, sequence } =
    publication
  const channel = channelTo - channelFrom
  const payload = payloadTo - payloadFrom
  const originBytes = Buffer.byteLength(origin)
  const isSharded = kind === 'smessage'
  const inner =
    fieldBytes(channel) +
    fieldBytes(payload) +
    (kind === 'pmessage' ? fieldBytes(pattern.length) : 0) +
    (isSharded ? 2 : 0) +
    fieldBytes(originBytes) +
    1 +
    varintBytes(sequence)
  const event = fieldBytes(inner)
  const bytes = Buffer.allocUnsafe(fieldBytes(event))
  let at = writeHead(bytes, 0, FRAME_EVENTS, event)
  at = writeHead(bytes, at, EVENT_MESSAGE, inner)
  at = writeHead(bytes, at, CHANNEL, channel)
  at += source.copy(bytes, at, channelFrom, channelTo)
  at = writeHead(bytes, at, PAYLOAD, payload)
  at += source.copy(bytes, at, payloadFrom, payloadTo)
  if (kind === 'pmessage') {
    at = writeHead(bytes, at, PATTERN, pattern.length)
    at += pattern.copy(bytes, at)
  }
  if (isSharded) {
    bytes[at] = SHARDED
    bytes[at + 1] = 1
    at += 2
  }
  at = writeHead(bytes, at, ORIGIN, originBytes)
  at += bytes.write(origin, at, originBytes, 'utf8')
  bytes[at] = SEQUENCE
  writeVarint(bytes, at + 1, sequence)
  return bytes
}
