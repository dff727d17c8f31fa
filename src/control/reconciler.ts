// Watches the meta shard and makes this node match it.
//
// The leader of the meta shard makes the cluster when all nodes of the
// configuration have told who they are, and keeps the addresses in the map true.
// Every node creates the replicas that the map wants of it.

import type { Argv } from '../base/argv.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { NodeId } from '../base/types.ts'
import { bootstrapCommand, type MetaMachine, registerCommand } from '../topology/meta-machine.ts'
import { place } from '../topology/placement.ts'
import type { NodeFacts, ShardFacts, SlotMap } from '../topology/slot-map.ts'

export type ReconcilerPorts = {
  readonly random: Random
  readonly logger: Logger
  readonly meta: MetaMachine
  readonly self: NodeFacts
  /** Nodes of the configuration: the cluster is made when all of them are known. */
  readonly members: readonly NodeId[]
  readonly shardCount: number
  readonly replicasPerShard: number
  /** Whether this node leads the meta shard. */
  readonly leadsMeta: () => boolean
  /** @param done runs once the command was applied or lost; the reconciler looks again then */
  readonly propose: (command: Argv, done: () => void) => void
  /** Makes the replica of `shard` on this node, if it is not there. */
  readonly host: (shard: ShardFacts) => void
  readonly mapChanged: (map: SlotMap) => void
}

const CLUSTER_ID_BYTES = 16

export class Reconciler {
  readonly #ports: ReconcilerPorts
  readonly #known = new Map<NodeId, NodeFacts>()
  #proposing = false
  /** Something was heard, changed or gained since the leader's duties were last looked at. */
  #due = true
  #led = false

  constructor(ports: ReconcilerPorts) {
    this.#ports = ports
    this.#known.set(ports.self.id, ports.self)
  }

  /** A peer told who it is. */
  heard(facts: NodeFacts): void {
    this.#known.set(facts.id, facts)
    this.#due = true
    this.look()
  }

  /** Looks whether anything is to be done: after an apply, a change of leader, or news of a peer. */
  look(): void {
    const { meta, mapChanged, host, self } = this.#ports
    if (meta.takeChanged()) {
      for (const shard of meta.map.shards.values()) if (shard.voters.includes(self.id)) host(shard)
      mapChanged(meta.map)
      this.#due = true
    }
    // This runs at the end of every turn: nearly always there is nothing to compare.
    const leads = this.#ports.leadsMeta()
    if (leads && !this.#led) this.#due = true
    this.#led = leads
    if (!leads || this.#proposing || !this.#due) return
    this.#due = false
    this.#lead(meta.map)
  }

  #lead(map: SlotMap): void {
    if (map.epoch === 0) {
      const { members } = this.#ports
      const nodes = members.flatMap(id => this.#known.get(id) ?? [])
      if (nodes.length === members.length) this.#propose(this.#bootstrap(nodes))
      return
    }
    for (const facts of this.#known.values()) {
      const listed = map.nodes.get(facts.id)
      if (
        listed === undefined ||
        listed.incarnation !== facts.incarnation ||
        sameFacts(listed, facts)
      )
        continue
      this.#propose(registerCommand(facts))
      return
    }
  }

  #bootstrap(nodes: readonly NodeFacts[]): Argv {
    const { random, shardCount, replicasPerShard, logger } = this.#ports
    const shards = place(nodes, shardCount, replicasPerShard)
    const clusterId = Buffer.from(random.bytes(CLUSTER_ID_BYTES)).toString('hex')
    logger.info({ nodes: nodes.length, shards: shards.length, clusterId }, 'making the cluster')
    return bootstrapCommand({ clusterId, nodes, shards })
  }

  #propose(command: Argv): void {
    this.#proposing = true
    this.#ports.propose(command, () => {
      this.#proposing = false
      this.#due = true
      this.look()
    })
  }
}

function sameFacts(a: NodeFacts, b: NodeFacts): boolean {
  return encodeFacts(a).equals(encodeFacts(b))
}

/** How nodes tell each other who they are: JSON with a fixed order of keys. */
export function encodeFacts(facts: NodeFacts): Buffer {
  const { id, name, incarnation, hostLabel, resp, grpc, peer, admin } = facts
  const addresses = [resp, grpc, peer, admin].map(({ host, port }) => ({ host, port }))
  return Buffer.from(JSON.stringify([id, name, incarnation, hostLabel, ...addresses]))
}

/** @returns null when the bytes are not facts */
export function decodeFacts(bytes: Uint8Array): NodeFacts | null {
  let list: unknown
  try {
    list = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return null
  }
  if (!Array.isArray(list) || list.length !== 8 || !Number.isSafeInteger(list[0])) return null
  const [id, name, incarnation, hostLabel, resp, grpc, peer, admin] = list
  return { id, name, incarnation, hostLabel, resp, grpc, peer, admin }
}
