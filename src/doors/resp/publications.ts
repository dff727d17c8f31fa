// Messages of channels in RESP, made once for all subscribers of the node.
//
// RESP2 and RESP3 differ in the first byte alone (an array, a push), which each
// connection writes for itself. Short messages are made in a buffer that is used again
// and copied to each connection; long ones get bytes of their own, which all of them
// send from.

import type { Publication } from '../../broker/pubsub/publication.ts'
import { SHARED_BYTES_MIN } from './encoder.ts'

const DOLLAR = 0x24
const ZERO = 0x30
const CR = 0x0d
const LF = 0x0a
const HEADS = {
  message: Buffer.from('*3\r\n$7\r\nmessage\r\n', 'latin1'),
  pmessage: Buffer.from('*4\r\n$8\r\npmessage\r\n', 'latin1'),
  smessage: Buffer.from('*3\r\n$8\r\nsmessage\r\n', 'latin1'),
} as const
/** Head, and three times a length and two line ends. */
const FRAME_BYTES_MAX = 96
/** A loop beats a call that copies. */
const COPY_LOOP_BYTES = 32

const scratch = Buffer.allocUnsafeSlow(SHARED_BYTES_MIN + FRAME_BYTES_MAX)

function copy(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  if (to - from > COPY_LOOP_BYTES) return at + source.copy(target, at, from, to)
  let position = at
  for (let i = from; i < to; i += 1) target[position++] = source[i] as number
  return position
}

function writeLength(target: Buffer, at: number, length: number): number {
  let position = at
  target[position++] = DOLLAR
  if (length < 10) {
    target[position++] = ZERO + length
  } else {
    let digits = 1
    for (let bound = 10; length >= bound; bound *= 10) digits += 1
    let rest = length
    for (let i = position + digits - 1; i >= position; i -= 1) {
      const tenth = (rest / 10) | 0
      target[i] = ZERO + rest - tenth * 10
      rest = tenth
    }
    position += digits
  }
  target[position++] = CR
  target[position++] = LF
  return position
}

function writeBulk(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  let position = writeLength(target, at, to - from)
  position = copy(source, from, to, target, position)
  target[position++] = CR
  target[position++] = LF
  return position
}

/** Makes sure that `publication.resp` holds the message, as RESP2 has it, in its first `respBytes`. */
export function encodePublication(publication: Publication): void {
  if (publication.respBytes > 0) return
  const { kind, pattern, source, channelFrom, channelTo, payloadFrom, payloadTo } = publication
  const bytes = channelTo - channelFrom + payloadTo - payloadFrom + pattern.length
  const target =
    bytes < SHARED_BYTES_MIN ? scratch : Buffer.allocUnsafeSlow(bytes + FRAME_BYTES_MAX)
  const head = HEADS[kind]
  let at = copy(head, 0, head.length, target, 0)
  if (kind === 'pmessage') at = writeBulk(pattern, 0, pattern.length, target, at)
  at = writeBulk(source, channelFrom, channelTo, target, at)
  at = writeBulk(source, payloadFrom, payloadTo, target, at)
  publication.resp = target
  publication.respBytes = at
}
