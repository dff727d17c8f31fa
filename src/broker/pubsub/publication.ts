// One message on its way to those who listen here.
//
// There is one object, filled again for each message: a publication costs no garbage.
// Channel and payload are views into the bytes that the message came in. What a door
// makes of them for its clients it makes once, and keeps here for the others.

import type { NodeId } from '../../base/types.ts'

export type PublicationKind = 'message' | 'pmessage' | 'smessage'

const EMPTY = Buffer.alloc(0)

export class Publication {
  kind: PublicationKind = 'message'
  /** The pattern that matched, of a pmessage. */
  pattern: Buffer = EMPTY
  source: Buffer = EMPTY
  channelFrom = 0
  channelTo = 0
  payloadFrom = 0
  payloadTo = 0
  /** The node that the message was published on. */
  origin: NodeId = 0
  /**
   * Counts the messages on this channel that were published on `origin`. One more than
   * the last: nothing was missed. More: that many were. Not more: counting began anew,
   * so messages may have been missed.
   */
  sequence = 0
  /** What the RESP door made of it; 0 bytes: nothing yet. */
  resp: Buffer = EMPTY
  respBytes = 0
  /** What the gRPC door made of it, bytes of its own; empty: nothing yet. */
  grpc: Buffer = EMPTY

  /** The same message to those who listen in another way. */
  as(kind: PublicationKind, pattern: Buffer = EMPTY): this {
    this.kind = kind
    this.pattern = pattern
    this.respBytes = 0
    this.grpc = EMPTY
    return this
  }

  fill(
    source: Buffer,
    channelFrom: number,
    channelTo: number,
    payloadFrom: number,
    payloadTo: number,
  ): void {
    this.source = source
    this.channelFrom = channelFrom
    this.channelTo = channelTo
    this.payloadFrom = payloadFrom
    this.payloadTo = payloadTo
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.source = EMPTY
    this.resp = EMPTY
    this.respBytes = 0
    this.grpc = EMPTY
  }
}
