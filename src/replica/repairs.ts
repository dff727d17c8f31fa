// Repair of a replica whose log was damaged: a whole state from the leader, before it may vote again.
//
// The damaged side takes no part in Raft. It asks the leader for a snapshot that
// covers everything it could ever have acknowledged: one at or beyond the last
// index of the leader's log when the leader was asked. With less it could forget
// an entry that was counted, and elect a leader without it (RAFT 4.2; what NATS
// lost by truncating and voting on, nats#7549).

import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import {
  type Index,
  type Ms,
  NO_NODE,
  type NodeId,
  type ShardId,
  type Term,
} from '../base/types.ts'
import type { Message } from '../raft/message.ts'
import type { Storage } from '../storage/storage.ts'
import type { Leaders } from './leaders.ts'
import type { Outbox } from './outbox.ts'
import { REPAIR_CONTEXT, type SnapshotAck } from './ports.ts'
import type { Replica } from './replica.ts'
import type { SnapshotSender } from './snapshot-sender.ts'
import type { SnapshotTaker } from './snapshot-taker.ts'

type Patient = Pick<Replica<unknown>, 'shard' | 'amnesiac'>
type Donor = Pick<Replica<unknown>, 'shard' | 'isLeader' | 'applied' | 'raft' | 'term'>

type Request = {
  readonly shard: ShardId
  readonly peer: NodeId
  /** The snapshot must reach it. */
  readonly beyond: Index
  /** Of the leader that was asked; in another term the entry at `beyond` may be another one. */
  readonly term: Term
}

export type RepairPorts = {
  readonly clock: Clock
  readonly storage: Storage
  readonly outbox: Outbox
  readonly leaders: Leaders
  readonly logger: Logger
  readonly taker: SnapshotTaker
  readonly sender: SnapshotSender
  readonly self: NodeId
}

const ASK_EVERY_MS: Ms = 1_000
const NOTHING = new Uint8Array(0)

/** What a damaged replica says to its leader: no index is 0, so it cannot be meant otherwise. */
export function isRepairRequest(ack: SnapshotAck): boolean {
  return ack.failed && ack.index === 0
}

export class Repairs {
  readonly #ports: RepairPorts
  readonly #replicas: ReadonlyMap<ShardId, Patient & Donor>
  readonly #requests: Request[] = []
  #askedAt: Ms

  constructor(ports: RepairPorts, replicas: ReadonlyMap<ShardId, Patient & Donor>) {
    this.#ports = ports
    this.#replicas = replicas
    this.#askedAt = ports.clock.monotonic() - ASK_EVERY_MS
  }

  slice(): void {
    this.#ask()
    for (const request of [...this.#requests]) this.#serve(request)
  }

  /** A damaged replica on `peer` asks this node, which it takes for the leader. */
  asked(peer: NodeId, shard: ShardId): void {
    const donor = this.#replicas.get(shard)
    if (donor === undefined || !donor.isLeader || donor.amnesiac) return
    if (this.#requests.some(each => each.shard === shard && each.peer === peer)) return
    if (this.#ports.sender.isSending(shard, peer)) return
    // An empty entry first: with it the snapshot lies beyond what the peer has applied, too. The
    // good part of its log may well be all there is, and then it could take no snapshot.
    if (donor.raft.propose([NOTHING]) !== null) return
    this.#ports.logger.warn({ shard, peer }, 'a peer lost part of its log and asks for a snapshot')
    this.#requests.push({ shard, peer, beyond: donor.raft.lastIndex, term: donor.raft.term })
  }

  #ask(): void {
    const now = this.#ports.clock.monotonic()
    if (now - this.#askedAt < ASK_EVERY_MS) return
    this.#askedAt = now
    for (const { shard, amnesiac } of this.#replicas.values()) {
      const leader = this.#ports.leaders.of(shard)
      if (!amnesiac || leader === NO_NODE || leader === this.#ports.self) continue
      this.#ports.outbox.ack(leader, { shard, index: 0, term: 0, offset: 0, failed: true })
    }
  }

  #serve(request: Request): void {
    const { shard, peer, beyond } = request
    const donor = this.#replicas.get(shard)
    if (donor === undefined || !donor.isLeader || donor.raft.term !== request.term) {
      this.#drop(request)
      return
    }
    if (donor.applied < beyond) return
    const newest = this.#ports.storage.shard(shard).snapshot()
    if (typeof newest === 'string' || newest.index < beyond) {
      this.#ports.taker.want(shard)
      return
    }
    this.#drop(request)
    const message: Message = {
      type: 'snapshot',
      from: this.#ports.self,
      to: peer,
      term: donor.term,
      logTerm: 0,
      index: 0,
      entries: [],
      commit: 0,
      vote: 0,
      reject: false,
      rejectHint: 0,
      snapshot: newest,
      context: REPAIR_CONTEXT,
      responses: [],
    }
    this.#ports.sender.send(shard, message)
  }

  #drop(request: Request): void {
    this.#requests.splice(this.#requests.indexOf(request), 1)
  }
}
