// Snapshots of one node: taking, sending and receiving, a slice a turn.

import type { Index, NodeId, ShardId } from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import type { SnapshotAck, SnapshotChunk } from './ports.ts'
import { isRepairRequest, type Repairs } from './repairs.ts'
import type { Replica } from './replica.ts'
import type { SnapshotReceiver } from './snapshot-receiver.ts'
import type { SnapshotSender } from './snapshot-sender.ts'
import type { SnapshotTaker, Subject } from './snapshot-taker.ts'
import type { SnapshotTraffic } from './turn.ts'

type Held = Subject & Pick<Replica<unknown>, 'offerSnapshot' | 'receive' | 'raft'>

export class Snapshots implements SnapshotTraffic {
  readonly #taker: SnapshotTaker
  readonly #sender: SnapshotSender
  readonly #receiver: SnapshotReceiver
  readonly #repairs: Repairs
  readonly #replicas: ReadonlyMap<ShardId, Held>

  constructor(
    taker: SnapshotTaker,
    sender: SnapshotSender,
    receiver: SnapshotReceiver,
    repairs: Repairs,
    replicas: ReadonlyMap<ShardId, Held>,
  ) {
    this.#taker = taker
    this.#sender = sender
    this.#receiver = receiver
    this.#repairs = repairs
    this.#replicas = replicas
  }

  slice(): void {
    this.#taker.slice(this.#replicas.values(), shard => this.#neededFrom(shard))
    this.#sender.slice()
    this.#repairs.slice()
  }

  send(shard: ShardId, message: Message): void {
    this.#sender.send(shard, message)
  }

  receive(from: NodeId, shard: ShardId, message: Message): void {
    this.#receiver.receive(from, shard, message, this.#replicas.get(shard))
  }

  receiveChunk(from: NodeId, chunk: SnapshotChunk): void {
    this.#receiver.receiveChunk(from, chunk, this.#replicas.get(chunk.shard))
  }

  receiveAck(from: NodeId, ack: SnapshotAck): void {
    if (isRepairRequest(ack)) this.#repairs.asked(from, ack.shard)
    else this.#sender.receiveAck(from, ack)
  }

  peerLost(peer: NodeId): void {
    this.#sender.peerLost(peer)
    this.#receiver.peerLost(peer)
  }

  #neededFrom(shard: ShardId): Index {
    return this.#sender.neededFrom(shard)
  }
}
