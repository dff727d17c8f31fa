// Where the time of a command goes: a CPU profile of each node under redis-benchmark or gRPC sessions, by function.
//
//   npx node bench/profile.ts [connections] [pipeline] [seconds] [what]     50 64 5 xadd
//
// What: xadd, session (XADD over gRPC), lpush, rpop, lrange, xrange, set, get, publish (one subscriber on another node).
//
// The profiles begin after a warm-up, so that compiling is not in them. The files
// are left in the working directory, for the browser's own tools.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sessionProtocol } from '../src/bench-grpc.ts'
import { redisDrive, VALUE_BYTES } from './bench-context.ts'
import { Cluster, type Leader, NODES } from './cluster.ts'
import type { Driven } from './contender.ts'
import { OUR_LOAD, ourLoad } from './phase-brokers.ts'
import { Listener, publishDrive } from './phase-pubsub.ts'
import { threadSeconds } from './processes.ts'
import { redisBenchmark, xadd } from './redis.ts'

const KEY = 'bench-profile'
const INTERVAL_US = 250
const WARM_UP_SECONDS = 6
const FRAMES_IN_FLIGHT = 8
const TOP = 40

type CallFrame = { functionName: string; url: string; lineNumber: number }
type Profile = {
  nodes: { id: number; callFrame: CallFrame }[]
  samples: number[]
  timeDeltas: number[]
}

/** The inspector of a node, as much of it as is needed. */
class Inspector {
  readonly #socket: WebSocket
  readonly #answers = new Map<number, (result: unknown) => void>()
  #id = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown }
      this.#answers.get(id)?.(result)
    }
  }

  static open(url: string): Promise<Inspector> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url)
      socket.onopen = () => resolve(new Inspector(socket))
      socket.onerror = () => reject(new Error(`no inspector at ${url}`))
    })
  }

  call(method: string, params: object = {}): Promise<unknown> {
    this.#id += 1
    const id = this.#id
    this.#socket.send(JSON.stringify({ id, method, params }))
    return new Promise(resolve => this.#answers.set(id, resolve))
  }

  close(): void {
    this.#socket.close()
  }
}

function inspectorUrl(cluster: Cluster, node: number): string {
  const log = readFileSync(join(cluster.dataDir, `n${node}.log`), 'utf8')
  const url = /ws:\/\/\S+/.exec(log)?.[0]
  if (url === undefined) throw new Error(`n${node} says no inspector's address`)
  return url
}

/** Microseconds by function, itself alone. */
function selfTimes(profile: Profile): Map<string, number> {
  const names = new Map<number, string>()
  for (const { id, callFrame } of profile.nodes) {
    const file = callFrame.url.split('/').slice(-2).join('/')
    const place = file === '' ? '' : ` ${file}:${callFrame.lineNumber + 1}`
    names.set(id, `${callFrame.functionName || '(anonymous)'}${place}`)
  }
  const times = new Map<string, number>()
  for (const [i, sample] of profile.samples.entries()) {
    const name = names.get(sample) ?? '?'
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0))
  }
  return times
}

/** CPU microseconds by kind of thread. */
function used(before = new Map<string, number>(), after = new Map<string, number>()) {
  return [...after].map(([name, seconds]): [string, number] => [
    name,
    (seconds - (before.get(name) ?? 0)) * 1e6,
  ])
}

function show(
  title: string,
  profile: Profile,
  commands: number,
  threads: readonly [string, number][],
): void {
  const times = [...selfTimes(profile)].sort(([, a], [, b]) => b - a)
  const idle = (name: string): boolean => name === '(idle)' || name === '(root)'
  const busy = times.filter(([name]) => !idle(name)).reduce((sum, [, us]) => sum + us, 0)
  const each = (us: number): string => (us / commands).toFixed(3)
  const all = threads.reduce((sum, [, us]) => sum + us, 0)
  const parts = threads.filter(([, us]) => us > all / 200).sort(([, a], [, b]) => b - a)
  console.log(`${title}: ${each(all)} us of CPU a command`)
  console.log(`  ${parts.map(([name, us]) => `${name} ${each(us)}`).join(', ')}`)
  // Samples are taken by the clock: where the node waits for a core, these are more than its CPU time.
  for (const [name, us] of times.filter(([name]) => !idle(name)).slice(0, TOP)) {
    console.log(
      `  ${each(us).padStart(8)} us ${((us * 100) / busy).toFixed(1).padStart(5)} %  ${name}`,
    )
  }
}

type Drive = (seconds: number, leader: Leader) => Promise<Driven>

const VALUE = 'x'.repeat(VALUE_BYTES)
const FILL_COUNT = 1_000

