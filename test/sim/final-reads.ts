// The last look: what every replica holds when faults are over and nobody writes any more.

import type { NodeId } from '../../src/base/types.ts'
import type { Operation } from '../checkers/history.ts'
import { entriesOf } from './actor.ts'
import { CLIENTS_FROM, Client, type Ending, type Task } from './client.ts'
import type { Cluster } from './cluster.ts'
import { Connection, type Words } from './connection.ts'
import type { Family, FamilyKind } from './family.ts'
import { GROUP, pendingOf } from './group-actors.ts'
import { formatPlain, listOf, type Plain, Refused, textOf } from './plain.ts'
import type { Prng } from './prng.ts'

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

/** The key names of a family, and how they are read. */
const LOOKS: Readonly<Record<FamilyKind, readonly (readonly string[])[]>> = {
  queue: ['a', 'b', 'c'].map(name => ['LRANGE', name, '0', '-1']),
  set: ['a', 'b'].map(name => ['SMEMBERS', name]),
  string: ['a', 'b', 'n'].map(name => ['GET', name]),
  bid: ['a', 'by'].map(name => ['GET', name]),
}

/** What is asked of a shard's leader when all is over. */
export type Question = {
  readonly key: string
  /** A transaction where they are several. */
  readonly commands: readonly Words[]
  readonly take: (reply: Plain, ending: Ending) => void
}

/** Ends the history of a family with what it holds. */
export function questionOf(family: Family): Question {
  const commands = LOOKS[family.kind].map(([name = '', key = '', ...rest]) => [
    name,
    family.key(key),
    ...rest,
  ])
  return {
    key: family.key(''),
    commands,
    take: (reply, { t0, t1, outcome }) => {
      family.deeds.push({ process: READER, t0, t1, outcome, commands, answers: listOf(reply) })
    },
  }
}

export function askAll(cluster: Cluster, prng: Prng, questions: readonly Question[]): void {
  const client = new Client(cluster, prng, READER)
  client.patience = Infinity
  const { scheduler } = cluster
  let left = questions.length
  for (const { key, commands, take } of questions) {
    const rest = { key, producer: null, repeatable: true, block: 0 }
    const task: Task =
      commands.length > 1
        ? { ...rest, words: ['EXEC'], transaction: commands }
        : { ...rest, words: commands[0] ?? [] }
    client.begin(task, ending => {
      left -= 1
      take(ending.reply, ending)
    })
  }
  if (!scheduler.runWhile(() => left > 0, scheduler.now + WITHIN_US))
    throw new Error(`${left} of the last questions are not answered`)
}
