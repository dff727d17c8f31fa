// The frames of the two streams as grpc-js sees them: bytes in, bytes out.
//
// Envelopes go through codec.ts; the rare frames of a link's beginning and end
// through the generated code. Serializing is left to the moment grpc-js asks for
// it, so that an envelope that waits in a buffer is not yet copied.

import {
  type Goodbye,
  type Hello,
  PeerServiceService,
  ReceiveResponse,
} from '../../gen/slotcast/peer/v1/peer.ts'
import type { Envelope } from '../../replica/ports.ts'
import { decodeEnvelopeFrame, encodeEnvelopeFrame, isEnvelopeFrame } from './codec.ts'
import { WireError } from './wire.ts'

export type Frame =
  | { readonly kind: 'welcome'; readonly hello: Hello }
  | { readonly kind: 'envelope'; readonly envelope: Envelope }
  | { readonly kind: 'goodbye' }

/** A frame's bytes, valid until the next call. */
export function encodeFrame(frame: Frame): Buffer {
  if (frame.kind === 'envelope') return encodeEnvelopeFrame(frame.envelope)
  const message: ReceiveResponse =
    frame.kind === 'welcome'
      ? { frame: { $case: 'welcome', value: frame.hello } }
      : { frame: { $case: 'goodbye', value: {} satisfies Goodbye } }
  return Buffer.from(ReceiveResponse.encode(message).finish())
}

/** @throws WireError when `bytes` are no frame */
export function decodeFrame(bytes: Buffer): Frame {
  if (isEnvelopeFrame(bytes)) return { kind: 'envelope', envelope: decodeEnvelopeFrame(bytes) }
  let message: ReceiveResponse
  try {
    message = ReceiveResponse.decode(bytes)
  } catch (error) {
    throw new WireError((error as Error).message)
  }
  if (message.frame?.$case === 'welcome') return { kind: 'welcome', hello: message.frame.value }
  if (message.frame?.$case === 'goodbye') return { kind: 'goodbye' }
  throw new WireError('a frame that this build does not know')
}

/** Largest frame that is received: a soft-bounded frame of many messages, and one entry of any size. */
export const FRAME_BYTES_MAX = 48 * 1024 * 1024
/** A sender begins another frame here. */
export const FRAME_BYTES_SOFT_MAX = 8 * 1024 * 1024

const raw = {
  responseSerialize: encodeFrame,
  responseDeserialize: (bytes: Buffer): Buffer => bytes,
}

/** The service of peer.proto with frames instead of generated messages. */
export const peerService = {
  receive: { ...PeerServiceService.receive, ...raw },
  receiveBulk: { ...PeerServiceService.receiveBulk, ...raw },
} as const
