// What a replica needs from others: a state machine, a network, and those who ask.
//
// `R` is the state machine's reply. A replica never looks into one.

import type { Argv } from '../base/argv.ts'
import type { Index, Ms, NodeId, ShardId, Term } from '../base/types.ts'
import type { Wait } from '../base/wait.ts'
import type { ConfState, Message } from '../raft/message.ts'

/** Reads a state that was cut when the reader was made, however it changes meanwhile. */
export interface SnapshotReader {
  /** The next `bytesMax` bytes or so, or null at the end: a slice of work. Valid until the next call. */
  next(bytesMax: number): Uint8Array | null
  /** Lets go of what the cut keeps alive. */
  close(): void
}

/** Builds a state from the chunks of a snapshot, and replaces the machine's own in one step. */
export interface SnapshotWriter {
  write(chunk: Uint8Array): void
  finish(): void
}

/**
 * The replicated state of one shard. Deterministic: the same payloads in the
 * same order make the same state on every node.
 */
export interface StateMachine<R> {
  /**
   * Applies the commands of one entry in order.
   *
   * @param payload   the entry's data (base/payload.ts); the machine copies what it keeps
   * @param outcomes  gets one outcome a command, or null where nobody asked
   */
  apply(payload: Buffer, index: Index, outcomes: (R | Wait)[] | null): void
  /**
   * A command that a leader should propose of its own accord by `now`, or null. Asked
   * again once it is applied. Valid until the next call.
   */
  chore(now: Ms): Argv | null
  /** Keys (latin1) that changed since the last call in a way that may end a wait. */
  takeReadyKeys(): readonly string[]
  /** How many commands had run when `key`, of those taken last, changed. Compares with `Wait.seen`. */
  changedAt(key: string): number
  /** The most commands that `key` can serve that wait for a list. */
  servable(key: string): number
  /** What a command lengthens if it is not refused, how many it may serve by that, and what those need: a list, if it does not say. */
  feeds(
    argv: Argv,
  ): readonly { readonly key: string; readonly count: number; readonly needs?: 'change' }[]
  /** A running hash over everything applied: equal index, equal digest, on every node. */
  digest(): number
  snapshot(): SnapshotReader
  restore(): SnapshotWriter
}

/** Why a ticket is not answered by a reply. The desk words it for the client. */
export type Lost =
  /** Surely not done: never entered a log, or was overwritten there. */
  | 'moved'
  /** Done or not done: leadership went before the entry's fate was known. */
  | 'in-doubt'
  /** A wait that ended because leadership went. */
  | 'unblocked'
  /** A wait that ended by its timeout. */
  | 'timeout'

/** Who is owed an answer. Exactly one of the two is called, once for each ticket, within a turn. */
export interface Asker<R> {
  /** Gone: what it waits for is dropped, what is answered goes nowhere. */
  readonly closed: boolean
  answer(ticket: number, reply: R): void
  lose(ticket: number, why: Lost): void
  /** It waits: there is nothing for it yet. */
  blocks?(ticket: number): void
}

/** A read, bound to its machine and its words. Run again after a wait. */
export interface Query<R> {
  run(now: Ms): R | Wait
}

/** Why a replica takes no work now. */
export type Refusal = 'not-leader' | 'overloaded' | 'disk-full'

/** A part of a snapshot on its way, or the receiver's word on it. */
export type SnapshotChunk = {
  readonly shard: ShardId
  readonly index: Index
  readonly term: Term
  readonly conf: ConfState
  readonly offset: number
  readonly bytes: Uint8Array
  /** Of `bytes`. */
  readonly checksum: number
  readonly last: boolean
}

export type SnapshotAck = {
  readonly shard: ShardId
  readonly index: Index
  readonly term: Term
  /** What the receiver has; the sender goes on from there. */
  readonly offset: number
  readonly failed: boolean
}

/** What a leader tells of itself. */
export type Lead = {
  readonly shard: ShardId
  readonly term: Term
  /** An entry that it applied, and the digest of its state behind it. */
  readonly applied: Index
  readonly digest: number
}

/** Context of a snapshot message that was asked for by a damaged replica (repairs.ts). */
export const REPAIR_CONTEXT = Buffer.from('repair', 'latin1')

/** All messages to one peer in one turn. */
export type Envelope = {
  readonly messages: readonly { readonly shard: ShardId; readonly message: Message }[]
  readonly chunks: readonly SnapshotChunk[]
  readonly acks: readonly SnapshotAck[]
  /** Shards that the sender leads: told on change, and a few times a second. */
  readonly leads: readonly Lead[]
  /** Who the sender is, in the caretaker's encoding: sent when the link came up. Empty otherwise. */
  readonly facts: Uint8Array
  /** What the desk there is told of pub/sub, in the desk's encoding. Empty: nothing. */
  readonly pubsub: Uint8Array
}

/** The way to other nodes. Envelopes to one peer arrive in order, or not at all. */
export interface Network {
  /** False: the link is down or its buffer full, and the envelope is lost. Raft repeats. */
  send(to: NodeId, envelope: Envelope): boolean
  /**
   * Bytes that the link to a peer has left for what may be lost. Infinity, as when it is
   * absent: nothing waits, and nobody reads what was sent before this turn.
   */
  room?(to: NodeId): number
}

/** What the network tells the turn; calls leave work and return. */
export interface NetworkListener {
  receive(from: NodeId, envelope: Envelope): void
  /** The link to a peer works. */
  up(peer: NodeId): void
  /** The peer's process is gone: its connection closed and a new one was refused. */
  down(peer: NodeId): void
  /** The link broke or is stuck; the peer may live. */
  unreachable(peer: NodeId): void
}
