// What the gRPC door needs from the front desk (src/broker).
//
// The broker satisfies it by shape, and a fake does in tests and benchmarks.

import type { Argv } from '../../base/argv.ts'
import type { Epoch, NodeId, ShardId, Slot } from '../../base/types.ts'
import type { OutputLimits } from '../../broker/output-limits.ts'
import type { Moved } from '../../broker/pubsub/listener.ts'
import type { Publication } from '../../broker/pubsub/publication.ts'
import type { Reply } from '../../machine/reply.ts'

/** A door's end of a session. */
export interface DeskClient {
  /** Once for each execute, in any order. Must not call the desk back. */
  answer(ticket: number, reply: Reply): void
  /** The session takes commands again after `execute` returned false; it may execute at once. */
  resume(): void
  /** The desk ends the session (QUIT, CLIENT KILL): write what was answered, then disconnect. */
  close(reason: string): void
  /** A message that the session listens for, good until the call returns; it may disconnect. Absent: it cannot listen. */
  deliver?(publication: Publication): void
  /** A subscription to a sharded channel is gone; it may disconnect. */
  moved?(notice: Moved): void
  /** Bytes that wait: half received, and not written yet. */
  buffers?(): { readonly input: number; readonly output: number }
}

export type DeskSessionOptions = {
  readonly door: 'grpc'
  readonly ordered: false
  /** host:port of the client. */
  readonly address: string
  readonly localAddress: string
}

export type Producer = { readonly id: string; readonly epoch: number; readonly sequence: number }

type Address = { readonly host: string; readonly port: number }

/** The slot map, as far as clients of gRPC are told of it. */
export type MapView = {
  readonly epoch: Epoch
  readonly clusterId: string
  readonly nodes: ReadonlyMap<
    NodeId,
    {
      readonly id: NodeId
      readonly name: string
      readonly hostLabel: string
      readonly resp: Address
      readonly grpc: Address
    }
  >
  readonly shards: ReadonlyMap<
    ShardId,
    {
      readonly id: ShardId
      readonly voters: readonly NodeId[]
      readonly ranges: readonly { readonly first: Slot; readonly last: Slot }[]
    }
  >
}

/** `S` is the desk's own view of a session; the door never looks into one. */
export interface Desk<S = unknown> {
  readonly settings: { readonly outputLimits: OutputLimits }
  connect(client: DeskClient, options: DeskSessionOptions): S
  /** Copies of argv what it keeps. False: no more commands until `resume`. */
  execute(session: S, argv: Argv, ticket: number, producer: Producer | null): boolean
  /** Its unanswered commands end without an answer. */
  disconnect(session: S): void
  /** Calls `listener` at the end of each turn. */
  onFlush(listener: () => void): void
  map(): MapView
  /** Null: the node serves; otherwise why not. */
  health(): string | null
  /** 0: unknown. */
  leaderOf(shard: ShardId): NodeId
  /** Calls `listener` when the map or a leader changed; returns the way to end it. */
  watchTopology(listener: () => void): () => void
}
