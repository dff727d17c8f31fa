// The state of shard 0: nodes, shards and the slot map, changed by commands in its log.
//
// Every node carries a replica of it, so the map arrives by the log; there is no
// gossip and no second source of truth. Commands are two words: a name and a JSON
// document. They are few and small, so clarity comes before speed here.

import { Argv } from '../base/argv.ts'
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { INCOMPLETE, parseMultibulk } from '../base/multibulk.ts'
import { PAYLOAD_HEADER_BYTES, payloadCount } from '../base/payload.ts'
import type { Index } from '../base/types.ts'
import { type NodeFacts, type ShardFacts, SlotMap } from './slot-map.ts'

export type MetaReply = { readonly refused: string | null }

/** Makes the cluster: its id, its nodes, its shards with their slots and voters. Once. */
export type Bootstrap = {
  readonly clusterId: string
  readonly nodes: readonly NodeFacts[]
  readonly shards: readonly ShardFacts[]
}

const TAKEN: MetaReply = { refused: null }
const SNAPSHOT_VERSION = 1

export function bootstrapCommand(bootstrap: Bootstrap): Argv {
  return Argv.of('BOOTSTRAP', JSON.stringify(bootstrap))
}

/** Tells the addresses of a node that came up with others than the map has. */
export function registerCommand(node: NodeFacts): Argv {
  return Argv.of('REGISTER', JSON.stringify(node))
}

/**
 * Satisfies the replica's StateMachine port without knowing it.
 */
export class MetaMachine {
  #map = new SlotMap(0, '', [], [])
  #digest = 0
  #changed = true

  /** The map as of the last applied entry; a new object for each change. */
  get map(): SlotMap {
    return this.#map
  }

  /** Whether the map changed since the last call. */
  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  apply(payload: Buffer, index: Index, outcomes: MetaReply[] | null): void {
    const argv = new Argv()
    let position = PAYLOAD_HEADER_BYTES
    for (let left = payloadCount(payload); left > 0; left -= 1) {
      position = parseMultibulk(argv, payload, position, payload.length)
      assert(position > INCOMPLETE, () => `entry ${index} of the meta shard does not parse`)
      const reply = this.#applyOne(argv)
      outcomes?.push(reply)
    }
    this.#digest = crc32c(payload, this.#digest)
  }

  /** Nothing to do of one's own accord. */
  chore(): null {
    return null
  }

  takeReadyKeys(): readonly string[] {
    return []
  }

  changedAt(): number {
    return 0
  }

  servable(): number {
    return 0
  }

  feeds(): readonly never[] {
    return []
  }

  digest(): number {
    return this.#digest
  }

  snapshot(): { next(bytesMax: number): Uint8Array | null; close(): void } {
    const { epoch, clusterId, nodes, shards } = this.#map
    const state = {
      version: SNAPSHOT_VERSION,
      digest: this.#digest,
      epoch,
      clusterId,
      nodes: [...nodes.values()],
      shards: [...shards.values()],
    }
    let rest: Buffer | null = Buffer.from(JSON.stringify(state))
    return {
      next(bytesMax: number): Uint8Array | null {
        if (rest === null || rest.length === 0) return null
        const chunk = rest.subarray(0, bytesMax)
        rest = rest.subarray(chunk.length)
        return chunk
      },
      close(): void {
        rest = null
      },
    }
  }

  restore(): { write(chunk: Uint8Array): void; finish(): void } {
    const chunks: Buffer[] = []
    return {
      write: (chunk: Uint8Array): void => {
        chunks.push(Buffer.from(chunk))
      },
      finish: (): void => {
        const state = JSON.parse(Buffer.concat(chunks).toString('utf8'))
        assert(
          state.version === SNAPSHOT_VERSION,
          () => `meta snapshot version ${state.version} is unknown`,
        )
        this.#map = new SlotMap(state.epoch, state.clusterId, state.nodes, state.shards)
        this.#digest = state.digest
        this.#changed = true
      },
    }
  }

  #applyOne(argv: Argv): MetaReply {
    const document = argv.count === 2 ? JSON.parse(argv.bytes(1).toString('utf8')) : null
    if (argv.is(0, 'BOOTSTRAP')) return this.#bootstrap(document)
    if (argv.is(0, 'REGISTER')) return this.#register(document)
    return { refused: `unknown command ${argv.latin1(0)}` }
  }

  #bootstrap({ clusterId, nodes, shards }: Bootstrap): MetaReply {
    if (this.#map.epoch > 0) return { refused: 'the cluster exists' }
    this.#map = new SlotMap(1, clusterId, nodes, shards)
    this.#changed = true
    return TAKEN
  }

  #register(node: NodeFacts): MetaReply {
    const { epoch, clusterId, nodes, shards } = this.#map
    const known = nodes.get(node.id)
    if (known === undefined) return { refused: `node ${node.id} is not a member` }
    if (known.incarnation !== node.incarnation) {
      // A node that lost its disk broke the promises its votes made. It joins anew, under a new id.
      return { refused: `node ${node.id} has another data directory than the one that is a member` }
    }
    const others = [...nodes.values()].filter(each => each.id !== node.id)
    const all = [...others, node].sort((a, b) => a.id - b.id)
    this.#map = new SlotMap(epoch + 1, clusterId, all, [...shards.values()])
    this.#changed = true
    return TAKEN
  }
}
