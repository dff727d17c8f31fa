// What every client promises, proved of each in turn: the program of the language appends to streams of all shards and
// consumes them, publishes on channels of all shards and listens to them, while the leaders it talks to are
// killed, paused and stopped one after the other.
//
// SLOTCAST_CONTRACT_KILLS and SLOTCAST_CONTRACT_RATE (entries a second) make it large, SLOTCAST_CONTRACT_ONLY names
// one language.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalCluster } from '../chaos/cluster.ts'
import { checkChannels, checkStreams } from './check.ts'
import { type Fault, KILLED, PAUSED, STOPPED } from './fault.ts'
import type { Language } from './languages/language.ts'
import { LANGUAGES } from './languages.ts'
import { namesOfShards } from './names.ts'
import { Program } from './program.ts'

const {
  SLOTCAST_CONTRACT_KILLS: KILLS_WANTED = '1',
  SLOTCAST_CONTRACT_RATE: RATE_WANTED = '300',
  SLOTCAST_CONTRACT_ONLY: ONLY,
} = process.env
const RATE = Number(RATE_WANTED)
const FAULTS: readonly Fault[] = [
  ...Array.from({ length: Number(KILLS_WANTED) }, () => KILLED),
  PAUSED,
  STOPPED,
]
/** Of each, streams and channels. */
const NAMES_A_SHARD = 2
const GROUP = 'contract'
/** How much must go on after a fault, of each stream and of each channel. */
const ENTRIES_MORE = 5
const MESSAGES_MORE = 2
/** Between two faults: all is well again, and the load goes on. */
const REST_MS = 1_000
/** How soon everything must go on after a fault: an election and two heartbeats take less than 5 s. */
const RECOVERY_MS_MAX = 20_000
/** A node that came back is given its shards again once it was up for 3 s, one shard a second. */
const HOME_MS_MAX = 30_000
const DRAIN_MS_MAX = 60_000
const MESSAGE_MS_MAX = 5_000
const STORY_MS_MAX = 120_000 + FAULTS.length * 60_000

for (const language of LANGUAGES) {
  const isOther = ONLY !== undefined && ONLY !== language.name
  test(`a client in ${language.name} gets on while leaders are killed, paused and stopped`, {
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
  const streams = await namesOfShards(cluster, 'stream', NAMES_A_SHARD)
  const channels = await namesOfShards(cluster, 'channel', NAMES_A_SHARD)
  const addresses = cluster.nodes.map(({ number }) => cluster.grpcAddress(number)).join(',')
  const words = [addresses, streams.join(','), channels.join(','), GROUP, String(RATE)]
  const program = new Program(language.name, [...language.command, ...words], streams, channels)
  try {
    await program.until('work on everything', RECOVERY_MS_MAX, movedOn(program))
    const since = performance.now()
    for (const [i, fault] of FAULTS.entries()) {
      const key = streams[(i * NAMES_A_SHARD) % streams.length] ?? ''
      note(await happen(cluster, program, fault, key))
      await sleep(REST_MS)
    }
    program.say('stop')
    const seconds = (performance.now() - since) / 1_000
    await program.until('the end of appending', DRAIN_MS_MAX, () => program.hasStopped)
    await checkChannels(program, MESSAGE_MS_MAX)
    await checkStreams(cluster, program, GROUP, DRAIN_MS_MAX)
    await program.ends(DRAIN_MS_MAX)
    assert.deepEqual(program.faults, [])
    assert.ok((program.redirects ?? 0) > 0, 'redirects were followed')
    note(summary(program, seconds))
  } finally {
    program.kill()
  }
}

/** A fault of the leader of `key`, until it leads again: then another has stepped down for it, and lives. */
async function happen(
  cluster: LocalCluster,
  program: Program,
  fault: Fault,
  key: string,
): Promise<string> {
  const number = await cluster.leaderOf(key)
  const node = cluster.node(number)
  const what = `n${number} ${fault.name}`
  const since = performance.now()
  await fault.strike(node)
  await program.until(`${what}: everything goes on`, RECOVERY_MS_MAX, movedOn(program))
  const wentOnMs = performance.now() - since
  fault.heal(node)
  await cluster.awaitReady([number])
  const home = performance.now() + HOME_MS_MAX
  while ((await cluster.leaderOf(key)) !== number) {
    if (performance.now() > home) throw new Error(`${what}: it does not lead ${key} again`)
    await sleep(50)
  }
  const back = performance.now()
  await program.until(`${what}: all goes on when it is back`, RECOVERY_MS_MAX, movedOn(program))
  const backMs = performance.now() - back
  return `${what}: all went on ${Math.round(wentOnMs)} ms later, and ${Math.round(backMs)} ms after it led again`
}

/** Holds once every stream has entries that were appended and processed from now on, every channel messages. */
function movedOn(program: Program): () => boolean {
  const streams = [...program.streams.values()].map(tale => {
    const [appended, processed] = [tale.appended.size, tale.processed.size]
    return () =>
      tale.appended.size >= appended + ENTRIES_MORE &&
      tale.processed.size >= processed + ENTRIES_MORE
  })
  const channels = [...program.channels.values()].map(tale => {
    const heard = tale.heard
    return () => tale.heard >= heard + MESSAGES_MORE
  })
  return () => [...streams, ...channels].every(hasMore => hasMore())
}

function summary(program: Program, seconds: number): string {
  const streams = [...program.streams.values()]
  const channels = [...program.channels.values()]
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
  const appended = sum(streams.map(tale => tale.appended.size))
  return [
    `${appended} entries (${Math.round(appended / seconds)} a second)`,
    `${sum(streams.map(tale => sum([...tale.processed.values()]) - tale.processed.size))} came again`,
    `${sum(channels.map(tale => tale.heard))} messages`,
    `${sum(channels.map(tale => tale.missed))} missed`,
    `${sum(channels.map(tale => tale.subscriptions))} subscriptions to ${channels.length} channels`,
    `${program.redirects} redirects`,
  ].join(', ')
}
