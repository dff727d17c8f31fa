// The end of a story: all replicas are read, the checkers judge, and one line tells how it was.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Anomaly, LogOp, Operation } from '../checkers/history.ts'
import { checkLog } from '../checkers/log-checker.ts'
import { checkOwnership } from '../checkers/ownership-checker.ts'
import { GROUP, type Notes } from './actors.ts'
import type { LocalCluster } from './cluster.ts'
import {
  Connection,
  entriesOf,
  fieldOf,
  listOf,
  type Plain,
  pendingOf,
  Refused,
  textOf,
} from './connection.ts'

/** How long replicas may take to hold the same once nobody writes. */
const AGREE_MS_MAX = 60_000
const AGREE_POLL_MS = 100
const READER = 0
/** A system that answers nothing contradicts nothing. */
const OK_PART_MIN = 0.3

export type Keys = { readonly logs: readonly string[]; readonly groups: readonly string[] }

class NodeReader {
  readonly node: number
  readonly #connection: Connection

  private constructor(node: number, connection: Connection) {
    this.node = node
    this.#connection = connection
  }

  static async open(cluster: LocalCluster, node: number): Promise<NodeReader> {
    const reader = new NodeReader(node, await Connection.open(cluster.respPort(node)))
    await reader.ask('READONLY')
    return reader
  }

  async ask(...words: (string | number)[]): Promise<Plain> {
    const end = performance.now() + AGREE_MS_MAX
    for (;;) {
      const reply = await this.#connection.ask(words, 60_000)
      if (!(reply instanceof Refused)) return reply
      // It led the shard when it took the read, and handed it over since: now it reads as a follower.
      const isPassing = reply.word === 'MOVED' && performance.now() < end
      assert.ok(isPassing, `n${this.node} answers ${words.join(' ')}: ${show(reply)}`)
      await sleep(AGREE_POLL_MS)
    }
  }

  close(): void {
    this.#connection.close()
  }
}

/** Reads all keys from all nodes, once all of them hold the same, and writes it into the history. */
export async function readAll(cluster: LocalCluster, keys: Keys, notes: Notes): Promise<void> {
  const readers = await Promise.all(
    cluster.nodes.map(node => NodeReader.open(cluster, node.number)),
  )
  try {
    for (const key of [...keys.logs, ...keys.groups]) {
      await agree(readers, key)
      for (const reader of readers) notes.history.push(...(await lookAt(reader, key, keys)))
    }
  } finally {
    for (const reader of readers) reader.close()
  }
}

