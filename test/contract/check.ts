// Whether what a program told fits what the cluster holds.

import assert from 'node:assert/strict'
import type { LocalCluster } from '../chaos/cluster.ts'
import { Connection, listOf } from '../chaos/connection.ts'
import type { Program } from './program.ts'
import type { StreamTale } from './tale.ts'

const ASK_MS = 20_000

/** No append lost, none done twice; every entry processed, and acknowledged once. */
export async function checkStreams(
  cluster: LocalCluster,
  program: Program,
  group: string,
  msMax: number,
): Promise<void> {
  for (const [key, tale] of program.streams) {
    const connection = await Connection.open(cluster.respPort(await cluster.leaderOf(key)))
    const rows = listOf(await connection.ask(['XRANGE', key, '-', '+'], ASK_MS)).map(listOf)
    const held = new Map(rows.map(([id, fields]) => [String(id), String(listOf(fields ?? [])[1])]))
    checkAppended(key, tale, held)

    const ids = [...held.keys()]
    const isDone = () => ids.every(id => tale.processed.has(id) && tale.settled.has(id))
    await program.until(`every entry of ${key} processed and settled`, msMax, isDone)
    assert.equal(tale.processed.size, held.size, `${key}: entries that the stream does not have`)
    for (const [id, count] of tale.acknowledged)
      assert.ok(count <= 1, `${key} ${id}: acked ${count} times`)
    const pending = listOf(await connection.ask(['XPENDING', key, group], ASK_MS))
    assert.equal(pending[0], 0, `${key}: nothing is pending`)
    connection.close()
  }
}

function checkAppended(key: string, tale: StreamTale, held: ReadonlyMap<string, string>): void {
  const values = new Set(held.values())
  assert.equal(values.size, held.size, `${key}: an append that was repeated was done twice`)
  for (const [value, id] of tale.appended)
    assert.equal(held.get(id), value, `${key}: ${value} was lost`)
  assert.equal(held.size, tale.appended.size, `${key}: entries that nobody was told of`)
}

/** What was received while the last subscription stood has come. That it came in order was looked at as it came. */
export async function checkChannels(program: Program, msMax: number): Promise<void> {
  for (const [key, tale] of program.channels) {
    assert.ok(tale.received > 0, `${key}: nothing that was published was received`)
    await program.until(
      `what was received on ${key}: ${[...tale.due].join(' ')}`,
      msMax,
      () => tale.due.size === 0,
    )
  }
}
