// What leaves this turn: one envelope a peer, whatever the number of shards.

import type { NodeId, ShardId } from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import type { Envelope, Lead, Network, SnapshotAck, SnapshotChunk } from './ports.ts'

type Draft = {
  messages: { shard: ShardId; message: Message }[]
  chunks: SnapshotChunk[]
  acks: SnapshotAck[]
  leads: readonly Lead[]
  facts: Uint8Array
}

const NO_FACTS = new Uint8Array(0)

export class Outbox {
  readonly #drafts = new Map<NodeId, Draft>()
  readonly #network: Network
  readonly #lost: (peer: NodeId, envelope: Envelope) => void

  /** @param lost is told of an envelope that the network did not take */
  constructor(network: Network, lost: (peer: NodeId, envelope: Envelope) => void) {
    this.#network = network
    this.#lost = lost
  }

  message(shard: ShardId, message: Message): void {
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

  flush(): void {
    if (this.#drafts.size === 0) return
    const drafts = [...this.#drafts]
    this.#drafts.clear()
    for (const [peer, draft] of drafts)
      if (!this.#network.send(peer, draft)) this.#lost(peer, draft)
  }

  #draft(to: NodeId): Draft {
    let draft = this.#drafts.get(to)
    if (draft === undefined) {
      draft = { messages: [], chunks: [], acks: [], leads: [], facts: NO_FACTS }
      this.#drafts.set(to, draft)
    }
    return draft
  }
}