/** What is asked again and again, and what fills the key for it. */
const COMMANDS: Readonly<Record<string, { words: string[]; fill?: string[] }>> = {
  xadd: { words: xadd(KEY, VALUE_BYTES) },
  lpush: { words: ['LPUSH', KEY, VALUE] },
  // Of a list that is moved from one end to the other: it stays as long as it is.
  rpop: { words: ['RPOPLPUSH', KEY, KEY], fill: ['LPUSH', KEY, VALUE] },
  lrange: { words: ['LRANGE', KEY, '0', '9'], fill: ['LPUSH', KEY, VALUE] },
  xrange: { words: ['XRANGE', KEY, '-', '+', 'COUNT', '10'], fill: xadd(KEY, VALUE_BYTES) },
  set: { words: ['SET', KEY, VALUE] },
  get: { words: ['GET', KEY], fill: ['SET', KEY, VALUE] },
}

function commands(what: string, clients: number, pipeline: number): Drive {
  const { words, fill } = COMMANDS[what] ?? {}
  if (words === undefined)
    throw new Error(`one of ${Object.keys(COMMANDS).join(', ')}, session, publish`)
  const drive = redisDrive(words, clients, pipeline)
  let isFilled = fill === undefined
  return async (seconds, { resp: port }) => {
    if (!isFilled && fill !== undefined) {
      await redisBenchmark({ port, command: fill, clients: 1, pipeline: 100, count: FILL_COUNT })
      isFilled = true
    }
    return drive(seconds, port)
  }
}

/** `frame` calls a frame, and some frames in flight. */
function sessions(clients: number, frame: number): Drive {
  const pipeline = frame * FRAMES_IN_FLIGHT
  const load = { ...OUR_LOAD, clients, pipeline, frame, protocol: sessionProtocol, keyPrefix: KEY }
  return (seconds, { grpc }) => ourLoad({ ...load, address: `127.0.0.1:${grpc}`, seconds })
}

/** PUBLISH, with one subscriber on another node. */
function publishing(cluster: Cluster, clients: number, pipeline: number): Drive {
  let known: { readonly node: number; readonly drive: (seconds: number) => Promise<Driven> }
  return (seconds, { node, resp }) => {
    if (known?.node !== node) {
      const ear = new Listener(cluster.respPort((node % NODES) + 1))
      known = { node, drive: publishDrive(resp, ear, clients, pipeline) }
    }
    return known.drive(seconds)
  }
}

function driveOf(what: string, cluster: Cluster, clients: number, pipeline: number): Drive {
  if (what === 'publish') return publishing(cluster, clients, pipeline)
  return what === 'session' ? sessions(clients, pipeline) : commands(what, clients, pipeline)
}

/** Turns and durable writes so far, of each node. */
function counters(cluster: Cluster): Promise<number[][]> {
  return Promise.all(
    ['slotcast_turns_total', 'slotcast_wal_sync_seconds_count'].map(name => cluster.metric(name)),
  )
}

async function main(): Promise<void> {
  const [clients = 50, pipeline = 64, seconds = 5] = process.argv.slice(2, 5).map(Number)
  const directory = mkdtempSync(join(tmpdir(), 'slotcast-profile-'))
  const cluster = await Cluster.start(directory, '--inspect=127.0.0.1:0')
  try {
    const what = process.argv[5] ?? 'xadd'
    const drive = driveOf(what, cluster, clients, pipeline)
    // Twice: the first tells redis-benchmark how many commands that is.
    await drive(WARM_UP_SECONDS, await cluster.leaderOf(KEY))
    await drive(WARM_UP_SECONDS, await cluster.leaderOf(KEY))
    const leader = await cluster.leaderOf(KEY)
    const inspectors = await Promise.all(
      Array.from({ length: NODES }, (_, i) => Inspector.open(inspectorUrl(cluster, i + 1))),
    )
    for (const inspector of inspectors) {
      await inspector.call('Profiler.enable')
      await inspector.call('Profiler.setSamplingInterval', { interval: INTERVAL_US })
      await inspector.call('Profiler.start')
    }
    const pids = cluster.pids()
    const before = pids.map(threadSeconds)
    const counts = await counters(cluster)
    const driven = await drive(seconds, leader)
    const after = await counters(cluster)
    const threads = pids.map(threadSeconds)
    const rate = Math.round(driven.commands / driven.seconds)
    console.log(`${clients} x ${pipeline}: ${rate} ${what}/s, ${driven.commands} commands`)
    for (const [i, inspector] of inspectors.entries()) {
      const { profile } = (await inspector.call('Profiler.stop')) as { profile: Profile }
      inspector.close()
      const name = i + 1 === leader.node ? 'leader' : 'follower'
      writeFileSync(`n${i + 1}-${name}.cpuprofile`, JSON.stringify(profile))
      const per = after.map((values, k) => {
        const count = (values[i] ?? 0) - (counts[k]?.[i] ?? 0)
        return (driven.commands / count).toFixed(1)
      })
      const title = `n${i + 1} ${name}, ${per[0]} commands a turn, ${per[1]} a durable write`
      show(title, profile, driven.commands, used(before[i], threads[i]))
    }
  } finally {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

await main()
