// What every client promises, proved of each in turn: the program of the language appends to streams of all shards and
// consumes them, while the leaders it talks to are killed one after the other.
//
// SLOTCAST_CONTRACT_KILLS and SLOTCAST_CONTRACT_RATE (entries a second) make it large, SLOTCAST_CONTRACT_ONLY names
// one language.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { slotOf } from '../../src/base/slot.ts'
import { LocalCluster } from '../chaos/cluster.ts'
import { Connection, listOf } from '../chaos/connection.ts'
import { LANGUAGES, type Language } from './languages.ts'
import { Program, type StreamTale } from './program.ts'

const {
  SLOTCAST_CONTRACT_KILLS: KILLS_WANTED = '1',
  SLOTCAST_CONTRACT_RATE: RATE_WANTED = '300',
  SLOTCAST_CONTRACT_ONLY: ONLY,
} = process.env
const KILLS = Number(KILLS_WANTED)
const RATE = Number(RATE_WANTED)
const STREAMS_A_SHARD = 2
const GROUP = 'contract'
/** Between two kills: all is well again, and the load goes on. */
const REST_MS = 1_500
/** How soon every stream must go on after a kill: an election and two heartbeats take less than 5 s. */
const RECOVERY_MS_MAX = 20_000
const DRAIN_MS_MAX = 60_000
const ASK_MS = 10_000
const STORY_MS_MAX = 120_000 + KILLS * 40_000

for (const language of LANGUAGES) {
  const isOther = ONLY !== undefined && ONLY !== language.name
  test(`a client in ${language.name} gets on while leaders are killed`, {
    timeout: STORY_MS_MAX,
    skip: isOther ? 'another was asked for' : language.missing(),
  }, async t => {
    language.build()
    await LocalCluster.run({}, cluster => story(cluster, language, line => t.diagnostic(line)))
  })
}

async function story(
  cluster: LocalCluster,
  language: Language,
  note: (line: string) => void,
): Promise<void> {
  const keys = await keysOfShards(cluster)
  const addresses = cluster.nodes.map(({ number }) => cluster.grpcAddress(number)).join(',')
  const words = [...language.command, addresses, keys.join(','), GROUP, String(RATE)]
  const program = new Program(words, keys)
  try {
    await program.until('work on every stream', RECOVERY_MS_MAX, movedOn(program, 5))
    for (let kill = 0; kill < KILLS; kill += 1) {
      const leader = await cluster.leaderOf(keys[kill % keys.length] ?? '')
      const since = performance.now()
      await cluster.node(leader).kill()
      await program.until(
        `streams after the death of n${leader}`,
        RECOVERY_MS_MAX,
        movedOn(program, 5),
      )
      note(
        `n${leader} killed: every stream went on ${Math.round(performance.now() - since)} ms later`,
      )
      cluster.node(leader).start()
      await cluster.awaitReady([leader])
      await sleep(REST_MS)
    }
    program.say('stop')
    await program.until('the end of appending', DRAIN_MS_MAX, () => program.hasStopped)
    await check(cluster, program)
    await program.ends(DRAIN_MS_MAX)
    assert.deepEqual(program.faults, [])
    assert.ok((program.redirects ?? 0) > 0, 'redirects were followed')
    note(`${sum(program, tale => tale.appended.size)} entries, ${program.redirects} redirects`)
  } finally {
    program.kill()
  }
}

/** What the cluster holds, and what the program told of it. */
async function check(cluster: LocalCluster, program: Program): Promise<void> {
  for (const [key, tale] of program.streams) {
    const connection = await Connection.open(cluster.respPort(await cluster.leaderOf(key)))
    const rows = listOf(await connection.ask(['XRANGE', key, '-', '+'], ASK_MS)).map(listOf)
    const held = new Map(rows.map(([id, fields]) => [String(id), String(listOf(fields ?? [])[1])]))
    const values = [...held.values()]
    assert.equal(
      new Set(values).size,
      values.length,
      `${key}: an append that was repeated was done twice`,
    )
    for (const [value, id] of tale.appended)
      assert.equal(held.get(id), value, `${key}: ${value} was lost`)
    assert.equal(held.size, tale.appended.size, `${key}: entries that nobody was told of`)

    const isDone = () =>
      [...held.keys()].every(id => tale.processed.has(id) && tale.settled.has(id))
    await program.until(`every entry of ${key} processed and settled`, DRAIN_MS_MAX, isDone)
    assert.equal(tale.processed.size, held.size, `${key}: entries that the stream does not have`)
    for (const [id, count] of tale.acknowledged)
      assert.ok(count <= 1, `${key} ${id}: acked ${count} times`)
    const pending = listOf(await connection.ask(['XPENDING', key, GROUP], ASK_MS))
    assert.equal(pending[0], 0, `${key}: nothing is pending`)
    connection.close()
  }
}

/** Holds once every stream has `more` entries that were appended and processed from now on. */
function movedOn(program: Program, more: number): () => boolean {
  const from = [...program.streams.values()].map(tale => ({
    tale,
    appended: tale.appended.size,
    processed: tale.processed.size,
  }))
  return () =>
    from.every(
      ({ tale, appended, processed }) =>
        tale.appended.size >= appended + more && tale.processed.size >= processed + more,
    )
}

function sum(program: Program, of: (tale: StreamTale) => number): number {
  return [...program.streams.values()].reduce((total, tale) => total + of(tale), 0)
}

/** Some keys of every shard. */
async function keysOfShards(cluster: LocalCluster): Promise<string[]> {
  const connection = await Connection.open(cluster.respPort(1))
  const ranges = listOf(await connection.ask(['CLUSTER', 'SLOTS'], ASK_MS)).map(range =>
    listOf(range).slice(0, 2).map(Number),
  )
  connection.close()
  const found = ranges.map(() => [] as string[])
  for (let i = 0; found.some(keys => keys.length < STREAMS_A_SHARD); i += 1) {
    const key = `stream${i}`
    const slot = slotOf(Buffer.from(key))
    const range = ranges.findIndex(([first = 0, last = 0]) => first <= slot && slot <= last)
    const keys = found[range]
    if (keys !== undefined && keys.length < STREAMS_A_SHARD) keys.push(key)
  }
  return found.flat()
}
