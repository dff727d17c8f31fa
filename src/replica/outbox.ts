// What leaves this turn: one envelope a peer, whatever the number of shards.
//
// An append without entries tells a follower the commit index and nothing else. It
// waits a little for something to ride with: under load the next append says the
// same, and then neither it nor its answer was needed.

import type { Clock } from '../base/clock.ts'
import type { Ms, NodeId, ShardId } from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import type { Envelope, Lead, Network, SnapshotAck, SnapshotChunk } from './ports.ts'

type Draft = {
  messages: { shard: ShardId; message: Message }[]
  chunks: SnapshotChunk[]
  acks: SnapshotAck[]
  leads: readonly Lead[]
  facts: Uint8Array
  pubsub: Uint8Array
}

const NONE = new Uint8Array(0)
/** How long a commit index waits for company. Followers apply that much later when nothing else goes on. */
const LINGER_MS: Ms = 2

export class Outbox {
  readonly #drafts = new Map<NodeId, Draft>()
  /** The newest append without entries for each shard of a peer. */
  readonly #lingering = new Map<NodeId, Map<ShardId, Message>>()
  readonly #network: Network
  readonly #clock: Clock
  readonly #lost: (peer: NodeId, envelope: Envelope) => void
  #timed = false

  /** @param lost is told of an envelope that the network did not take */
  constructor(network: Network, clock: Clock, lost: (peer: NodeId, envelope: Envelope) => void) {
    this.#network = network
    this.#clock = clock
    this.#lost = lost
  }

  message(shard: ShardId, message: Message): void {
    if (message.type !== 'append') {
      this.#draft(message.to).messages.push({ shard, message })
      return
    }
    if (message.entries.length === 0) {
      this.#linger(shard, message)
      return
    }
    // It carries a commit index of its own, which is no older.
    this.#lingering.get(message.to)?.delete(shard)
    this.#draft(message.to).messages.push({ shard, message })
  }

  chunk(to: NodeId, chunk: SnapshotChunk): void {
    this.#draft(to).chunks.push(chunk)
  }

  ack(to: NodeId, ack: SnapshotAck): void {
    this.#draft(to).acks.push(ack)
  }

  leads(to: NodeId, leads: readonly Lead[]): void {
    this.#draft(to).leads = leads
  }

  facts(to: NodeId, facts: Uint8Array): void {
    this.#draft(to).facts = facts
  }

  /** At most once between two calls of `flush`. */
  pubsub(to: NodeId, bytes: Uint8Array): void {
    this.#draft(to).pubsub = bytes
  }

  /** Bytes that the link to a peer has left for pub/sub. */
  room(to: NodeId): number {
    return this.#network.room?.(to) ?? Number.POSITIVE_INFINITY
  }

  flush(): void {
    if (this.#drafts.size === 0) return
    const drafts = [...this.#drafts]
    this.#drafts.clear()
    for (const [peer, draft] of drafts) {
      this.#join(peer, draft)
      if (!this.#network.send(peer, draft)) this.#lost(peer, draft)
    }
  }

  #linger(shard: ShardId, message: Message): void {
    let ofPeer = this.#lingering.get(message.to)
    if (ofPeer === undefined) {
      ofPeer = new Map()
      this.#lingering.set(message.to, ofPeer)
    }
    ofPeer.set(shard, message)
    if (this.#timed) return
    this.#timed = true
    this.#clock.after(LINGER_MS, () => {
      this.#timed = false
      for (const [peer, messages] of this.#lingering) if (messages.size > 0) this.#draft(peer)
      this.flush()
    })
  }

  #join(peer: NodeId, draft: Draft): void {
    const lingering = this.#lingering.get(peer)
    if (lingering === undefined || lingering.size === 0) return
    for (const [shard, message] of lingering) draft.messages.push({ shard, message })
    lingering.clear()
  }

  #draft(to: NodeId): Draft {
    let draft = this.#drafts.get(to)
    if (draft === undefined) {
      draft = { messages: [], chunks: [], acks: [], leads: [], facts: NONE, pubsub: NONE }
      this.#drafts.set(to, draft)
    }
    return draft
  }
}