/** Waits until the replicas of `key` are equal to the last consumer's last look. */
async function agree(readers: readonly NodeReader[], key: string): Promise<void> {
  const end = performance.now() + AGREE_MS_MAX
  for (;;) {
    const states = await Promise.all(
      readers.map(async reader =>
        show(await reader.ask('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0)),
      ),
    )
    if (states.every(state => state === states[0])) return
    if (performance.now() > end) {
      const at = states.map(state => firstDifference(state, states[0] ?? ''))
      assert.fail(`the replicas of ${key} differ: ${at.join(' | ')}`)
    }
    await sleep(AGREE_POLL_MS)
  }
}

async function lookAt(reader: NodeReader, key: string, keys: Keys): Promise<Operation[]> {
  const at = performance.now()
  const { node } = reader
  const base = { process: READER, key, t0: at, t1: at, outcome: 'ok' as const, node }
  const entries = entriesOf(await reader.ask('XRANGE', key, '-', '+'))
  const found: Operation[] = [{ ...base, op: 'final-log', entries }]
  if (!keys.groups.includes(key)) return found
  const pending = pendingOf(await reader.ask('XPENDING', key, GROUP, '-', '+', 10_000_000))
  const summary = await reader.ask('XPENDING', key, GROUP)
  checkSummary(summary, pending)
  const [facts] = listOf(await reader.ask('XINFO', 'GROUPS', key))
  const consumers = listOf(await reader.ask('XINFO', 'CONSUMERS', key, GROUP))
  found.push({
    ...base,
    op: 'final-group',
    pending,
    consumers: consumers.map(consumer => textOf(fieldOf(consumer, 'name'))),
    lastDelivered: textOf(fieldOf(facts, 'last-delivered-id')),
  })
  assert.equal(Number(fieldOf(facts, 'pending')), pending.length, `${key}: XINFO GROUPS adds up`)
  return found
}

/** XPENDING's summary says the same as its list. */
function checkSummary(summary: Plain, pending: readonly { id: string; consumer: string }[]): void {
  const [count, first, last, byConsumer] = listOf(summary)
  assert.equal(count, pending.length, 'XPENDING adds up')
  assert.equal(first, pending[0]?.id ?? null)
  assert.equal(last, pending.at(-1)?.id ?? null)
  const counted = new Map<string, number>()
  for (const { consumer } of pending) counted.set(consumer, (counted.get(consumer) ?? 0) + 1)
  const said = listOf(byConsumer).map(item => listOf(item).map(textOf).join(' '))
  assert.deepEqual(said.sort(), [...counted].map(([name, n]) => `${name} ${n}`).sort())
}

/** Judges the history. @returns one line about the run */
export function judge(cluster: LocalCluster, notes: Notes): string {
  const { history } = notes
  const ok = history.filter(op => op.outcome === 'ok').length
  const info = history.filter(op => op.outcome === 'info').length
  const logs = history.filter((op): op is LogOp => isLogOp(op))
  const anomalies: Anomaly[] = [...checkLog(logs), ...checkOwnership(history)]
  if (anomalies.length > 0 || notes.surprises.length > 0) {
    const path = join(cluster.directory, 'history.jsonl')
    writeFileSync(path, history.map(op => `${JSON.stringify(op)}\n`).join(''))
    console.error(`the history is in ${path}`)
  }
  assert.deepEqual(notes.surprises.slice(0, 10), [], 'clients got answers that they should not get')
  const shown = anomalies.slice(0, 20).map(({ name, key, text }) => `${name} ${key}: ${text}`)
  assert.deepEqual(shown, [], `${anomalies.length} anomalies`)
  assert.ok(ok / history.length >= OK_PART_MIN, `only ${ok} of ${history.length} went well`)
  const added = history.filter(op => op.op === 'add' && op.outcome === 'ok').length
  const delivered = history.filter(op => op.op === 'deliver' && op.outcome === 'ok').length
  const acked = history.filter(op => op.op === 'ack' && op.outcome === 'ok').length
  assert.ok(added > 0, 'nothing was written')
  return `${history.length} operations (${info} of unknown outcome), ${added} entries acknowledged, ${delivered} deliveries, ${acked} acks: all accounted for on ${cluster.nodes.length} nodes`
}

function isLogOp(op: Operation): op is LogOp {
  return ['add', 'range', 'read', 'trim', 'delete', 'final-log'].includes(op.op)
}

/** From each fault to the next acknowledged write of its key that the broken node did not answer. */
export function gaps(
  notes: Notes,
  faults: readonly { readonly key: string; readonly at: number; readonly node: number }[],
): number[] {
  return faults.map(({ key, at, node }) => {
    const next = notes.acknowledged.filter(
      ack => ack.key === key && ack.t1 > at && ack.node !== node,
    )
    return Math.min(...next.map(ack => ack.t1)) - at
  })
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

export function formatGaps(values: readonly number[]): string {
  return `median ${Math.round(median(values))} ms, worst ${Math.round(Math.max(...values))} ms of ${values.length}`
}

export function show(plain: Plain): string {
  if (plain instanceof Refused) return `(${plain.text})`
  if (Array.isArray(plain)) return `[${plain.map(show).join(' ')}]`
  return String(plain)
}

function firstDifference(a: string, b: string): string {
  let at = 0
  while (at < a.length && a[at] === b[at]) at += 1
  return at === a.length && at === b.length
    ? 'as the first'
    : `at ${at}: ${a.slice(Math.max(0, at - 40), at + 80)}`
}
