// The last look: what every replica holds when faults are over and nobody writes any more.

import type { NodeId } from '../../src/base/types.ts'
import type { Operation } from '../checkers/history.ts'
import { entriesOf } from './actor.ts'
import { CLIENTS_FROM } from './client.ts'
import type { Cluster } from './cluster.ts'
import { Connection, type Words } from './connection.ts'
import { GROUP, pendingOf } from './group-actors.ts'
import { formatPlain, listOf, type Plain, Refused, textOf } from './plain.ts'

const READER = CLIENTS_FROM - 1
const WITHIN_US = 20_000_000
const ATTEMPTS = 3

/** Asks one node one thing after the other, as a client with READONLY does. */
class NodeReader {
  readonly #cluster: Cluster
  readonly #connection: Connection
  #reply: Plain | undefined = undefined
  #ticket = 0

  constructor(cluster: Cluster, node: NodeId) {
    this.#cluster = cluster
    const front = cluster.front(node)
    if (front === null) throw new Error(`n${node} is down at the end`)
    this.#connection = new Connection(cluster.scheduler, cluster.links, READER, front, {
      reply: (ticket, reply) => {
        if (ticket === this.#ticket) this.#reply = reply
      },
      closed: () => {},
    })
    this.ask(['READONLY'])
  }

  /** A leadership that moves meanwhile makes the answer a redirect; the next is the replica's own. */
  ask(words: Words): Plain {
    for (let left = ATTEMPTS; ; left -= 1) {
      const reply = this.#askOnce(words)
      if (reply !== undefined && !(reply instanceof Refused)) return reply
      const said = formatPlain(reply ?? 'nothing')
      if (left === 0 || !(reply instanceof Refused) || reply.word !== 'MOVED')
        throw new Error(`n${this.#connection.node} answers ${words.join(' ')} with ${said}`)
    }
  }

  #askOnce(words: Words): Plain | undefined {
    const { scheduler } = this.#cluster
    this.#reply = undefined
    this.#ticket += 1
    this.#connection.send(words, this.#ticket, null)
    scheduler.runWhile(() => this.#reply === undefined, scheduler.now + WITHIN_US)
    return this.#reply
  }

  close(): void {
    this.#connection.hangUp()
  }
}

export type Keys = {
  readonly logs: readonly string[]
  /** Written by transactions only. */
  readonly transacted: readonly string[]
  readonly groups: readonly string[]
}

/**
 * Reads all keys from all replicas on `nodes`.
 *
 * @param votersOf the nodes that carry the key's shard
 */
export function readAll(
  cluster: Cluster,
  nodes: readonly NodeId[],
  keys: Keys,
  votersOf: (key: string) => readonly NodeId[],
): Operation[] {
  const operations: Operation[] = []
  for (const node of nodes) {
    const reader = new NodeReader(cluster, node)
    for (const key of [...keys.logs, ...keys.transacted, ...keys.groups]) {
      if (!votersOf(key).includes(node)) continue
      const at = cluster.scheduler.now / 1000
      const base = { process: READER, key, t0: at, t1: at, outcome: 'ok' as const, node }
      const entries = entriesOf(reader.ask(['XRANGE', key, '-', '+']))
      operations.push({ ...base, op: 'final-log', entries })
      if (!keys.groups.includes(key)) continue
      const pending = pendingOf(reader.ask(['XPENDING', key, GROUP, '-', '+', '1000000']))
      const [facts] = listOf(reader.ask(['XINFO', 'GROUPS', key]))
      const consumers = listOf(reader.ask(['XINFO', 'CONSUMERS', key, GROUP])).map(consumer =>
        fieldOf(consumer, 'name'),
      )
      const lastDelivered = fieldOf(facts ?? null, 'last-delivered-id')
      operations.push({ ...base, op: 'final-group', pending, consumers, lastDelivered })
    }
    reader.close()
  }
  return operations
}

/** A field of a map in its flat form. */
function fieldOf(map: Plain, name: string): string {
  const items = listOf(map)
  return textOf(items[items.indexOf(name) + 1])
}
